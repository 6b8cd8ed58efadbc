"""The reader of one's own corpus: every optional column with and without, and lists with one fault each."""

import time
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
    "text",
    [
        "file,label,text\na.wav,owl,to whit\nb.wav,dog,woof\n",
        " File , Label,text \n a.wav , owl\t,to whit\n\xa0b.wav\u2007,\u3000dog\xa0,woof\n",
        "file,label,text\na.wav,owl,to whit,\nb.wav,dog,woof,,\n",
        "file,label,text,,\na.wav,owl,to whit,,\nb.wav,dog,woof,,\n,,,,\n\n",
        "\ufefffile,label,text\r\n\r\na.wav,owl,to whit\r\nb.wav,dog,woof",
        "file,label,text\ra.wav,owl,to whit\rb.wav,dog,woof\r",
        '"file","label","text"\n"a.wav", "owl", "to whit"\nb.wav,"dog",woof\n',
    ],
)
def test_what_editors_and_spreadsheets_leave_changes_no_cell(tmp_path, text):
    (tmp_path / "clips.csv").write_bytes(text.encode())
    table = folder.read(tmp_path, validation_share=0.0)
    assert table[["clip_id", "file", "label", "text"]].values.tolist() == [
        ["a", "a.wav", "owl", "to whit"],
        ["b", "b.wav", "dog", "woof"],
    ]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("a.wav,owl,owl", "expected 2 cells, as in the header; found 3"),
        ("a.wav", "expected 2 cells, as in the header; found 1"),
        ("a.wav,Bird, chirp", "2 cells, as in the header; found 3"),
        ('a.wav,"owl', "quotes that end in that line; found unexpected end of data"),
        ('a.wav,owl"', "quotes in pairs"),
        ('a.wav,"o"wl"', "found '.' expected after"),
        ("a.wav,o\twl", r"cells of what can be seen; found '\\t'"),
        ("a.wav,o\x00wl", "expected text in UTF-8; found the byte 0x00"),
        ("a.wav,ow\rb.wav,owl", "new-line character seen in unquoted field"),
        ('a.wav,"ow\rl"', r"cells of what can be seen; found '\\r'"),
        ('a.wav,"ow\nl"', "expected cells between commas"),
        ("a.wav,ow\u2028l", r"cells of what can be seen; found '\\u2028'"),
        ("a\\b.wav,owl", "paths inside the folder, relative to it, with / between folders"),
        (".,owl", "paths inside the folder"),
        ("x/../../a.wav,owl", "paths inside the folder"),
        (f"{300 * 'a'}.wav,owl", "paths inside the folder"),
        ("b.wav,", "expected a label or a text for each clip; found neither for b.wav"),
    ],
)
def test_a_row_that_is_not_as_its_writer_meant_is_told_with_its_line(tmp_path, row, message):
    (tmp_path / "clips.csv").write_bytes(f"file,label\n0.wav,dog\n{row}\n1.wav,dog\n".encode())
    with pytest.raises(UserError, match=f"clips.csv, line 3: .*({message})") as caught:
        folder.read(tmp_path, validation_share=0.0)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,label,Label\na.wav,owl,owl\n", "expected one column 'label'; found file, label, label"),
        ("file,label,text,text\na.wav,owl,,\n", "expected one column 'text'"),
        ("file;label\na.wav;owl\n", "expected one column 'file'; found file;label"),
        ("", "expected a csv file with the columns file, label; found an empty one"),
        ("file,label\na.wav,T\xfcr\nb.wav,Tu\u0308r\n", "expected labels that do not look alike"),
        ("file,label\na.wav,owl\n./a.wav,dog\n", "expected each clip id once; found 'a' twice, for a.wav and ./a.wav"),
        ("file,label,speaker\na.wav,owl,ann\na.wav,owl,bob\n", "expected each clip id once; found 'a' twice"),
        ("file,label\na.wav,owl\na.flac,owl\n", "expected each clip id once; found 'a' twice, for a.wav and a.flac"),
        ("file\na.wav\n", "expected one column 'label'; found file"),
        ("file,label\n", "expected at least one clip"),
        (
            "file,label\n/tmp/a.wav,owl\n",
            "line 2: expected paths inside the folder, relative to it.*; found '/tmp/a.wav'",
        ),
        ("file,label\n../a.wav,owl\n", "line 2: expected paths inside the folder, relative to it.*; found '../a.wav'"),
        ("file,label\n,owl\n", "line 2: expected paths inside the folder, relative to it.*; found ''"),
        ("file,label\na.wav,\n", "expected a label or a text for each clip; found neither for a.wav"),
        (
            "file,label\na/b.wav,owl\na-b.wav,owl\n",
            "expected each clip id once; found 'a-b' twice, for a/b.wav and a-b.wav; rename or remove one",
        ),
        ("file,label,split\na.wav,owl,dev\n", "expected splits train, validation, test; found 'dev'"),
        ("file,label,verified\na.wav,owl,maybe\n", "line 2: expected 1 or 0, true or false as verified; found 'maybe'"),
        ('file,label\n"a.wav,owl\n', "line 2: expected cells between commas, with quotes that end in that line"),
    ],
)
def test_faulty_lists(tmp_path, text, message):
    with pytest.raises(UserError, match=message):
        folder.read(listed(tmp_path, text), validation_share=0.1)


def test_list_in_another_encoding(tmp_path):
    (tmp_path / "clips.csv").write_bytes("file,label\na.wav,fl\xfcte\n".encode("latin-1"))
    with pytest.raises(
        UserError, match=r"clips\.csv, line 2: expected text in UTF-8; found the byte 0xfc; save the file anew"
    ):
        folder.read(tmp_path, validation_share=0.1)


def test_a_line_of_very_many_commas_takes_no_time(tmp_path):
    before = time.process_time()
    table = folder.read(listed(tmp_path, f"file,label\na.wav,owl{100_000 * ','}\n"), validation_share=0.0)
    assert table.label.tolist() == ["owl"]
    with pytest.raises(UserError, match="found 100002"):
        folder.read(listed(tmp_path, f"file,label\na.wav,owl{100_000 * ',a'}\n"), validation_share=0.0)
    with pytest.raises(UserError, match="expected one column 'file'"):
        columns = ",".join(map(str, range(20_000)))
        folder.read(listed(tmp_path, f"{columns}\n{columns}\n"), validation_share=0.0)
    assert time.process_time() - before < 5


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
