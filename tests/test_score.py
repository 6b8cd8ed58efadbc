"""Scores of attacked sounds: each treated in every way and decided on by the victim that was attacked."""

import copy
import functools
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
import torch
import yaml

from stages import score, victim
from stages.frame import code, shards, weights
from stages.frame.clip_table import stable_hash
from stages.frame.devices import Worker
from stages.frame.errors import UserError
from stages.scoring import hearing
from stages.treatments import mp3, none, resample, reverb, white_noise

RATE_HZ = 32000
LABELS = ["bark", "bell", "drum"]
EVENTS = {
    "treatments": {
        "none": {"treatment": "none"},
        "mp3_48k": {"treatment": "mp3", "parameters": {"bitrate_kbps": 48}},
        "noise_10dB": {"treatment": "white_noise", "parameters": {"snr_db": 10}},
        "resample_4kHz": {"treatment": "resample", "parameters": {"rate_hz": 4000}},
        "live_reverb": {"treatment": "reverb", "parameters": {"impulse_response": "hall.wav"}},
    },
    "scored": {
        "every": {
            "treatments": ["none", "mp3_48k", "noise_10dB", "resample_4kHz", "live_reverb"],
            "batch_size": 5,
        }
    },
}
NETWORK = {"architecture": "vgg13", "width": 0.03125, "blocks": 2}
SIGNAL = {"sample_rate_hz": RATE_HZ}
ABOUT = {
    "signal": SIGNAL,
    "bounds": {"audio": [-1.0, 1 - 2**-15]},
    "quantum": {"audio": 2**-15},
}


def write_model(folder: Path) -> None:
    """A network with random weights, which decides as it likes."""
    folder.mkdir(parents=True)
    torch.manual_seed(3)
    module = victim.build("spectrogram_cnn", len(LABELS), NETWORK, where="test", signal=SIGNAL)
    for name, value in module.state_dict().items():
        if name.endswith("running_var"):
            value.fill_(0.01)  # far apart, so that decisions differ
    config = {"network": "spectrogram_cnn", "parameters": NETWORK, "labels": LABELS, "decides": "label"}
    weights.save(folder, module, config | ABOUT | {"attacked_on": "logits"})


def write_attacked(folder: Path) -> None:
    """Twelve sounds as an attack may leave them, one of which is not kept."""
    clips = [f"{number}.wav" for number in range(12)]
    table = pd.DataFrame({"key": [f"{clip}/small/lbfgs" for clip in clips], "clip_id": clips})
    table = table.assign(label=[LABELS[n % 3] for n in range(12)], text="", speaker="", split="test", fold="")
    table = table.assign(duration_s=0.1 + 0.02 * np.arange(12), victim="small", attack="lbfgs", epsilon="", target="")
    table = table.assign(through="", adversarial_prediction=[LABELS[n // 4] for n in range(12)], confidence=0.5)
    table = table.assign(success=table.adversarial_prediction != table.label, snr_db=30.0)
    table = table.assign(kept=[number != 7 for number in range(12)])

    def compute(rows):
        arrays = []
        for row in rows.itertuples():
            rng = np.random.default_rng(row.Index)
            time = np.arange(round(row.duration_s * RATE_HZ)) / RATE_HZ
            wave = 6000 * np.sin(2 * np.pi * (200 + 300 * row.Index) * time) + 1000 * rng.standard_normal(len(time))
            arrays.append({"audio": wave.astype("i2")} if row.kept else {})
        return rows, arrays

    shards.write_set(table, folder, compute, inputs=[], settings=0, worker=Worker(), description="made up", about=ABOUT)


def write_study(folder: Path) -> None:
    (folder / "params.yaml").write_text(yaml.safe_dump({"events": EVENTS}, sort_keys=False))
    write_model(folder / "models/events/small")
    write_attacked(folder / "data/events/adversarial/small-lbfgs")
    response = np.random.default_rng(0).normal(0, 0.05, 4800) * np.exp(-np.arange(4800) / 800)
    response[100] = 0.9
    soundfile.write(folder / "hall.wav", response, RATE_HZ)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("events")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("DEVICE", "cpu")
        write_study(folder)
        score.main("events", "every", "small-lbfgs")
    return folder


@pytest.fixture(scope="module")
def made(home):
    return shards.ShardSet(home / "data/events/scores/small-lbfgs")


@pytest.fixture
def changed(home, tmp_path, monkeypatch):
    """A copy of the study, and how to run its verb after a change of params.yaml."""
    for part in ("data/events/adversarial", "models"):
        shutil.copytree(home / part, tmp_path / part)
    shutil.copy(home / "hall.wav", tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DEVICE", "cpu")

    def run(*arguments, **sections):
        section = copy.deepcopy(EVENTS)
        for name, entries in sections.items():
            for entry, values in entries.items():
                section[name][entry] = section[name].get(entry, {}) | values
        Path("params.yaml").write_text(yaml.safe_dump({"events": section}, sort_keys=False))
        score.main("events", *(arguments or ("every", "small-lbfgs")))

    return run


def test_every_kept_clip_has_a_row_for_each_treatment(home, made):
    table = made.table
    adversarial = shards.ShardSet(home / "data/events/adversarial/small-lbfgs").table
    assert not table.key.duplicated().any()
    expected = {(key, name) for key in adversarial.key[adversarial.kept] for name in EVENTS["treatments"]}
    assert set(zip(table.source, table.treatment)) == expected and len(table) == len(expected)
    assert set(zip(table.set, table.version, table.trial)) == {("adversarial/small-lbfgs", "file", 0)}
    assert (table.heard_by == "small").all() and (table.sound == table.key).all()
    merged = table.merge(adversarial, left_on="source", right_on="key", suffixes=("", "_before"))
    for column in ("clip_id", "label", "adversarial_prediction", "success", "duration_s"):
        assert (merged[column] == merged[f"{column}_before"]).all()
    assert made.about["signal"] == SIGNAL and made.about["quantum"] == {"audio": 2**-15}


def test_sounds_are_what_each_treatment_makes_of_the_file_with_the_clips_own_seed(home, made):
    adversarial = shards.ShardSet(home / "data/events/adversarial/small-lbfgs")
    treats = {
        "none": (none.treat, {}),
        "mp3_48k": (mp3.treat, {"bitrate_kbps": 48}),
        "noise_10dB": (white_noise.treat, {"snr_db": 10.0}),
        "resample_4kHz": (resample.treat, {"rate_hz": 4000}),
        "live_reverb": (reverb.treat, {"impulse_response": str(home / "hall.wav")}),
    }
    for row in made.table.itertuples():
        file = adversarial.load(row.source)["audio"]
        treat, values = treats[row.treatment]
        seeds = [stable_hash(f"{row.source}/{row.treatment}")]
        told = {"sample_rate_hz": RATE_HZ, "seeds": seeds, "device": "cpu"}
        (treated,) = treat([file.astype("f4") / 32768], **told, **values)
        heard = made.load(row.sound)["audio"]
        assert heard.dtype == np.int16
        np.testing.assert_array_equal(heard, np.clip(np.rint(treated * 32768.0), -32768, 32767))
        if row.treatment == "none":
            np.testing.assert_array_equal(heard, file)


def test_decisions_and_outcomes_are_of_what_was_heard(home, made):
    model = victim.load(home / "models/events/small", device="cpu")
    for row in made.table.itertuples():
        batch = victim.padded_batch([made.load(row.sound)["audio"].astype("f4") / 32768], "cpu")
        label, confidence = model.decode(model.logits(batch))
        assert model.names(label) == [row.decision]
        assert confidence.item() == pytest.approx(row.decision_confidence, abs=1e-4)
        if row.decision == row.label:
            assert row.outcome == "GT"
        else:
            assert row.outcome == ("Adv" if row.decision == row.adversarial_prediction else "Diff")
    # Or nothing was tried.
    assert set(made.table.outcome) == {"GT", "Adv", "Diff"}


def test_twice_gives_equal_bytes_and_one_line_of_result(home, made, changed, capsys):
    changed()
    first, again = (folder / "data/events/scores/small-lbfgs" for folder in (home, Path()))
    assert {file.name: file.read_bytes() for file in again.iterdir()} == {
        file.name: file.read_bytes() for file in first.iterdir()
    }
    right = (made.table.outcome == "GT").groupby(made.table.treatment, sort=False).mean()
    told = ", ".join(f"{name} {100 * share:.0f} %" for name, share in right.items())
    assert capsys.readouterr().out == f"events small-lbfgs: decided rightly: {told}\n"


def test_sets_and_hearers_of_an_entry(changed):
    """Another model listens too; sounds are kept with the first of both."""
    shutil.copytree("models/events/small", "models/events/other")
    values = {"treatments": ["none"], "batch_size": 4, "sets": ["adversarial/small-lbfgs"]}
    changed("two", scored={"two": values | {"heard_by": ["other", "small"], "attacks": ["lbfgs"]}})
    made = shards.ShardSet("data/events/scores/two")
    assert made.table.groupby("heard_by").size().to_dict() == {"other": 11, "small": 11}
    assert (made.table.groupby("source").decision.nunique() == 1).all()
    kept = {row.key for row in made.table.itertuples() if made.load(row.key)}
    assert kept == set(made.table.key[made.table.heard_by == "other"]) == set(made.table.sound)


@pytest.mark.parametrize(
    ("arguments", "sections", "message"),
    [
        (None, {"treatments": {"mp3_48k": {"treatment": "mp4"}}}, r"mp3_48k.treatment: expected a file .*mp3"),
        (None, {"treatments": {"mp3_48k": {"parameters": {"kbps": 3}}}}, r"mp3_48k.parameters.kbps: .*bitrate_kbps"),
        (None, {"scored": {"every": {"treatment": []}}}, r"every.treatment: .*did you mean 'treatments'"),
        (None, {"scored": {"every": {"treatments": ["mp3"]}}}, r"events.treatments.mp3: expected a parameter"),
        (("every",), {}, r"scored.every.sets: expected sets, or one in the call; found none"),
        (("every", "nobody"), {}, r"adversarial/nobody/clips.csv: expected a table of clips"),
        (
            None,
            {"treatments": {"live_reverb": {"parameters": {"impulse_response": "no.wav"}}}},
            r"no.wav: expected a file or folder; found nothing there",
        ),
        (
            None,
            {"treatments": {"none": {"treatment": "enhancer", "model": "nobody"}}},
            r"models/events/nobody: expected a trained model; found no config.json",
        ),
    ],
)
def test_what_is_wrong_or_missing_is_told_in_one_line(changed, arguments, sections, message):
    with pytest.raises(UserError, match=message) as told:
        changed(*(arguments or ()), **sections)
    assert "\n" not in str(told.value)


@pytest.fixture
def decided(monkeypatch):
    """How many sounds victims are asked of."""
    asked = []
    decide = hearing.decide
    monkeypatch.setattr(hearing, "decide", lambda *given: asked.append(len(given[2])) or decide(*given))
    return asked


def scored() -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in Path("data/events/scores/small-lbfgs").iterdir()}


def test_of_a_new_treatment_and_of_an_edited_one_that_alone_is_scored(changed, decided, tmp_path, monkeypatch):
    shutil.copytree(code.TOP / "stages", tmp_path / "copy/stages", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(code, "TOP", tmp_path / "copy")
    monkeypatch.setattr(code, "_imported", functools.cache(code._imported.__wrapped__))
    changed()
    assert sum(decided) == 11 * 5
    before = scored()
    changed()
    assert (sum(decided), scored()) == (11 * 5, before)
    names = [*EVENTS["treatments"], "noise_5dB"]
    own = {"treatments": {"noise_5dB": {"treatment": "white_noise", "parameters": {"snr_db": 5}}}}
    changed(**own, scored={"every": {"treatments": names}})
    assert sum(decided) == 11 * 6
    with_it = scored()
    shutil.rmtree(".scratch")
    changed(**own, scored={"every": {"treatments": names}})
    assert scored() == with_it
    decided.clear()
    with (tmp_path / "copy/stages/treatments/mp3.py").open("a") as file:
        file.write("# edited\n")
    code._imported.cache_clear()
    changed()
    assert sum(decided) == 11
    # The victim's weights are the same for all treatments.
    file = Path("models/events/small/config.json")
    file.write_text(file.read_text() + " ")
    changed()
    assert sum(decided) == 11 + 11 * 5


def test_a_clip_is_read_for_its_hash_once_and_once_for_each_treatment(changed, monkeypatch):
    read, load = Counter(), shards.ShardSet.load
    monkeypatch.setattr(shards.ShardSet, "load", lambda own, key: read.update([key]) or load(own, key))
    changed()
    assert set(read.values()) == {1 + len(EVENTS["treatments"])}


def test_all_treatments_that_do_not_fit_are_told_at_once_before_any_clip_is_treated(changed, decided):
    own = {
        "too_high": {"treatment": "resample", "parameters": {"rate_hz": 40000}},
        "no_such_rate": {"treatment": "mp3", "parameters": {"bitrate_kbps": 144}},
        "strange": {"treatment": "mp4"},
    }
    with pytest.raises(UserError) as told:
        changed(treatments=own, scored={"every": {"treatments": ["none", *own]}})
    line = str(told.value)
    assert "\n" not in line and not decided
    assert "params.yaml: events.treatments.too_high: expected a treatment that fits; found " in line and "40000" in line
    assert (
        "params.yaml: events.treatments.no_such_rate: expected a treatment that fits; found " in line and "144" in line
    )
    assert "params.yaml: events.treatments.strange.treatment: expected a file" in line


def test_mixtures_are_decided_on_by_somebody(changed):
    table = pd.DataFrame({"key": ["a"], "clip_id": ["a"], "text": ["x"], "label": [""], "split": ["test"]})
    table = table.assign(problem="", speaker="s", noise="hum", snr_db=3.0, duration_s=0.1)
    shards.write_set(
        table,
        "data/events/noisy",
        lambda rows: (rows, [{"audio": np.zeros(9, "f4"), "clean": np.zeros(9, "f4")}]),
        inputs=[],
        settings=0,
        worker=Worker(),
        description="made up",
        about=ABOUT,
    )
    with pytest.raises(UserError, match=r"scored.every.heard_by: expected who decides on mixtures"):
        changed("every", scored={"every": {"sets": ["noisy"]}})


def test_what_has_no_quality_is_counted_by_its_reason_and_said():
    table = pd.DataFrame({"decision": ["a", "a", "b", "a"], "label": "a", "text": "", "treatment": "none"})
    table["sound"], table["undefined"] = ["1", "1", "2", "3"], ["PESQ: no", "PESQ: no", "PESQ: no", ""]
    assert score._told(table) == "decided rightly: none 75 %; undefined in 2 clips: PESQ: no"
    assert score._told(table.drop(columns="undefined")) == "decided rightly: none 75 %"


@pytest.mark.parametrize("module", ["score", "detect"])
def test_processes_that_measure_import_no_network(module):
    """Those that quality is measured in import the verb anew."""
    code = f"import sys, stages.{module}; sys.exit(bool({{'torch', 'sklearn', 'scipy'}} & set(sys.modules)))"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(score.__file__).parents[1])
