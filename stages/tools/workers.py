"""Tool: has Dask deal stages out to the workers of a cluster, and tells how they end."""

import contextlib
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from stages.frame.errors import UserError
from stages.tools import order, warm

if TYPE_CHECKING:
    from distributed import Client, Future, Worker

    from stages.tools.computing import Ended

WORD_EVERY_S = 60.0
# What all tasks are to Dask, the first part of their keys.
KIND = "stage"
# The verbs that compute on a GPU where there is one, as the names of their stages begin.
ON_GPU = ("attack", "audit", "detect", "featurise", "mix", "pretrain", "score", "train")


def run(waits_for: dict[str, set[str]], jobs: int, address: str | None = None) -> None:
    """Runs every stage when those it waits for are done: see `cluster.opened`.

    Here there are up to `jobs` processes.

    Raises:
        UserError: a stage fails, after those that do not need it have ended; or see `cluster.opened`.
    """
    from stages.tools import cluster
    from stages.tools.computing import KEEP_FREED_MEMORY, compute

    os.environ.update(KEEP_FREED_MEMORY)
    # Workers elsewhere load the libraries themselves.
    with contextlib.nullcontext() if address else warm.started(), cluster.opened(jobs, address) as client:
        print(f"{len(waits_for)} stages; who does what: {client.dashboard_link}", flush=True)
        _wait_for_workers(client)
        failures = _followed(client, submitted(client, compute, waits_for))
    if failures:
        name, failure = next(iter(failures.items()))
        more = f"; {len(failures) - 1} more failed, see above" if len(failures) > 1 else ""
        raise UserError(name, "a stage that ends well", failure, f"finished work is kept{more}")


def executing(dask_worker: "Worker") -> list[str]:
    """The stages that a worker computes, of those that it was given."""
    return [name for _, name in (task.key for task in dask_worker.state.executing)]


def _wait_for_workers(client: "Client") -> None:
    while not client.scheduler_info()["workers"]:
        print(f"waiting for a worker: make worker CLUSTER={client.scheduler.address}", flush=True)
        try:
            client.wait_for_workers(1, timeout=WORD_EVERY_S)
        except TimeoutError:
            continue


def submitted(client: "Client", work: Callable, waits_for: dict[str, set[str]]) -> "dict[str, Future]":
    """Has Dask call `work(stage, *results of those that it waits for)` for each stage, as `order` has them.

    Marked as one that produces data, a stage stays with the scheduler until a worker is free. Any other is given to a
    worker at once, where it waits behind a long one while another worker idles. That befalls those that are for workers
    with a GPU; who idles takes them over where they seem to take as long as what they wait for, which tasks of one kind
    do.
    """
    import dask
    from dask._task_spec import Task, TaskRef

    path_s, with_gpus = order.awaited_s(waits_for, order.measured_s()), _has_gpus(client)
    keys = {name: (KIND, name) for name in waits_for}
    graph = {
        key: Task(key, work, name, *(TaskRef(keys[one]) for one in sorted(waits_for[name])), _data_producer=True)
        for name, key in keys.items()
    }

    def wanted(key: tuple[str, str]) -> dict[str, Any]:
        return {"GPU": 1} if with_gpus and key[1].rpartition(":")[2].startswith(ON_GPU) else {}

    with dask.annotate(priority=lambda key: path_s[key[1]], resources=wanted):
        return dict(zip(keys, client.get(graph, list(keys.values()), sync=False)))


def _has_gpus(client: "Client") -> bool:
    workers = client.scheduler_info(n_workers=-1)["workers"].values()
    return any(worker["resources"].get("GPU") for worker in workers)


def _followed(client: "Client", running: "dict[str, Future]") -> dict[str, str]:
    """Tells how each stage ends; the failures in a line each."""
    from distributed import wait

    failures: dict[str, str] = {}
    while running:
        try:
            wait(list(running.values()), timeout=WORD_EVERY_S, return_when="FIRST_COMPLETED")
        except TimeoutError:
            working = client.run(executing, on_error="ignore").values()
            names = ", ".join(sorted(name for names in working for name in names))
            print(f"still at work: {names or 'nobody'}", flush=True)
        for name in [name for name, future in running.items() if future.done()]:
            future = running.pop(name)
            error = future.exception()
            if error is None:
                _tell(name, future.result())
                continue
            # What waits for a stage that fails has that one's error.
            failed, failure = _failure(error)
            if failed not in failures:
                print(f"{failed}: failed: {failure}", flush=True)
                failures[failed] = failure
    return failures


def _tell(name: str, ended: "Ended") -> None:
    how = "from the cache" if ended.cached else "done"
    print(*filter(None, [ended.told, f"{name}: {how} in {ended.seconds:.0f} s"]), sep="\n", flush=True)


def _failure(error: BaseException) -> tuple[str, str]:
    """The stage that failed, and how."""
    from distributed import KilledWorker

    if isinstance(error, UserError):
        return error.given[0], "; ".join(error.given[2:])
    if isinstance(error, KilledWorker):
        return error.task[1], "that its workers were killed; see what they say"
    raise error
