"""Room of learning: which examples are in which batch."""

import numpy as np


def in_random_order(count: int, batch_size: int, iterations: range, seed: list[int]) -> np.ndarray:
    """Rows (iterations, batch_size) of `count` examples: one random order of all of them after another.

    What is in a batch depends on its number and the seed alone.
    """
    start, stop = iterations.start * batch_size, iterations.stop * batch_size
    first, last = start // count, (stop - 1) // count
    orders = [np.random.default_rng([*seed, number]).permutation(count) for number in range(first, last + 1)]
    return np.concatenate(orders)[start - first * count : stop - first * count].reshape(-1, batch_size)
