"""Ground floor: the recordings in a folder, as people and their machines leave them there."""

import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from stages.frame.errors import UserError

# What libsndfile and ffmpeg are asked to read, and what else people would call a recording.
SOUNDS = frozenset(
    (".wav", ".wave", ".w64", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".aifc", ".au", ".caf", ".sph")
)
VIDEOS = frozenset((".mpg", ".mpeg", ".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".wmv", ".flv"))
OTHERS = frozenset((".m4a", ".aac", ".wma", ".amr", ".ape", ".wv", ".mka", ".3gp", ".mts", ".vob", ".ogv"))


def files_below(folder: str | Path, suffixes: Iterable[str]) -> list[Path]:
    """The files with one of the suffixes, in any case, in a folder and those below it, sorted.

    Folders may be symbolic links. Passed over is what nobody put there: names that begin with a dot, such as the `._*`
    and `.DS_Store` of macOS, and its `__MACOSX`.

    Raises:
        UserError: a folder can't be listed, or leads back to one above it.
    """
    return sorted(path for path in _below(Path(folder), ()) if path.suffix.lower() in suffixes)


def files_in(folder: str | Path, suffixes: Iterable[str]) -> list[Path]:
    """As `files_below`, but without the folders below it."""
    return sorted(path for path in _entries(folder) if path.suffix.lower() in suffixes and not path.is_dir())


def folders_in(folder: str | Path) -> list[Path]:
    """The folders in a folder but those that are passed over, sorted; see `files_below`."""
    return sorted(path for path in _entries(folder) if path.is_dir())


def _entries(folder: str | Path) -> list[Path]:
    """What lies in a folder but what is passed over; see `files_below`."""
    try:
        found = list(Path(folder).iterdir())
    except OSError as error:
        raise UserError(folder, "a folder that can be listed", error.strerror, "correct its name or rights") from error
    return [path for path in found if not path.name.startswith(".") and path.name != "__MACOSX"]


def say_not_taken(folder: str | Path, taken: Iterable[Path]) -> None:
    """Counts on stderr, by their suffixes, the recordings in a folder and those below it that are not among `taken`."""
    left = sorted(set(files_below(folder, SOUNDS | VIDEOS | OTHERS)) - set(taken))
    if left:
        counts = ", ".join(f"{count} {suffix}" for suffix, count in Counter(path.suffix for path in left).items())
        print(f"{folder}: not taken are {counts}, such as {str(left[0])!r}", file=sys.stderr)


def _below(folder: Path, above: tuple[str, ...]) -> Iterator[Path]:
    """All files that are not passed over; `above` are the real paths of the folders that led here."""
    real = os.path.realpath(folder)
    if real in above:
        raise UserError(folder, "folders below one another", f"a link back to {real}", "remove the link")
    for path in _entries(folder):
        if path.is_dir():
            yield from _below(path, (*above, real))
        else:
            yield path
