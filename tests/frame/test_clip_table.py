"""What a clip table may hold, whichever reader made it, and tables that are damaged."""

import pandas as pd
import pytest

from stages.frame import clip_table
from stages.frame.errors import UserError


def table(**changes):
    """Three clips; `changes` are columns."""
    columns = {
        "clip_id": ["a", "b", "c"],
        "file": ["a.wav", "b.wav", "c.wav"],
        "label": ["owl", "owl", "dog"],
        "text": ["", "", ""],
        "speaker": ["", "ann", "bob"],
        "split": ["train", "validation", "test"],
        "fold": ["", "", ""],
        "verified": [True, True, True],
    }
    return pd.DataFrame(columns | changes)


def test_names_that_only_people_would_mistake_are_taken():
    names = ["a b", "A b", "a\u200cb", "ab"]
    four = pd.concat([table(), table().tail(1)], ignore_index=True)
    files = ["x/a.wav", "x/A.wav", "./\xe4.wav", "d.wav"]
    four = four.assign(clip_id=names, label=names, speaker=names, file=files)
    assert sorted(clip_table.checked(four, "here").label) == sorted(names)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"clip_id": ["a", "a", "c"]}, "each clip id once; found 'a' twice, for a.wav and b.wav; rename or remove one"),
        ({"clip_id": ["a", "", "c"]}, "a clip id without / for each clip; found '' of b.wav"),
        ({"clip_id": ["a", "a/b", "c"]}, "a clip id without / for each clip; found 'a/b' of b.wav"),
        ({"clip_id": ["a b", "a-b", "c"]}, "clip_ids that do not look alike; found 'a b' and 'a-b'"),
        ({"clip_id": ["a", "b", "c\rd"]}, r"a clip_id of what can be seen; found 'c\\rd'"),
        ({"file": ["a.wav", "b.wav", "x\r../c.wav"]}, "a file of what can be seen"),
        ({"file": ["a.wav", "a.wav", "c.wav"]}, "each file once; found a.wav twice"),
        ({"file": ["x/a.wav", "x//./a.wav", "c.wav"]}, "each file once; found x/a.wav twice"),
        *(
            (
                {"file": ["a.wav", "b.wav", file]},
                "paths inside the folder, relative to it, with / between folders; found",
            )
            for file in ("../c.wav", "x/../../c.wav", "/c.wav", "", ".", "..", "x\\c.wav", "c" * 256, "c/" * 2000 + "c")
        ),
        *(
            ({"label": ["owl", "dog", one]}, "a label of what can be seen; found")
            for one in (
                "do\ng",
                "do\tg",
                "\0",
                "do\x1b[31mg",
                "dog\x7f",
                "\u202egod",
                "dog\ufeff",
                "do\u2028g",
                "\udcff",
            )
        ),
        ({"label": ["T\xfcr", "Tu\u0308r", "owl"]}, r"labels that do not look alike; found 'T\\xfcr' and 'Tu\\u0308r'"),
        ({"label": ["a\xa0b", "a b", "owl"]}, r"labels that do not look alike; found 'a\\xa0b' and 'a b'"),
        ({"label": ["owl ", "owl", "dog"]}, "labels that do not look alike; found 'owl ' and 'owl'"),
        ({"speaker": ["", "T\xfcr", "Tu\u0308r"]}, "speakers that do not look alike"),
        ({"fold": ["1 ", "1", "2"]}, "folds that do not look alike"),
        ({"text": ["a\x00b", "", ""]}, "a text of what can be seen"),
        ({"split": ["train", "dev", "test"]}, "splits train, validation, test; found 'dev'"),
    ],
)
def test_what_a_table_may_not_hold_is_one_line(changes, message):
    with pytest.raises(UserError, match=f"here: expected {message}") as caught:
        clip_table.checked(table(**changes), "here")
    assert str(caught.value).isprintable()


def test_what_is_checked_is_read_as_it_was_written(tmp_path):
    strange = table(label=['"', "a,b", "NA"], text=["'", '"x", y', "\u2026"], speaker=["007", "nan", "-"])
    written = clip_table.checked(strange, "here")
    written.to_csv(tmp_path / "clips.csv", index=False)
    pd.testing.assert_frame_equal(clip_table.read(tmp_path / "clips.csv"), written)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda text: text[:-9], "cells in line 4, 9 in the header"),
        (lambda text: text[:-1], "a line without an end, or a column twice"),
        (lambda text: text.replace(b"b.wav", b"b.wav,"), "10 cells in line 3, 9 in the header"),
        (lambda text: text.replace(b"label", b"file"), "a line without an end, or a column twice"),
        (lambda text: text.replace(b"owl", b"o\rl"), "3 cells in line 2, 9 in the header"),
        (lambda text: text.replace(b"owl", b"\xff"), "can't decode byte 0xff"),
        (lambda text: text.replace(b"owl", b'"owl'), "'.' expected after '.'|unexpected end of data"),
        (lambda text: b"", "a line without an end"),
    ],
)
def test_a_damaged_table_is_one_line(tmp_path, spoil, message):
    path = tmp_path / "clips.csv"
    clip_table.checked(table(), "here").to_csv(path, index=False)
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(UserError, match=f"clips.csv: expected a whole table of clips; found .*({message})"):
        clip_table.read(path)


def test_names_of_digits_alone_are_text_in_every_table(tmp_path):
    names = ["clip_id", "noise", "noise_clip_id", "audio_of", "model"]
    (tmp_path / "clips.csv").write_text(f"{','.join(names)},trial\n007,007,007,007,007,007\n")
    assert clip_table.read(tmp_path / "clips.csv").iloc[0].to_dict() == dict.fromkeys(names, "007") | {"trial": 7}


def test_a_missing_table_is_told(tmp_path):
    with pytest.raises(UserError, match=r"clips\.csv: expected a table of clips; found no such file; run the stage"):
        clip_table.read(tmp_path / "clips.csv")


def test_speakers_take_turns():
    table = pd.DataFrame({"clip_id": list("abcdef"), "speaker": list("xxxxyz")})
    turned = clip_table.by_turns(table, "clip_id")
    assert set(turned.speaker[:3]) == set("xyz") and set(turned.speaker[3:]) == {"x"}
    hashes = turned.clip_id.map(clip_table.stable_hash)
    assert hashes[:3].is_monotonic_increasing and hashes[3:].is_monotonic_increasing
    # Who says more is not asked the earlier for it, and no other row changes the order.
    fewer = clip_table.by_turns(table[table.clip_id != turned.clip_id.iloc[-1]], "clip_id")
    assert fewer.clip_id.tolist() == turned.clip_id.tolist()[:-1]
    # Where nobody knows who speaks it is the hash alone.
    nameless = clip_table.by_turns(table.assign(speaker=""), "clip_id").clip_id.map(clip_table.stable_hash)
    assert nameless.is_monotonic_increasing
