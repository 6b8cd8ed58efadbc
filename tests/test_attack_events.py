"""Minimal attacks on clips that are decided rightly: stored as 16-bit files, and judged by what the files do."""

import shutil

import numpy as np
import pandas as pd
import pytest
import torch
import yaml

from stages import attack, victim
from stages.attacking import batches
from stages.frame import shards, weights
from stages.frame.devices import Worker

RATE_HZ = 16_000
EVENTS = {
    "plans": {
        "untargeted": {"plan": "correct", "clips_per_label": 2, "batch_size": 3},
        "targeted": {"plan": "correct_pairs", "labels": 2, "clips_per_pair": 1, "batch_size": 32},
    },
    "attacks": {
        "none": {"attack": "none"},
        "loud": {"attack": "fgsm", "parameters": {"eta": None}, "epsilon": {"audio": 0.01}},
        "deepfool": {
            "attack": "deepfool",
            "parameters": {
                "iterations": 30,
                "overshoot": 0.02,
                "candidates": 2,
                "kept_candidates": 1,
                "step_growth": 1.1,
                "growth_after": 5,
                "bisections": 8,
            },
        },
        "lbfgs": {"attack": "lbfgs", "parameters": {"iterations": 5, "searches": 2, "history": 5}},
    },
    "attacked": {
        "untargeted": {
            "victims": ["tiny"],
            "network": "spectrogram_cnn",
            "attacks": ["none", "loud", "deepfool"],
            "plan": "untargeted",
        },
        "targeted": {"victims": ["tiny"], "network": "spectrogram_cnn", "attacks": ["lbfgs"], "plan": "targeted"},
    },
}


def write_clips(folder):
    """Tones of different lengths, on no 16-bit grid, as after resampling; what the model makes of them is the label."""
    rng = np.random.default_rng(3)
    made = {
        f"c{number:02d}": (0.1 * np.sin(np.arange(length) * rng.uniform(0.05, 1.5)) + rng.normal(0, 0.02, length))
        for number, length in enumerate(rng.integers(7000, 9000, 14))
    }
    made = {key: wave.astype("f4") for key, wave in made.items()}
    torch.manual_seed(2)
    signal = {"sample_rate_hz": RATE_HZ}
    parameters = {"architecture": "vgg13", "width": 0.0625, "blocks": 2}
    module = victim.build("spectrogram_cnn", 2, parameters, where="t", signal=signal).eval()
    with torch.no_grad():
        logits = module(victim.padded_batch(list(made.values()), "cpu"))
        # So that half of the clips are of each label, and all near to the boundary.
        module.network[-1].bias[1] += (logits[:, 0] - logits[:, 1]).median()
    about = {"signal": signal, "bounds": {"audio": [-1.0, 1 - 2**-15]}, "quantum": {"audio": 2**-15}}
    config = {"network": "spectrogram_cnn", "parameters": parameters, "labels": ["high", "low"], "decides": "label"}
    model = folder / "models/events/tiny"
    model.mkdir(parents=True)
    weights.save(model, module, config | about)
    table = pd.DataFrame({"key": list(made), "speaker": "", "text": "", "fold": "", "problem": "", "split": "test"})
    opened = victim.load(model, device="cpu")
    with torch.no_grad():
        decided = opened.names(opened.decode(opened.logits(victim.padded_batch(list(made.values()), "cpu")))[0])
    table = table.assign(clip_id=table.key, label=decided, duration_s=[len(one) / RATE_HZ for one in made.values()])
    table.assign(decision=table.label).to_csv(model / "decisions.csv", index=False)
    shards.write_set(
        table,
        folder / "data/events/audio",
        lambda rows: (rows, [{"audio": made[key]} for key in rows.key]),
        inputs=[],
        settings=[],
        worker=Worker(),
        description="t",
        about=about,
    )


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder in which both sets were made."""
    folder = tmp_path_factory.mktemp("events")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("DEVICE", "cpu")
        (folder / "params.yaml").write_text(yaml.safe_dump({"events": EVENTS}, sort_keys=False))
        write_clips(folder)
        for name in EVENTS["attacked"]:
            attack.main("events", name)
    return folder


def decided(home, files):
    """What the model decides on 16-bit files, each by itself."""
    model = victim.load(home / "models/events/tiny", device="cpu")
    with torch.no_grad():
        logits = [model.logits(victim.padded_batch([one.astype("f4") / 2**15], "cpu")) for one in files]
        return [model.names(model.decode(one)[0])[0] for one in logits]


@pytest.mark.parametrize("name", EVENTS["attacked"])
def test_success_is_what_the_file_does_and_failures_are_rows(home, name):
    made = shards.ShardSet(home / "data/events/adversarial" / name)
    files = [made.load(key)["audio"] for key in made.table.key]
    assert {file.dtype for file in files} == {np.dtype("i2")}
    assert decided(home, files) == list(made.table.adversarial_prediction)
    wanted, is_target = made.table.target.where(made.table.target != "", made.table.label), made.table.target != ""
    assert (made.table.success == ((made.table.adversarial_prediction == wanted) == is_target)).all()
    assert made.table.found.any() and set(made.table.victim) == {"tiny"}
    assert (made.table.clean_prediction == made.table.label).all()


def test_an_unattacked_clip_is_its_own_file_and_no_success(home):
    made, audio = (shards.ShardSet(home / "data/events" / name) for name in ("adversarial/untargeted", "audio"))
    rows = made.table[made.table.attack == "none"]
    assert len(rows) == 4 and rows.label.value_counts().to_dict() == {"high": 2, "low": 2}
    assert not rows.found.any() and not rows.success.any() and np.isposinf(rows.snr_db).all()
    for row in rows.itertuples():
        assert np.array_equal(made.load(row.key)["audio"], np.rint(audio.load(row.clip_id)["audio"] * 2**15))


def test_sizes_are_those_between_the_files(home):
    made = shards.ShardSet(home / "data/events/adversarial/untargeted")
    clean = {row.clip_id: row.key for row in made.table[made.table.attack == "none"].itertuples()}
    loud = made.table[made.table.attack == "loud"]
    assert set(loud.epsilon) == {"0.01"}
    for row in made.table[made.table.attack != "none"].itertuples():
        delta = made.load(row.key)["audio"].astype(int) - made.load(clean[row.clip_id])["audio"]
        assert row.linf_audio == np.abs(delta).max() / 2**15
        if row.attack == "loud":
            assert np.abs(delta).max() == round(0.01 * 2**15)


def test_every_label_is_put_into_the_other(home):
    rows = shards.ShardSet(home / "data/events/adversarial/targeted").table
    assert set(zip(rows.label, rows.target)) == {("high", "low"), ("low", "high")}


@pytest.mark.parametrize(
    "treatment",
    [
        {"treatment": "mp3", "parameters": {"bitrate_kbps": 32}},
        {"treatment": "white_noise", "parameters": {"snr_db": 20}},
        {"treatment": "resample", "parameters": {"rate_hz": 8000}},
    ],
    ids=lambda one: one["treatment"],
)
def test_an_attack_aims_through_the_treatment_that_its_entry_names(home, monkeypatch, treatment):
    monkeypatch.chdir(home)
    monkeypatch.setenv("DEVICE", "cpu")
    entry = EVENTS["attacked"]["untargeted"] | {"attacks": ["loud"], "through": "way", "draws": 2}
    values = EVENTS | {"attacked": {"aware": entry}, "treatments": {"way": treatment}}
    (home / "params.yaml").write_text(yaml.safe_dump({"events": values}, sort_keys=False))
    attack.main("events", "aware")
    aware, bare = (shards.ShardSet(home / "data/events/adversarial" / name) for name in ("aware", "untargeted"))
    assert set(aware.table.through) == {"way"} and (aware.table.forwards > 0).all()
    differ = [
        not np.array_equal(aware.load(key)["audio"], bare.load(key)["audio"])
        for key in aware.table.key
        if key in set(bare.table.key)
    ]
    assert len(differ) == 4 and any(differ)


def test_a_new_attack_is_made_alone_and_the_bytes_are_those_of_all_made_anew(home, tmp_path, monkeypatch):
    for part in ("data/events/audio", "models"):
        shutil.copytree(home / part, tmp_path / part)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DEVICE", "cpu")
    made, run = [], batches.attacked
    monkeypatch.setattr(attack, "ROWS", 3)
    monkeypatch.setattr(batches, "attacked", lambda task, rows: made.append(rows.attack.iloc[0]) or run(task, rows))

    def attacked(attacks, **plan):
        made.clear()
        entry = EVENTS["attacked"]["untargeted"] | {"attacks": attacks}
        plans = {"untargeted": EVENTS["plans"]["untargeted"] | plan}
        section = EVENTS | {"attacked": {"untargeted": entry}, "plans": plans}
        (tmp_path / "params.yaml").write_text(yaml.safe_dump({"events": section}, sort_keys=False))
        attack.main("events", "untargeted")
        files = sorted((tmp_path / "data/events/adversarial/untargeted").iterdir())
        return list(made), {file.name: file.read_bytes() for file in files}

    attacked(["none", "loud"])
    alone, with_it = attacked(["none", "deepfool", "loud"])
    assert alone == ["deepfool", "deepfool"]
    shutil.rmtree(".scratch")
    assert attacked(["none", "deepfool", "loud"]) == (["none"] * 2 + ["deepfool"] * 2 + ["loud"] * 2, with_it)
    # What all share is none of them the same with another unit.
    assert len(attacked(["none", "loud"], unit={"audio": 2**-15})[0]) == 4
