"""Training a recogniser of speech: it learns by CTC, the same bytes after a break, and hardens against FGSM."""

import json
import weakref

import numpy as np
import pandas as pd
import pytest
import torch
from breaks import interrupted

from stages import victim
from stages.frame import parameters, shards
from stages.frame.devices import Worker
from stages.frame.errors import UserError
from stages.measures.perturbation import snr_db
from stages.measures.transcripts import wer
from stages.training import speech_recognition
from stages.training.task import Task

SIGNAL = {"sample_rate_hz": 16000}
NETWORK = {
    "coefficients": 13,
    "window_s": 0.025,
    "hop_s": 0.02,
    "context": 1,
    "hidden_units": [24, 24, 24],
    "lstm_units": 16,
    "last_units": 24,
    "dropout": 0.05,
}
RECIPE = {
    "seed": 1,
    "epochs": 14,
    "batch_size": 4,
    "learning_rate": 0.01,
    "shortest_first_epochs": 2,
    "speed": 0.02,
    "noise_snr_db": [20, 40],
    "adversarial": None,
    "beam_width": None,
    "n_gram": None,
}
ADVERSARIAL = {"alpha": 0.34, "snr_db": [3, 6]}
TONES_HZ = {" ": 250, "a": 600, "b": 1500, "n": 3000}
WORDS = ("ab", "ba", "nab", "an")
CLIPS = 80


def spoken(text, rng):
    """A tone of 60 to 80 ms for each character, apart from one another, in noise."""
    pieces = [np.zeros(400)]
    for character in text:
        time = np.arange(rng.integers(960, 1280)) / 16000
        pieces += [0.1 * np.sin(2 * np.pi * TONES_HZ[character] * time + rng.uniform(0, 6)), np.zeros(320)]
    waveform = np.concatenate(pieces)
    return (waveform + 0.002 * rng.standard_normal(len(waveform))).astype("f")


def written(folder, *, texts=None):
    """A set of speech of tones, and of two clips of noise; `texts` in the place of those that are said."""
    rng = np.random.default_rng(0)
    said = [" ".join(rng.choice(WORDS, rng.integers(1, 4))) for _ in range(CLIPS)]
    arrays = {f"clip{number}": spoken(text, rng) for number, text in enumerate(said)}
    arrays |= {f"noise{number}": 0.1 * rng.standard_normal(8000).astype("f") for number in range(2)}
    splits = ["train"] * 56 + ["validation"] * 8 + ["test"] * 16 + ["train", "test"]
    table = pd.DataFrame({"key": list(arrays), "split": splits, "speaker": splits, "label": "", "problem": ""})
    table = table.assign(clip_id=table.key, text=[*(texts or said), "", ""])
    table["duration_s"] = [len(arrays[key]) / 16000 for key in table.key]

    def compute(rows):
        return rows, [{"audio": arrays[key]} for key in rows.key]

    about = {"signal": SIGNAL, "bounds": {"audio": [-1.0, 1.0]}}
    given = {"inputs": [], "settings": str(folder), "worker": Worker(), "description": "t", "about": about}
    shards.write_set(table, folder, compute, **given)
    return shards.ShardSet(folder)


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    return written(tmp_path_factory.mktemp("clips") / "set")


def task_of(clips, folder, labels=None):
    (folder / "finished").mkdir(parents=True, exist_ok=True)
    labels = labels or victim.labels_of(clips.table)[0]
    config = {"network": "deepspeech", "parameters": NETWORK, "labels": labels, "decides": "text"} | clips.about

    def build():
        return victim.build("deepspeech", len(labels), NETWORK, where="t", signal=SIGNAL)

    return Task(clips, clips, labels, build, config, "cpu", folder / "scratch", folder / "finished")


def recipe(**changed):
    return parameters.bind(speech_recognition.Recipe, "recipes.t", RECIPE | changed)()


def train(clips, folder, **changed):
    """A recogniser in `folder`."""
    task = task_of(clips, folder)
    outcome = speech_recognition.train(task, recipe(**changed))
    assert outcome.told.startswith("word error rate ")
    return task.finished


def harden(clips, folder, start, **changed):
    """A recogniser in `folder` that goes on from `start`."""
    task, changed = task_of(clips, folder), {"adversarial": ADVERSARIAL, "shortest_first_epochs": 0} | changed
    speech_recognition.harden(task, recipe(**changed), victim.load(start, device="cpu"), None)
    return task.finished


@pytest.fixture(scope="module")
def trained(clips, tmp_path_factory):
    given = {"beam_width": 4, "n_gram": {"order": 2, "weight": 0.5, "word_bonus": 0.5}}
    return train(clips, tmp_path_factory.mktemp("trained"), **given)


def contents(folder):
    return {file.relative_to(folder): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_it_learns_texts_without_knowing_when_what_is_said(clips, trained):
    history = pd.read_csv(trained / "history.csv")
    assert list(history) == ["epoch", "loss", "validation_wer"] and history.epoch.tolist() == list(range(14))
    assert history.validation_wer.iloc[0] > 0.8 and history.validation_wer.iloc[-1] <= 0.1
    decided = pd.read_csv(trained / "decisions.csv", keep_default_na=False)
    columns = ["key", "clip_id", "split", "speaker", "text", "duration_s", "decision", "confidence"]
    assert list(decided) == [*columns, "decision_beam", "decision_n_gram"]
    # Noise is neither learned from nor judged.
    assert decided.split.value_counts().to_dict() == {"validation": 8, "test": 16}
    for column in ("decision", "decision_beam", "decision_n_gram"):
        assert wer(list(decided.text), list(decided[column])) <= 0.1
    own = decided[decided.split == "validation"]
    assert history.validation_wer.iloc[-1] == wer(list(own.text), list(own.decision))
    config = json.loads((trained / "config.json").read_text())
    assert config["decides"] == "text" and config["signal"] == SIGNAL


def test_loaded_it_decides_the_same_of_a_clip_alone(clips, trained):
    loaded = victim.load(trained, device="cpu")
    for row in pd.read_csv(trained / "decisions.csv", keep_default_na=False).itertuples():
        with torch.no_grad():
            decided, confidence = loaded.decode(
                loaded.logits(victim.padded_batch([clips.load(row.key)["audio"]], "cpu"))
            )
        assert loaded.names(decided) == [row.decision]
        assert confidence.item() == pytest.approx(row.confidence, abs=1e-5)


@pytest.mark.parametrize("hardened", [False, True])
def test_interrupted_it_ends_with_equal_bytes(clips, trained, tmp_path, hardened):
    def make(folder):
        return harden(clips, folder, trained, epochs=3) if hardened else train(clips, folder, epochs=3)

    whole = make(tmp_path / "whole")
    for _ in range(2):
        with interrupted():
            make(tmp_path / "cut")
    resumed = contents(make(tmp_path / "cut"))
    assert resumed == contents(whole)
    assert {str(name) for name in resumed} == {"weights.safetensors", "config.json", "history.csv", "decisions.csv"}


def test_log_probabilities_are_held_of_a_batch_at_most(clips, trained, tmp_path):
    made, module = task_of(clips, tmp_path), victim.load(trained, device="cpu").module
    batches = []

    def search(log_probabilities):
        batches.append(weakref.ref(log_probabilities.base))
        return len({id(one()) for one in batches if one() is not None})

    rows = clips.table[(clips.table.split == "test") & (clips.table.text != "")]
    held = speech_recognition._decided(module, made, rows, 4, {"held": search}).held
    assert list(held) == [1] * 16


def attacked_loss(folder, clips, rows, level_db):
    """The mean loss a character on clips, each moved by the signs of its loss's gradient."""
    loaded = victim.load(folder, device="cpu")
    inputs = victim.padded_batch([clips.load(key)["audio"] for key in rows.key], "cpu")
    goal, audio = victim.Goal(loaded.encode(list(rows.text)), targeted=True), inputs["audio"].requires_grad_()
    (gradient,) = torch.autograd.grad(loaded.loss(loaded.logits(inputs), goal).sum(), audio)
    power = audio.square().sum(1, keepdim=True) / inputs["audio_length"][:, None]
    moved = audio + (power * 10 ** (-level_db / 10)).sqrt() * gradient.sign()
    with torch.no_grad():
        losses = loaded.loss(loaded.logits(inputs | {"audio": moved}), goal)
    return (losses / torch.tensor(rows.text.str.len().to_numpy())).mean().item()


def test_hardened_it_loses_less_to_attacks_than_after_as_much_training_without(clips, trained, tmp_path):
    rows = clips.table[(clips.table.split == "test") & (clips.table.text != "")]
    given = {"epochs": 4, "learning_rate": 0.004}
    hardened = harden(clips, tmp_path / "hardened", trained, **given)
    plain = harden(clips, tmp_path / "plain", trained, adversarial={"alpha": 1.0, "snr_db": [3, 6]}, **given)
    losses = {folder: attacked_loss(folder, clips, rows, 0) for folder in (trained, plain, hardened)}
    assert losses[hardened] < 0.3 * min(losses[plain], losses[trained])
    assert pd.read_csv(hardened / "history.csv").validation_wer.iloc[-1] <= 0.2


def test_equation_6_by_hand(trained):
    """The gradients of both losses, the second where the gradient of the first leads, each clip at its own level."""
    module = victim.load(trained, device="cpu").module.requires_grad_(True)
    rng = np.random.default_rng(0)
    inputs = victim.padded_batch([spoken("ab an", rng), spoken("nab", rng)], "cpu")
    targets = victim.characters(["ab an", "nab"], list(" abn"))

    def loss(audio):
        losses = victim.ctc(module(inputs | {"audio": audio}), targets)
        return (losses / torch.tensor([5, 3])).mean()

    audio = inputs["audio"].clone().requires_grad_()
    (gradient,) = torch.autograd.grad(loss(audio), audio)
    drawn = np.random.default_rng(5).uniform(6, 20, (2, 1))
    moved = audio.detach().clone()
    for row, length in enumerate(inputs["audio_length"].tolist()):
        epsilon = audio[row, :length].square().mean().sqrt().item() * 10 ** (-drawn[row, 0] / 20)
        moved[row] += epsilon * gradient[row].sign()
        clean, noise = (one[row, :length].detach().numpy() for one in (audio, moved - audio))
        assert snr_db(clean, noise) == pytest.approx(drawn[row, 0], abs=0.1)
    expected = 0.34 * loss(audio.detach()) + 0.66 * loss(moved)
    gradients = torch.autograd.grad(expected, list(module.parameters()))
    attack = speech_recognition.Adversarial(alpha=0.34, snr_db=[6.0, 20.0])
    module.zero_grad()
    value = speech_recognition._backward(module, inputs, targets, attack, np.random.default_rng(5))
    assert value == pytest.approx(expected.item(), rel=1e-4)
    for parameter, other in zip(module.parameters(), gradients):
        assert torch.allclose(parameter.grad, other, atol=1e-3 * float(other.abs().max()))


def test_noise_and_speed_are_within_their_ranges(clips, tmp_path):
    task, keys = task_of(clips, tmp_path), [f"clip{number}" for number in range(40)]
    plain = speech_recognition._batch(task, keys)
    given = recipe(**{"speed": 0})
    noisy = speech_recognition._varied(task, keys, given, np.random.default_rng(0))
    levels = [
        snr_db(clean[:length].numpy(), (other - clean)[:length].numpy())
        for clean, other, length in zip(plain["audio"], noisy["audio"], plain["audio_length"])
    ]
    assert 19 < min(levels) < 22 and 38 < max(levels) < 41
    given = recipe(**{"speed": 0.2, "noise_snr_db": None})
    fast = speech_recognition._varied(task, keys, given, np.random.default_rng(0))
    shares = (plain["audio_length"] / fast["audio_length"]).numpy()
    assert 0.8 <= shares.min() < 0.84 and 1.16 < shares.max() <= 1.21
    tone = np.sin(2 * np.pi * 500 * np.arange(16000) / 16000).astype("f")
    heard = np.abs(np.fft.rfft(speech_recognition._at_speed(tone, 1.25)))
    assert heard.argmax() / (16000 / 1.25) * 16000 == pytest.approx(625, abs=2)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"noise_snr_db": [30, 10]},
            r"recipes.\*.noise_snr_db: expected a lowest and a highest value; found \[30, 10\]",
        ),
        ({"adversarial": {"alpha": 0.34, "snr_db": [10]}}, r"adversarial.snr_db: expected a lowest and a highest"),
        ({"adversarial": {"alpha": 0.0, "snr_db": [9, 10]}}, r"adversarial.alpha: expected a number > 0 and <= 1"),
        ({"n_gram": {"order": 3}, "beam_width": 4}, r"recipes.t.n_gram.weight: expected a value; found none"),
        ({"n_gram": {"order": 3, "weight": 1, "word_bonus": 1}}, "beam_width: expected a beam_width beside n_gram"),
    ],
)
def test_a_wrong_recipe_is_named(changed, message):
    with pytest.raises(UserError, match=message):
        recipe(**changed)


def test_the_recipe_must_be_of_the_verb(clips, trained, tmp_path):
    with pytest.raises(UserError, match="adversarial: expected null to train a recogniser from scratch"):
        train(clips, tmp_path, adversarial=ADVERSARIAL)
    with pytest.raises(UserError, match="adversarial: expected alpha and snr_db"):
        harden(clips, tmp_path, trained, adversarial=None)


def test_at_its_highest_speed_a_text_must_have_room_too(tmp_path):
    clips = written(tmp_path / "set")
    row = clips.table[clips.table.split == "train"].iloc[0]
    steps = int(row.duration_s / 0.02)
    tight = ("ab" * steps)[: steps - 2]
    said = [tight if key == row.key else text for key, text in zip(clips.table.key, clips.table.text)][:CLIPS]
    tight = written(tmp_path / "tight", texts=said)
    with pytest.raises(UserError, match=rf"clip {row.key}: expected at least {steps - 2} steps for its text; found "):
        train(tight, tmp_path / "fast", speed=0.5, epochs=1)
    train(tight, tmp_path / "slow", speed=0.0, epochs=1)


def test_a_split_without_texts_is_named(tmp_path):
    clips = written(tmp_path / "set")
    clips.table.loc[clips.table.split == "validation", "text"] = ""
    with pytest.raises(UserError, match="expected at least 1 clips with a text in the split validation; found 0"):
        train(clips, tmp_path)


def test_texts_that_cannot_be_learned_are_named(trained, tmp_path):
    long = written(tmp_path / "long", texts=["aab" * 20, *["ab"] * (CLIPS - 1)])
    with pytest.raises(UserError, match=r"clip clip0: expected at least 80 steps for its text; found \d+;"):
        train(long, tmp_path / "first")
    other = written(tmp_path / "other", texts=["ab c"] * CLIPS)
    with pytest.raises(UserError, match="the text 'ab c': expected characters of ' ab'; found 'c'"):
        task = task_of(other, tmp_path / "second", labels=list(" ab"))
        speech_recognition.train(task, recipe())
    with pytest.raises(UserError, match="starts_from: expected a model of the alphabet ' abc'; found ' abn'"):
        harden(other, tmp_path / "third", trained)
