"""What the fuzzing test knows of a subject: how whole files are made and read, and what must be true of any result."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

CUT = frozenset(("truncated", "emptied"))
# Of formats with a sum over all that they hold.
ANY = CUT | {"flipped", "zeroed", "resized", "spliced"}
ENCODED = frozenset(("encoded",))


class Subject(NamedTuple):
    """Files to be mutated.

    `make` writes them into an empty folder, where the patterns `files` find them; `read` reads them as a stage does,
    and gives values and arrays. After a mutation in `exact` that must be told, or change nothing. `check` asserts what
    must be true of every result; its other argument is the result of the whole files. With `tree` files may also be
    missing, have odd names, or others beside them.
    """

    make: Callable[[Path], None]
    files: tuple[str, ...]
    read: Callable[[Path], Any]
    exact: frozenset[str]
    check: Callable[[Any, Any], None]
    tree: bool = False


def written(folder: Path, texts: dict[str, str]) -> None:
    """Writes texts into files of a folder."""
    for name, text in texts.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
