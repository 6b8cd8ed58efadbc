"""Corpora: recovers the partition of DEMoS in Ren et al. (2020): `python -m stages.corpora.demos_partition LIST`.

The paper's Table 1 counts the speakers and, for each emotion, the clips of each part, and names no speaker. Of all ways
to cut the women and the men, each in the order of their numbers, in three runs for training, development and test,
exactly one meets all these counts; `demos_partition.csv` holds it, and no stage runs this file. LIST is a text file
with the name of one of the corpus's wav files in each line.
"""

import itertools
import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from stages.corpora.italian_emotion import parsed
from stages.frame.clip_table import SPLITS
from stages.frame.errors import UserError, told_in_one_line

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


def main(path: str) -> None:
    """Prints the one partition that meets the paper's counts as a csv with the columns speaker and split."""
    found = consecutive_partitions(class_counts(path), SPEAKERS, CLIPS)
    if len(found) != 1:
        raise UserError(
            path,
            expected="exactly one partition that meets the paper's counts",
            found=str(len(found)),
            do="give the list of the whole published corpus",
        )
    found[0].to_csv(sys.stdout, lineterminator="\n")


def class_counts(path: str | Path) -> pd.DataFrame:
    """How many clips of each emotion (columns) each speaker (rows) has; neutral clips do not count.

    Raises:
        UserError: no such list, or a line that is no name of a clip.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(path, expected="a list of file names", found="no such file", do="write one: ls > list.txt")
    names = path.read_text(encoding="utf-8").split()
    clips = pd.DataFrame([parsed(Path(name).stem, path) for name in names])
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


if __name__ == "__main__":
    with told_in_one_line():
        main(*sys.argv[1:])
