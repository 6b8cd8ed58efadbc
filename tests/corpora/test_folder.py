"""The reader of one's own corpus: every optional column with and without, and lists with one fault each."""

from pathlib import Path

import pytest

from stages.corpora import folder
from stages.frame import clip_table
from stages.frame.errors import UserError


def listed(root: Path, text: str, name: str = "clips.csv") -> Path:
    (root / name).write_text(text)
    return root


def test_two_columns_are_enough(tmp_path):
    rows = [f"{label}/{number}.flac,{label}" for label in ("cat", "dog") for number in range(50)]
    table = folder.read(listed(tmp_path, "\n".join(["file,label", *rows])), validation_share=0.25)
    assert list(table.columns) == list(clip_table.COLUMNS)
    assert table.groupby(["label", "split"]).size().to_dict() == {
        (label, split): count
        for label in ("cat", "dog")
        for split, count in (("test", 10), ("train", 30), ("validation", 10))
    }
    assert table.verified.all()
    assert table.set_index("clip_id").file["cat-7"] == "cat/7.flac"


def test_split_does_not_depend_on_the_order_of_the_rows(tmp_path):
    rows = [f"{number}.wav,owl" for number in range(40)]
    forwards = folder.read(listed(tmp_path, "\n".join(["file,label", *rows])), validation_share=0.2)
    backwards = folder.read(listed(tmp_path, "\n".join(["file,label", *rows[::-1]])), validation_share=0.2)
    assert forwards.equals(backwards)


def test_all_columns_are_taken_as_they_are(tmp_path):
    text = (
        "file,label,split,fold,speaker,text,verified,mood\n"
        "a.wav,owl,train,1,ann,to whit,TRUE,calm\n"
        "b.wav,owl,validation,2,bob,to whoo,false,calm\n"
        "c.wav,,test,2,bob,whoo,0,calm\n"
    )
    table = folder.read(listed(tmp_path, text, "mine.csv"), csv="mine.csv", validation_share=1.0)
    assert table.values.tolist() == [
        [
            "a",
            "a.wav",
            "owl",
            "to whit",
            "ann",
            "train",
            "1",
            True,
            "",
        ],  # validation is given: nothing more is held out
        ["b", "b.wav", "owl", "to whoo", "bob", "validation", "2", False, ""],
        ["c", "c.wav", "", "whoo", "bob", "test", "2", False, ""],
    ]


def test_validation_is_held_out_of_a_given_training_split(tmp_path):
    rows = [f"{number}.wav,owl,{'train' if number < 8 else 'test'},{number % 2}" for number in range(10)]
    table = folder.read(listed(tmp_path, "\n".join(["file,label,split,verified", *rows])), validation_share=0.5)
    assert table.split.value_counts().to_dict() == {"train": 6, "validation": 2, "test": 2}
    assert table[table.split == "validation"].verified.all()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file\na.wav\n", "expected a column 'label'; found file"),
        ("file,label\n", "expected at least one clip"),
        ("file,label\n/tmp/a.wav,owl\n", "expected paths inside the folder, relative to it; found '/tmp/a.wav'"),
        ("file,label\n../a.wav,owl\n", "expected paths inside the folder, relative to it; found '../a.wav'"),
        ("file,label\n,owl\n", "expected paths inside the folder, relative to it; found ''"),
        ("file,label\na.wav,\n", "expected a label or a text for each clip; found neither for a.wav"),
        ("file,label\na/b.wav,owl\na-b.wav,owl\n", "expected each clip id once; found 'a-b' twice"),
        ("file,label,split\na.wav,owl,dev\n", "expected splits train, validation, test; found 'dev'"),
        ("file,label,verified\na.wav,owl,maybe\n", "verified: expected 1 or 0, true or false; found 'maybe'"),
        ('file,label\n"a.wav,owl\n', "expected a csv file in UTF-8"),
    ],
)
def test_faulty_lists(tmp_path, text, message):
    with pytest.raises(UserError, match=message):
        folder.read(listed(tmp_path, text), validation_share=0.1)


def test_list_in_another_encoding(tmp_path):
    (tmp_path / "clips.csv").write_bytes("file,label\na.wav,fl\xfcte\n".encode("latin-1"))
    with pytest.raises(UserError, match="expected a csv file in UTF-8"):
        folder.read(tmp_path, validation_share=0.1)


def test_missing_list(tmp_path):
    with pytest.raises(UserError, match=r"mine\.csv: expected the corpus's list; found no such file"):
        folder.read(tmp_path, csv="mine.csv", validation_share=0.1)


def test_speakers_are_dealt_whole_where_that_is_asked_for(tmp_path):
    rows = [f"{speaker}-{number}.wav,owl,{speaker}" for speaker in range(20) for number in range(5)]
    table = folder.read(
        listed(tmp_path, "\n".join(["file,label,speaker", *rows])), validation_share=0.25, speaker_independent=True
    )
    assert table.groupby("speaker").split.nunique().eq(1).all()
    assert table.drop_duplicates("speaker").split.value_counts().to_dict() == {"train": 11, "validation": 5, "test": 4}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "a.wav,owl,train,ann\nb.wav,owl,test,ann\n",
            "expected each speaker in one split; found 'ann' in test and train",
        ),
        ("a.wav,owl,train,\n", r"expected a speaker for each clip; found none for a\.wav"),
        ("a.wav,owl,train,ann\nb.wav,owl,test,bob\n", "expected speakers whose split is validation; found none"),
    ],
)
def test_faulty_speakers(tmp_path, text, message):
    with pytest.raises(UserError, match=message):
        folder.read(
            listed(tmp_path, "file,label,split,speaker\n" + text), validation_share=0.1, speaker_independent=True
        )
