"""Tool: what a Dask worker does: has a stage computed by DVC, in a process that stays from one stage to the next."""

import contextlib
import multiprocessing
import os
import platform
import time
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import NamedTuple

from distributed import Worker, WorkerPlugin, get_worker

from stages.frame.errors import UserError
from stages.frame.scratch import top
from stages.tools import at_work, cluster, sharing, stage_process, warm

# glibc gives large blocks back to the kernel at once and pays for fresh pages at the next batch: a fifth of the time.
KEEP_FREED_MEMORY = {"MALLOC_MMAP_THRESHOLD_": "1000000000", "MALLOC_TRIM_THRESHOLD_": "1000000000"}
# So often a stage begins whose process is killed.
TRIES = 3
# How lines begin that DVC says after a stage.
OF_DVC = ("Use `dvc push`", "Updating lock file", "Generating lock file")


class Ended(NamedTuple):
    """How a stage ended: after so many seconds.

    `cached` are outputs that were not computed, but found in the cache; `told` is what the stage said last, if it did.
    """

    seconds: float
    cached: bool
    told: str


def compute(stage: str, *needed: Ended) -> Ended:
    """Computes the stage, after those needed, in the process of the Dask worker that this is called in.

    Raises:
        UserError: the stage fails, or its process was killed each time; another one is there for the next call.
    """
    return get_worker().plugins[Computing.name].compute(stage)


class Computing(WorkerPlugin):
    """The process of a worker.

    `asked` is the state of who asks, see `sharing.state`, where the worker has a clone of its own; then it takes what
    a stage needs from the cache that they share, or from the remote. None where all work in one folder.
    """

    name = "computing"

    def __init__(self, asked: dict[str, str] | None):
        self.asked = asked

    def setup(self, worker: Worker) -> None:
        """What Dask calls first.

        Raises:
            UserError: the worker differs from who asks.
        """
        self.held = contextlib.ExitStack()
        if self.asked:
            sharing.check(self.asked)
            os.environ.update(KEEP_FREED_MEMORY)
            self.held.enter_context(warm.started())
        gpus = cluster.gpus()
        self.variables = {}
        if gpus and not self.asked:
            own = worker.name < len(gpus)
            self.variables = {"CUDA_VISIBLE_DEVICES": gpus[worker.name]} if own else {"DEVICE": "cpu"}
        self.process = self._started()
        if self.asked:
            # A worker that has to wait for its first stage has the time.
            self.process.submit(stage_process.load)

    def teardown(self, worker: Worker) -> None:
        """What Dask calls last."""
        self.process.shutdown(wait=False)
        self.held.close()

    def _started(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), stage_process.begin, (self.variables,))

    def compute(self, stage: str) -> Ended:
        """See `compute`."""
        log, began = log_of(stage), time.monotonic()
        log.parent.mkdir(parents=True, exist_ok=True)
        if not self._ends_well(stage, log):
            where = f"{platform.node()}:{log.absolute()}" if self.asked else str(log)
            raise UserError(stage, "a stage that ends well", last_word(log), f"see {where}")
        seconds, text = time.monotonic() - began, log.read_text(encoding="utf-8", errors="replace")
        _, ran, said = text.partition(f"Running stage '{stage}':")
        # The first line of what DVC says then is the command.
        *_, told = ["", *(line for line in said.splitlines()[2:] if line and not line.startswith(OF_DVC))]
        return Ended(seconds=seconds, cached=not ran, told=told)

    def _ends_well(self, stage: str, log: Path) -> bool:
        """Whether the stage ended well; it begins anew where its process is killed."""
        for _ in range(TRIES):
            try:
                return self.process.submit(stage_process.reproduced, stage, str(log), bool(self.asked)).result()
            except BrokenProcessPool:
                self.process = self._started()
                at_work.end_left_behind(stage)
        found = "that it was killed, maybe as memory ran out"
        raise UserError(stage, "a process that ends by itself", found, "run again, with fewer JOBS")


def log_of(stage: str) -> Path:
    """Where all is written that the stage and its DVC say."""
    file, _, name = stage.rpartition(":")
    return top() / "logs" / Path(file).parent.name / f"{name}.log"


def last_word(log: Path) -> str:
    """What a failed stage said in one line, or else the last line of its log."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines() or ["not a word"]
    told = (line.removeprefix("error: ") for line in reversed(lines) if line.startswith("error: "))
    return next(told, lines[-1])
