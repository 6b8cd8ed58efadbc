"""Room of corpora: what readers of corpora with known speakers share: a deal of speakers to splits, and its check."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from stages.frame.clip_table import stable_hash
from stages.frame.errors import UserError


def deal(
    gender_of: Mapping[str, str], source: str | Path, *, validation_share: float, test_share: float
) -> dict[str, str]:
    """The split of each speaker: these shares of the speakers, rounded, but at least one for each split.

    The speakers of each gender, in an order that a hash of their names decides, are spread evenly over one line, and
    the line is cut in three: so the women and the men of a split are their share of it within one.

    Args:
        gender_of: the gender of each speaker, by any name.
        source: named in errors.

    Raises:
        UserError: no speaker is left to train on.
    """
    place = {}
    for gender in set(gender_of.values()):
        ordered = sorted((speaker for speaker in gender_of if gender_of[speaker] == gender), key=stable_hash)
        place |= {speaker: ((rank + 0.5) / len(ordered), gender) for rank, speaker in enumerate(ordered)}
    line = sorted(place, key=place.get)
    validation, test = (max(1, round(share * len(line))) for share in (validation_share, test_share))
    train = len(line) - validation - test
    if train < 1:
        raise UserError(
            source,
            f"at least one speaker beside {validation} for validation and {test} for test",
            f"{len(line)} speakers",
            "lower validation_share or test_share, or copy more of the corpus",
        )
    return dict(zip(line, ["train"] * train + ["validation"] * validation + ["test"] * test))


def check_speaker_independent(table: pd.DataFrame, source: str | Path) -> None:
    """Passes a table, with columns `speaker` and `split`, where no speaker is in two splits; `""` is no speaker.

    Raises:
        UserError: a speaker is in two splits.
    """
    named = table[table.speaker != ""]
    splits = named.groupby("speaker").split.unique()
    for speaker, found in splits[splits.map(len) > 1].items():
        raise UserError(
            source,
            "each speaker in one split",
            f"{speaker!r} in {' and '.join(sorted(found))}",
            "move the speaker to one of them",
        )
