"""Tool: deals stages out to a few processes that stay, each running one stage after another through DVC."""

import logging
import multiprocessing
import os
import signal
import time
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool

from stages.frame.errors import UserError
from stages.frame.parent import follow_parent
from stages.tools import quick_dvc, warm

# glibc gives large blocks back to the kernel at once and pays for fresh pages at the next batch: a fifth of the time.
KEEP_FREED_MEMORY = {"MALLOC_MMAP_THRESHOLD_": "1000000000", "MALLOC_TRIM_THRESHOLD_": "1000000000"}
WORD_EVERY_S = 60.0


def run(waits_for: dict[str, set[str]], jobs: int) -> None:
    """Runs every stage when those it waits for are done, in up to `jobs` processes of a share of the cores each.

    Raises:
        UserError: a stage fails, and those already running are finished first; or a process is killed.
    """
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // jobs)))
    os.environ.update(KEEP_FREED_MEMORY)
    waiting = most_awaited_first(waits_for)
    done: set[str] = set()
    running: dict[Future, tuple[str, float]] = {}
    context = multiprocessing.get_context("spawn")
    with warm.started(), ProcessPoolExecutor(jobs, context, initializer=_begin) as pool:
        while waiting or running:
            ready = [name for name, needed in waiting.items() if needed <= done]
            for name in ready[: jobs - len(running)]:
                del waiting[name]
                running[pool.submit(_reproduced, name)] = name, time.monotonic()
            ended = wait(running, WORD_EVERY_S, FIRST_COMPLETED).done
            if not ended:
                print(f"still at work: {', '.join(name for name, _ in running.values())}", flush=True)
            for future in ended:
                name, began = running.pop(future)
                if not _ended_well(future, name):
                    raise UserError(name, "a stage that ends well", "a failure, see above", "finished work is kept")
                print(f"{name}: done in {time.monotonic() - began:.0f} s", flush=True)
                done.add(name)


def _ended_well(future: Future, name: str) -> bool:
    try:
        return future.result()
    except BrokenProcessPool as error:
        found = "that it or another one was killed, maybe as memory ran out"
        raise UserError(name, "a process that ends by itself", found, "run again, with fewer JOBS") from error


def most_awaited_first(waits_for: dict[str, set[str]]) -> dict[str, set[str]]:
    """The same graph, those stages first on which the longest chain of others waits."""
    depth: dict[str, int] = {}

    def depth_of(name: str) -> int:
        if name not in depth:
            depth[name] = 1 + max((depth_of(other) for other, needed in waits_for.items() if name in needed), default=0)
        return depth[name]

    return {name: waits_for[name] for name in sorted(waits_for, key=lambda name: (-depth_of(name), name))}


def _begin() -> None:
    """What a process of the pool does before its first stage: it keeps locks whole, and ends with who started it."""
    quick_dvc.prepare()
    follow_parent(after=quick_dvc.writing)


def _reproduced(name: str) -> bool:
    """Whether `dvc repro` of this stage alone ended well; DVC stays loaded in this process from one to the next."""
    from dvc.cli import main

    for chatty in ("commands.repro", "dvcfile", "repo.scm_context"):
        logging.getLogger(f"dvc.{chatty}").setLevel(logging.WARNING)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return main(["--wait-for-lock", "repro", "--single-item", name]) == 0
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
