"""Room of reporting: the parts of a study, found in the folder of its name."""

from pathlib import Path
from typing import Any

from stages.frame.errors import UserError
from stages.frame.modules import find

STUDIES = Path(__file__).parents[1] / "studies"


def part(study: str, file: str, attribute: str) -> Any:
    """`attribute` of `stages/studies/<study>/<file>.py`.

    Raises:
        UserError: there is no such study, or it lacks this part.
    """
    known = sorted(folder.name for folder in STUDIES.iterdir() if folder.is_dir() and folder.name != "__pycache__")
    if study not in known:
        raise UserError("study", f"one of {', '.join(known)}", repr(study), "correct the name, or add its folder")
    return find(f"studies.{study}", file, attribute, where=study)
