"""Ground floor: finds a room's file by its name, so that adding one needs no table of them."""

import importlib
from pathlib import Path
from typing import Any

from stages.frame.errors import UserError


def find(room: str, name: str, attribute: str, *, where: str) -> Any:
    """`attribute` of `stages/<room>/<name>.py`; `where` is the parameter that gave the name.

    Raises:
        UserError: no such file, or it has no such attribute.
    """
    path = Path(__file__).parents[1].joinpath(*room.split("."), f"{name}.py")
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in path.parent.glob("*.py") if file.stem != "__init__"))
        expected = f"a file stages/{room.replace('.', '/')}/<name>.py ({known})"
        raise UserError(f"params.yaml: {where}", expected, repr(name), "correct the name or add the file")
    module = importlib.import_module(f"stages.{room}.{name}")
    if not hasattr(module, attribute):
        raise UserError(path, f"a function {attribute!r}", "none", "define it, the README shows how")
    return getattr(module, attribute)
