"""From waveforms through images, families of models and sweeps to sounds: what each verb writes of two labels of tones."""

import numpy as np
import pandas as pd
import pytest
import yaml

from stages import featurise, invert, sweep, train
from stages.frame import clip_table, shards
from stages.frame.devices import Worker
from stages.frame.errors import UserError

RECIPE = {
    "seed": 1,
    "iterations": 30,
    "batch_size": 8,
    "learning_rate": 0.01,
    "decay": 0.9,
    "decay_every_iterations": 10,
    "standardise": "per_bin",
    "adversarial_from": 10,
    "epsilons": [0.1, 0.5],
    "eta": None,
    "alpha": 0.5,
    "beta": 0.4,
    "gamma": 0.4,
    "compared": "logits",
    "noise_snr_db": 20.0,
    "noise_deviation": 0.1,
}
PARAMETERS = {"window_length": 256, "hop_length": 256, "mels": 16, "lowest_hz": 20.0, "frames": 20, "fit": "tile"}
VICTIM = {
    "study": "emotion",
    "inputs": "log_mel",
    "beside": "audio",
    "network": "cnn4",
    "parameters": {"width": 0.0625, "layers": 2},
}
REGIMES = ("single", "vanilla", "noise")
PARAMS = {
    "features": {
        "log_mel": {
            "study": "emotion",
            "feature": "log_mel_image",
            "longer_clips": "error",
            "parameters": PARAMETERS,
        }
    },
    "recipes": {"emotion": RECIPE},
    "victims": {
        regime: VICTIM | {"method": "adversarial", "recipe": "emotion", "training": {"regime": regime}}
        for regime in REGIMES
    },
    "sweeps": {
        "emotion": {
            "epsilons": [0.1, 0.5],
            "attacks": {"fgsm": {"eta": None}, "bim": {"steps": 3, "relative_step": 0.5, "random_start": True}},
            "attacked_clips_per_label": None,
            "kept_clips_per_label": 2,
            "batch_size": 128,
        }
    },
    "sweep_items": {
        "cnn4": {
            "study": "emotion",
            "inputs": "log_mel",
            "beside": "audio",
            "network": "cnn4",
            "victims": list(REGIMES),
        },
    },
    "inversion": {"emotion": {"iterations": 8}},
}


def write_audio(folder, longest_s=0.3):
    """A set of tones in noise, low and high, close enough that attacks have something to do."""
    rng = np.random.default_rng(0)
    splits = ["train"] * 24 + ["validation"] * 8 + ["test"] * 12
    rows = [(f"c{n:02d}", ("high", "low")[n % 2], split, f"s{split}") for n, split in enumerate(splits)]
    table = pd.DataFrame(rows, columns=["key", "label", "split", "speaker"]).assign(problem="", text="", fold="")
    table = table.assign(clip_id=table.key, duration_s=rng.uniform(0.15, longest_s, len(table)).round(3))

    def compute(part):
        arrays = []
        for row in part.itertuples():
            time = np.arange(round(row.duration_s * 16000)) / 16000
            pitch_hz = {"low": 900, "high": 1300}[row.label] * rng.uniform(0.85, 1.15)
            wave = 0.1 * np.sin(2 * np.pi * pitch_hz * time) + 0.05 * rng.standard_normal(len(time))
            arrays.append({"audio": wave.astype("f")})
        return part, arrays

    about = {"signal": {"sample_rate_hz": 16000}, "bounds": {"audio": [-1.0, 1.0]}}
    output = folder / "data/emotion/audio"
    shards.write_set(
        table, output, compute, inputs=[], settings=longest_s, worker=Worker(), description="t", about=about
    )


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A folder in which all the verbs have run."""
    folder = tmp_path_factory.mktemp("study")
    (folder / "params.yaml").write_text(yaml.safe_dump(PARAMS))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("DEVICE", "cpu")
        write_audio(folder)
        featurise.main("log_mel")
        for regime in REGIMES:
            train.main(regime)
        sweep.main("cnn4")
        invert.main("emotion")
    return folder


@pytest.fixture(scope="module")
def rows(done):
    return clip_table.read(done / "data/emotion/sweeps/cnn4/clips.csv")


def test_images_are_the_front_ends_and_say_so(done):
    images = shards.ShardSet(done / "data/emotion/log_mel")
    assert images.load("c00")["log_mel"].shape == (20, 16)
    assert images.about["signal"] == {"mels": 16}
    assert images.about["front_end"]["parameters"] == PARAMETERS | {"sample_rate_hz": 16000}


def test_every_model_meets_every_clip_of_its_split_once_an_attack_and_epsilon(rows):
    assert not rows.key.duplicated().any()
    clips = {"validation": 8, "test": 12}
    for (regime, _, _, split), own in rows.groupby(["regime", "purpose", "variant", "split"]):
        strengths = {"single": [0.1, 0.5], "vanilla": [own.training_epsilon.iloc[0]], "noise": []}[regime]
        expected = {("none", 0.0)} | {(attack, epsilon) for attack in ("fgsm", "bim") for epsilon in strengths}
        assert set(zip(own.attack, own.epsilon)) == expected
        assert len(own) == clips[split] * len(expected)
    assert set(zip(rows.purpose, rows.split)) == {("development", "validation"), ("test", "test")}
    assert set(rows.variant[rows.regime == "noise"]) == {"audio", "log_mel"}


def test_perturbations_keep_to_epsilon_and_bim_is_never_weaker_than_fgsm(rows):
    attacked = rows[rows.attack != "none"]
    assert (attacked.linf_log_mel <= attacked.epsilon + 1e-5).all()
    assert (attacked.linf_log_mel > 0).all()
    keys = ["clip_id", "victim", "purpose", "variant", "epsilon"]
    both = attacked.pivot(index=keys, columns="attack", values="success")
    assert (both.bim | ~both.fgsm.astype(bool)).all()
    assert both.bim.any() and not both.fgsm.all()


def test_predictions_and_success_agree(rows):
    assert (rows.success == (rows.adversarial_prediction != rows.label)).all()
    clean = rows[rows.attack == "none"]
    assert (clean.clean_prediction == clean.adversarial_prediction).all()
    assert (clean.success != (clean.clean_prediction == clean.label)).all()


def test_images_are_kept_of_some_test_clips_of_the_models_trained_on_real_data_alone(done, rows):
    sweeps = shards.ShardSet(done / "data/emotion/sweeps/cnn4")
    kept = rows[rows.kept]
    assert set(kept.regime) == {"single"} and set(kept.split) == {"test"}
    assert kept.groupby("label").clip_id.nunique().eq(2).all()
    assert len(kept) == 4 * 5
    for row in kept[kept.attack == "fgsm"].itertuples():
        clean = sweeps.load(f"{row.key.rsplit('/', 1)[0]}/none-0")["log_mel"]
        assert np.abs(sweeps.load(row.key)["log_mel"] - clean).max() == pytest.approx(row.epsilon, abs=1e-4)
    assert not any(sweeps.load(key) for key in rows.key[~rows.kept][:20])


def test_kept_images_become_sounds_that_are_decided_on_again(done, rows):
    inverted = shards.ShardSet(done / "data/emotion/inverted")
    assert set(inverted.table.key) == set(rows.key[rows.kept])
    assert set(inverted.table.inverted_prediction) <= {"high", "low"}
    sound = inverted.load(inverted.table.key[0])["audio"]
    assert sound.dtype == np.int16 and len(sound) == 20 * 256 and np.abs(sound).max() > 300
    clean = inverted.table[
        (inverted.table.attack == "none") & (inverted.table.clean_prediction == inverted.table.label)
    ]
    assert (clean.inverted_prediction == clean.label).mean() >= 0.5


def test_a_clip_longer_than_the_frame_is_an_error_or_is_cut(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DEVICE", "cpu")
    write_audio(tmp_path, longest_s=0.5)
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(PARAMS))
    with pytest.raises(UserError, match=r"clip c\d\d: expected at most 20 frames; found (2[1-9]|3\d); raise features"):
        featurise.main("log_mel")
    changed = yaml.safe_load(yaml.safe_dump(PARAMS))
    changed["features"]["log_mel"]["longer_clips"] = "cut"
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(changed))
    featurise.main("log_mel")
    assert shards.ShardSet("data/emotion/log_mel").load("c00")["log_mel"].shape == (20, 16)


def test_frames_of_different_numbers_are_kept_as_they_are_and_a_clip_without_one_is_an_error(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DEVICE", "cpu")
    write_audio(tmp_path)
    lld = {"study": "emotion", "feature": "low_level_descriptors", "longer_clips": "cut"}
    values = {"window_s": 0.05, "hop_s": 0.025, "longest_s": 0.2}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump({"features": {"lld": lld | {"parameters": values}}}))
    featurise.main("lld")
    made, audio = shards.ShardSet("data/emotion/lld"), shards.ShardSet("data/emotion/audio")
    counts = {key: (min(len(audio.load(key)["audio"]), 3200) - 800) // 400 + 1 for key in audio.table.key}
    assert {key: made.load(key)["lld"].shape for key in made.table.key} == {key: (n, 34) for key, n in counts.items()}
    assert len(set(counts.values())) > 1
    values = {"window_s": 0.18, "hop_s": 0.05, "longest_s": 0.2}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump({"features": {"lld": lld | {"parameters": values}}}))
    with pytest.raises(UserError, match=r"clip c\d\d: expected at least 2880 samples, .*; found \d+; leave it out"):
        featurise.main("lld")
