"""Training an enhancer: it lifts the ratio, by Eq. 6 too, and gives the same bytes with or without a break."""

import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from stages import victim
from stages.frame import parameters, shards
from stages.frame.devices import Worker
from stages.frame.errors import UserError
from stages.learning import loop
from stages.measures.perturbation import snr_db
from stages.training import enhancement
from stages.training.task import Outcome, Task
from stages.victim import Transcriber, ctc, padded_batch

RATE_HZ = 16000
ABOUT = {"signal": {"sample_rate_hz": RATE_HZ}, "bounds": {"audio": [-1.0, 1.0]}}
NETWORKS = {
    "wave_u_net": {"layers": 2, "filters": 8, "down_kernel": 7, "up_kernel": 5, "fold": 4},
    "u_net_attention": {
        "layers": 2, "filters": 8, "down_kernel": 7, "up_kernel": 5, "fold": 4,
        "attention_levels": [2], "attention_units": 4, "causal": True,
    },
    "dnn_regression": {"window_s": 0.016, "hop_s": 0.008, "context": 1, "hidden_units": [16], "residual": True},
}  # fmt: skip
RECOGNISER = {
    "coefficients": 6, "window_s": 0.032, "hop_s": 0.02, "context": 1, "hidden_units": [8, 8, 8],
    "lstm_units": 6, "last_units": 8, "dropout": 0.0,
}  # fmt: skip
ADVERSARIAL = {"alpha": 0.34, "snr_db": [10.0, 20.0], "gradient_of": "recogniser", "inputs": "both"}
SPLITS = ("train",) * 24 + ("validation",) * 4 + ("test",) * 4


def recipe(**changed):
    values = {"seed": 1, "iterations": 40, "iterations_per_round": 20, "batch_size": 4, "learning_rate": 5e-3}
    values |= {"crop_s": 0.1, "adversarial": None} | changed
    return parameters.bind(enhancement.Recipe, "recipes.t", values)()


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """Low tones in noise as loud, some shorter than a crop."""
    names = [f"clip{number}" for number in range(len(SPLITS))]
    table = pd.DataFrame({"key": names, "clip_id": names, "split": SPLITS, "problem": "", "label": "", "text": "ab"})
    lengths = [1500 + 100 * number for number in range(len(SPLITS))]
    table = table.assign(noise="hiss", snr_db=0.0, duration_s=np.array(lengths) / RATE_HZ)

    def compute(part):
        made = []
        for number in part.index:
            rng, time_s = np.random.default_rng(number), np.arange(lengths[number]) / RATE_HZ
            clean = 0.1 * math.sqrt(2) * np.sin(2 * np.pi * rng.uniform(200, 500) * time_s)
            noisy = clean + 0.1 * rng.standard_normal(len(clean))
            made.append({"audio": noisy.astype("f4"), "clean": clean.astype("f4")})
        return part, made

    folder = tmp_path_factory.mktemp("set") / "noisy"
    about = {"inputs": [], "settings": 1, "worker": Worker(), "description": "t", "about": ABOUT}
    shards.write_set(table, folder, compute, **about)
    return shards.ShardSet(folder)


def task(clips, folder, network="wave_u_net"):
    (folder / "finished").mkdir(parents=True, exist_ok=True)

    def build():
        return victim.build(network, 2, NETWORKS[network], where="t", signal=ABOUT["signal"])

    config = {"network": network, "parameters": NETWORKS[network], "labels": ["a", "b"], "decides": "text"} | ABOUT
    return Task(clips, clips, ["a", "b"], build, config, "cpu", folder / "scratch", folder / "finished")


@pytest.fixture(scope="module")
def recogniser():
    torch.manual_seed(0)
    module = victim.build("deepspeech", 2, RECOGNISER, where="t", signal=ABOUT["signal"])
    return Transcriber(module, ["a", "b"], bounds={"audio": (-1.0, 1.0)})


@pytest.fixture(scope="module")
def trained(clips, tmp_path_factory):
    """The folder of each network's model."""
    made = {}
    for network in NETWORKS:
        own = task(clips, tmp_path_factory.mktemp(network), network)
        outcome = enhancement.train(own, recipe())
        made[network] = own.finished
        judged = pd.read_csv(own.finished / "decisions.csv").query("split == 'test'")
        gain = (judged.snr_out_db - judged.snr_in_db).mean()
        assert outcome == Outcome(f"signal-to-noise ratio {gain:+.2f} dB on 4 test mixtures")
    return made


@pytest.mark.parametrize("network", NETWORKS)
def test_it_lifts_the_ratio(clips, trained, network):
    decided = pd.read_csv(trained[network] / "decisions.csv")
    assert list(decided) == ["key", "clip_id", "split", "noise", "snr_db", "snr_in_db", "snr_out_db"]
    assert decided.split.value_counts().to_dict() == {"validation": 4, "test": 4}
    assert (decided.snr_out_db - decided.snr_in_db).mean() > 2
    history = pd.read_csv(trained[network] / "history.csv")
    assert list(history.iteration) == [20, 40]
    assert history.loss.iloc[1] < history.loss.iloc[0]
    # What the table says is so of the model that was written.
    enhancer = victim.load(trained[network], device="cpu")
    row, arrays = decided.iloc[0], clips.load(decided.key.iloc[0])
    with torch.no_grad():
        enhanced = enhancer.module(padded_batch([arrays["audio"]], "cpu"))[0].numpy()
    assert row.snr_in_db == pytest.approx(snr_db(arrays["clean"], arrays["audio"] - arrays["clean"]))
    assert row.snr_out_db == pytest.approx(snr_db(arrays["clean"], enhanced - arrays["clean"]), abs=1e-3)
    validation = decided[decided.split == "validation"]
    gain = (validation.snr_out_db - validation.snr_in_db).mean()
    assert history.validation_gain_db.iloc[-1] == pytest.approx(gain, abs=1e-6)


def files(folder):
    return {file.name: file.read_bytes() for file in folder.iterdir()}


class Interrupted(Exception):
    pass


@pytest.mark.parametrize("hardened", [False, True])
@pytest.mark.parametrize("network", ["wave_u_net", "dnn_regression"])
def test_the_same_bytes_with_and_without_a_break(clips, trained, recogniser, tmp_path, monkeypatch, network, hardened):
    def work(folder):
        own = task(clips, folder, network)
        if hardened:
            given = recipe(iterations=4, iterations_per_round=2, adversarial=ADVERSARIAL)
            enhancement.harden(own, given, victim.load(trained[network], device="cpu"), recogniser)
        else:
            enhancement.train(own, recipe(iterations=4, iterations_per_round=2))
        return files(own.finished)

    whole = work(tmp_path / "whole")
    keep = loop._keep

    def keep_and_stop(*arguments):
        keep(*arguments)
        raise Interrupted

    with monkeypatch.context() as patched:
        patched.setattr(loop, "_keep", keep_and_stop)
        with pytest.raises(Interrupted):
            work(tmp_path / "broken")
    assert work(tmp_path / "broken") == whole
    assert whole["weights.safetensors"] != (trained[network] / "weights.safetensors").read_bytes()


@pytest.mark.parametrize("gradient_of", ["enhancer", "recogniser"])
def test_hardening_takes_both_terms_and_alpha(clips, trained, recogniser, tmp_path, gradient_of):
    """The loss of the first batch by hand, of two alphas."""
    start = trained["wave_u_net"]
    module = victim.load(start, device="cpu").module
    rows = clips.table[clips.table.split == "train"]
    losses = {}
    for alpha in (0.34, 1.0, 0.0):
        how = ADVERSARIAL | {"alpha": alpha, "inputs": "noisy", "snr_db": [10.0, 10.0], "gradient_of": gradient_of}
        one = recipe(iterations=1, batch_size=len(rows), crop_s=10.0, adversarial=how)
        own = task(clips, tmp_path / f"{alpha}")
        enhancement.harden(own, one, victim.load(start, device="cpu"), recogniser)
        losses[alpha] = pd.read_csv(own.finished / "history.csv").loss[0]
    assert losses[0.34] == pytest.approx(0.34 * losses[1.0] + 0.66 * losses[0.0], rel=1e-5)
    assert losses[0.0] > losses[1.0] * 1.0001
    arrays = [clips.load(key) for key in rows.key]
    noisy, clean = (padded_batch([one[name] for one in arrays], "cpu") for name in ("audio", "clean"))

    def loss(inputs):
        if gradient_of == "enhancer":
            return enhancement.squared_error(module, inputs, clean)
        return ctc(recogniser.logits(inputs), recogniser.encode(list(rows.text)))

    attacked = enhancement.perturbed(noisy, torch.full((len(rows),), 10.0), loss)
    with torch.no_grad():
        by_hand = [enhancement.squared_error(module, inputs, clean).mean().item() for inputs in (noisy, attacked)]
    assert [losses[1.0], losses[0.0]] == pytest.approx(by_hand, rel=1e-4)


def test_a_perturbation_is_one_step_upward_of_the_ratio_asked_for(recogniser):
    """The loss goes up, all samples move by the same, none after the end, and the ratio is what was asked for."""
    rng = np.random.default_rng(0)
    inputs = padded_batch([0.1 * rng.standard_normal(count) for count in (4000, 2500)], "cpu")

    def loss(given):
        return ctc(recogniser.logits(given), recogniser.encode(["ab", "ba"]))

    made = enhancement.perturbed(inputs, torch.tensor([30.0, 10.0]), loss)
    change = (made["audio"] - inputs["audio"]).numpy()
    assert not change[1, 2500:].any()
    for row, length, asked in ((0, 4000, 30.0), (1, 2500, 10.0)):
        assert np.ptp(np.abs(change[row, :length])) < 1e-6
        assert snr_db(inputs["audio"][row].numpy(), change[row]) == pytest.approx(asked, abs=1e-3)
    assert (loss(made) > loss(inputs)).all()


def test_crops_are_of_the_same_place():
    """Also of clips that are shorter than the crop, and beside longer ones."""
    inputs = padded_batch([np.arange(1, 6), np.arange(11, 31), np.arange(41, 53)], "cpu")
    negative = inputs | {"audio": -inputs["audio"]}
    starts = set()
    for seed in range(20):
        one, other = enhancement.cut([inputs, negative], 10.0, np.random.default_rng(seed))
        assert one["audio_length"].tolist() == [5, 10, 10]
        assert torch.equal(one["audio"], -other["audio"])
        assert one["audio"][0].tolist() == [1, 2, 3, 4, 5, 0, 0, 0, 0, 0]
        assert (one["audio"][1:].diff() == 1).all()
        starts.add(one["audio"][2, 0].item())
    assert starts == {41, 42, 43}


def test_recipes_of_the_other_function(clips, trained, recogniser, tmp_path):
    start = victim.load(trained["wave_u_net"], device="cpu")
    with pytest.raises(UserError, match="expected null"):
        enhancement.train(task(clips, tmp_path), recipe(adversarial=ADVERSARIAL))
    with pytest.raises(UserError, match="expected a mapping"):
        enhancement.harden(task(clips, tmp_path), recipe(), start, recogniser)
    with pytest.raises(UserError, match="against: expected a recogniser, whose gradient is wanted"):
        enhancement.harden(task(clips, tmp_path), recipe(adversarial=ADVERSARIAL), start, None)
    with pytest.raises(UserError, match="snr_db"):
        recipe(adversarial=ADVERSARIAL | {"snr_db": [20.0, 10.0]})
    with pytest.raises(UserError, match="gradient_of"):
        recipe(adversarial=ADVERSARIAL | {"gradient_of": "nobody"})


def test_a_text_without_room_in_its_clip_is_named_before_a_recogniser_is_asked_for_its_gradient(
    clips, trained, recogniser, tmp_path
):
    own = task(clips, tmp_path)
    steps = int(recogniser.module.steps_of(torch.tensor(1500)))  # of the shortest clip
    table = clips.table.assign(text=("ab" * steps)[: steps + 1])
    tight = replace(own, clips=SimpleNamespace(table=table, folder=clips.folder, load=clips.load, about=clips.about))
    start = victim.load(trained["wave_u_net"], device="cpu")
    with pytest.raises(UserError, match=f"clip clip0: expected at least {steps + 1} steps for its text; found {steps}"):
        enhancement.harden(tight, recipe(adversarial=ADVERSARIAL), start, recogniser)


def test_a_split_without_mixtures_is_named(clips, tmp_path):
    own = task(clips, tmp_path)
    table = clips.table[clips.table.split != "validation"]
    less = replace(own, clips=SimpleNamespace(table=table, folder=clips.folder, load=clips.load, about=clips.about))
    with pytest.raises(UserError, match="expected at least 1 mixtures in the split validation; found 0; change how"):
        enhancement.train(less, recipe())
