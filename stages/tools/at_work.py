"""Tool: who is at work in this folder: which of DVC's notes still hold, and what killed runs have left running."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

import psutil

from stages.frame.alone import another_run

NOTES = Path(".dvc/tmp/rwlock")
# The system tells when a process began to about a second.
CLOCK_S = 2.0
# Time to leave finished shards whole.
ENDS_WITHIN_S = 60.0


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


def end_left_behind(stage: str | None = None) -> None:
    """Ends the commands of a stage here (of all stages without one) whose DVC was killed: nobody takes what they make.

    They hold their unfinished work, in which the next run is to go on. DVC tells commands its folder and their stage.
    """
    left = [process for process in psutil.process_iter() if _works_at(process, stage)]
    for process in left:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.terminate()
    for process in psutil.wait_procs(left, timeout=ENDS_WITHIN_S)[1]:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


def _works_at(process: psutil.Process, stage: str | None) -> bool:
    try:
        told = process.environ()
    except psutil.Error:
        return False
    return told.get("DVC_ROOT") == str(Path.cwd()) and stage in (None, told.get("DVC_STAGE"))


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
