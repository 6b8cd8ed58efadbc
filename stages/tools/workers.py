"""Tool: deals stages out to the workers of a Dask cluster, and tells how they end."""

import os
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
# The verbs that compute on a GPU where there is one, as the names of their stages begin.
ON_GPU = ("attack", "audit", "detect", "featurise", "mix", "pretrain", "score", "train")


def run(waits_for: dict[str, set[str]], jobs: int, address: str | None = None) -> None:
    """Runs every stage when those it waits for are done: see `cluster.opened`.

    Here there are up to `jobs` processes of a share of the cores each.

    Raises:
        UserError: a stage fails, after those that do not need it have ended; or see `cluster.opened`.
    """
    from stages.tools import cluster
    from stages.tools.computing import KEEP_FREED_MEMORY

    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // jobs)))
    os.environ.update(KEEP_FREED_MEMORY)
    with warm.started(), cluster.opened(jobs, address) as client:
        print(f"{len(waits_for)} stages; who does what: {client.dashboard_link}", flush=True)
        _wait_for_workers(client)
        failures = _told(client, _dealt(client, waits_for))
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


def _dealt(client: "Client", waits_for: dict[str, set[str]]) -> dict[str, "Future"]:
    """All stages as futures, the most awaited first."""
    from stages.tools.computing import compute

    workers = client.scheduler_info(n_workers=-1)["workers"].values()
    gpu = {"GPU": 1} if any(worker["resources"].get("GPU") for worker in workers) else None
    lengths = awaited(waits_for)
    futures = {}
    for name in TopologicalSorter(waits_for).static_order():
        needed = [futures[one] for one in sorted(waits_for[name])]
        resources = gpu if name.rpartition(":")[2].startswith(ON_GPU) else None
        how = {"key": name, "priority": lengths[name], "retries": RETRIES, "resources": resources}
        futures[name] = client.submit(compute, name, *needed, **how)
    return futures


def _told(client: "Client", futures: dict[str, "Future"]) -> dict[str, str]:
    """Prints how each stage ends, and once a minute what is at work; the failures in one line each."""
    from distributed import wait

    failures = {}
    left = dict(futures)
    while left:
        try:
            wait(list(left.values()), timeout=WORD_EVERY_S, return_when="FIRST_COMPLETED")
        except TimeoutError:
            working = client.run(executing, on_error="ignore").values()
            print(f"still at work: {', '.join(sorted(name for names in working for name in names))}", flush=True)
            continue
        for name in [name for name, future in left.items() if future.done()]:
            ended = _ended(name, left.pop(name))
            if ended.seconds is not None:
                how = "from the cache" if ended.cached else "done"
                print(*filter(None, [ended.told, f"{name}: {how} in {ended.seconds:.0f} s"]), sep="\n", flush=True)
            if ended.failure:
                failures[name] = ended.failure
                print(f"{name}: failed: {ended.failure}", flush=True)
    return failures


def _ended(name: str, future: "Future") -> "Ended":
    """How the stage ended; where it or one that it needs was killed too often Dask has an error."""
    from distributed import KilledWorker

    from stages.tools.computing import Ended

    error = future.exception()
    if error is None:
        return future.result()
    if isinstance(error, UserError):
        return Ended(failure="; ".join(error.given[2:])) if error.given[0] == name else Ended()
    if isinstance(error, KilledWorker):
        return Ended(failure="that its workers were killed; see what they say") if error.task == name else Ended()
    raise error
