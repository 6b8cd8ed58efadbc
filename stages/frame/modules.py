"""Ground floor: finds a room's file by its name, so that adding one needs no table of them."""

import importlib
import inspect
from pathlib import Path
from types import FunctionType
from typing import Any

from stages.frame.errors import UserError


def find(room: str, name: str, attribute: str, *, where: str) -> Any:
    """`attribute` of `stages/<room>/<name>.py`; `where` is the parameter that gave the name.

    Raises:
        UserError: no such file, or it has no such attribute.
    """
    folder = Path(__file__).parents[1].joinpath(*room.split("."))
    path = folder / f"{name}.py"
    # A name with a / could be that of a file which is no module of the room.
    if not name.isidentifier() or not path.is_file():
        known = ", ".join(sorted(file.stem for file in folder.glob("*.py") if file.stem != "__init__"))
        expected = f"a file stages/{room.replace('.', '/')}/<name>.py ({known})"
        raise UserError(f"params.yaml: {where}", expected, repr(name), "correct the name or add the file")
    module = importlib.import_module(f"stages.{room}.{name}")
    if not hasattr(module, attribute):
        raise UserError(path, f"a function {attribute!r}", "none", "define it, the README shows how")
    return getattr(module, attribute)


def find_function(room: str, name: str, function: str, *, where: str) -> FunctionType:
    """The function that a parameter names, defined in `stages/<room>/<name>.py`; see `find`.

    Raises:
        UserError: no such file, or no such function in it.
    """
    found = find(room, name, function, where=where)
    if not inspect.isfunction(found) or found.__module__ != f"stages.{room}.{name}" or function.startswith("_"):
        raise UserError(f"params.yaml: {where}", f"a function of stages/{room}/{name}.py", repr(function), "correct it")
    return found
