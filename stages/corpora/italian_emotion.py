"""Corpora: reads Italian emotional speech, DEMoS (Parada-Cabaleiro et al., 2019) or EMOVO (Costantini et al., 2014)."""

import re
from pathlib import Path
from typing import Literal, NamedTuple

import pandas as pd

from stages.corpora.csv_lists import read_list
from stages.corpora.speakers import deal
from stages.frame import clip_table
from stages.frame.errors import UserError
from stages.frame.folders import SOUNDS, files_below
from stages.frame.parameters import Share

# Both corpora abbreviate the Italian words; the example of a DEMoS name in Ren et al. has `ang` for `rab`.
LABELS = {
    "rab": "anger",
    "ang": "anger",
    "dis": "disgust",
    "pau": "fear",
    "col": "guilt",
    "gio": "happiness",
    "neu": "neutral",
    "tri": "sadness",
    "sor": "surprise",
}
_CODE = f"(?P<code>{'|'.join(LABELS)})"
PATTERNS = {
    "DEMoS": re.compile(rf"(?:(?:NP|PR)_)?(?P<gender>[fm])_(?P<number>\d+)_{_CODE}\d+[a-z]"),
    "EMOVO": re.compile(rf"{_CODE}-(?P<gender>[fm])(?P<number>\d+)-[a-z]\d+"),
}
PARTITIONS = Path(__file__).with_name("demos_partition.csv")


class Name(NamedTuple):
    """What a file's name says."""

    corpus: str
    speaker: str
    label: str


def read(
    root: Path,
    *,
    partition: Literal["paper", "balanced", "by_speaker", "each_speaker"],
    validation_share: Share,
    test_share: Share,
) -> pd.DataFrame:
    """The clip table, split by speaker: 9365 clips of 68 speakers in the published DEMoS, 588 of 6 in EMOVO.

    Everything is in the files' names, `NP_m_27_rab07b.wav` (DEMoS) or `rab-f1-b1.wav` (EMOVO); folders below `root` say
    nothing. The clip id is the name without its suffix, the speaker is gender and number as written (`m27`, `f1`).
    DEMoS's neutral clips, a class too small to learn, are left out as in Ren et al. The audio itself is not looked at.

    Args:
        root: the folder below which the wav files lie, or other files of sound.
        partition: `paper` and `balanced` take that column of `demos_partition.csv`, two ways to meet the counts of Ren
            et al. (their own, as far as known, and one with the women spread better), also for a copy of some of
            DEMoS's speakers; `by_speaker` deals out the speakers that are there, of either corpus; `each_speaker` makes
            each a fold, for cross-validation, and all clips test clips.
        validation_share: share of the speakers that `by_speaker` deals to the validation split.
        test_share: share of the speakers that `by_speaker` deals to the test split.

    Raises:
        UserError: no file of sound, a name that neither corpus has, clips of both corpora, a speaker that `paper` or
            `balanced` does not know, too few speakers, a label that has no clip in one of the splits.
    """
    root = Path(root)
    files = files_below(root, SOUNDS)
    table = pd.DataFrame([parsed(path.stem, path) for path in files], columns=Name._fields)
    table["file"] = [path.relative_to(root).as_posix() for path in files]
    table["clip_id"] = [path.stem for path in files]
    _check_one_corpus(table, root)
    table = table[(table.corpus != "DEMoS") | (table.label != "neutral")]
    if table.empty:
        raise UserError(root, "wav files of DEMoS's emotions or of EMOVO", "none", "see data/README.md")
    split = _splits(sorted(set(table.speaker)), root, partition, validation_share, test_share)
    table = table.assign(split=table.speaker.map(split), text="", fold="", verified=True)
    if partition == "each_speaker":
        table["fold"] = table.speaker
    else:
        clip_table.check_labels_everywhere(table, root)
    return clip_table.checked(table, str(root))


def parsed(stem: str, source: str | Path) -> Name:
    """Corpus, speaker and label of a file's name, given without its suffix; `source` is named in errors.

    Raises:
        UserError: no name of either corpus.
    """
    for corpus, pattern in PATTERNS.items():
        if match := pattern.fullmatch(stem):
            return Name(corpus, match["gender"] + match["number"], LABELS[match["code"]])
    raise UserError(
        source,
        f"a name such as NP_m_27_rab07b or rab-f1-b1, with one of the codes {', '.join(LABELS)}",
        repr(stem),
        "rename or remove the file",
    )


def _check_one_corpus(table: pd.DataFrame, root: Path) -> None:
    example = dict(zip(table.corpus, table.file))
    if len(example) > 1:
        raise UserError(
            root,
            "clips of DEMoS or of EMOVO",
            f"both, such as {' and '.join(example[corpus] for corpus in PATTERNS)}",
            "point root at the folder of one of them",
        )


def _splits(found: list[str], root: Path, partition: str, validation_share: float, test_share: float) -> dict[str, str]:
    """The split of each of the speakers `found`."""
    if partition == "each_speaker":
        return dict.fromkeys(found, "test")
    if partition == "by_speaker":
        gender_of = {speaker: speaker[0] for speaker in found}
        return deal(gender_of, root, validation_share=validation_share, test_share=test_share)
    rows = read_list(PARTITIONS, ["speaker", partition])
    split = dict(zip(rows.speaker, rows[partition]))
    for speaker in found:
        if speaker not in split:
            raise UserError(
                root,
                f"speakers of {PARTITIONS.name}, as partition is {partition!r}",
                repr(speaker),
                "set partition to by_speaker",
            )
    return split
