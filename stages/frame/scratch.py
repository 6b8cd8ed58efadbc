"""Ground floor: where unfinished work lies, from which an interrupted stage goes on, and how it becomes an output."""

import contextlib
import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from stages.frame import code
from stages.frame.alone import alone
from stages.frame.devices import Worker
from stages.frame.errors import UserError, writing

ONE_PROCESS = Worker()


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
    folder = Path(os.environ.get("SCRATCH", ".scratch"), _scratch_name(output, inputs, settings))
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
    own = sorted(code.TOP / file for file in code.needed(code.loaded()))
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True, default=str).encode())
    for path in [*own, *(file for given in inputs for file in _files(Path(given)))]:
        digest.update(str(path.name).encode())
        with path.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return f"{'-'.join(Path(output).parts[-3:])}-{digest.hexdigest()[:16]}"


def _remove(folder: Path) -> None:
    """Removes a scratch folder; what an interrupt leaves of it is not taken for unfinished work."""
    leaving = folder.with_name(f"{folder.name}.done")
    shutil.rmtree(leaving, ignore_errors=True)
    folder.rename(leaving)
    shutil.rmtree(leaving)


def _files(path: Path) -> list[Path]:
    if not path.exists():
        raise UserError(path, "a file or folder", "nothing there", "run dvc repro, or see data/README.md")
    return sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
