"""Ground floor: what each process of a pool does first, so that an interrupt or a kill of its parent leaves none."""

import contextlib
import multiprocessing
import os
import signal
import threading
from contextlib import AbstractContextManager


def follow_parent(*, after: AbstractContextManager | None = None) -> None:
    """Leaves interrupts to the parent; when it is gone, ends this process and what that has started.

    Else it would wait for work for ever. `after` is entered before the end, as a lock that is held while something must
    not be cut.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, args=(after or contextlib.nullcontext(),), daemon=True).start()


def _end_with_parent(after: AbstractContextManager) -> None:
    import psutil

    multiprocessing.parent_process().join()
    with after:
        for child in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                child.terminate()
        os._exit(1)
