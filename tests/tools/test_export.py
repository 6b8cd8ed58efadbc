"""Adversarial clips as WAV files."""

import re

import numpy as np
import pandas as pd
import pytest
import soundfile

from stages.frame import shards
from stages.frame.devices import Worker
from stages.frame.errors import UserError
from stages.tools import export

ROWS = pd.DataFrame(
    {
        "key": ["../a b/Speech/Male", "quiet", "lost", "vgg13"],
        "clip_id": ["a", "b", "c", "d"],
        "success": [True, False, True, True],
        "kept": [True, True, False, True],
    }
)


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SCRATCH", str(tmp_path / "scratch"))

    def compute(rows):
        return rows, [{"audio": np.full(80, 1000 + n, np.int16)} for n in range(len(rows))]

    about = {"signal": {"sample_rate_hz": 8000}}
    shards.write_set(
        ROWS, "data/x/adversarial/one", compute, inputs=[], settings=0, worker=Worker(), description="t", about=about
    )
    return tmp_path


def test_what_fooled_and_was_kept_is_written_under_a_harmless_name(home, capsys):
    export.main("x", "one", "wavs")
    first, second = sorted(path.name for path in (home / "wavs").iterdir())
    assert re.fullmatch(r"0000-_a_b_Speech_Male-[0-9a-f]{8}\.wav", first) and second == "0001-vgg13.wav"
    samples, rate = soundfile.read(home / "wavs" / first, dtype="int16")
    assert rate == 8000
    assert samples.tolist() == [1000] * 80
    assert capsys.readouterr().out == "2 clips in wavs\n"


@pytest.mark.parametrize("arguments", [(), ("x", "one"), ("x", "two", "wavs")])
def test_what_is_not_there_is_told(home, arguments):
    with pytest.raises(UserError, match="a study, one of its adversarial sets and a folder"):
        export.main(*arguments)
