"""Tool: deals stages out to the workers of a Dask cluster, and tells how they end."""

import contextlib
import os
import time
from graphlib import TopologicalSorter
from typing import TYPE_CHECKING

from stages.frame.errors import UserError
from stages.tools import warm

if TYPE_CHECKING:
    from distributed import Client, Future, Worker

    from stages.tools.computing import Ended

# So often a stage begins anew whose process was killed.
RETRIES = 2
WORD_EVERY_S = 60.0
# So often is looked whether a worker has joined.
LOOKS_EVERY_S = 5.0
# The verbs that compute on a GPU where there is one, as the names of their stages begin.
ON_GPU = ("attack", "audit", "detect", "featurise", "mix", "pretrain", "score", "train")


def run(waits_for: dict[str, set[str]], jobs: int, address: str | None = None) -> None:
    """Runs every stage when those it waits for are done: see `cluster.opened`.

    Here there are up to `jobs` processes.

    Raises:
        UserError: a stage fails, after those that do not need it have ended; or see `cluster.opened`.
    """
    from stages.tools import cluster
    from stages.tools.computing import KEEP_FREED_MEMORY

    os.environ.update(KEEP_FREED_MEMORY)
    with warm.started(), cluster.opened(jobs, address) as client:
        print(f"{len(waits_for)} stages; who does what: {client.dashboard_link}", flush=True)
        _wait_for_workers(client)
        failures = _dealt(client, waits_for)
    if failures:
        name, failure = next(iter(failures.items()))
        more = f"; {len(failures) - 1} more failed, see above" if len(failures) > 1 else ""
        raise UserError(name, "a stage that ends well", failure, f"finished work is kept{more}")


def executing(dask_worker: "Worker") -> list[str]:
    """The stages that a worker computes, of those that it was given."""
    return [task.key for task in dask_worker.state.executing]


def awaited(waits_for: dict[str, set[str]]) -> dict[str, int]:
    """How many stages, itself among them, the longest chain has that waits for each."""
    lengths = dict.fromkeys(waits_for, 1)
    for name in reversed(list(TopologicalSorter(waits_for).static_order())):
        for needed in waits_for[name]:
            lengths[needed] = max(lengths[needed], 1 + lengths[name])
    return lengths


def _wait_for_workers(client: "Client") -> None:
    while not client.scheduler_info()["workers"]:
        print(f"waiting for a worker: make worker CLUSTER={client.scheduler.address}", flush=True)
        try:
            client.wait_for_workers(1, timeout=WORD_EVERY_S)
        except TimeoutError:
            continue


def _dealt(client: "Client", waits_for: dict[str, set[str]]) -> dict[str, str]:
    """Has all stages computed, the most awaited first, and tells how each ends; the failures in one line each.

    Dask is given a stage when those it waits for are done and a worker is free: what waits behind a long stage at one
    worker it may leave there while another worker idles.
    """
    from stages.tools.computing import compute

    lengths, words = awaited(waits_for), time.monotonic()
    waiting = dict(sorted(waits_for.items(), key=lambda item: (-lengths[item[0]], item[0])))
    running: dict[str, Future] = {}
    done: set[str] = set()
    failures: dict[str, str] = {}
    while waiting or running:
        for name, resources in _startable(client, [one for one in waiting if waiting[one] <= done], list(running)):
            del waiting[name]
            running[name] = client.submit(compute, name, key=name, retries=RETRIES, resources=resources)
        for name in _finished(running):
            ended = _ended(running.pop(name))
            _tell(name, ended)
            if ended.failure is None:
                done.add(name)
            else:
                failures[name] = ended.failure
                waiting = {one: needed for one, needed in waiting.items() if one not in needing(name, waiting)}
        if time.monotonic() - words > WORD_EVERY_S:
            working = client.run(executing, on_error="ignore").values()
            print(f"still at work: {', '.join(sorted(name for names in working for name in names))}", flush=True)
            words = time.monotonic()
    return failures


def needing(name: str, waits_for: dict[str, set[str]]) -> set[str]:
    """The stages that wait for this one, or for one of those."""
    found = {name}
    while more := {one for one, needed in waits_for.items() if needed & found} - found:
        found |= more
    return found - {name}


def _startable(client: "Client", ready: list[str], running: list[str]) -> list[tuple[str, dict[str, int] | None]]:
    """Those of the stages that are ready for which a worker is free, and what the worker must have."""
    workers = client.scheduler_info(n_workers=-1)["workers"].values()
    free = sum(worker["nthreads"] for worker in workers) - len(running)
    gpus = int(sum(worker["resources"].get("GPU", 0) for worker in workers))
    left = gpus - sum(map(_on_gpu, running))
    started = []
    for name in ready:
        wants = gpus > 0 and _on_gpu(name)
        if len(started) < free and (not wants or left > 0):
            left -= wants
            started.append((name, {"GPU": 1} if wants else None))
    return started


def _on_gpu(name: str) -> bool:
    return name.rpartition(":")[2].startswith(ON_GPU)


def _finished(running: dict[str, "Future"]) -> list[str]:
    """The stages that have ended, for the first of which is waited a moment."""
    from distributed import wait

    if not running:
        time.sleep(LOOKS_EVERY_S)
    with contextlib.suppress(TimeoutError):
        wait(list(running.values()), timeout=min(LOOKS_EVERY_S, WORD_EVERY_S), return_when="FIRST_COMPLETED")
    return [name for name, future in running.items() if future.done()]


def _tell(name: str, ended: "Ended") -> None:
    if ended.failure is not None:
        print(f"{name}: failed: {ended.failure}", flush=True)
        return
    how = "from the cache" if ended.cached else "done"
    print(*filter(None, [ended.told, f"{name}: {how} in {ended.seconds:.0f} s"]), sep="\n", flush=True)


def _ended(future: "Future") -> "Ended":
    """How the stage ended; where it was killed too often Dask has an error."""
    from distributed import KilledWorker

    from stages.tools.computing import Ended

    error = future.exception()
    if error is None:
        return future.result()
    if isinstance(error, UserError):
        return Ended(failure="; ".join(error.given[2:]))
    if isinstance(error, KilledWorker):
        return Ended(failure="that its workers were killed; see what they say")
    raise error
