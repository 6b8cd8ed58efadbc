"""Tool: what processes of DVC have found out, by what they found it out of: the next one need not find it again.

It lies where DVC has what may be lost. Another version of DVC begins anew.
"""

import atexit
import contextlib
import functools
import hashlib
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

PLACE = Path(".dvc/tmp")
# How much is kept; what was not asked for the longest goes first.
MOST = 1024
Known = dict[bytes, bytes]


@functools.cache
def shared() -> Known:
    """What is known of the repository around the working folder; what comes to it is kept at this process's end."""
    from dvc import __version__

    folders = (Path.cwd(), *Path.cwd().parents)
    home = next((folder for folder in folders if (folder / PLACE).is_dir()), Path.cwd())
    file = home / PLACE / f"known-{__version__}.pickle"
    known = _read(file)
    atexit.register(_write, file, known, set(known))
    return known


def found(known: Known, of: str, find: Callable[[], Any]) -> Any:
    """What `find` gives, which is asked but once of the same text: what that says has to decide what is found."""
    key = hashlib.blake2b(of.encode(errors="surrogatepass"), digest_size=16).digest()
    # As the last one that was asked for.
    known[key] = known.pop(key, b"") or pickle.dumps(find())
    return pickle.loads(known[key])  # noqa: S301 (our own)


def _read(file: Path) -> Known:
    try:
        return pickle.loads(file.read_bytes())  # noqa: S301 (our own)
    except (OSError, EOFError, pickle.UnpicklingError):
        return {}


def _write(file: Path, known: Known, before: set[bytes]) -> None:
    """Exchanges the file if there is something new; where it can't be written, the next process finds all again."""
    if known.keys() == before:
        return
    arriving = file.with_suffix(f".{os.getpid()}")
    with contextlib.suppress(OSError):
        arriving.write_bytes(pickle.dumps(dict(list(known.items())[-MOST:])))
        arriving.replace(file)
