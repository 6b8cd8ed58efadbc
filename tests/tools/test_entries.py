"""What does not fit in params.yaml: all of it in one line, before anything runs."""

from pathlib import Path

import pytest
import yaml

from stages.frame import parameters
from stages.frame.errors import UserError
from stages.tools import entries

EVENTS = {
    "corpora": {"audio": {"decoding": {"sample_rate_hz": 32000}}},
    "victims": {"small": {}},
    "plans": {"untargeted": {"plan": "correct"}},
    "attacks": {"noise": {"attack": "noise", "parameters": {"snr_db": 20.0, "band_hz": None}}},
    "attacked": {"small-noise": {"network": "spectrogram_cnn", "victims": ["small"], "attacks": ["noise"]}},
    "treatments": {
        "resample_20kHz": {"treatment": "resample", "parameters": {"rate_hz": 20000}},
        # What is still to be made is asked for by the stage.
        "hall": {"treatment": "reverb", "parameters": {"impulse_response": "data/embedded/hall.wav"}},
        "enhancer": {"treatment": "enhancer", "model": "small"},
    },
}


@pytest.fixture
def check(tmp_path, monkeypatch):
    """Checks the study with these entries besides."""
    monkeypatch.chdir(tmp_path)

    def with_entries(**sections):
        values = {name: entries | sections.get(name, {}) for name, entries in EVENTS.items()}
        for one in values["attacked"].values():
            one.setdefault("plan", "untargeted")
        (tmp_path / "params.yaml").write_text(yaml.safe_dump({"events": values}))
        entries.check("events", parameters.read()["events"])

    return with_entries


def test_what_fits_passes(check):
    check()


def test_all_that_does_not_fit_is_told_in_one_line(check):
    treatments = {
        "up": {"treatment": "resample", "parameters": {"rate_hz": 40000}},
        "mp3_8k": {"treatment": "mp3", "parameters": {"bitrate_kbps": 8}},
        "echo": {"treatment": "ekho"},
    }
    one = EVENTS["attacked"]["small-noise"]
    attacked = {
        "other": one | {"victims": ["smal"]},
        "plan": one | {"plan": "untargetd"},
        "net": one | {"network": "crn"},
        "attack": one | {"attacks": ["noise", "nois"]},
        "typo": one | {"victim": "small"},
    }
    with pytest.raises(UserError) as told:
        check(treatments=treatments, attacked=attacked)
    line = str(told.value)
    assert "\n" not in line and line.count("; and params.yaml: ") == 7
    for name in ("treatments.up: ", "treatments.mp3_8k: ", "treatments.echo.treatment: ", "attacked.other.victims: "):
        assert f"params.yaml: events.{name}expected" in line
    for name in ("plans.untargetd: ", "attacked.net.network: ", "attacks.nois: ", "attacked.typo.victim: "):
        assert f"params.yaml: events.{name}expected" in line


def test_entries_that_have_no_stage_are_told_with_where_they_belong():
    values = {"victims": {"word_reader": {}, "x": {}}, "attacked": {"words": {}, "mine": {}, "fits": {}}}
    values["attacked"]["theirs"] = {}
    values["own"] = {"victims": {}, "attacked": {"fits": {}}, "finished": {"theirs": {}}}
    told = r"audiovisual.victims.x: expected an entry of the paper's; .* move it into audiovisual.own.victims; and .*"
    with pytest.raises(UserError, match=told + r"audiovisual.attacked.mine: .* audiovisual.own.attacked$") as error:
        entries.check_sections("audiovisual", values)
    assert "theirs" not in str(error.value)
    entries.check_sections("emotion", {"attacked": {"mine": {}}})


def test_every_entry_of_params_yaml_fits(monkeypatch):
    monkeypatch.chdir(Path(entries.__file__).parents[2])
    for study, values in parameters.read().items():
        entries.check(study, values)
        entries.check_sections(study, values)
