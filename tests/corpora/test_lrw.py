"""LRW's layout with two words, and copies with one fault each."""

from pathlib import Path

import pytest

from stages.corpora import lrw
from stages.frame import parameters
from stages.frame.errors import UserError

ALL = {"words": None, "expected_words": None}
ABOUT = """Disk reference: 6074496302023402123
Channel: BBC One
Program start: 2014-10-28 06:00
Clip start: 21:38
Duration: {duration_s} seconds
"""


@pytest.fixture
def small(tmp_path: Path) -> Path:
    for word in ("ABOUT", "YOUNG"):
        for part in ("train", "val", "test"):
            folder = tmp_path / "lipread_mp4" / word / part
            folder.mkdir(parents=True)
            for number in (1, 2):
                (folder / f"{word}_0000{number}.mp4").touch()
                (folder / f"{word}_0000{number}.txt").write_text(ABOUT.format(duration_s=0.2 * number))
    return tmp_path


def test_rows(small):
    table = lrw.read(small, **ALL).set_index("clip_id")
    assert len(table) == 12
    assert table.loc["val-YOUNG_00002"].to_dict() == {
        "file": "lipread_mp4/YOUNG/val/YOUNG_00002.mp4",
        "label": "YOUNG",
        "text": "",
        "speaker": "",
        "split": "validation",
        "fold": "",
        "verified": True,
        "word_times": "YOUNG 0.38 0.78",
    }
    assert table.split.value_counts().to_dict() == {"train": 4, "validation": 4, "test": 4}
    assert all((small / file).is_file() for file in table.file)


def test_times_stay_within_the_clip(small):
    path = small / "lipread_mp4" / "ABOUT" / "test" / "ABOUT_00001.txt"
    path.write_text(ABOUT.format(duration_s=1.5))
    table = lrw.read(small, **ALL).set_index("clip_id")
    assert table.word_times["test-ABOUT_00001"] == "ABOUT 0 1.16"


def test_some_words_of_the_copy(small):
    read = parameters.bind(lrw.read, "corpora.words", {"words": ["YOUNG"], "expected_words": 2})
    assert set(read(small).label) == {"YOUNG"}


def test_a_list_gives_the_speakers(small):
    rows = [f"{file},s{n % 5}\n" for n, file in enumerate(lrw.read(small, **ALL).file)]
    (small / "speakers.csv").write_text("file,speaker\n" + "".join(rows))
    assert lrw.read(small, **ALL).speaker.tolist() == [f"s{n % 5}" for n in range(12)]
    (small / "speakers.csv").write_text("file,speaker\n" + "".join(rows[:-1]))
    with pytest.raises(
        UserError, match=r"speakers.csv: expected a row for each clip; found none for lipread_mp4/YOUNG"
    ):
        lrw.read(small, **ALL)


def test_a_list_with_two_speakers_for_a_clip_is_told(small):
    rows = [f"{file},ann\n" for file in lrw.read(small, **ALL).file]
    (small / "speakers.csv").write_text("file,speaker\n" + "".join(rows) + rows[0].replace("ann", "bob"))
    with pytest.raises(UserError, match=r"speakers.csv, line 14: expected one speaker for each clip; found .* again"):
        lrw.read(small, **ALL)


def test_suffixes_of_any_case_are_read_and_what_macos_leaves_is_not(small):
    folder = small / "lipread_mp4" / "ABOUT" / "train"
    (folder / "ABOUT_00001.mp4").rename(folder / "ABOUT_00001.MP4")
    (folder / "ABOUT_00001.txt").write_bytes(b"\xef\xbb\xbfDuration: 0.4 seconds\r\n")
    (folder / "ABOUT_00001.txt").rename(folder / "ABOUT_00001.TXT")
    (folder / "._ABOUT_00001.mp4").touch()
    (small / "lipread_mp4" / "__MACOSX" / "train").mkdir(parents=True)
    (small / "lipread_mp4" / "__MACOSX" / "train" / "._ABOUT_00001.mp4").touch()
    table = lrw.read(small, **ALL).set_index("clip_id")
    assert len(table) == 12
    assert table.file["train-ABOUT_00001"] == "lipread_mp4/ABOUT/train/ABOUT_00001.MP4"
    assert table.word_times["train-ABOUT_00001"] == "ABOUT 0.38 0.78"


def _renamed(old, new):
    return lambda words: (words / old).rename(words / new)


@pytest.mark.parametrize(
    ("change", "settings", "message"),
    [
        (lambda words: (words / "ABOUT/val/ABOUT_00001.txt").unlink(), ALL, "ABOUT_00001.txt: expected the text file"),
        (lambda words: (words / "ABOUT/val/ABOUT_00001.mp4").unlink(), ALL, "ABOUT_00001.mp4: expected the video of"),
        (
            lambda words: (words / "ABOUT/val/ABOUT_00001.txt").write_text("Channel: BBC One\n"),
            ALL,
            "ABOUT_00001.txt: expected a line such as Duration: 0.53 seconds; found none; copy the file again",
        ),
        (
            lambda words: (words / "ABOUT/val/ABOUT_00001.txt").write_text("Duration: 0.0 seconds\n"),
            ALL,
            "ABOUT_00001.txt: expected a line such as Duration: 0.53 seconds",
        ),
        (
            lambda words: (words / "ABOUT/val/ABOUT_00001.txt").write_text("Duration: 0.5"),
            ALL,
            "ABOUT_00001.txt: expected a line such as Duration: 0.53 seconds",
        ),
        (_renamed("ABOUT/val", "ABOUT/validation"), ALL, "expected folders train, val, test; found 'validation'"),
        (
            _renamed("ABOUT/val/ABOUT_00001.mp4", "ABOUT/val/YOUNG_00001.mp4"),
            ALL,
            "ABOUT/val: expected names such as ABOUT_00001 in this folder; found YOUNG_00001; move or remove",
        ),
        (
            _renamed("ABOUT/test", "../elsewhere"),
            ALL,
            "expected clips of each label in each split; found none of 'ABOUT' in test",
        ),
        (
            _renamed("ABOUT", "../ABOUT"),
            ALL | {"expected_words": 2},
            "expected 2 words .* found 1; copy what is missing",
        ),
        (_renamed("ABOUT", "../ABOUT"), ALL | {"words": ["ABOUT"]}, "expected the folder ABOUT .* found YOUNG; copy"),
        (_renamed(".", "../mp4"), ALL, "expected words' folders in lipread_mp4; found none"),
    ],
)
def test_faulty_copies(small, change, settings, message):
    change(small / "lipread_mp4")
    with pytest.raises(UserError, match=message) as caught:
        lrw.read(small, **settings)
    assert "\n" not in str(caught.value)
