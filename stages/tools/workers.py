"""Tool: deals stages out to a few processes that stay, each running one stage after another through DVC."""

import logging
import multiprocessing
import os
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait

from stages.frame.errors import UserError
from stages.tools import warm

# glibc gives large blocks back to the kernel at once and pays for fresh pages at the next batch: a fifth of the time.
KEEP_FREED_MEMORY = {"MALLOC_MMAP_THRESHOLD_": "1000000000", "MALLOC_TRIM_THRESHOLD_": "1000000000"}


def run(waits_for: dict[str, set[str]], jobs: int) -> None:
    """Runs every stage when those it waits for are done, in up to `jobs` processes of a share of the cores each.

    Raises:
        UserError: a stage fails; those already running are finished first.
    """
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // jobs)))
    os.environ.update(KEEP_FREED_MEMORY)
    waiting = most_awaited_first(waits_for)
    done: set[str] = set()
    running: dict[Future, str] = {}
    context = multiprocessing.get_context("spawn")
    with warm.started(), ProcessPoolExecutor(jobs, context) as pool:
        while waiting or running:
            ready = [name for name, needed in waiting.items() if needed <= done]
            for name in ready[: jobs - len(running)]:
                del waiting[name]
                running[pool.submit(_reproduced, name)] = name
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                name = running.pop(future)
                if not future.result():
                    raise UserError(name, "a stage that ends well", "a failure, see above", "finished work is kept")
                done.add(name)


def most_awaited_first(waits_for: dict[str, set[str]]) -> dict[str, set[str]]:
    """The same graph, those stages first on which the longest chain of others waits."""
    depth: dict[str, int] = {}

    def depth_of(name: str) -> int:
        if name not in depth:
            depth[name] = 1 + max((depth_of(other) for other, needed in waits_for.items() if name in needed), default=0)
        return depth[name]

    return {name: waits_for[name] for name in sorted(waits_for, key=lambda name: (-depth_of(name), name))}


def _reproduced(name: str) -> bool:
    """Whether `dvc repro` of this stage alone ended well; DVC stays loaded in this process from one to the next."""
    from dvc.cli import main

    for chatty in ("commands.repro", "dvcfile", "repo.scm_context"):
        logging.getLogger(f"dvc.{chatty}").setLevel(logging.WARNING)
    return main(["--wait-for-lock", "repro", "--single-item", name]) == 0
