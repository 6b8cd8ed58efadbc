"""Ground floor: on which device this process works, and which share of the work is its own.

One process on one device unless the environment says otherwise: `DEVICES=4`, `torchrun`, Slurm and `fabric run` start
several through Lightning Fabric. None of this can change a result, so none of it is a parameter. `DEVICE=cpu` keeps a
stage off the GPU.
"""

import os
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from stages.frame.errors import UserError


@dataclass(frozen=True)
class Worker:
    """One of `count` processes; `fabric` is None where it is the only one."""

    rank: int = 0
    count: int = 1
    fabric: Any = None

    @cached_property
    def device(self) -> str:
        """The device's name: CUDA where there is one, unless `DEVICE` says otherwise."""
        if self.fabric is not None:
            return str(self.fabric.device)
        if os.environ.get("DEVICE"):
            return os.environ["DEVICE"]
        import torch

        return "cuda" if torch.cuda.is_available() else "cpu"

    def wait_for_all(self) -> None:
        """Returns when every process has come here."""
        if self.fabric is not None:
            self.fabric.barrier()


def launch() -> Worker:
    """This process's place among those that work on the stage, after starting the others if there are to be any.

    Raises:
        UserError: `DEVICES` or `NODES` is no positive whole number.
    """
    devices, nodes = _count("DEVICES"), _count("NODES")
    started_from_outside = any(int(os.environ.get(name, 1)) > 1 for name in ("WORLD_SIZE", "SLURM_NTASKS"))
    if devices * nodes == 1 and not started_from_outside:
        return Worker()
    from lightning_fabric import Fabric

    accelerator = (os.environ.get("DEVICE") or "auto").split(":")[0]
    fabric = Fabric(accelerator=accelerator, devices=devices, num_nodes=nodes, strategy="ddp")
    fabric.launch()
    return Worker(rank=fabric.global_rank, count=fabric.world_size, fabric=fabric)


def _count(name: str) -> int:
    text = os.environ.get(name, "1")
    if not text.isdigit() or int(text) < 1:
        raise UserError(f"environment variable {name}", "a whole number >= 1", repr(text), "correct it")
    return int(text)
