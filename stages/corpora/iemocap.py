"""Corpora: reads IEMOCAP (Busso et al. 2008) as it comes, four classes of emotion, sessions as folds."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import pandas as pd

from stages.frame import clip_table
from stages.frame.errors import UserError
from stages.frame.folders import SOUNDS, files_in
from stages.frame.parameters import NonNegativeInt
from stages.frame.text import read_lines

# The raters' majority; clips of other labels, or of none (xxx), are left out, as in the paper.
LABELS = {"neu": "neutral", "hap": "happy", "exc": "happy", "sad": "sad", "ang": "angry"}
EVALUATED = re.compile(r"\[\s*([\d.]+)\s*-\s*([\d.]+)\s*\]\s+(\S+)\s+(\w+)\s+\[")
TRANSCRIBED = re.compile(r"(Ses\d\d[FM]_[^\s\[]+)\s*\[[^\]]*\]\s*:?\s*(.*)")
NAMED = re.compile(r"Ses\d\d[FM]_")
UTTERANCE = re.compile(r"(Ses\d\d)[FM]_\w+_([FM])\d+")


def read(root: Path, *, expected_counts: dict[str, dict[str, NonNegativeInt]] | None) -> pd.DataFrame:
    """The clip table of `root`, which holds Session1, Session2 and so on.

    Neutral, happy (with excited), sad and angry utterances, `fold` being the session. Of the sessions the last is the
    split test, the last but one validation, the others train; a speaker is in one session alone. The audio itself is
    not looked at.

    Args:
        root: the folder of the sessions.
        expected_counts: for each session and label how many utterances there are to be; null: any number.

    Raises:
        UserError: a session, list or audio file is missing, a line can't be read, an utterance is labelled twice, has
            no transcript, or the counts are others than expected.
    """
    root = Path(root)
    sessions = _sessions(root)
    if len(sessions) < 3:
        raise UserError(
            root,
            "at least three folders Session1, Session2, ... (IEMOCAP's own has five)",
            ", ".join(path.name for path in sessions) or "none",
            "copy more of them" if sessions else f"set corpora.*.root to {_better_root(root)}",
        )
    rows = [row for session in sessions for row in _session(root, session)]
    table = pd.DataFrame(rows, columns=["clip_id", "file", "label", "text", "speaker", "fold"])
    splits = dict(zip((path.name for path in sessions[-1:-3:-1]), ("test", "validation")))
    table["split"] = table.fold.map(splits).fillna("train")
    table["verified"] = True
    if expected_counts is not None:
        _check_counts(table, expected_counts, root)
    return clip_table.checked(table, str(root))


def _sessions(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("Session[1-9]") if path.is_dir())


def _better_root(root: Path) -> str:
    """Where the sessions are if the user is one folder too high (the archive is one folder in another) or too low."""
    near = (root.parent, *sorted(root.glob("*")))
    return str(next(filter(_sessions, near), "the folder that holds them"))


def _session(root: Path, session: Path) -> Iterator[tuple[str, ...]]:
    """A row for each utterance of the four classes."""
    texts = {
        name: (text, path)
        for path in _lists(session / "dialog" / "transcriptions")
        for name, text in _turns(path, _transcribed(path))
    }
    seen: set[str] = set()
    for path in _lists(session / "dialog" / "EmoEvaluation"):
        wavs = _wavs(session / "sentences" / "wav" / path.stem)
        for name, code in _turns(path, _evaluated(path)):
            if name in seen:
                raise UserError(path, f"{name} once in a session", "twice", "remove one of the lines")
            seen.add(name)
            if code in LABELS:
                yield _row(root, path, name, code, wavs, texts)


def _row(root: Path, evaluation: Path, name: str, code: str, wavs: dict, texts: dict) -> tuple[str, ...]:
    session, dialog = evaluation.parents[2], evaluation.stem
    place = UTTERANCE.fullmatch(name)
    if place is None:
        raise UserError(evaluation, "a name such as Ses01F_impro01_F000", name[:60], "correct that line")
    wav = session / "sentences" / "wav" / dialog / f"{name}.wav"
    text, path = texts.get(name, ("", session / "dialog" / "transcriptions" / f"{dialog}.txt"))
    if name not in wavs:
        raise UserError(wav, f"the audio of {name}, labelled {code}", "no such file", "copy it too")
    if not text:
        raise UserError(path, f"the transcript of {name}, labelled {code}", "none", "copy the file again")
    file = wavs[name].relative_to(root).as_posix()
    return name, file, LABELS[code], text, "".join(place.groups()), session.name


def _wavs(folder: Path) -> dict[str, Path]:
    """The recordings of a dialog by their names; none where it has no folder."""
    return {path.stem: path for path in files_in(folder, SOUNDS)} if folder.is_dir() else {}


def _lists(folder: Path) -> list[Path]:
    """The text files of a folder."""
    found = files_in(folder, {".txt"})
    if not found:
        raise UserError(folder, "a text file for each dialog", "none", "copy the folder whole")
    return found


def _turns(path: Path, found: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    turns = list(found)
    if not turns:
        raise UserError(path, "a line for each turn, such as Ses01F_impro01_F000", "none", "copy the file again")
    return turns


def _evaluated(path: Path) -> Iterator[tuple[str, str]]:
    """Utterances and their codes; lines that name none, such as those of single raters, are passed over."""
    for number, line in enumerate(_lines(path), start=1):
        if NAMED.search(line):
            match = EVALUATED.match(line)
            if match is None:
                raise UserError(
                    f"{path}, line {number}",
                    "[start - end], name, emotion, [valence, activation, dominance]",
                    repr(line[:60]),
                    "copy the file again",
                )
            yield match[3], match[4]


def _transcribed(path: Path) -> Iterator[tuple[str, str]]:
    """Utterances and their texts, tabs as spaces; lines that name none, such as remarks, are passed over."""
    matches = map(TRANSCRIBED.match, _lines(path))
    return ((match[1], match[2].replace("\t", " ")) for match in matches if match)


def _lines(path: Path) -> list[str]:
    """The lines of a text file in UTF-8 or, if it is none, Windows-1252."""
    return [line.strip() for line in read_lines(path, otherwise="cp1252")]


def _check_counts(table: pd.DataFrame, expected: dict[str, dict[str, int]], root: Path) -> None:
    found = table.groupby(["fold", "label"]).size().to_dict()
    wanted = {(fold, label): count for fold, own in expected.items() for label, count in own.items()}
    different = [
        f"{fold} {label} {found.get((fold, label), 0)} for {wanted.get((fold, label), 0)}"
        for fold, label in sorted(found.keys() | wanted.keys())
        if found.get((fold, label), 0) != wanted.get((fold, label), 0)
    ]
    if different:
        raise UserError(
            root,
            f"{sum(wanted.values())} utterances as corpora.*.expected_counts says",
            f"{len(table)}: {', '.join(different)}",
            "copy what is missing, or for a part of the corpus set expected_counts to null or to its own counts",
        )
