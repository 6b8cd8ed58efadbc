"""Sets as they are read: what is damaged, cut, mistyped or not finite is one line, and no file outside is opened."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.numpy import load_file, save_file

from stages.frame import shards
from stages.frame.devices import Worker
from stages.frame.errors import UserError

ABOUT = {"signal": {"sample_rate_hz": 8000}, "bounds": {"audio": [-1.0, 1.0]}}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("SCRATCH", str(tmp_path / "scratch"))
    plan = pd.DataFrame({"key": ["one", "two", "none"]})

    def compute(rows):
        return rows, [{"audio": np.arange(4, dtype=np.float32)}, {"audio": np.ones(2, np.float32)}, {}]

    given = {"inputs": [], "settings": 0, "worker": Worker(), "description": "t", "about": ABOUT}
    shards.write_set(plan, tmp_path / "set", compute, **given)
    return tmp_path / "set"


def test_what_is_there_is_read_and_what_is_not_is_told_when_it_is_asked_for(folder):
    clips = shards.ShardSet(folder)
    assert clips.about == ABOUT
    assert clips.load("one")["audio"].tolist() == [0, 1, 2, 3]
    assert clips.load("none") == {}
    with pytest.raises(UserError, match=r"00000\.safetensors: two: expected an entry 'video'; found audio; delete its"):
        clips.load("two")["video"]
    with pytest.raises(UserError, match=r"none: expected an entry 'audio'; found none at all"):
        clips.load("none")["audio"]
    with pytest.raises(UserError, match=r"about\.json: expected an entry 'front_end'; found signal, bounds"):
        clips.about["front_end"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"expected a finished set; found no about\.json; delete its folder and run dvc repro"),
        ("{", r"about\.json: expected a finished set; found no JSON"),
        ("[]", r"about\.json: expected a finished set; found no mapping but list"),
        (json.dumps(ABOUT | {"bounds": {"audio": [1, -1]}}), r"about\.json: bounds: expected .* a lower and a higher"),
        (
            json.dumps(ABOUT | {"signal": {"sample_rate_hz": "8 kHz"}}),
            r"about\.json: signal: expected a dict of text to",
        ),
    ],
)
def test_a_damaged_about_is_one_line(folder, content, message):
    (folder / "about.json").unlink() if content is None else (folder / "about.json").write_text(content)
    with pytest.raises(UserError, match=message):
        shards.ShardSet(folder)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("key\none\n", r"clips\.csv: expected a column 'shard'; found key"),
        ("shard\nshard-00000.safetensors\n", r"clips\.csv: expected a column 'key'; found shard"),
        ("key,shard\none,\none,\n", r"clips\.csv: expected each key once; found 'one' twice"),
        (
            "key,shard\none,../other/shard-00000.safetensors\n",
            r"clips\.csv: expected shards of its own folder; found '\.\.",
        ),
        ("key,shard\none,/etc/passwd\n", r"clips\.csv: expected shards of its own folder; found '/etc/passwd'"),
    ],
)
def test_a_table_that_leads_nowhere_is_one_line(folder, table, message):
    (folder / "clips.csv").write_text(table)
    with pytest.raises(UserError, match=message):
        shards.ShardSet(folder)


def changed(change):
    def write(path):
        save_file(change(load_file(path)), path)

    return write


def half(path):
    from safetensors.torch import save_file

    save_file({"one:audio": torch.zeros(2, dtype=torch.bfloat16)}, path)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: path.unlink(), "expected a whole shard; found .*No such file"),
        (lambda path: (path.unlink(), path.mkdir()), "expected a whole shard; found "),
        (lambda path: path.write_bytes(path.read_bytes()[:-1]), "expected a whole shard; found .*not fully covered"),
        (lambda path: path.write_bytes(b"\xff" * 200), "expected a whole shard; found .*header"),
        (changed(lambda own: {"audio": own["one:audio"]}), "expected arrays named <key>:<name>; found 'audio'"),
        (
            changed(lambda own: {"one:audio": own["one:audio"] / 0}),
            "expected finite numbers as one:audio; found 4 that",
        ),
        (half, "expected arrays of BOOL, U8, .*; found BF16"),
    ],
)
def test_a_damaged_shard_is_one_line(folder, damage, message):
    with np.errstate(all="ignore"):
        damage(folder / "shard-00000.safetensors")
    with pytest.raises(UserError, match=rf"shard-00000\.safetensors: {message}.*; delete its folder") as caught:
        shards.ShardSet(folder).load("one")
    assert "\n" not in str(caught.value)


def test_what_is_not_finite_is_not_written(tmp_path, monkeypatch):
    monkeypatch.setenv("SCRATCH", str(tmp_path / "scratch"))
    given = {"inputs": [], "settings": 0, "worker": Worker(), "description": "t"}

    def compute(rows):
        return rows, [{"audio": np.array([0.0, np.nan, np.inf], np.float32)}]

    with pytest.raises(
        UserError, match="expected finite numbers as one:audio; found 2 that are not; leave this clip out"
    ):
        shards.write_set(pd.DataFrame({"key": ["one"]}), tmp_path / "set", compute, **given)
    assert not (tmp_path / "set").exists()
