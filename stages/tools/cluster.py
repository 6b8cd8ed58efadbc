"""Tool: the Dask cluster that stages are dealt out to: processes of this machine, or workers that join an address."""

import contextlib
import logging
import os
import shutil
import subprocess
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from stages.frame.errors import UserError
from stages.frame.scratch import top

if TYPE_CHECKING:
    from distributed import Client, Scheduler

# Stages that a worker has at a time.
SATURATION = 1.0
# A stage is much work and few bytes: Dask is to send the next one to who is idle, see `workers.submitted`, and to watch
# no memory and no code.
# What fails is told by `workers`, in a line.
SETTINGS = {
    "distributed.scheduler.allowed-failures": 2,
    "distributed.scheduler.worker-saturation": SATURATION,
    "distributed.scheduler.work-stealing-interval": "100ms",
    "distributed.worker.profile.enabled": False,
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.diagnostics.nvml": False,
    "distributed.logging": {"distributed": "critical", "distributed.client": "critical", "bokeh": "critical"},
    "temporary-directory": str(top() / "dask"),
}
HERE = {"dashboard": True, "dashboard_address": "127.0.0.1:0"}
CONNECTS_WITHIN_S = 10
START = "start one there: dask scheduler --host ADDRESS --dashboard-address 127.0.0.1:8787"


@contextlib.contextmanager
def opened(jobs: int, address: str | None) -> Iterator["Client"]:
    """A client of the scheduler at the address, or of one of its own with `jobs` workers in this folder.

    Raises:
        UserError: nobody answers at the address, or a worker there differs from who asks.
    """
    import dask

    with contextlib.ExitStack() as held:
        held.enter_context(dask.config.set(SETTINGS))
        from distributed import Client, Scheduler, SpecCluster, Worker

        from stages.tools import sharing
        from stages.tools.computing import Computing

        if address:
            try:
                client = held.enter_context(Client(address, timeout=CONNECTS_WITHIN_S))
            except (OSError, ValueError) as error:
                raise UserError(f"CLUSTER={address}", "a Dask scheduler", str(error), START) from error
            client.run_on_scheduler(_saturate)
            client.register_plugin(Computing(sharing.state()))
        else:
            dask.config.set({"distributed.dashboard.link": "http://127.0.0.1:{port}/status"})
            scheduler = {"cls": Scheduler, "options": {"protocol": "inproc://", **HERE}}
            workers = {
                number: {"cls": Worker, "options": {"protocol": "inproc://", **options(number)}}
                for number in range(jobs)
            }
            cluster = SpecCluster(scheduler=scheduler, workers=workers, silence_logs=logging.CRITICAL)
            client = held.enter_context(Client(held.enter_context(cluster)))
            client.register_plugin(Computing(None))
        yield client


def _saturate(dask_scheduler: "Scheduler") -> None:
    """Of a scheduler that others have started the settings are not these."""
    dask_scheduler.WORKER_SATURATION = SATURATION


def options(number: int) -> dict[str, Any]:
    """What the Dask worker of this number on this machine is to be: one stage at a time; the first ones have GPUs."""
    with_gpu = number < len(gpus())
    return {"nthreads": 1, "memory_limit": 0, "dashboard": False, "resources": {"GPU": 1} if with_gpu else {}}


def gpus() -> list[str]:
    """What CUDA_VISIBLE_DEVICES is to be for each worker that has a GPU, or `DEVICES` of them."""
    if os.environ.get("DEVICE") == "cpu" or not shutil.which("nvidia-smi"):
        return []
    told = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True).stdout
    listed = [str(number) for number in range(told.count("GPU "))]
    seen = [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", ",".join(listed)).split(",") if name]
    each = int(os.environ.get("DEVICES", "1"))
    return [",".join(seen[at : at + each]) for at in range(0, len(seen) - each + 1, each)]
