"""From clips through recognisers and enhancers to injected phrases, what is played of them, and what is heard, of tones."""

import json

import numpy as np
import pandas as pd
import pytest
import soundfile
import torch
import yaml

from stages import assess, enhance, harden, inject, mix, train, victim
from stages.frame import clip_table, shards
from stages.frame.devices import Worker
from stages.frame.errors import UserError
from stages.networks.enhanced import Enhanced

RATE_HZ = 16_000
TONES_HZ = {"a": 500, "b": 1200, "n": 2500}
SENTENCES = ("ab ba", "ba an", "an ab", "ba nab", "nab an")
SPLITS = ["train"] * 10 + ["validation"] * 3 + ["test"] * 4
TARGETS = ["an ba", "ba"]
RECOGNISER = {
    "coefficients": 13,
    "window_s": 0.025,
    "hop_s": 0.02,
    "context": 1,
    "hidden_units": [16, 16, 16],
    "lstm_units": 12,
    "last_units": 16,
    "dropout": 0.0,
}
SPEECH = {
    "seed": 1,
    "epochs": 12,
    "batch_size": 4,
    "learning_rate": 0.01,
    "shortest_first_epochs": 0,
    "speed": 0.05,
    "noise_snr_db": None,
    "adversarial": None,
    "beam_width": None,
    "n_gram": None,
}
ENHANCEMENT = {
    "seed": 1,
    "iterations": 4,
    "iterations_per_round": 2,
    "batch_size": 4,
    "learning_rate": 0.001,
    "crop_s": 0.5,
    "adversarial": None,
}
EQUATION_6 = {"alpha": 0.34, "snr_db": [10.0, 20.0]}
ITEM = {"study": "speech", "recogniser_network": "deepspeech", "recogniser": "heard"}
PLAYED = {"checked_every": 2, "band_hz": None, "noise_snr_db": 30.0, "checked_rooms": 2, "needed": 0.5}
LOUD = {"attack": "over_the_air", "snr_db": 0.0, "iterations": 4, "relative_step": 0.3, "shrink": None} | PLAYED
SPOKEN = {"attack": "spoken", "snr_db": -20.0, "quietest_db": 20.0, "step_db": 10.0}
PARAMS = {
    "mixing": {"speech": {"levels_db": [10.0, 0.0], "mixtures_per_clip": {"train": 1, "validation": 1, "test": 1}}},
    "playback": {"speech": {"impulse_responses": "rooms", "noise_snr_db": 30.0, "spoken_phrases": "phrases"}},
    "recipes": {
        "speech": SPEECH,
        "speech_hardening": SPEECH | {"epochs": 1, "adversarial": EQUATION_6},
        "enhancement": ENHANCEMENT,
        "enhancement_hardening": ENHANCEMENT
        | {"adversarial": EQUATION_6 | {"gradient_of": "recogniser", "inputs": "both"}},
    },
    "victims": {
        "heard": {
            "study": "speech",
            "inputs": "audio",
            "beside": "audio",
            "network": "deepspeech",
            "parameters": RECOGNISER,
            "method": "speech_recognition",
            "recipe": "speech",
            "training": {},
        },
        "cleaned": {
            "study": "speech",
            "inputs": "noisy",
            "beside": "noisy",
            "network": "wave_u_net",
            "parameters": {"layers": 2, "filters": 4, "down_kernel": 15, "up_kernel": 5, "fold": 1},
            "method": "enhancement",
            "recipe": "enhancement",
            "training": {},
        },
    },
    "hardening": {
        "heard_hardened": ITEM
        | {
            "inputs": "audio",
            "beside": "audio",
            "network": "deepspeech",
            "starts_from": "heard",
            "method": "speech_recognition",
            "recipe": "speech_hardening",
        },
        "cleaned_hardened": ITEM
        | {
            "inputs": "noisy",
            "beside": "noisy",
            "network": "wave_u_net",
            "starts_from": "cleaned",
            "method": "enhancement",
            "recipe": "enhancement_hardening",
        },
    },
    "injections": {
        name: {
            "study": "speech",
            "recogniser": recogniser,
            "network": "deepspeech",
            "enhancer": enhancer,
            "enhancer_network": enhancer and "wave_u_net",
            "targets": TARGETS,
            "batch_size": 3,
            "attacks": {
                "loud": LOUD | {"clips": 2, "targets": None, "rooms_per_step": 1},
                "noise": {"attack": "noise", "clips": None, "targets": 1, "snr_db": 10.0, "band_hz": None},
                "spoken": SPOKEN | {"clips": 2, "targets": 1},
            },
        }
        for name, recogniser, enhancer in (
            ("plain", "heard", None),
            ("hardened", "heard_hardened", None),
            ("through", "heard", "cleaned_hardened"),
        )
    },
    "enhancements": {
        "mixtures": {
            "study": "speech",
            "source": "noisy",
            "sets": ["noisy"],
            "attacks": None,
            "mixtures": 3,
            "enhancers": {"cleaned": "wave_u_net", "cleaned_hardened": "wave_u_net"},
            "plays": 0,
            "batch_size": 4,
        },
        "injected": {
            "study": "speech",
            "source": "injected",
            "sets": ["injected/plain", "injected/hardened"],
            "attacks": ["loud"],
            "mixtures": None,
            "enhancers": {"cleaned": "wave_u_net"},
            "plays": 2,
            "batch_size": 4,
        },
    },
    "assessments": {
        name: {
            "study": "speech",
            "recognisers": {"heard": "deepspeech", "heard_hardened": "deepspeech"},
            "batch_size": 40,
        }
        for name in ("mixtures", "injected")
    },
}


def _tone(hz: float, seconds: float) -> np.ndarray:
    times = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    return 0.2 * np.sin(2 * np.pi * hz * times) * np.hanning(len(times))


def _clip(text: str, rng: np.random.Generator) -> np.ndarray:
    """A tone for each letter, silence for each space."""
    parts = [_tone(TONES_HZ.get(letter, 0), 0.12 + 0.04 * rng.random()) for letter in text]
    return (np.concatenate(parts) + 1e-3 * rng.standard_normal(sum(map(len, parts)))).astype("f4")


def _write_audio(folder) -> None:
    rows, arrays = [], {}
    for number, split in enumerate(SPLITS):
        rng = np.random.default_rng(number)
        text = SENTENCES[number % len(SENTENCES)]
        rows.append({"key": f"clip-{number}", "text": text, "speaker": f"{split}-{number % 2}", "split": split})
        arrays[f"clip-{number}"] = _clip(text, rng)
    for kind, split in (("hiss", "train"), ("wind", "test")):
        rng = np.random.default_rng(99)
        rows.append({"key": kind, "text": "", "speaker": kind, "split": split})
        arrays[kind] = (0.1 * rng.standard_normal(2 * RATE_HZ)).astype("f4")
    table = pd.DataFrame(rows)
    seconds = [len(arrays[key]) / RATE_HZ for key in table.key]
    table = table.assign(clip_id=table.key, label="", duration_s=seconds, problem="", fold="")
    shards.write_set(
        table,
        folder,
        lambda rows: (rows, [{"audio": arrays[key]} for key in rows.key]),
        inputs=[],
        settings=[],
        worker=Worker(),
        description="made up",
        about={"signal": {"sample_rate_hz": RATE_HZ}, "bounds": {"audio": [-1.0, 1.0]}},
    )


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder in which every verb of the study has run."""
    folder = tmp_path_factory.mktemp("speech")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("DEVICE", "cpu")
        (folder / "params.yaml").write_text(yaml.safe_dump(PARAMS))
        _write_audio(folder / "data/speech/audio")
        (folder / "rooms").mkdir()
        for number in range(6):
            response = np.zeros(400)
            response[[0, 30 + 40 * number]] = 1, 0.3
            soundfile.write(folder / "rooms" / f"{number}.wav", response, RATE_HZ, subtype="FLOAT")
        (folder / "phrases").mkdir()
        phrase = _clip(TARGETS[0], np.random.default_rng(7))
        soundfile.write(folder / "phrases" / "an-ba.wav", phrase, RATE_HZ, subtype="PCM_16")
        mix.main("speech")
        for name in PARAMS["victims"]:
            train.main(name)
        for name in PARAMS["hardening"]:
            harden.main(name)
        for name in PARAMS["injections"]:
            inject.main(name)
        for name in PARAMS["enhancements"]:
            enhance.main(name)
            assess.main(name)
        yield folder


def test_a_hardened_model_has_the_network_of_the_one_it_starts_from_and_other_weights(home):
    for network, start, hardened in (
        ("deepspeech", "heard", "heard_hardened"),
        ("wave_u_net", "cleaned", "cleaned_hardened"),
    ):
        folders = [home / "models/speech" / network / name for name in (start, hardened)]
        configs = [json.loads((folder / "config.json").read_text()) for folder in folders]
        assert configs[0] == configs[1]
        one, other = (victim.load(folder, network=network, device="cpu").module.state_dict() for folder in folders)
        assert any(not torch.equal(one[name], other[name]) for name in one)
        # One epoch from trained weights leaves them near; from others they would be as far apart as weights are large.
        moved = sum((one[name] - other[name]).square().sum() for name in one)
        assert moved < 0.5 * sum(one[name].square().sum() for name in one)


def test_nothing_starts_from_a_model_that_is_not_there(home, monkeypatch):
    monkeypatch.chdir(home)
    given = yaml.safe_load((home / "params.yaml").read_text())
    given["hardening"]["heard_hardened"]["starts_from"] = "nobody"
    (home / "params.yaml").write_text(yaml.safe_dump(given))
    try:
        with pytest.raises(UserError, match="nobody"):
            harden.main("heard_hardened")
    finally:
        (home / "params.yaml").write_text(yaml.safe_dump(PARAMS))


def test_every_attack_clip_and_phrase_has_a_row_and_a_16_bit_file(home):
    made = shards.ShardSet(home / "data/speech/injected/plain")
    counts = made.table.groupby(["attack", "target"]).size().to_dict()
    assert counts == {("loud", "an ba"): 2, ("loud", "ba"): 2, ("noise", "an ba"): 4, ("spoken", "an ba"): 2}
    assert set(made.table.split) == {"test"}
    assert not made.table[made.table.attack == "noise"].success.any()
    audio = shards.ShardSet(home / "data/speech/audio")
    for row in made.table.itertuples():
        file, clean = made.load(row.key)["audio"], audio.load(row.clip_id)["audio"]
        assert file.dtype == np.int16
        assert file.shape == clean.shape
        assert row.snr_db_audio >= {"loud": 0.0, "noise": 9.9, "spoken": -20.0}[row.attack] - 0.01
    recogniser = victim.load(home / "models/speech/deepspeech/heard", network="deepspeech", device="cpu")
    row = made.table.iloc[0]
    batch = victim.padded_batch([made.load(row.key)["audio"].astype("f4") / 32768], "cpu")
    label, _ = recogniser.decode(recogniser.logits(batch))
    assert recogniser.names(label) == [row.adversarial_prediction]
    assert (made.table.success == (made.table.adversarial_prediction == made.table.target)).all()


def test_an_attack_through_an_enhancer_is_judged_through_it(home):
    made = shards.ShardSet(home / "data/speech/injected_through/through")
    assert set(made.table.enhancer) == {"cleaned_hardened"}
    recogniser = victim.load(home / "models/speech/deepspeech/heard", network="deepspeech", device="cpu")
    enhancer = victim.load(home / "models/speech/wave_u_net/cleaned_hardened", network="wave_u_net", device="cpu")
    for row in made.table.itertuples():
        batch = victim.padded_batch([made.load(row.key)["audio"].astype("f4") / 32768], "cpu")
        logits = recogniser.module(batch | {"audio": enhancer.module(batch)})
        assert recogniser.names(recogniser.decode(logits)[0]) == [row.adversarial_prediction]


def test_gradients_pass_an_enhancer(home):
    recogniser = victim.load(home / "models/speech/deepspeech/heard", network="deepspeech", device="cpu")
    enhancer = victim.load(home / "models/speech/wave_u_net/cleaned", network="wave_u_net", device="cpu")
    whole = Enhanced(enhancer.module, recogniser.module)
    batch = victim.padded_batch([_clip("ab", np.random.default_rng(0))], "cpu")
    audio = batch["audio"].requires_grad_()
    whole(batch)[..., 0].sum().backward()
    assert audio.grad.abs().sum() > 0
    (behind,) = torch.autograd.grad(recogniser.module(batch)[..., 0].sum(), audio)
    assert not torch.allclose(audio.grad, behind)


def test_mixtures_come_clean_and_noisy_and_after_each_enhancer(home):
    made = shards.ShardSet(home / "data/speech/enhanced/mixtures")
    assert made.table.groupby(["version", "enhancer"]).size().to_dict() == {
        (version, enhancer): 3 for version in ("clean", "noisy") for enhancer in ("", "cleaned", "cleaned_hardened")
    }
    noisy = shards.ShardSet(home / "data/speech/noisy")
    enhancer = victim.load(home / "models/speech/wave_u_net/cleaned", network="wave_u_net", device="cpu")
    for row in made.table[(made.table.version == "noisy") & (made.table.enhancer == "cleaned")].itertuples():
        before, clean = made.load(row.source), noisy.load(row.member)["clean"]
        np.testing.assert_allclose(before["clean"] / 32768, clean, atol=2**-15)
        np.testing.assert_allclose(before["audio"] / 32768, noisy.load(row.member)["audio"], atol=2**-15)
        batch = victim.padded_batch([before["audio"].astype("f4") / 32768], "cpu")
        np.testing.assert_allclose(made.load(row.key)["audio"] / 32768, enhancer.module(batch)[0], atol=1e-4)


def test_attacked_clips_are_played_in_rooms_that_were_held_out(home):
    from stages.features.playback import read_responses

    made = shards.ShardSet(home / "data/speech/enhanced/injected")
    assert set(made.table.attack) == {"loud"}
    table = made.table[made.table.enhancer == ""]
    assert table.groupby(["version", "trial"]).size().to_dict() == {("file", 0): 8, ("played", 1): 8, ("played", 2): 8}
    held_out, others = (read_responses(home / "rooms", sample_rate_hz=RATE_HZ, held_out=one) for one in (True, False))
    files = {row.member + row.set: made.load(row.key)["audio"] for row in table[table.version == "file"].itertuples()}
    for row in table[table.version == "played"].itertuples():
        file = files[row.member + row.set].astype("f8")
        heard = made.load(row.key)["audio"].astype("f8")

        def left(rooms, file=file, heard=heard):
            """Power of what no room explains, relative to what is heard."""
            explained = [np.convolve(file, room.double().numpy())[: len(file)] for room in rooms]
            return min(np.square(heard - one).sum() for one in explained) / np.square(heard).sum()

        # The noise of the place is 30 dB below.
        assert left(held_out) == pytest.approx(1e-3, rel=0.3)
        assert left(others) > 0.004


def test_all_clips_are_heard_by_every_recogniser_whoever_was_attacked(home):
    mixtures, injected = (
        clip_table.read(home / "data/speech/assessed" / item / "clips.csv") for item in ("mixtures", "injected")
    )
    assert mixtures.groupby("recogniser").size().to_dict() == {"heard": 18, "heard_hardened": 18}
    assert injected.groupby(["set", "victim", "recogniser"]).size().to_dict() == {
        (f"injected/{item}", attacked, heard): 24
        for item, attacked in (("plain", "heard"), ("hardened", "heard_hardened"))
        for heard in ("heard", "heard_hardened")
    }
    assert (injected.stoi[injected.version == "played"] == "").all()
    files = injected[(injected.version == "file") & (injected.enhancer == "")]
    attacked = shards.ShardSet(home / "data/speech/injected/plain").table.set_index("key")
    for row in files[(files.victim == "heard") & (files.recogniser == "heard")].itertuples():
        assert row.transcript == attacked.adversarial_prediction[row.member]
        assert float(row.snr_db) == pytest.approx(attacked.snr_db_audio[row.member], abs=0.02)
    noisy = mixtures[(mixtures.version == "noisy") & (mixtures.enhancer == "")]
    np.testing.assert_allclose(pd.to_numeric(noisy.snr_db), noisy.mixed_at_db, atol=0.02)
