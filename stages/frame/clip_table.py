"""Ground floor: the clip table, one row per clip, the same columns for every corpus."""

import csv
import hashlib
import io
import unicodedata
from collections.abc import Iterable
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
    *("set", "version", "heard_by", "sound", "noise", "noise_clip_id", "audio_of", "model"),
    "word_times",
)
SPLITS = ("train", "validation", "test")


# Columns whose values name groups of clips or go into names of what is made of them.
NAMES = ("clip_id", "label", "speaker", "fold")
# Categories of characters that are not seen: control and format characters, halves of others, ends of lines.
_UNSEEN = ("Cc", "Cf", "Cs", "Zl", "Zp")
# Some scripts are written with these two, which join letters or keep them apart.
_JOINERS = "\u200c\u200d"
# File systems take names of so many bytes, and Linux paths of 4096, with the corpus's folder before them.
_LONGEST_NAME, _LONGEST_PATH = 255, 3000


def checked(table: pd.DataFrame, source: str) -> pd.DataFrame:
    """The table with exactly `COLUMNS`, sorted by clip id; `source` is named in errors.

    This is the one place that says what a clip table may hold, whichever reader made it.

    Raises:
        UserError: no rows, a missing column, an id or a file twice, a file outside the corpus, an unknown split, a
            character that can't be seen, two names that look alike or become alike in the names of what is made.
    """
    table = table.assign(**{column: "" for column in OPTIONAL if column not in table})
    for column in COLUMNS:
        if column not in table:
            raise UserError(source, f"a column {column!r}", ", ".join(table.columns), "add the column")
    if table.empty:
        raise UserError(source, "at least one clip", "none", "check the corpus folder and its lists")
    for column in COLUMNS:
        for value in table[column].unique().tolist() if column in TEXT else ():
            if unseen(value):
                raise UserError(source, f"a {column} of what can be seen", repr(value), "correct or rename it")
    _check_once(table, source)
    for column in NAMES:
        _check_different(table[column].unique().tolist(), column, source)
    strange = sorted(set(table.split) - set(SPLITS))
    if strange:
        raise UserError(source, f"splits {', '.join(SPLITS)}", repr(strange[0]), "correct the split column")
    return table[list(COLUMNS)].sort_values("clip_id", ignore_index=True)


def check_file(file: str, source: str | Path) -> str:
    """The path of a file below a corpus's folder, relative to it, without the parts that lead nowhere (`./`, `//`).

    Raises:
        UserError: it is empty, leads out of the folder, has a backslash or a name that no file can have.
    """
    parts = [part for part in file.split("/") if part not in ("", ".")]
    sizes = [len(part.encode(errors="surrogatepass")) for part in parts]
    within = parts and not file.startswith("/") and ".." not in parts and "\\" not in file
    if not within or max(sizes) > _LONGEST_NAME or sum(sizes) + len(sizes) > _LONGEST_PATH:
        expected = "paths inside the folder, relative to it, with / between folders"
        raise UserError(source, expected, repr(file[:60]), "correct that row")
    return "/".join(parts)


def unseen(text: str) -> str:
    """The first character of a text that can't be seen and is no space; none, where all can."""
    if text.isprintable():
        return ""
    return next((one for one in text if unicodedata.category(one) in _UNSEEN and one not in _JOINERS), "")


def alike(name: str) -> str:
    """What all names have in common that look like this one: the same form of each letter, one kind of space."""
    return " ".join(unicodedata.normalize("NFC", name).split())


def _check_once(table: pd.DataFrame, source: str) -> None:
    """Passes clips of which each has an id and a file of its own."""
    files: dict[str, str] = {}
    for clip, file in zip(table.clip_id.tolist(), table.file.tolist()):
        if not clip or "/" in clip:
            raise UserError(source, "a clip id without / for each clip", f"{clip!r} of {file}", "correct the reader")
        if clip in files:
            found = f"{clip!r} twice, for {files[clip]} and {file}"
            raise UserError(source, "each clip id once", found, "rename or remove one of them")
        files[clip] = file
    seen: set[str] = set()
    for file in table.file.tolist():
        path = check_file(file, source)
        if path in seen:
            raise UserError(source, "each file once", f"{path} twice", "remove one of them")
        seen.add(path)


def _check_different(names: Iterable[str], column: str, source: str) -> None:
    """Passes names of which no two look alike, nor become alike in keys, where spaces are written as `-`."""
    known: dict[str, str] = {}
    for name in names:
        other = known.setdefault(alike(name).replace(" ", "-"), name)
        if other != name:
            found = f"{other!a} and {name!a}"
            raise UserError(source, f"{column}s that do not look alike", found, "write both the same, or rename one")


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
    return int.from_bytes(hashlib.sha256(text.encode(errors="surrogatepass")).digest()[:8], "big") >> 1


def by_turns(table: pd.DataFrame, names: str) -> pd.DataFrame:
    """The rows in the order of a hash of the column `names`, but one of every speaker before the second of any."""
    ordered = table.iloc[table[names].map(stable_hash).argsort(kind="stable")]
    return ordered.iloc[ordered.groupby("speaker").cumcount().argsort(kind="stable")]


def told(clips: pd.DataFrame, counted: Iterable[str] = (), what: str = "clips") -> str:
    """How many there are, with how many there is a problem, and in how many each of the columns is above zero."""
    counts = {"a problem": int((clips.problem != "").sum())} | {name: int((clips[name] > 0).sum()) for name in counted}
    return ", ".join([f"{len(clips)} {what}", *(f"{count} with {name}" for name, count in counts.items() if count)])


def read(path: str | Path) -> pd.DataFrame:
    """A table of clips from its csv, whichever stage wrote it: names are text also where they are all digits.

    Empty cells of text columns are empty strings, never NaN.

    Raises:
        UserError: the file is missing, cut short or damaged.
    """
    if not Path(path).is_file():
        raise UserError(path, "a table of clips", "no such file", "run the stage that writes it: dvc repro")
    try:
        text = Path(path).read_bytes().decode("utf-8")
        _check_cells(text)
        types = dict.fromkeys(TEXT, str)
        return pd.read_csv(io.StringIO(text), dtype=types, keep_default_na=False, float_precision="round_trip")
    except (ValueError, csv.Error) as error:  # the parsers' and the decoder's errors are ValueErrors
        raise UserError(path, "a whole table of clips", str(error), "delete its folder and run dvc repro") from error


def _check_cells(text: str) -> None:
    """Passes a csv whose last line has an end and whose rows all have as many cells as the header.

    pandas takes the first column for an index where rows have more cells, and fills up those that have fewer.
    """
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    header = next(rows, [])
    for row in rows:
        if len(row) != len(header):
            raise ValueError(f"{len(row)} cells in line {rows.line_num}, {len(header)} in the header")
    if not text.endswith("\n") or len(header) != len(set(header)):
        raise ValueError("a line without an end, or a column twice")
