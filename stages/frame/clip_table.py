"""Ground floor: the clip table, one row per clip, the same columns for every corpus."""

import hashlib
from pathlib import Path

import pandas as pd

from stages.frame.errors import UserError

COLUMNS = {
    "clip_id": "text, unique: names the clip everywhere downstream",
    "file": "path relative to the corpus root",
    "label": "class, empty where the corpus has none",
    "text": "transcript, empty where the corpus has none",
    "speaker": "empty where the corpus has none",
    "split": "train, validation or test",
    "fold": "what cross-validation leaves out together, such as a session; empty where the corpus has none",
    "verified": "whether a person checked the label",
    "word_times": "each word of the text with its start and end in seconds: `place 0.55 0.8; blue 0.8 1.04`",
}
# What a reader may leave out, empty then.
OPTIONAL = ("word_times",)
# Everything in any table of clips that is a name.
TEXT = (
    *("clip_id", "file", "label", "text", "speaker", "split", "fold", "key", "source", "target", "problem", "shard"),
    *("decision", "clean_prediction", "adversarial_prediction", "treatment", "outcome", "variant"),
    *("victim", "member", "regime", "purpose", "judged_by", "judged_on", "attacked_at", "attack", "through"),
    *("set", "version", "heard_by", "sound"),
    "word_times",
)
SPLITS = ("train", "validation", "test")


def checked(table: pd.DataFrame, source: str) -> pd.DataFrame:
    """The table with exactly `COLUMNS`, sorted by clip id; `source` is named in errors.

    Raises:
        UserError: no rows, a missing column, an id twice, an unknown split.
    """
    table = table.assign(**{column: "" for column in OPTIONAL if column not in table})
    for column in COLUMNS:
        if column not in table:
            raise UserError(source, f"a column {column!r}", ", ".join(table.columns), "add the column")
    if table.empty:
        raise UserError(source, "at least one clip", "none", "check the corpus folder and its lists")
    twice = table.clip_id[table.clip_id.duplicated()]
    if len(twice):
        raise UserError(source, "each clip id once", f"{twice.iloc[0]!r} twice", "remove one of the rows")
    strange = sorted(set(table.split) - set(SPLITS))
    if strange:
        raise UserError(source, f"splits {', '.join(SPLITS)}", repr(strange[0]), "correct the split column")
    return table[list(COLUMNS)].sort_values("clip_id", ignore_index=True)


def check_labels_everywhere(table: pd.DataFrame, source: str | Path) -> None:
    """Passes a table, with columns `label` and `split`, where each label has clips in each of the three splits.

    Raises:
        UserError: a label has none in one of them.
    """
    counts = pd.crosstab(table.label, table.split).reindex(columns=SPLITS, fill_value=0)
    for label, split in counts.stack().loc[lambda count: count == 0].index:
        raise UserError(
            source,
            "clips of each label in each split",
            f"none of {label!r} in {split}",
            "add some, or change how corpora.* deals its clips or speakers to the splits",
        )


def hold_out(table: pd.DataFrame, share: float) -> pd.DataFrame:
    """The table with `share` of each label's verified training clips moved to the validation split.

    Which clips is decided by a hash of their ids, so that adding a clip moves no other.
    """
    pool = table[(table.split == "train") & table.verified]
    order = pool.clip_id.map(stable_hash)
    chosen = [
        clip
        for _, group in order.groupby(pool.label)
        for clip in group.sort_values().index[: round(share * len(group))]
    ]
    return table.assign(split=table.split.mask(table.index.isin(chosen), "validation"))


def stable_hash(text: str) -> int:
    """A 63-bit number that depends on nothing but `text`: seeds, orders and draws per clip come from it."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def read(path: str | Path) -> pd.DataFrame:
    """A table of clips from its csv, whichever stage wrote it: names are text also where they are all digits.

    Empty cells of text columns are empty strings, never NaN.

    Raises:
        UserError: the file is missing.
    """
    if not Path(path).is_file():
        raise UserError(path, "a table of clips", "no such file", "run the stage that writes it: dvc repro")
    return pd.read_csv(path, dtype=dict.fromkeys(TEXT, str), keep_default_na=False, float_precision="round_trip")
