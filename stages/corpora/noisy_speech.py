"""Room of corpora: reads LibriSpeech (Panayotov et al. 2015) and the noises to mix it with, such as DEMAND's."""

import re
from pathlib import Path
from typing import Literal

import pandas as pd

from stages.corpora.speakers import deal
from stages.frame import clip_table
from stages.frame.clip_table import stable_hash
from stages.frame.errors import UserError
from stages.frame.folders import SOUNDS, files_below, files_in, folders_in
from stages.frame.parameters import Count, Share
from stages.frame.text import read_lines

SPEECH, DEMAND, NOISES = "LibriSpeech", "DEMAND", "noises"
LETTERS = frozenset("abcdefghijklmnopqrstuvwxyz '")
# What Yang et al. (2020, section 3.2) say of their data. The number of test speakers is ours, see `read`.
PAPER_SUBSET = "train-clean-100"
PAPER_SPEAKERS = {"train": 73, "test": 11}
PAPER_UTTERANCES = {"train": 8345, "test": 1242}
PAPER_NOISES = 10
# Of so many kinds of noise that are not for test, or more, every fourth is for validation.
ENOUGH_TO_HOLD_OUT = 8
_NAME = re.compile(r"([^-]+)-[^-]+-[0-9]+")
_CHANNEL = re.compile(r"ch([0-9]{1,3})", re.IGNORECASE)


def read(
    root: Path,
    *,
    partition: Literal["by_speaker", "paper"],
    validation_share: Share,
    test_share: Share,
    test_noises: Count,
    noise_channels: Count,
) -> pd.DataFrame:
    """The clip table: utterances with what is said, in lower case, and noises, whose `speaker` is their kind.

    Speech is every sound file below `root/LibriSpeech`, whatever the subset, with its line of the `.trans.txt` beside
    it. Noise is `root/DEMAND/<kind>/ch01.wav` and so on, or any sound file below `root/noises/<kind>`. The id of an
    utterance is its name, `84-121123-0000`, that of a noise its path, `DKITCHEN-ch01`. Folders may be symbolic links.
    No sound file is opened.

    The partition `paper` stands in for the lists of Yang et al. (2020, section 3.2), which are not published: 30 hours
    with 8,345 mixtures to train on and 5 hours with 1,242 to test, 73 speakers, 10 noises. A speaker of train-clean-100
    has 114 utterances in 24 minutes on average, so 73 are what the training part alone needs, and 11 others, as many in
    proportion, are for test. Along that subset's speakers in the order of a hash of their ids, the first 73 neighbours
    who have 8,345 utterances together are taken, then of all others the first 11 who have 1,242; of each group's
    utterances those of the lowest hashes. Of the 73 the last are for validation, so the 8,345 include its clips.

    Args:
        root: the folder of both.
        partition: `by_speaker` deals out the speakers that are there, by a hash of their ids.
        validation_share: share of the speakers (`paper`: of the 73) that are for validation; at least one is.
        test_share: share of the speakers that `by_speaker` deals to test, at least one.
        test_noises: how many kinds of noise, in the order of a hash, `by_speaker` deals to test. The others are for
            training, but every fourth for validation where they are eight or more. In `paper` the first 10 in that
            order are for training and all others for test. A validation split without noise shares that of training.
        noise_channels: how many channels of each recording of DEMAND, the first, are taken; fewer where it has fewer.

    Raises:
        UserError: no speech, none or both of the folders of noise, a kind without a recording or a recording of no
            kind, an utterance without its transcript or the other way round, a name of neither form, an id twice, a
            transcript that is empty or has other characters than letters, space and apostrophe, too few speakers,
            utterances or kinds of noise for the partition.
    """
    root = Path(root)
    speech, noise = _speech(root), _noise(root, noise_channels)
    if partition == "paper":
        speech = _selected_as_in_paper(speech, root, validation_share)
    else:
        speakers = dict.fromkeys(speech.speaker, "")
        splits = deal(speakers, root / SPEECH, validation_share=validation_share, test_share=test_share)
        speech["split"] = speech.speaker.map(splits)
    noise["split"] = noise.speaker.map(_splits_of_kinds(set(noise.speaker), root, partition, test_noises))
    table = pd.concat([speech, noise]).assign(label="", fold="", verified=True)
    return clip_table.checked(table, str(root))


def _speech(root: Path) -> pd.DataFrame:
    """A row for each utterance."""
    folder = root / SPEECH
    if not folder.is_dir():
        raise UserError(folder, "the folder of speech", "no such folder", "see data/README.md")
    said: dict[Path, tuple[str, str]] = {}
    for path in files_below(folder, {".txt"}):
        if path.name.lower().endswith(".trans.txt"):
            _add_transcripts(path, said)
    rows: dict[str, dict[str, str]] = {}
    for path in files_below(folder, SOUNDS):
        if path.stem in rows:
            raise UserError(path, "each utterance once", f"also {rows[path.stem]['file']}", "remove one")
        rows[path.stem] = _row(root, path, said.pop(path.with_suffix(""), ("", ""))[1])
    for utterance, (where, _) in said.items():
        raise UserError(
            where, f"its file {utterance.name}.flac beside it", "no such file", "copy the file too, or remove the line"
        )
    if not rows:
        raise UserError(
            folder, f"utterances such as {PAPER_SUBSET}/103/1240/103-1240-0000.flac", "none", "see data/README.md"
        )
    return pd.DataFrame(rows.values())


def _add_transcripts(path: Path, said: dict[Path, tuple[str, str]]) -> None:
    """Adds to `said`, under each utterance's path without suffix, where its transcript is, and the transcript."""
    for number, line in enumerate(read_lines(path), start=1):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        name, *words = line.split()
        utterance, text = path.parent / name, " ".join(words).lower()
        if not text:
            raise UserError(
                where, "an id and what is said", repr(line), "add the words, or remove the line and its file"
            )
        strange = next((letter for letter in text if letter not in LETTERS), None)
        if strange:
            raise UserError(
                where, "letters a to z, space and apostrophe", repr(strange), "spell it out in those letters"
            )
        if utterance in said:
            raise UserError(
                where, "each utterance once", f"{name} also in {said[utterance][0]}", "remove one of the lines"
            )
        said[utterance] = where, text


def _row(root: Path, path: Path, text: str) -> dict[str, str]:
    match = _NAME.fullmatch(path.stem)
    if match is None:
        raise UserError(
            path,
            "a name such as 103-1240-0000.flac (speaker, chapter, number)",
            repr(path.name),
            "rename or remove the file",
        )
    if not text:
        raise UserError(
            path,
            f"a line {path.stem} in a .trans.txt beside it",
            "none",
            "copy the transcripts too, or remove the file",
        )
    file = path.relative_to(root).as_posix()
    return {"clip_id": path.stem, "file": file, "text": text, "speaker": match[1]}


def _noise(root: Path, channels: int) -> pd.DataFrame:
    """A row for each recording of noise."""
    present = [name for name in (DEMAND, NOISES) if (root / name).is_dir()]
    if len(present) != 1:
        raise UserError(
            root,
            f"one folder of noises, {DEMAND} or {NOISES}",
            " and ".join(present) or "neither",
            "remove one" if present else "see data/README.md",
        )
    folder = root / present[0]
    for path in files_in(folder, SOUNDS):
        raise UserError(path, "a folder for each kind of noise", "a recording beside them", "move it into one of them")
    rows = []
    for kind in folders_in(folder):
        found = _channels(kind)[:channels] if present[0] == DEMAND else files_below(kind, SOUNDS)
        if not found:
            example = "ch01.wav" if present[0] == DEMAND else "1.wav"
            raise UserError(kind, f"recordings such as {example}", "none", "add some, or remove the folder")
        for path in found:
            name = path.relative_to(folder).with_suffix("").as_posix().replace("/", "-")
            row = {"clip_id": name, "file": path.relative_to(root).as_posix(), "text": "", "speaker": kind.name}
            rows.append(row)
    if not rows:
        raise UserError(folder, "a folder for each kind of noise", "none", "see data/README.md")
    return pd.DataFrame(rows)


def _channels(folder: Path) -> list[Path]:
    """DEMAND's recordings of one place, `ch01.wav` and so on, in the order of their numbers."""
    number_of = {path: _CHANNEL.fullmatch(path.stem) for path in files_below(folder, SOUNDS)}
    return sorted((path for path, match in number_of.items() if match), key=lambda path: int(number_of[path][1]))


def _splits_of_kinds(kinds: set[str], root: Path, partition: str, test_noises: int) -> dict[str, str]:
    ordered = sorted(kinds, key=stable_hash)
    if partition == "paper":
        train, validation, test = ordered[:PAPER_NOISES], [], ordered[PAPER_NOISES:]
    else:
        train, test = ordered[test_noises:], ordered[:test_noises]
        validation = train[3::4] if len(train) >= ENOUGH_TO_HOLD_OUT else []
    if not train or not test:
        least = 1 + (PAPER_NOISES if partition == "paper" else test_noises)
        raise UserError(
            root,
            f"at least {least} kinds of noise, some to train on and others to test",
            len(kinds),
            "add some, or set partition to by_speaker and lower test_noises",
        )
    return dict.fromkeys(train, "train") | dict.fromkeys(validation, "validation") | dict.fromkeys(test, "test")


def _selected_as_in_paper(speech: pd.DataFrame, root: Path, validation_share: float) -> pd.DataFrame:
    """The utterances that `read` says are the paper's, with their split."""
    speech = speech[speech.file.str.startswith(f"{SPEECH}/{PAPER_SUBSET}/")]
    counts = speech.speaker.value_counts()
    counts = counts[sorted(counts.index, key=stable_hash)]
    chosen = []
    for split, utterances in PAPER_UTTERANCES.items():
        speakers = _neighbours(counts, PAPER_SPEAKERS[split], utterances, root)
        counts = counts.drop(speakers)
        own = speech[speech.speaker.isin(speakers)]
        own = own.loc[own.clip_id.map(stable_hash).sort_values().index[:utterances]].assign(split=split)
        if split == "train":
            held_out = max(1, round(validation_share * len(speakers)))
            own["split"] = own.split.mask(own.speaker.isin(speakers[-held_out:]), "validation")
        chosen.append(own)
    return pd.concat(chosen)


def _neighbours(counts: pd.Series, speakers: int, utterances: int, root: Path) -> list[str]:
    """The first so many speakers one after the other who have so many utterances together; `counts` has each one's."""
    enough = counts.rolling(speakers).sum() >= utterances
    if not enough.any():
        raise UserError(
            root / SPEECH / PAPER_SUBSET,
            f"{speakers} speakers with {utterances} utterances, as partition is 'paper'",
            f"too few among {len(counts)} speakers with {counts.sum()} utterances",
            "copy all of it, or set partition to by_speaker",
        )
    last = enough.to_numpy().argmax()
    return list(counts.index[last - speakers + 1 : last + 1])
