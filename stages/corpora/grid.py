"""Room of corpora: reads GRID (Cooke et al. 2006), people on video who say sentences of one grammar."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import pandas as pd

from stages.frame import clip_table
from stages.frame.errors import UserError
from stages.frame.folders import VIDEOS, files_below
from stages.frame.parameters import Share
from stages.frame.text import read_lines

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
# A sentence takes one word of each: command, colour, preposition, letter, digit, adverb.
SLOTS = (
    ("bin", "lay", "place", "set"),
    ("blue", "green", "red", "white"),
    ("at", "by", "in", "with"),
    tuple("abcdefghijklmnopqrstuvxyz"),
    DIGITS,
    ("again", "now", "please", "soon"),
)
# A file's name has one character for each word: its first, but for a digit the digit, and z for zero.
_WORD_OF = [dict(zip("z123456789" if slot is DIGITS else (word[0] for word in slot), slot)) for slot in SLOTS]
# Unseen speakers as in `data/unseen_splits.txt` of ms-dot-k/Visual-Context-Attentional-GAN: 16, 7 and 10.
PAPER = {
    "train": (1, 3, 5, 6, 7, 8, 10, 12, 14, 16, 17, 22, 24, 26, 28, 32),
    "validation": (9, 20, 23, 27, 29, 30, 34),
    "test": (2, 4, 11, 13, 15, 18, 19, 25, 31, 33),
}
UNITS_PER_S = 25_000
SILENCES = ("sil", "sp")
# Six digits are 40 s, and a video has 3.
_ALIGNED = re.compile(r"([0-9]{1,6})\s+([0-9]{1,6})\s+([a-z]+)")
_SPEAKER = re.compile(r"s\d+")


def read(
    root: Path, *, partition: Literal["paper", "within_speakers"], validation_share: Share, test_share: Share
) -> pd.DataFrame:
    """The clip table: 3 s videos with their sentence and its words' times; there is no label.

    The speaker of a video or align file is the nearest folder above it that is named `s1`, `s2`, ...; so
    `s1/video/bbaf2n.mpg` with `s1/align/bbaf2n.align` is read, and also `s1/bbaf2n.mpg` with `align/s1/bbaf2n.align`.
    The clip id is `s1-bbaf2n`. Where a speaker's align files have the names of fewer than half of its videos, those of
    the speaker are taken that have the most: some in the archive of Zenodo are said to lie in another's folder (pull
    requests 1501 and 1502 of lhotse-speech/lhotse). An align file without its video is passed over, as the published
    corpus lacks some videos. The videos themselves are not looked at.

    Args:
        root: the folder below which the speakers' folders lie.
        partition: `paper` has each speaker in one split, as in `PAPER`, also for a copy of some speakers of each split;
            `within_speakers` deals out each speaker's clips by a hash of their ids, so every speaker is in all
            splits: for a copy of so few speakers that none can be left out, and no measure of unseen speakers.
        validation_share: share of each speaker's clips that `within_speakers` deals to the validation split.
        test_share: share of each speaker's clips that `within_speakers` deals to the test split.

    Raises:
        UserError: no video, one of no speaker or without its align file, a name that is no sentence, a video or align
            file that is there twice, an align file that can't be read or disagrees with its name, a speaker that
            `paper` does not know, a split without clips.
    """
    root = Path(root)
    aligned = _by_speaker(root, {".align"})
    rows = []
    for speaker, videos in _by_speaker(root, VIDEOS).items():
        fitting = _fitting(speaker, videos, aligned)
        rows += [_row(root, speaker, video, fitting) for video in videos.values()]
    if not rows:
        raise UserError(root, "videos such as s1/video/bbaf2n.mpg", "none", "see data/README.md")
    table = pd.DataFrame(rows).assign(label="", fold="", verified=True)
    if partition == "paper":
        table["split"] = _splits_of_paper(table.speaker, root)
    else:
        table["split"] = _dealt(table, validation_share, test_share)
    _check_splits(table, root, partition)
    return clip_table.checked(table, str(root))


def sentence(name: str, source: str | Path) -> str:
    """The six words that a name such as bbaf2n stands for, `bin blue at f two now`; `source` is named in errors.

    Raises:
        UserError: no such name.
    """
    words = [word_of.get(character) for word_of, character in zip(_WORD_OF, name)]
    if len(name) != len(SLOTS) or None in words:
        raise UserError(
            source, "a name such as bbaf2n, one character for each word", repr(name), "rename or remove the file"
        )
    return " ".join(words)


def _by_speaker(root: Path, suffixes: Iterable[str]) -> dict[str, dict[str, Path]]:
    """For each speaker the files with one of these suffixes, by name."""
    found: dict[str, dict[str, Path]] = {}
    for path in files_below(root, suffixes):
        speakers = [part for part in path.relative_to(root).parts[:-1] if _SPEAKER.fullmatch(part)]
        if not speakers:
            raise UserError(
                path,
                "a speaker's folder s1, s2, ... above each file",
                "none below the root",
                "set corpora.*.root to the folder that holds the speakers' folders",
            )
        own = found.setdefault(speakers[-1], {})
        if path.stem in own:
            raise UserError(path, "one such file of each clip", f"also {own[path.stem]}", "remove one")
        own[path.stem] = path
    return found


def _fitting(speaker: str, videos: dict[str, Path], aligned: dict[str, dict[str, Path]]) -> dict[str, Path]:
    """The align files of a speaker's videos, which may lie in another speaker's folder."""

    def count(files: dict[str, Path]) -> int:
        return len(videos.keys() & files.keys())

    own = aligned.get(speaker, {})
    return own if 2 * count(own) >= len(videos) else max([own, *aligned.values()], key=count)


def _row(root: Path, speaker: str, video: Path, aligned: dict[str, Path]) -> dict[str, str]:
    text = sentence(video.stem, video)
    if video.stem not in aligned:
        raise UserError(
            video,
            f"the words' times, such as {speaker}/align/{video.stem}.align",
            "no such file",
            "copy it too, or remove the video",
        )
    words = _words(aligned[video.stem])
    said = " ".join(word for word, _, _ in words)
    if said != text:
        raise UserError(
            aligned[video.stem],
            f"the sentence of its name, {text}",
            said or "no word",
            "copy it again, or remove it and its video",
        )
    return {
        "clip_id": f"{speaker}-{video.stem}",
        "file": video.relative_to(root).as_posix(),
        "text": text,
        "word_times": "; ".join(f"{word} {start:g} {end:g}" for word, start, end in words),
        "speaker": speaker,
    }


def _words(path: Path) -> list[tuple[str, float, float]]:
    """The words of an align file, each with its start and end in seconds; silences are no words."""
    words, latest = [], 0
    for number, line in enumerate(read_lines(path), start=1):
        if not line.strip():
            continue
        match = _ALIGNED.fullmatch(line.strip())
        if match is None or not latest <= int(match[1]) <= int(match[2]):
            raise UserError(
                f"{path}, line {number}",
                "start, end and word, such as 13750 20000 place, one after the other",
                repr(line[:60]),
                "copy the file again",
            )
        latest = int(match[1])
        if match[3] not in SILENCES:
            words.append((match[3], int(match[1]) / UNITS_PER_S, int(match[2]) / UNITS_PER_S))
    return words


def _splits_of_paper(speakers: pd.Series, root: Path) -> pd.Series:
    split_of = {f"s{number}": split for split, numbers in PAPER.items() for number in numbers}
    strange = sorted(set(speakers) - set(split_of))
    if strange:
        raise UserError(
            root,
            "speakers s1 to s34 without s21, as partition is 'paper'",
            repr(strange[0]),
            "rename or remove the folder, or set partition to within_speakers",
        )
    return speakers.map(split_of)


def _dealt(table: pd.DataFrame, validation_share: float, test_share: float) -> pd.Series:
    """The split of each clip: of each speaker's, in the order of their ids' hashes, the first are the test clips."""
    rank = table.clip_id.map(clip_table.stable_hash).groupby(table.speaker).rank(method="first")
    count = table.groupby("speaker").clip_id.transform("size")
    test, validation = ((share * count).round() for share in (test_share, validation_share))
    split = pd.Series("train", index=table.index)
    return split.mask(rank <= test + validation, "validation").mask(rank <= test, "test")


def _check_splits(table: pd.DataFrame, root: Path, partition: str) -> None:
    for split in clip_table.SPLITS:
        if split not in set(table.split):
            numbers = ", ".join(f"s{number}" for number in PAPER[split])
            do = {
                "paper": f"copy some of {numbers}, or set partition to within_speakers",
                "within_speakers": "copy more clips, or change validation_share or test_share",
            }
            raise UserError(root, "clips in each split", f"none in {split}", do[partition])
