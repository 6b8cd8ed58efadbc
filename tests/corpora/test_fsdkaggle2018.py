"""The FSDKaggle2018 reader on the published lists, a real excerpt, and lists with one fault each."""

import shutil
from pathlib import Path

import pytest

from stages.corpora import fsdkaggle2018
from stages.frame.errors import UserError

SHARED = Path(__file__).parents[3] / "shared" / "corpora"
TRAIN = "fname,label,manually_verified,freesound_id,license\n"
TEST = "fname,label,usage,freesound_id,license\n"


def written(root: Path, train: str, test: str) -> Path:
    for folder in (fsdkaggle2018.TRAIN_AUDIO, fsdkaggle2018.TEST_AUDIO, "FSDKaggle2018.meta"):
        (root / folder).mkdir()
    (root / fsdkaggle2018.TRAIN_LIST).write_text(train)
    (root / fsdkaggle2018.TEST_LIST).write_text(test)
    return root


@pytest.fixture
def small(tmp_path: Path) -> Path:
    train = "".join(f"{n:08x}.wav,Flute,{int(n < 10)},1,Creative Commons 0\n" for n in range(20))
    return written(
        tmp_path,
        TRAIN + train,
        TEST + "000000ff.wav,Bark,Public,1,Attribution\n00000100.wav,None,Ignored,2,Attribution\n",
    )


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    lists = SHARED / "lists"
    if not lists.is_dir():
        pytest.skip("the published lists are not on this machine")
    train, test = (lists / f"fsdkaggle2018_{split}_post_competition.csv" for split in ("train", "test"))
    return written(tmp_path_factory.mktemp("published"), train.read_text(), test.read_text())


def test_published_lists_have_the_published_counts(published):
    table = fsdkaggle2018.read(published, validation_share=0.0)
    assert table.split.value_counts().to_dict() == {"train": 9473, "test": 1600}
    assert table[table.split == "train"].verified.sum() == 3710
    assert set(table.label) == set(fsdkaggle2018.LABELS)
    assert len(fsdkaggle2018.LABELS) == 41


def test_validation_takes_a_share_of_each_labels_verified_clips(published):
    table = fsdkaggle2018.read(published, validation_share=0.2)
    verified = table[table.verified & (table.split != "test")]
    held_out = (verified.split == "validation").groupby(verified.label).agg(["sum", "size"])
    assert table[table.split == "validation"].verified.all()
    assert (held_out["sum"] == (0.2 * held_out["size"]).round()).all()
    assert (table.split == "test").sum() == 1600


def test_real_excerpt_names_files_that_exist():
    root = SHARED / "FSDKaggle2018"
    if not root.is_dir():
        pytest.skip("the real excerpt is not on this machine")
    table = fsdkaggle2018.read(root, validation_share=0.0)
    assert table.split.value_counts().to_dict() == {"train": 84, "test": 36}
    assert all((root / file).is_file() for file in table.file)


def test_rows(small):
    table = fsdkaggle2018.read(small, validation_share=0.5).set_index("clip_id")
    assert table.loc["000000ff"].to_dict() == {
        "file": "FSDKaggle2018.audio_test/000000ff.wav",
        "label": "Bark",
        "text": "",
        "fold": "",
        "speaker": "",
        "split": "test",
        "verified": True,
        "word_times": "",
    }
    assert "00000100" not in table.index
    assert table.split.value_counts().to_dict() == {"train": 15, "validation": 5, "test": 1}
    assert not table.loc["0000000f", "verified"]


@pytest.mark.parametrize(
    ("train", "test", "message"),
    [
        (TRAIN + "a.wav,Fluet,1,1,CC\n", TEST + "b.wav,Bark,Public,1,CC\n", "found 'Fluet' for a.wav"),
        (TRAIN + "a.wav,Flute,1,1,CC\n", TEST + "b.wav,None,Public,1,CC\n", "found 'None' for b.wav"),
        (
            TRAIN + "a.wav,Flute,yes,1,CC\n",
            TEST + "b.wav,Bark,Public,1,CC\n",
            "line 2: expected 1 or 0, true or false as manually_verified",
        ),
        (
            TRAIN + "a.wav,Flute,1,1,CC\n",
            TEST + "a.wav,Bark,Public,1,CC\n",
            "expected each clip id once; found 'a' twice",
        ),
        (
            TRAIN + "../../x,Flute,1,1,CC\n",
            TEST,
            "train_post_competition.csv, line 2: expected paths inside the folder",
        ),
        (TRAIN + "a.wav,Flute,1,1\n", TEST, "train_post_competition.csv, line 2: expected 5 cells, as in the header"),
        (TRAIN, TEST + ",Bark,Public,1,CC\n", "clips.csv, line 2: expected paths inside the folder, .* found ''"),
        ("fname,label\na.wav,Flute\n", TEST + "b.wav,Bark,Public,1,CC\n", "expected one column 'manually_verified'"),
        (
            TRAIN + "a.wav,Flute,1,1,CC\n",
            "fname,label\nb.wav,Bark\n",
            "expected one column 'usage'; found fname, label",
        ),
        ("", TEST, "expected a csv file with the columns fname, label, manually_verified; found an empty one"),
        (TRAIN, TEST, "expected at least one clip"),
    ],
)
def test_faulty_lists(tmp_path, train, test, message):
    with pytest.raises(UserError, match=message):
        fsdkaggle2018.read(written(tmp_path, train, test), validation_share=0.1)


@pytest.mark.parametrize("name", [fsdkaggle2018.TRAIN_LIST, fsdkaggle2018.TEST_LIST])
def test_missing_list(small, name):
    (small / name).unlink()
    with pytest.raises(UserError, match=f"{name}: expected the corpus's list; found no such file"):
        fsdkaggle2018.read(small, validation_share=0.1)


@pytest.mark.parametrize("name", [fsdkaggle2018.TRAIN_AUDIO, fsdkaggle2018.TEST_AUDIO])
def test_missing_folder(small, name):
    shutil.rmtree(small / name)
    with pytest.raises(UserError, match=f"{name}: expected the folder of audio files; found no such folder"):
        fsdkaggle2018.read(small, validation_share=0.1)
