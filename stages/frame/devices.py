"""Ground floor: on which device this process works, and which share of the work is its own.

One process on one device unless the environment says otherwise: `DEVICES=4`, `torchrun`, `srun` and `fabric run` start
several through Lightning Fabric. None of this can change a result, so none of it is a parameter. `DEVICE=cpu` keeps a
stage off the GPU.
"""

import contextlib
import datetime
import os
import re
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from stages.frame.errors import UserError

WORD_EVERY_S = 60.0
# For others to start, be they queued on a busy machine, and to do their share.
LONGEST_START = datetime.timedelta(minutes=10)
LONGEST_SHARE = datetime.timedelta(days=365)


@dataclass(frozen=True)
class Worker:
    """One of `count` processes; `fabric`, and the `group` in which they wait, are None where it is the only one."""

    rank: int = 0
    count: int = 1
    fabric: Any = None
    group: Any = None

    @cached_property
    def device(self) -> str:
        """The device's name: CUDA where there is one, unless `DEVICE` says otherwise.

        Raises:
            UserError: `DEVICE` is not on this machine.
        """
        if self.fabric is not None:
            return str(self.fabric.device)
        name = os.environ.get("DEVICE")
        if name == "cpu":
            return name
        import torch

        if not name:
            return "cuda" if torch.cuda.is_available() else "cpu"
        try:
            torch.zeros(1, device=name)
        except (RuntimeError, AssertionError) as error:
            found = f"{name}: {_short(error)}"
            raise UserError(
                "environment variable DEVICE", "a device of this machine", found, "try DEVICE=cpu"
            ) from error
        return name

    def wait_for_all(self) -> None:
        """Returns when every process has come here, and says once a minute that it waits.

        Raises:
            UserError: another one has ended.
        """
        if self.fabric is None:
            return
        import torch

        where = f"process {self.rank + 1} of {self.count}"
        try:
            with _saying(f"{where}: waiting for the others to do their share"):
                torch.distributed.barrier(group=self.group)
        except RuntimeError as error:
            raise UserError(where, "the others to come here", _short(error), "see what they say") from error


def launch() -> Worker:
    """This process's place among those that work on the stage, after starting the others if there are to be any.

    Raises:
        UserError: a variable of the environment has no sense, or the processes do not come together.
    """
    devices, nodes = _count("DEVICES"), _count("NODES")
    device = os.environ.get("DEVICE") or "auto"
    if not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", device):
        raise UserError("environment variable DEVICE", "cpu, cuda or cuda:0 and so on", repr(device), "correct it")
    started_from_outside = _started_from_outside()
    if devices * nodes == 1 and not started_from_outside:
        return Worker()
    if nodes > 1 and not started_from_outside and "MASTER_ADDR" not in os.environ:
        do = "set MASTER_ADDR, MASTER_PORT and NODE_RANK on each machine, or start the stage by srun or torchrun"
        raise UserError("environment variable NODES", "where the machines meet", "no MASTER_ADDR", do)
    import torch
    from lightning_fabric import Fabric
    from lightning_fabric.strategies import DDPStrategy
    from lightning_fabric.utilities.exceptions import MisconfigurationException

    try:
        strategy = DDPStrategy(timeout=LONGEST_START)
        fabric = Fabric(accelerator=device.split(":")[0], devices=devices, num_nodes=nodes, strategy=strategy)
        with _saying(f"waiting for all {devices * nodes} processes (DEVICES={devices}, NODES={nodes}) to start"):
            fabric.launch()
            group = torch.distributed.new_group(backend="gloo", timeout=LONGEST_SHARE)
    except (MisconfigurationException, RuntimeError, ValueError, KeyError) as error:
        where = "environment variables DEVICE, DEVICES, NODES"
        raise UserError(where, "processes that start together", _short(error), "correct them") from error
    return Worker(rank=fabric.global_rank, count=fabric.world_size, fabric=fabric, group=group)


def _started_from_outside() -> bool:
    """Whether several processes work on this stage that Fabric is not to start.

    Raises:
        UserError: Slurm was asked for several tasks, and neither `srun` nor `DEVICES` says who starts them.
    """
    tasks, started = _count("SLURM_NTASKS"), _count("SLURM_STEP_NUM_TASKS")
    if started > 1 or _count("WORLD_SIZE") > 1:
        return True
    if tasks > 1 and "DEVICES" not in os.environ:
        do = f"start the stage by srun, or set DEVICES (1, or {tasks} to have it start them)"
        raise UserError("environment variable SLURM_NTASKS", "as many processes as tasks", f"{tasks}, but no srun", do)
    # To Fabric it would mean that somebody else starts the processes.
    os.environ.pop("SLURM_NTASKS", None)
    return False


def _count(name: str) -> int:
    text = os.environ.get(name, "1")
    if not text.isdecimal() or int(text) < 1:
        raise UserError(f"environment variable {name}", "a whole number >= 1", repr(text), "correct it")
    return int(text)


@contextlib.contextmanager
def _saying(what: str) -> Iterator[None]:
    """Prints once a minute, for as long as the block lasts, what this process does."""
    done = threading.Event()

    def say() -> None:
        while not done.wait(WORD_EVERY_S):
            print(what, file=sys.stderr, flush=True)

    threading.Thread(target=say, daemon=True).start()
    try:
        yield
    finally:
        done.set()


def _short(error: Exception) -> str:
    """The first line of what a library says at length."""
    return str(error).strip().split("\n")[0][:200]
