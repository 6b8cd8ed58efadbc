"""How many arrays are held at once: of what is read batch by batch, few."""

import weakref
from collections.abc import Callable
from typing import Any

from stages.frame.shards import Arrays


class Held:
    """`load`, which counts the arrays that it gave and that are still there; `most` is how many there were at once."""

    def __init__(self, load: Callable[..., Arrays]):
        self.load, self.now, self.most = load, 0, 0

    def __call__(self, *given: Any) -> Arrays:
        arrays = self.load(*given)
        for array in arrays.values():
            self.now += 1
            weakref.finalize(array, self._gone)
        self.most = max(self.most, self.now)
        return arrays

    def _gone(self) -> None:
        self.now -= 1
