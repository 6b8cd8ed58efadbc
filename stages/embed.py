"""Verb: writes a built-in corpus, so that everything runs with no download: `python -m stages.embed STUDY ENTRY`."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from stages.frame import parameters
from stages.frame.errors import run, writing
from stages.frame.modules import find_function
from stages.frame.parameters import Name


@dataclass(frozen=True, kw_only=True)
class Entry:
    """What each entry of `<study>.embedded` has: a folder or file of the project, and a function of the room."""

    output: Name
    writer: str


def main(study: str, name: str) -> None:
    """Writes the corpus of `<study>.embedded.<name>` to its `output`; the function `writer` takes the entry's rest.

    Raises:
        UserError: the entry is faulty.
    """
    where = f"{study}.embedded.{name}"
    values = parameters.section(where)
    entry = parameters.bind(Entry, where, {key: values.pop(key) for key in ("output", "writer") if key in values})()
    output = Path(entry.output)
    module, _, function = entry.writer.partition(".")
    write = find_function("corpora.embedded", module, function, where=f"{where}.writer")
    write = parameters.bind(write, where, values)
    arriving = output.with_name(f".{output.name}.arriving")
    with writing(output):
        if arriving.is_dir():
            shutil.rmtree(arriving)
        arriving.parent.mkdir(parents=True, exist_ok=True)
        write(arriving)
        if output.is_dir():
            shutil.rmtree(output)
        arriving.rename(output)
    files = [output] if output.is_file() else [file for file in output.rglob("*") if file.is_file()]
    print(f"{study} {name}: {output}, files: {len(files)}")


if __name__ == "__main__":
    run(main)
