"""Verb: writes a built-in corpus, so that everything runs with no download: `python -m stages.embed ITEM`."""

import shutil
import sys
from pathlib import Path

from stages.frame import parameters
from stages.frame.errors import told_in_one_line
from stages.frame.modules import find


def main(item: str) -> None:
    """Writes `embedded.<item>`: `writer` names the function, `output` where its corpus goes; the rest is the function's."""
    values = parameters.section(f"embedded.{item}")
    output = Path(values.pop("output"))
    module, function = values.pop("writer").split(".")
    write = parameters.bind(
        find("corpora.embedded", module, function, where=f"embedded.{item}.writer"), f"embedded.{item}", values
    )
    arriving = output.with_name(f".{output.name}.arriving")
    if arriving.is_dir():
        shutil.rmtree(arriving)
    arriving.parent.mkdir(parents=True, exist_ok=True)
    write(arriving)
    arriving.rename(output)


if __name__ == "__main__":
    with told_in_one_line():
        main(*sys.argv[1:])
