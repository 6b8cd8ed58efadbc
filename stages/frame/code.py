"""Ground floor: which files of `stages` a file needs, read from its imports."""

import ast
import functools
import sys
from collections.abc import Iterable
from pathlib import Path

TOP = Path(__file__).parents[2]


def needed(files: Iterable[Path]) -> set[Path]:
    """The files and all that they import of `stages`, also inside functions, and all that those import in turn.

    What is found by name at run time (see `modules.find`) is imported by nobody, and has to be among `files`. Paths are
    relative to the repository's top folder; packages' `__init__.py` are left out.
    """
    seen: set[Path] = set()
    waiting = {file for file in files if file.name != "__init__.py"}
    while waiting:
        file = waiting.pop()
        seen.add(file)
        waiting |= _imported(file) - seen
    return seen


def whole(*files: str | Path) -> list[Path]:
    """The files and all that they need, with their whole paths, sorted."""
    return sorted(TOP / file for file in needed(map(Path, files)))


def loaded() -> set[Path]:
    """The files of `stages` that this process has imported."""
    modules = (getattr(module, "__file__", None) for module in list(sys.modules.values()))
    files = (Path(file) for file in modules if file)
    own = {file.relative_to(TOP) for file in files if file.is_relative_to(TOP / "stages")}
    return {file for file in own if file.name != "__init__.py"}


@functools.cache
def _imported(file: Path) -> frozenset[Path]:
    found = set()
    for node in ast.walk(ast.parse((TOP / file).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        paths = (Path(*name.split(".")).with_suffix(".py") for name in names if name.startswith("stages."))
        found |= {path for path in paths if (TOP / path).is_file()}
    return frozenset(found)
