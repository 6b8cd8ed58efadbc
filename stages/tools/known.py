"""Tool: what processes of DVC have found out, by what they found it out of: the next one need not find it again.

It lies, as plain values, where DVC has what may be lost. Another version of DVC begins anew.
"""

import atexit
import contextlib
import functools
import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

PLACE = Path(".dvc/tmp")
# How much is kept; what was not asked for the longest goes first.
MOST = 1024
Known = dict[str, str]


@functools.cache
def shared() -> Known:
    """What is known of the repository around the working folder; what comes to it is kept at this process's end."""
    from dvc import __version__

    folders = (Path.cwd(), *Path.cwd().parents)
    home = next((folder for folder in folders if (folder / PLACE).is_dir()), Path.cwd())
    file = home / PLACE / f"known-{__version__}.json"
    known = _read(file)
    atexit.register(_write, file, known, set(known))
    return known


def found(known: Known, of: str, find: Callable[[], Any]) -> Any:
    """What `find` gives, which is asked but once of the same text: what that says has to decide what is found.

    Values that JSON does not give back as they are, such as dates and mappings of numbers, are found each time.
    """
    key = hashlib.blake2b(of.encode(errors="surrogatepass"), digest_size=16).hexdigest()
    if key not in known:
        value = find()
        with contextlib.suppress(TypeError):
            text = json.dumps(value)
            if json.loads(text) == value:
                known[key] = text
        return value
    # As the last one that was asked for.
    known[key] = known.pop(key)
    return json.loads(known[key])


def _read(file: Path) -> Known:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def _write(file: Path, known: Known, before: set[str]) -> None:
    """Exchanges the file if there is something new; where it can't be written, the next process finds all again."""
    if known.keys() == before:
        return
    arriving = file.with_suffix(f".{os.getpid()}")
    with contextlib.suppress(OSError):
        arriving.write_text(json.dumps(dict(list(known.items())[-MOST:])), encoding="utf-8")
        arriving.replace(file)
