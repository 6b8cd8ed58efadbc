"""JSON files of ours: what fits is read, all else told in one line that names the file."""

import json
import pickle

import pytest

from stages.frame import about, json_files
from stages.frame.errors import UserError

WHOLE = {
    "network": "cnn4",
    "parameters": {"width": 0.5, "least": None},
    "labels": ["a", "b"],
    "decides": "label",
    "attacked_on": "probabilities",
    "signal": {"mels": 8},
    "bounds": {"log_mel": None, "audio": [-1, 1.0]},
    "quantum": {"audio": 2**-15},
    "front_end": {"feature": "log_mel_image", "parameters": {}},
}


def read(path, schema=about.MODEL):
    return json_files.read(path, schema, what="a trained model", do="run dvc repro")


def test_what_fits_is_read_with_a_byte_order_mark_and_without(tmp_path):
    path = tmp_path / "config.json"
    for mark in ("", "\ufeff"):
        path.write_text(mark + json.dumps(WHOLE), encoding="utf-8")
        assert read(path) == WHOLE
    path.write_text("{}")
    assert read(path, about.SET) == {}


def test_an_entry_that_is_not_there_is_told_when_it_is_asked_for(tmp_path):
    path = tmp_path / "config.json"
    path.write_text(json.dumps(WHOLE))
    for values in (read(path), pickle.loads(pickle.dumps(read(path)))):  # noqa: S301 (our own)
        assert "title" not in values and values.get("title") is None
        with pytest.raises(UserError, match=r"config\.json: expected an entry 'title'; found network, .*run dvc repro"):
            values["title"]
        with pytest.raises(UserError, match=r"config\.json: expected an entry 'sample_rate_hz'; found mels"):
            values["signal"]["sample_rate_hz"]


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "no JSON: Expecting value"),
        (b'{"network": "cnn4"', "no JSON: Expecting ',' delimiter"),
        (b"\xff\xfe{\x00", "no JSON: 'utf-8' codec"),
        (b'{"network": "\xe4"}', "no JSON: 'utf-8' codec"),
        (b"[1, 2]", "no mapping but list"),
        (b'{"signal": {"mels": NaN}}', "no JSON: NaN is no finite number"),
        (b'{"signal": {"mels": -Infinity}}', "no JSON: -Infinity is no finite number"),
        (b'{"signal": {"mels": 1e999}}', "no JSON: 1e999 is no finite number"),
        (b'{"a": ' + b"[" * 100_000, "no JSON: maximum recursion depth exceeded"),
        (b'{"a": ' + b"9" * 5000 + b"}", "no JSON: Exceeds the limit"),
    ],
)
def test_what_is_no_such_file_is_one_line(tmp_path, content, found):
    path = tmp_path / "config.json"
    path.write_bytes(content)
    with pytest.raises(UserError) as caught:
        read(path)
    assert f"{path}: expected a trained model; found {found}" in str(caught.value)
    assert str(caught.value).endswith("; run dvc repro") and "\n" not in str(caught.value)


def test_a_missing_file_and_a_folder_are_one_line(tmp_path):
    with pytest.raises(UserError, match=r"expected a trained model; found no config\.json; run dvc repro"):
        read(tmp_path / "config.json")
    (tmp_path / "config.json").mkdir()
    with pytest.raises(UserError, match=r"expected a trained model; found no config\.json; run dvc repro"):
        read(tmp_path / "config.json")


@pytest.mark.parametrize(
    "wrong",
    [
        {"network": 4},
        {"parameters": [1]},
        {"labels": "ab"},
        {"labels": ["a", "a"]},
        {"labels": ["a", 1]},
        {"decides": "words"},
        {"attacked_on": None},
        {"signal": {"sample_rate_hz": "16000"}},
        {"signal": {"sample_rate_hz": -1}},
        {"signal": {"sample_rate_hz": 10**40}},
        {"bounds": {"audio": [1, -1]}},
        {"bounds": {"audio": [1, 1]}},
        {"bounds": {"audio": [1]}},
        {"bounds": {"audio": ["-1", 1]}},
        {"bounds": {"audio": {"low": 1}}},
        {"bounds": [[-1, 1]]},
        {"quantum": {"audio": 0}},
        {"front_end": {"feature": "mfcc"}},
        {"front_end": {"feature": None, "parameters": {}}},
    ],
)
def test_what_does_not_fit_is_named(tmp_path, wrong):
    path = tmp_path / "config.json"
    path.write_text(json.dumps(WHOLE | wrong))
    (name,) = wrong
    with pytest.raises(UserError, match=rf"config\.json: {name}: expected .*; run dvc repro"):
        read(path)
