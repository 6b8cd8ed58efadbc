"""Corpora: finds two partitions of DEMoS with Ren et al.'s counts: `python -m stages.corpora.demos_partition LIST`.

Table 1 of Ren et al. (2020) counts the speakers and, for each emotion, the clips of each part, and names no speaker.
`demos_partition.csv` holds two partitions that meet all these counts; no stage runs this file. LIST is a text file with
the name of one of the corpus's wav files in each line.

paper: of all ways to cut the women and the men, each in the order of their numbers, in three runs for training,
    development and test, the only one that meets the counts, so most likely the authors' own. It has 9, 7 and 7 women.
balanced: 8, 8 and 7 women. A proportional share of the 23 would be 8.12, 7.44 and 7.44, from which 9, 7, 7 is off by
    1.76 in sum; 1.12, for 8, 8, 7 and for 8, 7, 8, is the least that whole women can be off. The test part is that of
    `paper`; of all ways to deal the others out anew that meet the counts (13 in the published corpus), this is the one
    whose numbers of women's clips are nearest their proportional shares.
"""

import itertools
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from stages.corpora.italian_emotion import Name, parsed
from stages.frame.clip_table import SPLITS
from stages.frame.errors import UserError, run
from stages.frame.text import read_text

# Table 1 of the paper; its development part is the validation split.
SPEAKERS = (24, 22, 22)
CLIPS = pd.DataFrame(
    {
        "anger": (492, 472, 513),
        "disgust": (525, 556, 597),
        "fear": (380, 383, 393),
        "guilt": (351, 366, 412),
        "happiness": (447, 434, 514),
        "sadness": (493, 486, 551),
        "surprise": (336, 327, 337),
    },
    index=SPLITS,
)
BALANCED_WOMEN_IN_TRAIN = 8


def main(path: str) -> None:
    """Prints both partitions as a csv with the columns speaker, paper and balanced; takes 1 GB and some seconds.

    Raises:
        UserError: no readable list, or not exactly one `paper` partition, or none to choose `balanced` from.
    """
    counts = class_counts(path)
    found = consecutive_partitions(counts, SPEAKERS, CLIPS)
    balanced = [other for split in found for other in same_test_partitions(counts, split, BALANCED_WOMEN_IN_TRAIN)]
    if len(found) != 1 or not balanced:
        raise UserError(
            path,
            "exactly one partition in consecutive runs with the paper's counts, and one or more with its test part",
            f"{len(found)} and {len(balanced)}",
            "give the list of the whole published corpus",
        )
    both = pd.DataFrame({"paper": found[0], "balanced": most_balanced(balanced, counts)})
    both.to_csv(sys.stdout, lineterminator="\n")


def class_counts(path: str | Path) -> pd.DataFrame:
    """How many clips of each emotion (columns) each speaker (rows) has; neutral clips do not count.

    Raises:
        UserError: no readable list, or a line that is no name of a clip.
    """
    names = read_text(path).split()
    clips = pd.DataFrame([parsed(Path(name).stem, path) for name in names], columns=Name._fields)
    clips = clips[clips.label != "neutral"]
    return pd.crosstab(clips.speaker, clips.label)


def consecutive_partitions(counts: pd.DataFrame, speakers: Sequence[int], clips: pd.DataFrame) -> list[pd.Series]:
    """Every partition in consecutive runs that meets the counts, each as the split of each speaker; none, if none does.

    Args:
        counts: clips of each speaker (rows, named by gender f or m and number) and label (columns).
        speakers: how many speakers each of the `SPLITS` has.
        clips: how many clips each of the `SPLITS` (rows) has of each label (columns).
    """
    ordered = sorted(counts.index, key=lambda speaker: (speaker[0], int(speaker[1:])))
    women = sum(speaker[0] == "f" for speaker in ordered)
    found = []
    if sum(speakers) != len(ordered):
        return found
    for first, second in itertools.combinations_with_replacement(range(women + 1), 2):
        women_sizes = (first, second - first, women - second)
        men_sizes = [total - own for total, own in zip(speakers, women_sizes)]
        if min(men_sizes) < 0:
            continue
        names = [name for sizes in (women_sizes, men_sizes) for name, size in zip(SPLITS, sizes) for _ in range(size)]
        split = pd.Series(names, pd.Index(ordered, name="speaker"), name="split")
        sums = counts.groupby(split).sum().reindex(index=SPLITS, columns=clips.columns, fill_value=0)
        if sums.equals(clips):
            found.append(split)
    return found


def same_test_partitions(counts: pd.DataFrame, split: pd.Series, women_in_train: int) -> list[pd.Series]:
    """Every partition with the same test part and the same counts as `split`, but so many women in the training part.

    It looks for subsets of the speakers outside test, for training, by an exact meet in the middle. What a subset
    counts (clips of each label, women, speakers) is mapped linearly to one integer modulo 2^64, so no match of a subset
    of the one half of the speakers with one of the other half is missed; false matches are then sorted out.

    Args:
        counts: clips of each speaker (rows, named by gender f or m and number) and label (columns).
        split: the split of each speaker.
        women_in_train: how many women the training part shall have.
    """
    others = split.index[split != "test"]
    in_train = (split[others] == "train").to_numpy()
    own = np.column_stack([counts.loc[others], others.str.startswith("f"), np.ones(len(others))]).astype(np.int64)
    target = in_train @ own
    target[-2] = women_in_train
    weights = np.random.default_rng(0).integers(-(2**63), 2**63, own.shape[1])
    middle = len(others) // 2
    missing = target @ weights - _subset_sums(own[:middle] @ weights)
    second = _subset_sums(own[middle:] @ weights)
    at_first = np.flatnonzero(np.isin(missing, second))
    at_second = np.flatnonzero(np.isin(second, missing[at_first]))
    matches = pd.merge(
        pd.DataFrame({"hash": missing[at_first], "first": at_first}),
        pd.DataFrame({"hash": second[at_second], "second": at_second}),
    )
    subsets = matches["first"].to_numpy() | matches["second"].to_numpy() << middle
    chosen = subsets[:, None] >> np.arange(len(others)) & 1
    chosen = chosen[(chosen @ own == target).all(axis=1)]
    names = np.where(chosen, "train", "validation")
    return [pd.Series(row, others).reindex(split.index, fill_value="test") for row in names]


def _subset_sums(values: np.ndarray) -> np.ndarray:
    """The sum of every subset, modulo 2^64; bit i of a subset's place says whether value i is in it."""
    sums = np.zeros(1, np.int64)
    for value in values:
        sums = np.concatenate([sums, sums + value])
    return sums


def most_balanced(partitions: Sequence[pd.Series], counts: pd.DataFrame) -> pd.Series:
    """The partition whose parts' women's clips are nearest proportion: least sum of squared deviations.

    Of equals, it is the one whose training speakers come first in the alphabet.

    Args:
        partitions: the split of each speaker, at least one such.
        counts: clips of each speaker (rows, named by gender f or m and number) and label (columns).
    """
    clips = counts.sum(axis=1)
    women_clips = clips.where(clips.index.str.startswith("f"), 0)

    def order(split: pd.Series) -> tuple[float, list[str]]:
        shares = clips.groupby(split).sum() * (women_clips.sum() / clips.sum())
        deviations = women_clips.groupby(split).sum() - shares
        return (deviations**2).sum(), sorted(split.index[split == "train"])

    return min(partitions, key=order)


if __name__ == "__main__":
    run(main)
