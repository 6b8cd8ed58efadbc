"""Tool: what DVC notes of who reads and writes what in this folder, and which of these notes still hold."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

import psutil

from stages.frame.alone import another_run

NOTES = Path(".dvc/tmp/rwlock")
# The system tells when a process began to about a second.
CLOCK_S = 2.0


def check() -> None:
    """Passes if no command of DVC is at work in this folder, and takes out what dead ones have left.

    DVC itself takes any process for the one that made a note that has its number by now, and can't go on where a kill
    cut the notes.

    Raises:
        UserError: one is at work.
    """
    if not NOTES.exists():
        return
    for process, command in _noted(NOTES.read_text(encoding="utf-8", errors="replace")):
        if _is_older(process, NOTES.stat().st_mtime):
            raise another_run(Path.cwd(), f"{process}: {command}")
    NOTES.unlink()


def _noted(text: str) -> Iterator[tuple[int, str]]:
    """The processes that have notes, with their commands; of notes that were cut none."""
    with contextlib.suppress(json.JSONDecodeError):
        notes = json.loads(text)
        for entries in [*notes.get("read", {}).values(), *([entry] for entry in notes.get("write", {}).values())]:
            for entry in entries:
                yield entry["pid"], entry["cmd"]


def _is_older(process: int, written_at: float) -> bool:
    """Whether the process lives and was there when the notes were written."""
    try:
        return psutil.Process(process).create_time() < written_at + CLOCK_S
    except psutil.NoSuchProcess:
        return False
