"""Ground floor: one run at a time where two would write over each other."""

import contextlib
import errno
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from stages.frame.errors import UserError

# What file systems say that know no locks, as some of clusters; there nothing can be told.
NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP)


@contextlib.contextmanager
def alone(lock: Path, where: object) -> Iterator[None]:
    """Holds the file `lock`, which goes when the block ends; of a process that is gone it is held no more.

    Raises:
        UserError: another process holds it, in whose work, `where`, this one would write.
    """
    # "w" would empty what the other has written.
    with lock.open("a+", encoding="utf-8") as held:
        try:
            # Unlike `flock` this is not handed on to forked processes, which may outlive a killed run.
            fcntl.lockf(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            held.seek(0)
            raise another_run(where, held.read()) from None
        except OSError as error:
            if error.errno not in NO_LOCKS:
                raise
        held.truncate(0)
        held.write(str(os.getpid()))
        held.flush()
        try:
            yield
        finally:
            lock.unlink(missing_ok=True)


def another_run(where: object, process: str) -> UserError:
    """What is told where another process, named by its id, is at work."""
    return UserError(where, "no other run here", f"another run is active (PID {process})", "wait for its end")
