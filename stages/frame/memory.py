"""Ground floor: sets whose arrays are read from disk once, as far as there is room for them in memory."""

from collections.abc import Callable, Hashable
from pathlib import Path

from stages.frame.shards import Arrays, ShardSet

# Of one set; all built-in corpora are smaller, and with a larger one the rest is read again each time.
MOST_BYTES = 2**29


class Kept:
    """`load`, whose results stay in memory until `most_bytes` are taken; what comes later is loaded each time anew.

    Nothing makes room for anything else: training comes back to each clip equally often.
    """

    def __init__(self, load: Callable[[Hashable], Arrays], most_bytes: int = MOST_BYTES):
        self._load, self._left, self._arrays = load, most_bytes, {}

    def __call__(self, key: Hashable) -> Arrays:
        """The named arrays of `key`, which are not to be written to."""
        if key in self._arrays:
            return self._arrays[key]
        arrays = self._load(key)
        size = sum(array.nbytes for array in arrays.values())
        if size <= self._left:
            for array in arrays.values():
                array.flags.writeable = False
            self._left -= size
            self._arrays[key] = arrays
        return arrays


class KeptSet(ShardSet):
    """A finished set whose arrays stay in memory, see `Kept`."""

    def __init__(self, folder: str | Path):
        super().__init__(folder)
        self.load = Kept(self.load)
