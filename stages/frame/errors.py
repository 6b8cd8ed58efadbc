"""Ground floor: the one way in which a stage tells its user that something outside the code is wrong."""

import contextlib
import errno
import inspect
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeVar

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
CLOSED = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR)
NO_ROOM_BYTES = 65536
Made = TypeVar("Made")


class UserError(Exception):
    """What the user can mend: names the file or parameter, what was expected, what was found, and what to do."""

    def __init__(self, where: object, expected: str, found: str, do: str):
        super().__init__(_one_line(f"{where}: expected {expected}; found {found}; {do}"))
        self.given = str(where), expected, found, do

    def __reduce__(self) -> tuple:
        """So that worker processes can raise it."""
        return UserError, self.given


def each(make: Callable[[str], Made], names: Iterable[str]) -> dict[str, Made]:
    """What `make` gives for each name.

    Raises:
        UserError: some names have one each; it tells of all of them.
    """
    made, errors = {}, []
    for name in names:
        try:
            made[name] = make(name)
        except UserError as error:
            errors.append(error)
    if errors:
        (_, first), *others = {str(error): error for error in errors}.items()
        *given, do = first.given
        raise UserError(*given, "; and ".join([do, *(told for told, _ in others)]))
    return made


@contextlib.contextmanager
def told_in_one_line() -> Iterator[None]:
    """Turns a `UserError`, a full or closed disk and an interrupt into one line on stderr and a non-zero exit."""
    try:
        with writing(Path()):
            yield
    except UserError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("interrupted: finished shards are kept; run the same command again to go on from them")


@contextlib.contextmanager
def writing(place: str | Path) -> Iterator[None]:
    """Turns what the system says of a full disk, or of a place that can't be written, into a `UserError`.

    It names the file, or `place`, a file or folder, where the system names none. Libraries that tell the system's error
    in words alone (safetensors; shutil, of a folder's copy) are understood too, and of those that fail without a word
    (libsndfile, ffmpeg) the disk is asked whether it is full. All other errors are ours to see in full.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        number = _system_error(error) or (errno.ENOSPC if _is_full(place) else None)
        if number not in FULL + CLOSED:
            raise
        files = (getattr(error, name, None) for name in ("filename", "filename2"))
        where = " -> ".join(str(file) for file in files if file) or Path(place).absolute()
        expected, do = "a place to read and write", "change its permissions, or set SCRATCH to another folder"
        if number in FULL:
            expected, do = "room to write", "free some space (`dvc gc --workspace`), or set SCRATCH to another disk"
        raise UserError(
            where, expected, os.strerror(number), f"{do}, and run again; finished shards are kept"
        ) from error


def _system_error(error: Exception) -> int | None:
    """The system's number for the error, if it came from there and says so."""
    if isinstance(error, OSError) and error.errno:
        return error.errno
    told = re.search(r"(?:os error |\[Errno )(\d+)", str(error))
    return int(told[1]) if told else None


def _is_full(place: str | Path) -> bool:
    """Whether the disk of the place, or of the folder in which it is to be, has no room left."""
    path = Path(place).absolute()
    there = next(folder for folder in (path, *path.parents) if folder.exists())
    return shutil.disk_usage(there).free < NO_ROOM_BYTES


def _one_line(text: str) -> str:
    """The text with what would not be seen, or would end the line, written as an escape."""
    shown = (
        one if one.isprintable() else one.encode("unicode_escape", "surrogatepass").decode()
        for one in text.replace("\n", " ")
    )
    return "".join(shown)


def run(main: Callable[..., None]) -> None:
    """Calls a verb's `main` with the words of the command line, see `told_in_one_line`."""
    with told_in_one_line():
        signature = inspect.signature(main)
        try:
            signature.bind(*sys.argv[1:])
        except TypeError:
            expected = " ".join(name.upper() for name in signature.parameters)
            raise UserError(
                f"python -m {sys.modules['__main__'].__spec__.name}",
                expected,
                " ".join(sys.argv[1:]) or "nothing",
                "the names are those of params.yaml",
            ) from None
        main(*sys.argv[1:])
