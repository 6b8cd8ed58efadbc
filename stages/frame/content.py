"""Ground floor: hashes of settings, and of what files and folders hold, by which work is known again."""

import hashlib
import json
from pathlib import Path
from typing import Any

from stages.frame.errors import UserError


def of_settings(settings: Any) -> str:
    """A hash of what json can write, and of other values as text."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True, default=str).encode()).hexdigest()


def of_files(*paths: str | Path) -> str:
    """A hash of the names and the content of files, those of folders among them.

    Raises:
        UserError: there is no such file or folder.
    """
    total = hashlib.sha256()
    for file in (file for path in paths for file in _files(Path(path))):
        total.update(file.name.encode())
        with file.open("rb") as stream:
            total.update(hashlib.file_digest(stream, "sha256").digest())
    return total.hexdigest()


def _files(path: Path) -> list[Path]:
    if not path.exists():
        raise UserError(path, "a file or folder", "nothing there", "run dvc repro, or see data/README.md")
    return sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
