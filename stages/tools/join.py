"""Tool: entry of `make worker`: lets this clone compute stages for whoever asks the Dask scheduler at an address.

It works on one stage at a time, by the processes and GPUs that `stages.frame.devices` is told of, until it is
interrupted or the scheduler ends. What it computes goes to the cache that all clones share
(`dvc cache dir --local FOLDER`), or to the remote. More workers on one machine have a clone each.
"""

import asyncio
import os

import dask

from stages.frame.errors import UserError, run
from stages.tools import cluster, sharing, warm


def main(address: str) -> None:
    """Works until the scheduler ends.

    Raises:
        UserError: code here is edited, or nobody answers at the address.
    """
    sharing.state()
    with dask.config.set(cluster.SETTINGS):
        # Dask logs as it is told when it is first imported.
        from stages.tools.computing import KEEP_FREED_MEMORY

        os.environ.update(KEEP_FREED_MEMORY)
        _joined(address)


def _joined(address: str) -> None:
    # Who has joined can begin at once: its start takes no time of the stages that others compute on this machine.
    with warm.started(loaded=True):
        try:
            asyncio.run(_work(address))
        except (OSError, ValueError) as error:
            raise UserError(f"CLUSTER={address}", "a Dask scheduler", str(error), cluster.START) from error


async def _work(address: str) -> None:
    from distributed import Worker

    async with Worker(address, **cluster.options(0)) as worker:
        print(f"at work for {address}; interrupt to leave", flush=True)
        await worker.finished()


if __name__ == "__main__":
    run(main)
