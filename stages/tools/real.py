"""Tool: entry of `make real`: puts the study of real models into the graph, which is not there for those without them.

`git restore params.yaml` and `rm stages/studies/real/dvc.yaml` lead back.
"""

import shutil
from pathlib import Path

from stages.frame import parameters
from stages.frame.errors import run, writing
from stages.frame.text import read_text

STUDY = Path("stages/studies/real")
PARAMS = Path("params.yaml")


def main() -> None:
    """Copies the study's graph to where DVC looks for it, and adds its section to params.yaml if it is not there.

    Raises:
        UserError: params.yaml can't be read or written.
    """
    there = "real" in parameters.read(PARAMS)
    with writing(STUDY):
        shutil.copyfile(STUDY / "graph.yaml", STUDY / "dvc.yaml")
        if not there:
            with PARAMS.open("a", encoding="utf-8") as file:
                file.write(f"\n{read_text(STUDY / 'section.yaml')}")


if __name__ == "__main__":
    run(main)
