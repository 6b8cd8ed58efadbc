"""Verb: writes a built-in corpus, so that everything runs with no download: `python -m stages.embed STUDY ENTRY`."""

import shutil
from pathlib import Path

from stages.frame import parameters
from stages.frame.errors import UserError, run
from stages.frame.modules import find


def main(study: str, name: str) -> None:
    """Writes the corpus of `<study>.embedded.<name>` to its `output`; the function `writer` takes the entry's rest.

    Raises:
        UserError: the entry is faulty.
    """
    where = f"{study}.embedded.{name}"
    values = parameters.section(where)
    if not isinstance(values, dict) or not {"output", "writer"} <= values.keys():
        raise UserError(f"params.yaml: {where}", "output and writer", repr(values), "see params.yaml in git")
    output = Path(values.pop("output"))
    module, _, function = str(values.pop("writer")).partition(".")
    write = find("corpora.embedded", module, function, where=f"{where}.writer")
    write = parameters.bind(write, where, values)
    arriving = output.with_name(f".{output.name}.arriving")
    if arriving.is_dir():
        shutil.rmtree(arriving)
    arriving.parent.mkdir(parents=True, exist_ok=True)
    write(arriving)
    arriving.rename(output)


if __name__ == "__main__":
    run(main)
