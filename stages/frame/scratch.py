"""Ground floor: where unfinished work lies, from which an interrupted stage goes on, and how it becomes an output."""

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from stages.frame import code, content
from stages.frame.alone import alone
from stages.frame.devices import Worker
from stages.frame.errors import writing

ONE_PROCESS = Worker()


def top() -> Path:
    """The folder of all that is no output: what is half done, and what is kept."""
    return Path(os.environ.get("SCRATCH", ".scratch"))


@contextlib.contextmanager
def scratch_folder(
    output: str | Path, *, inputs: list[str | Path], settings: Any, worker: Worker = ONE_PROCESS
) -> Iterator[Path]:
    """Where an interrupted run of the same code on the same inputs and settings left its work; made if absent.

    The folder goes when the block ends well. The code is this stage's own, what it has imported and can import: an edit
    elsewhere keeps what is half done.

    Raises:
        UserError: an input is missing, another run is at work in the folder, or the disk is full or closed.
    """
    folder = top() / _scratch_name(output, inputs, settings)
    with contextlib.ExitStack() as held:
        held.enter_context(writing(folder))
        folder.parent.mkdir(parents=True, exist_ok=True)
        if worker.rank == 0:
            held.enter_context(alone(folder.with_name(f"{folder.name}.lock"), folder))
        worker.wait_for_all()
        folder.mkdir(exist_ok=True)
        yield folder
        if worker.rank == 0:
            _remove(folder)


def move(folder: Path, output: Path) -> None:
    """Puts a finished folder in the place of `output`, which is never seen half-written.

    Where that fails the folder stays as it was. On another disk it is copied, and goes with its scratch folder.

    Raises:
        UserError: the output's disk is full or closed.
    """
    arriving = output.with_name(f".{output.name}.arriving")
    with writing(output):
        for old in (arriving, output):
            if old.exists():
                shutil.rmtree(old)
        output.parent.mkdir(parents=True, exist_ok=True)
        try:
            folder.rename(output)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            shutil.copytree(folder, arriving)
            arriving.rename(output)


def _scratch_name(output: str | Path, inputs: list[str | Path], settings: Any) -> str:
    key = content.of_settings([settings, content.of_files(*code.whole(*code.loaded()), *inputs)])
    return f"{'-'.join(Path(output).parts[-3:])}-{key[:16]}"


def _remove(folder: Path) -> None:
    """Removes a scratch folder; what an interrupt leaves of it is not taken for unfinished work."""
    leaving = folder.with_name(f"{folder.name}.done")
    shutil.rmtree(leaving, ignore_errors=True)
    folder.rename(leaving)
    shutil.rmtree(leaving)
