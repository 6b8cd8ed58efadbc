"""Clips of the audit to hear: the one where knowing of a defence gains most, as it was made and heard."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from stages.frame import shards
from stages.frame.devices import Worker
from stages.studies.audit.sounds import clip

SECTION = {
    "classifiers": {"events": {"vgg13": {"victims": ["vgg13"]}}},
    "guarded": {"audiovisual": {"words": {"inputs": "words"}}},
}
TONE = np.cos(np.arange(800))
# A row's loudness, of the example and of what is heard of it.
LEVELS = {"c1/unaware": 0.1, "c1/aware": 0.2, "c2/unaware": 0.3, "c2/aware": 0.4, "c2/aware2": 0.5}


@pytest.fixture
def home(tmp_path, monkeypatch):
    """Two clips, of which knowing gains on the second alone, once its steps are doubled; a third has no sounds."""
    monkeypatch.chdir(tmp_path)
    rows = pd.DataFrame({"key": [*LEVELS, "c3/unaware"], "right": [1.0, 0.75, 1.0, 1.0, 0.0, 1.0]})
    rows = rows.assign(clip_id=rows.key.str[:2], knowledge=rows.key.str[3:].str.rstrip("2"), times=1)
    rows.loc[4, "times"] = 2
    rows = rows.assign(defence="noise", access="gradient", label="Gong", decision="Flute", reached=20.0, budget=20.0)
    rows = rows.assign(budget_in="snr_db")
    Path("params.yaml").write_text(yaml.safe_dump({"audit": SECTION}))
    write(
        "data/audit/classifiers/events/vgg13",
        rows,
        lambda key: (
            {name: np.int16(32768 * LEVELS[key] * share * TONE) for name, share in (("audio", 1), ("heard", 0.5))}
            if key in LEVELS
            else {}
        ),
    )
    clips = pd.DataFrame({"key": ["c1", "c2", "c3"]}).assign(clip_id=["c1", "c2", "c3"])
    write("data/events/audio", clips, lambda key: {"audio": (0.05 * TONE).astype("f4")})
    return tmp_path


def write(name, table, arrays):
    shards.write_set(
        table,
        name,
        lambda rows: (rows, [arrays(key) for key in rows.key]),
        inputs=[],
        settings=[],
        worker=Worker(),
        description="",
        about={"signal": {"sample_rate_hz": 8000}},
    )


def test_the_clip_is_the_one_where_knowing_gains_most(home):
    one = clip("events.vgg13.noise")
    assert (one.clip_id, one.label, one.sample_rate_hz) == ("c2", "Gong", 8000)
    behind = "% of hearings behind the defence right"
    assert one.strength == f"unaware at an SNR of 20.0 dB, 100 {behind}; aware at an SNR of 20.0 dB, 0 {behind}"
    peaks = {sound.name: float(np.abs(sound.waveform).max()) for sound in one.sounds}
    told = {"original": 0.05, "unaware": 0.3, "unaware_difference": 0.25, "unaware_defended": 0.15}
    told |= {"aware": 0.5, "aware_difference": 0.45, "aware_defended": 0.25}
    assert peaks == pytest.approx(told, abs=1e-3)
    assert {sound.name for sound in one.sounds if sound.is_difference} == {"unaware_difference", "aware_difference"}
    assert {sound.name: sound.decision for sound in one.sounds if sound.decision} == {
        "unaware_defended": "Flute",
        "aware_defended": "Flute",
    }


@pytest.mark.parametrize("entry", ["events.vgg13.mp3", "events.crnn.noise"])
def test_of_what_was_not_kept_there_is_nothing(home, entry):
    assert clip(entry) is None


def test_beside_a_detector_pictures_are_seen_and_decided_on_as_they_are(home):
    grey = np.arange(24, dtype="u1").reshape(2, 3, 4)
    rows = pd.DataFrame({"key": ["w/unaware", "w/aware", "w/none"], "knowledge": ["unaware", "aware", "none"]})
    rows = rows.assign(clip_id="w", defence="none", detector=["sync", "sync", "flicker"], access="gradient", times=1)
    rows = rows.assign(right=[1.0, 0.0, 0.0], label="ABOUT", decision="AFTER", reached=12.0, budget="1024/16")
    rows = rows.assign(budget_in="epsilon")
    made = {"audio": np.int16(3276.8 * TONE), "video": grey}
    write("data/audit/guarded/audiovisual/words", rows, lambda key: made if key != "w/none" else {})
    write("data/audiovisual/words", rows[:1].assign(key="w"), lambda key: {"audio": 0.05 * TONE, "video": grey[::-1]})
    one = clip("audiovisual.words.sync")
    assert [sound.name for sound in one.sounds] == [
        *("original", "unaware", "unaware_difference", "aware", "aware_difference")
    ]
    assert one.sounds[0].video[0, 0, 0] == 12 and one.sounds[3].video[0, 0, 0] == 0
    assert [sound.decision for sound in one.sounds if not sound.is_difference] == ["", "AFTER", "AFTER"]
    assert one.strength == "unaware at an SNR of 12.0 dB comes to nothing; aware at an SNR of 12.0 dB arrives"
    assert clip("audiovisual.words.flicker") is None
