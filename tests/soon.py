"""What other processes are awaited to do."""

import time


def soon(true) -> bool:
    """Whether it becomes true long before what sleeps ends by itself, however busy the machine is."""
    limit = time.monotonic() + 300
    while not true() and time.monotonic() < limit:
        time.sleep(0.05)
    return true()
