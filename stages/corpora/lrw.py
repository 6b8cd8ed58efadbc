"""Room of corpora: reads LRW (Chung and Zisserman 2016), spoken words on video as they come on television."""

import re
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from stages.corpora.csv_lists import read_list
from stages.frame import clip_table
from stages.frame.errors import UserError
from stages.frame.folders import VIDEOS, files_in, folders_in
from stages.frame.parameters import Count
from stages.frame.text import read_text

SPLITS = {"train": "train", "val": "validation", "test": "test"}
# 29 frames at 25 per second; the word lies in the middle.
CLIP_S = 29 / 25
_DURATION = re.compile(r"^Duration:\s*([0-9]+\.?[0-9]*)\s+seconds", re.MULTILINE)


def read(root: Path, *, words: list[str] | None, expected_words: Count | None) -> pd.DataFrame:
    """The clip table of `root`, which holds `lipread_mp4/WORD/{train,val,test}/WORD_00001.mp4`, each beside its `.txt`.

    The label is the word as its folder has it, the split is LRW's own, and the clip id is split and file name, such as
    `val-ABOUT_00001`. The text file's `Duration: 0.53 seconds` gives the word's times: it lies in the middle of the
    1.16 s. LRW names no speakers; where a list `speakers.csv` (columns file, speaker) lies in `root`, it has the clips'
    speakers. The videos themselves are not looked at.

    Args:
        root: the folder that holds `lipread_mp4`.
        words: the words to take; null: all that are there.
        expected_words: how many words there are to be in `root` (LRW's 500); null: any number.

    Raises:
        UserError: no words or others than expected, a split's folder of another name, a file whose name disagrees with
            its folder, a video without its text file or the other way round, a text file without the duration, a clip
            without its speaker where there is a list of them, a word without clips in one of the splits.
    """
    root = Path(root)
    folders = _word_folders(root, words, expected_words)
    rows = [row for folder in folders for row in _word(root, folder)]
    table = pd.DataFrame(rows, columns=["clip_id", "file", "label", "word_times", "split"])
    table = table.assign(text="", speaker=_speakers(table.file, root), fold="", verified=True)
    table = clip_table.checked(table, str(root))
    clip_table.check_labels_everywhere(table, root)
    return table


def _word_folders(root: Path, words: list[str] | None, expected_words: int | None) -> list[Path]:
    source = root / "lipread_mp4"
    folders = {path.name: path for path in folders_in(source)} if source.is_dir() else {}
    if not folders:
        raise UserError(root, "words' folders in lipread_mp4", "none", "see data/README.md")
    if expected_words is not None and len(folders) != expected_words:
        raise UserError(
            root,
            f"{expected_words} words as corpora.*.expected_words says",
            str(len(folders)),
            "copy what is missing, or for a part of the corpus set expected_words to null",
        )
    missing = [word for word in words or [] if word not in folders]
    if missing:
        raise UserError(
            source,
            f"the folder {missing[0]} as corpora.*.words says",
            ", ".join(list(folders)[:5]),
            "copy it too, or take it out of words",
        )
    return [folder for name, folder in folders.items() if words is None or name in words]


def _word(root: Path, folder: Path) -> Iterator[tuple[str, ...]]:
    """A row for each clip of a word."""
    for part in folders_in(folder):
        if part.name not in SPLITS:
            raise UserError(part, f"folders {', '.join(SPLITS)}", repr(part.name), "rename or remove it")
        for video, text in _clips(part, folder.name):
            file, times = video.relative_to(root).as_posix(), f"{folder.name} {_times(text)}"
            yield f"{part.name}-{video.stem}", file, folder.name, times, SPLITS[part.name]


def _clips(part: Path, word: str) -> Iterator[tuple[Path, Path]]:
    """The video and the text file of each clip in one folder."""
    videos = {path.stem: path for path in files_in(part, VIDEOS)}
    texts = {path.stem: path for path in files_in(part, {".txt"})}
    stems = sorted(videos | texts)
    for stem in stems:
        if not re.fullmatch(rf"{re.escape(word)}_[0-9]+", stem):
            raise UserError(part, f"names such as {word}_00001 in this folder", stem, "move or remove that file")
    for stem in stems:
        for found, suffix, content in ((videos, ".mp4", "video"), (texts, ".txt", "text file with the duration")):
            if stem not in found:
                path = part / f"{stem}{suffix}"
                raise UserError(path, f"the {content} of {stem}", "no such file", "copy it too")
        yield videos[stem], texts[stem]


def _times(path: Path) -> str:
    """Start and end of the word in seconds, within the clip."""
    match = _DURATION.search(read_text(path, otherwise="cp1252"))
    if match is None or not float(match[1]):
        raise UserError(path, "a line such as Duration: 0.53 seconds", "none", "copy the file again")
    half_s = min(float(match[1]), CLIP_S) / 2
    return f"{CLIP_S / 2 - half_s:.4g} {CLIP_S / 2 + half_s:.4g}"


def _speakers(files: pd.Series, root: Path) -> pd.Series | str:
    source = root / "speakers.csv"
    if not source.is_file():
        return ""
    rows = read_list(source, ["file", "speaker"])
    for number, file in rows.file[rows.file.duplicated()].items():
        raise UserError(f"{source}, line {number}", "one speaker for each clip", f"{file} again", "remove that line")
    speakers = files.map(dict(zip(rows.file, rows.speaker)))
    if speakers.isna().any():
        raise UserError(source, "a row for each clip", f"none for {files[speakers.isna()].iloc[0]}", "add it")
    return speakers
