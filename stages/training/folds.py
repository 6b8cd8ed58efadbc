"""Room of training: which clips the models of a cross-validation learn from, and on which they are judged."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from stages.frame.errors import UserError


@dataclass(frozen=True)
class Member:
    """One model: the fold that it is judged on, the rows that it learns from, and how they came about."""

    fold: str
    size: str
    draw: int
    rows: np.ndarray
    seed: list[int]


def members(table: pd.DataFrame, sizes: list[str], draws: int, seed: int) -> list[Member]:
    """A model for each size, draw and fold of the clips in `table`, in this order."""
    return [
        Member(fold, size, draw, drawn(table, fold, size, [seed, number, draw]), [seed, number, draw])
        for size in sizes
        for draw in range(draws)
        for number, fold in enumerate(sorted(table.fold.unique()))
    ]


def drawn(table: pd.DataFrame, left_out: str, size: str, seed: list[int]) -> np.ndarray:
    """Rows of so many examples of the other folds, of each label as many as of any other as long as it has some.

    Smaller draws of the same seed are parts of larger ones.

    Raises:
        UserError: there are not so many.
    """
    rows = np.flatnonzero(table.fold != left_out)
    if size == "all":
        return rows
    if int(size) > len(rows):
        raise UserError(
            "params.yaml: few or curve of a recipe",
            f"at most the {len(rows)} examples outside {left_out}",
            size,
            "lower it",
        )
    shuffled = pd.Series(np.random.default_rng(seed).permutation(rows))
    turn = shuffled.groupby(table.label.to_numpy()[shuffled]).cumcount()
    return np.sort(shuffled[turn.sort_values(kind="stable").index[: int(size)]].to_numpy())


def exchanged(fold: pd.Series, seed: list[int]) -> np.ndarray:
    """For each clip the row of another of its fold, whose text it is to have; no two have the same.

    Raises:
        UserError: a fold has one clip alone.
    """
    row_of = np.empty(len(fold), dtype=np.int64)
    rng = np.random.default_rng(seed)
    for name, own in fold.groupby(fold.to_numpy()).indices.items():
        if len(own) < 2:
            raise UserError(
                "params.yaml: shuffled_texts_of of a recipe",
                "folds of at least two clips, which have each other's texts",
                f"one clip in {name}",
                "leave it empty for this corpus",
            )
        # Each has the text of the one before it in a random order.
        order = rng.permutation(own)
        row_of[order] = np.roll(order, 1)
    return row_of
