"""Ground floor: the one progress bar, with rate and time left."""

from tqdm import tqdm


def bar(total: int, description: str, unit: str, *, done: int = 0, shown: bool = True) -> tqdm:
    """A bar on stderr for `total` things, `done` of them found finished; use it as a context manager."""
    return tqdm(total=total, initial=done, desc=description, unit=unit, disable=not shown, dynamic_ncols=True)
