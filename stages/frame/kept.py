"""Ground floor: finished pieces of former runs, kept by what they were made of, so that only what is new is computed.

A piece is a file in the folder `kept` of the scratch folder, called by its key; what it holds comes after a hash of
that and the key, so that one that is cut, damaged or another's is known. Those used least recently go when all are
larger than `KEPT_GB`.
"""

import contextlib
import hashlib
import os
import tempfile
from pathlib import Path

from stages.frame.errors import UserError
from stages.frame.scratch import top

DEFAULT_GB = "5"
BYTES_PER_GB = 10**9
SEAL_BYTES = 32


def take(key: str) -> bytes | None:
    """What was kept under the key; None where there is nothing, or something else."""
    path = _folder() / key
    try:
        os.utime(path)
        held = path.read_bytes()
    except FileNotFoundError:
        return None
    seal, piece = held[:SEAL_BYTES], held[SEAL_BYTES:]
    return piece if seal == _seal(key, piece) else None


def keep(key: str, piece: bytes) -> None:
    """Keeps a piece under its key, in the place of those that were used least recently; none that has no room alone.

    Others, who may do the same at the same time, see it whole or not at all.

    Raises:
        UserError: `KEPT_GB` has no sense.
    """
    room = _room()
    if SEAL_BYTES + len(piece) > room:
        return
    folder = _folder()
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=folder, delete=False) as unfinished:
        unfinished.write(_seal(key, piece) + piece)
    with contextlib.suppress(FileNotFoundError):  # where others have so much to keep that it had to go already
        Path(unfinished.name).rename(folder / key)
    _make_room(folder, room)


def _make_room(folder: Path, room: int) -> None:
    """Removes what was used least recently until the rest has room; what an interrupt left unfinished goes alike."""
    used: list[tuple[int, int, Path]] = []
    for file in folder.iterdir():
        with contextlib.suppress(FileNotFoundError):  # which another process has removed
            told = file.stat()
            used.append((told.st_mtime_ns, told.st_size, file))
    excess = sum(size for _, size, _ in used) - room
    for _, size, file in sorted(used):
        if excess <= 0:
            break
        file.unlink(missing_ok=True)
        excess -= size


def _seal(key: str, piece: bytes) -> bytes:
    return hashlib.sha256(key.encode() + piece).digest()


def _folder() -> Path:
    return top() / "kept"


def _room() -> int:
    """How many bytes all pieces may have."""
    text = os.environ.get("KEPT_GB", DEFAULT_GB)
    try:
        room = float(text)
    except ValueError:
        room = -1.0
    if not 0 <= room < float("inf"):
        raise UserError("environment variable KEPT_GB", "a number >= 0", repr(text), "correct it")
    return int(room * BYTES_PER_GB)
