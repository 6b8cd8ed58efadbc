"""Built-in corpora: does many jobs over as many processes as there are cores; no result depends on how many."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from stages.frame.parent import follow_parent


def each(work: Callable[..., Any], jobs: list[tuple], *, at_once: int = 4) -> Iterator[Any]:
    """What `work(*job)` returns for each of the jobs, in their order; a process takes so many of them at once."""
    with ProcessPoolExecutor(os.cpu_count(), initializer=follow_parent) as pool:
        yield from pool.map(work, *zip(*jobs), chunksize=at_once)
