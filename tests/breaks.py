"""A training that is interrupted, as it would be by Ctrl-C, once it has kept what it came to."""

import contextlib
from collections.abc import Iterator

import pytest

from stages.learning import loop


@contextlib.contextmanager
def interrupted(after: int = 1) -> Iterator[None]:
    """For the block, which has to end so, a training is interrupted when it has kept its state so many times."""
    keep, kept = loop._keep, []

    def keep_then_break(*given):
        keep(*given)
        kept.append(1)
        if len(kept) == after:
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(loop, "_keep", keep_then_break)
        yield
