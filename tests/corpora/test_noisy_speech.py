"""The reader of LibriSpeech with noises on made-up copies, a list as long as the paper needs, a real excerpt, faults"""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from stages.corpora import noisy_speech
from stages.frame import parameters
from stages.frame.errors import UserError

SHARED = Path(__file__).parents[3] / "shared" / "corpora"
DEALT = {
    "partition": "by_speaker",
    "validation_share": 0.2,
    "test_share": 0.2,
    "test_noises": 2,
    "noise_channels": 2,
}
PAPER = DEALT | {"partition": "paper", "validation_share": 0.1}
KINDS = ["DKITCHEN", "NFIELD", "PRESTO", "TBUS", "SCAFE"]


def chapter(root: Path, speaker: int, utterances: int, subset: str = "train-clean-100") -> Path:
    folder = root / "LibriSpeech" / subset / str(speaker) / "7"
    folder.mkdir(parents=True)
    names = [f"{speaker}-7-{number:04d}" for number in range(utterances)]
    for name in names:
        (folder / f"{name}.flac").touch()
    (folder / f"{speaker}-7.trans.txt").write_text("".join(f"{name} IT'S  ME\n" for name in names))
    return folder


def noises(root: Path, kinds: list[str], channels: int = 3) -> None:
    for kind in kinds:
        (root / "DEMAND" / kind).mkdir(parents=True)
        for number in range(1, channels + 1):
            (root / "DEMAND" / kind / f"ch{number:02d}.wav").touch()


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    for speaker in range(1, 11):
        chapter(tmp_path, speaker, 3, "train-clean-100" if speaker < 6 else "dev-other")
    noises(tmp_path, KINDS)
    return tmp_path


def splits_of(table: pd.DataFrame, *, speech: bool) -> dict[str, set[str]]:
    return table[(table.text != "") == speech].groupby("split").speaker.agg(set).to_dict()


def test_rows(corpus):
    table = noisy_speech.read(corpus, **DEALT).set_index("clip_id")
    assert len(table) == 10 * 3 + 5 * 2
    assert table.loc["3-7-0001"].drop("split").to_dict() == {
        "file": "LibriSpeech/train-clean-100/3/7/3-7-0001.flac",
        "label": "",
        "text": "it's me",
        "speaker": "3",
        "fold": "",
        "verified": True,
        "word_times": "",
    }
    assert table.file["9-7-0000"].startswith("LibriSpeech/dev-other/")
    noise = table.loc["SCAFE-ch02", ["file", "text", "speaker"]].tolist()
    assert noise == ["DEMAND/SCAFE/ch02.wav", "", "SCAFE"]
    assert "SCAFE-ch03" not in table.index


def test_speakers_and_kinds_are_in_one_split_each(corpus):
    table = noisy_speech.read(corpus, **DEALT)
    sizes = {split: len(own) for split, own in splits_of(table, speech=True).items()}
    assert sizes == {"train": 6, "validation": 2, "test": 2}
    assert (table.groupby("speaker").split.nunique() == 1).all()
    assert {split: len(own) for split, own in splits_of(table, speech=False).items()} == {"train": 3, "test": 2}


def test_with_enough_kinds_of_noise_validation_has_its_own(corpus):
    noises(corpus, ["DLIVING", "NPARK", "OOFFICE", "STRAFFIC", "TCAR"], channels=1)
    kinds = splits_of(noisy_speech.read(corpus, **DEALT), speech=False)
    assert {split: len(own) for split, own in kinds.items()} == {"train": 6, "validation": 2, "test": 2}


def test_a_byte_order_mark_and_suffixes_of_any_case_and_format_are_read(corpus):
    lines = corpus / LINES
    lines.write_bytes(b"\xef\xbb\xbf" + lines.read_bytes().replace(b"\n", b"\r\n"))
    lines.rename(lines.with_name("3-7.TRANS.TXT"))
    (corpus / CHAPTER / "3-7-0001.flac").rename(corpus / CHAPTER / "3-7-0001.WAV")
    table = noisy_speech.read(corpus, **DEALT).set_index("clip_id")
    assert table.text["3-7-0000"] == table.text["3-7-0001"] == "it's me"
    assert table.file["3-7-0001"].endswith("3-7-0001.WAV")


def test_channels_are_read_however_their_names_are_written(corpus):
    kind = corpus / "DEMAND" / "TBUS"
    for number, name in enumerate(("ch1.WAV", "CH2.wav", "ch10.flac"), start=1):
        (kind / f"ch{number:02d}.wav").rename(kind / name)
    (kind / "._ch1.WAV").touch()
    (kind / "all.wav").touch()
    table = noisy_speech.read(corpus, **DEALT | {"noise_channels": 3})
    assert table.file[table.speaker == "TBUS"].tolist() == [
        f"DEMAND/TBUS/{name}" for name in ("CH2.wav", "ch1.WAV", "ch10.flac")
    ]
    table = noisy_speech.read(corpus, **DEALT)
    assert table.file[table.speaker == "TBUS"].tolist() == ["DEMAND/TBUS/CH2.wav", "DEMAND/TBUS/ch1.WAV"]


def test_noises_in_deeper_folders_and_of_any_format_are_read(corpus):
    (corpus / "DEMAND").rename(corpus / "noises")
    for name in ("rain/roof/1.mp3", "rain/lake/1.OGG", "__MACOSX/rain/1.wav", "rain/.DS_Store"):
        (corpus / "noises" / name).parent.mkdir(parents=True, exist_ok=True)
        (corpus / "noises" / name).touch()
    table = noisy_speech.read(corpus, **DEALT).set_index("clip_id")
    assert table.file[table.speaker == "rain"].to_dict() == {
        "rain-lake-1": "noises/rain/lake/1.OGG",
        "rain-roof-1": "noises/rain/roof/1.mp3",
    }
    assert "__MACOSX" not in set(table.speaker)


def test_linked_folders_of_any_sound_files(corpus, tmp_path_factory):
    root = tmp_path_factory.mktemp("links")
    (root / "LibriSpeech").mkdir()
    for subset in ("train-clean-100", "dev-other"):
        (root / "LibriSpeech" / subset).symlink_to(corpus / "LibriSpeech" / subset)
    for name in ("sea waves/1-a.ogg", "rain/1.WAV", "rain/2.flac", "rain/notes.txt", "rain/._2.flac", "dogs/x.wav"):
        (corpus / "own" / name).parent.mkdir(parents=True, exist_ok=True)
        (corpus / "own" / name).touch()
    (root / "noises").symlink_to(corpus / "own")
    table = noisy_speech.read(root, **DEALT)
    assert table[table.text == ""].file.tolist() == [
        *("noises/dogs/x.wav", "noises/rain/1.WAV", "noises/rain/2.flac", "noises/sea waves/1-a.ogg")
    ]
    assert (table.text != "").sum() == 30


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As many speakers and utterances as in train-clean-100, and some of another subset."""
    root = tmp_path_factory.mktemp("large")
    counts = np.random.default_rng(0).multinomial(28_539, np.full(251, 1 / 251))
    for number, count in enumerate(counts):
        chapter(root, 100 + number, int(count))
    chapter(root, 1000, 50, "dev-clean")
    noises(root, [f"N{number:02d}" for number in range(18)])
    return root


def test_partition_of_the_paper_has_its_counts(large):
    table = noisy_speech.read(large, **PAPER)
    speech = table[table.text != ""]
    assert speech.split.isin(["train", "validation"]).sum() == 8345
    assert (speech.split == "test").sum() == 1242
    speakers = splits_of(table, speech=True)
    assert {split: len(own) for split, own in speakers.items()} == {"train": 66, "validation": 7, "test": 11}
    assert speech.speaker.nunique() == 84
    assert "1000" not in set(speech.speaker)
    assert {split: len(own) for split, own in splits_of(table, speech=False).items()} == {"train": 10, "test": 8}


@pytest.mark.parametrize(("speakers", "kinds"), [(80, 18), (251, 10)])
def test_partition_of_the_paper_needs_enough(large, tmp_path, speakers, kinds):
    subset = tmp_path / "LibriSpeech" / "train-clean-100"
    subset.mkdir(parents=True)
    for number in range(speakers):
        (subset / str(100 + number)).symlink_to(large / "LibriSpeech" / "train-clean-100" / str(100 + number))
    noises(tmp_path, [f"N{number:02d}" for number in range(kinds)])
    message = (
        "expected 11 speakers with 1242 utterances.*by_speaker" if speakers == 80 else "expected at least 11 kinds"
    )
    with pytest.raises(UserError, match=message):
        noisy_speech.read(tmp_path, **PAPER)


def test_real_excerpt(tmp_path):
    if not SHARED.is_dir():
        pytest.skip("the real excerpt is not on this machine")
    (tmp_path / "LibriSpeech").symlink_to(SHARED / "LibriSpeech")
    (tmp_path / "noises").symlink_to(SHARED / "ESC-10")
    table = noisy_speech.read(tmp_path, **DEALT).set_index("clip_id")
    assert ((table.text != "").sum(), (table.text == "").sum()) == (100, 48)
    assert table.text["367-130732-0000"] == "lobsters and lobsters"
    assert len(splits_of(table, speech=False)["test"]) == 2
    assert all((tmp_path / file).is_file() for file in table.file)


def test_parameters_are_bound_by_their_annotations(corpus):
    with pytest.raises(UserError, match=r"corpora.speech.test_noises: expected a whole number >= 1; found 0"):
        parameters.bind(noisy_speech.read, "corpora.speech", DEALT | {"test_noises": 0})
    assert len(parameters.bind(noisy_speech.read, "corpora.speech", dict(DEALT))(corpus)) == 40


def change(path: Path, old: str, new: str) -> None:
    path.write_text(path.read_text().replace(old, new))


CHAPTER = "LibriSpeech/train-clean-100/3/7"
LINES = f"{CHAPTER}/3-7.trans.txt"
FAULTS = {
    "no speech": (
        lambda root: (root / "LibriSpeech").rename(root / "Libri"),
        "LibriSpeech: expected the folder of speech; found no such folder; see data/README.md",
    ),
    "no noise": (lambda root: (root / "DEMAND").rename(root / "D"), "DEMAND or noises; found neither"),
    "two noises": (lambda root: (root / "noises").mkdir(), "found DEMAND and noises; remove one"),
    "no utterance": (
        lambda root: [path.unlink() for path in (root / "LibriSpeech").rglob("*-7*")],
        "LibriSpeech: expected utterances such as .*; found none",
    ),
    "no recording": (
        lambda root: [path.unlink() for path in (root / "DEMAND").rglob("*.wav")],
        "DEMAND/DKITCHEN: expected recordings such as ch01.wav; found none",
    ),
    "a kind without a recording": (
        lambda root: [path.unlink() for path in (root / "DEMAND/NFIELD").iterdir()],
        "DEMAND/NFIELD: expected recordings such as ch01.wav; found none; add some, or remove the folder",
    ),
    "a recording of no kind": (
        lambda root: (root / "DEMAND").rename(root / "noises") and (root / "noises/rain.wav").touch(),
        "noises/rain.wav: expected a folder for each kind of noise; found a recording beside them; move it",
    ),
    "no kind": (
        lambda root: (root / "DEMAND").rename(root / "D") and (root / "noises").mkdir(),
        "noises: expected a folder for each kind of noise; found none",
    ),
    "an end of line in a name": (
        lambda root: (root / "DEMAND/NFIELD").rename(root / "DEMAND/NFI\rELD"),
        r"expected a clip_id of what can be seen; found 'NFI\\rELD-ch01'",
    ),
    "a name in another encoding": (
        lambda root: (root / "DEMAND/NFIELD").rename(root / "DEMAND/NFI\udcff"),
        r"expected a clip_id of what can be seen; found 'NFI\\udcff-ch01'",
    ),
    "another encoding": (
        lambda root: (root / LINES).write_bytes(b"3-7-0000 CAF\xc9\n"),
        "3-7.trans.txt, line 1: expected text in UTF-8; found the byte 0xc9",
    ),
    "no line": (
        lambda root: change(root / LINES, "3-7-0001 IT'S  ME\n", "\n"),
        r"3/7/3-7-0001.flac: expected a line 3-7-0001 in a .trans.txt beside it; found none",
    ),
    "no file": (
        lambda root: (root / CHAPTER / "3-7-0001.flac").unlink(),
        r"3-7.trans.txt, line 2: expected its file 3-7-0001.flac beside it; found no such file",
    ),
    "another name": (
        lambda root: (root / CHAPTER / "3_7.flac").touch(),
        r"3_7.flac: expected a name such as .*; found '3_7.flac'",
    ),
    "a file twice": (
        lambda root: chapter(root, 3, 1, "train-other-500"),
        r"train-other-500/3/7/3-7-0000.flac: expected each utterance once; found also \S+train-clean-100/3/7/3-7-0000",
    ),
    "a line twice": (
        lambda root: change(root / LINES, "3-7-0001", "3-7-0000"),
        r"3-7.trans.txt, line 2: expected each utterance once; found 3-7-0000 also in \S+3-7.trans.txt, line 1",
    ),
    "a noise twice": (
        lambda root: (root / "DEMAND").rename(root / "noises") and (root / "noises/TBUS/ch01.ogg").touch(),
        "expected each clip id once; found 'TBUS-ch01' twice",
    ),
    "a digit": (
        lambda root: change(root / LINES, "3-7-0002 IT'S", "3-7-0002 IT 2"),
        r"3-7.trans.txt, line 3: expected letters a to z, space and apostrophe; found '2'",
    ),
    "nothing said": (
        lambda root: change(root / LINES, "3-7-0002 IT'S  ME", "3-7-0002 "),
        r"3-7.trans.txt, line 3: expected an id and what is said; found '3-7-0002 '",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faulty_corpora(corpus, fault):
    spoil, message = FAULTS[fault]
    spoil(corpus)
    with pytest.raises(UserError, match=message) as caught:
        noisy_speech.read(corpus, **DEALT)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"test_noises": 5}, "expected at least 6 kinds of noise, some to train on and others to test; found 5"),
        ({"test_share": 0.9}, "LibriSpeech: expected at least one speaker beside 2 for validation and 9 for test"),
        ({"partition": "paper"}, "train-clean-100: expected 73 speakers with 8345 utterances.*; found too few among 5"),
    ],
)
def test_partitions_that_can_not_be_made(corpus, settings, message):
    with pytest.raises(UserError, match=message):
        noisy_speech.read(corpus, **DEALT | settings)
