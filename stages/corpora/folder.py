"""Corpora: reads a corpus of one's own, a folder of audio files with one csv that lists them."""

from pathlib import Path, PurePosixPath

import pandas as pd

from stages.corpora.csv_lists import flags, read_list
from stages.corpora.speakers import check_speaker_independent, deal
from stages.frame import clip_table
from stages.frame.errors import UserError
from stages.frame.parameters import Share

TEST_SHARE = 0.2


def read(
    root: Path, *, csv: str = "clips.csv", validation_share: Share, speaker_independent: bool = False
) -> pd.DataFrame:
    """The clip table of a csv with columns `file`, `label` and, at will, `split`, `speaker`, `fold`, `text` and
    `verified`.

    The csv lies in `root` and is read as `read_list` says; `file` is relative to `root`; the clip id is that path with
    `-` for `/` and without its suffix. Without `split`, a fifth of each label's clips becomes the test split, by a hash
    of their ids; unless `split` names validation clips, `validation_share` of each label's verified training clips is
    held out. Where `speaker_independent`, every row must name its speaker, speakers are dealt out in the place of
    clips, and a given `split` must have each speaker once and name validation clips. Without `verified`, all labels
    count as verified. The audio files themselves are not looked at.

    Raises:
        UserError: a missing list or column, a path that leaves the folder, a row with neither label nor text, two
            clips of the same id, an unknown split, a speaker that is missing or in two splits.
    """
    source = Path(root) / csv
    rows = read_list(source, ["file", "label"])
    for column in ("text", "speaker", "fold"):
        if column not in rows:
            rows[column] = ""
    _check_rows(rows, source)
    rows["clip_id"] = rows.file.map(_clip_id)
    rows["verified"] = flags(rows.verified, source) if "verified" in rows else True
    if speaker_independent:
        rows["split"] = _split_by_speaker(rows, source, validation_share)
    else:
        if "split" not in rows:
            rows["split"] = _dealt(rows)
        if "validation" not in set(rows.split):
            rows = clip_table.hold_out(rows, validation_share)
    return clip_table.checked(rows, str(source))


def _check_rows(rows: pd.DataFrame, source: Path) -> None:
    for row in rows.itertuples():
        where = f"{source}, line {row.Index}"
        clip_table.check_file(row.file, where)
        if not row.label and not row.text:
            raise UserError(where, "a label or a text for each clip", f"neither for {row.file}", "add one")


def _split_by_speaker(rows: pd.DataFrame, source: Path, validation_share: float) -> pd.Series:
    nameless = rows.file[rows.speaker == ""]
    if len(nameless):
        raise UserError(source, "a speaker for each clip", f"none for {nameless.iloc[0]}", "name it")
    if "split" not in rows:
        speakers = dict.fromkeys(rows.speaker, "")
        return rows.speaker.map(deal(speakers, source, validation_share=validation_share, test_share=TEST_SHARE))
    check_speaker_independent(rows, source)
    if "validation" not in set(rows.split):
        raise UserError(
            source, "speakers whose split is validation", "none", "name some, or leave out the column split"
        )
    return rows.split


def _clip_id(file: str) -> str:
    return str(PurePosixPath(file).with_suffix("")).replace("/", "-")


def _dealt(rows: pd.DataFrame) -> pd.Series:
    """train or test for each row: per label, the clips of the lowest hashes are the test clips."""
    rank = rows.clip_id.map(clip_table.stable_hash).groupby(rows.label).rank(method="first")
    size = rows.groupby("label").label.transform("size")
    return (rank <= (TEST_SHARE * size).round()).map({True: "test", False: "train"})
