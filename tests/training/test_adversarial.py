"""Adversarial training: the losses of Ren et al. by hand, who learns from which clips, equal bytes after a break."""

import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from breaks import interrupted
from held import Held

from stages import victim
from stages.frame import clip_table, parameters, shards
from stages.frame.code import TOP
from stages.frame.devices import Worker
from stages.frame.errors import UserError
from stages.learning.batches import in_random_order
from stages.tools import scale
from stages.training import adversarial
from stages.training.task import Task

FRONT_END = {
    "feature": "log_mel_image",
    "parameters": {
        "sample_rate_hz": 16000,
        "window_length": 256,
        "hop_length": 256,
        "mels": 16,
        "lowest_hz": 20.0,
        "frames": 16,
        "fit": "tile",
    },
}
VALUES = {
    "regime": "vanilla",
    "seed": 1,
    "iterations": 7,
    "batch_size": 6,
    "learning_rate": 1e-2,
    "decay": 0.9,
    "decay_every_iterations": 2,
    "standardise": "per_bin",
    "adversarial_from": 4,
    "epsilons": [0.05, 0.1],
    "eta": None,
    "alpha": 0.5,
    "beta": 0.4,
    "gamma": 0.4,
    "compared": "logits",
    "noise_snr_db": 20.0,
    "noise_deviation": 0.1,
}
LABELS = ["high", "low"]


def recipe(**changed):
    return parameters.bind(adversarial.Recipe, "recipes.t", VALUES | changed)()


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Tones of two labels as waveforms and as images."""
    folder = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    splits = ["train"] * 16 + ["validation"] * 6 + ["test"] * 4
    rows = [(f"clip{n}", LABELS[n % 2], split, "", 0.25) for n, split in enumerate(splits)]
    table = pd.DataFrame(rows, columns=["key", "label", "split", "problem", "duration_s"])
    time = np.arange(4000) / 16000
    waves = {
        key: (0.1 * np.sin(2 * np.pi * {"low": 300, "high": 3000}[label] * time) + 0.01 * rng.standard_normal(4000))
        for key, label in zip(table.key, table.label)
    }
    front_end = victim.front_end(FRONT_END["feature"], FRONT_END["parameters"], where="t")

    def audio(part):
        return part, [{"audio": waves[key].astype("f")} for key in part.key]

    def images(part):
        batch = victim.padded_batch([waves[key].astype("f") for key in part.key], "cpu")
        return part, [{"log_mel": image} for image in front_end(batch["audio"], batch["audio_length"]).numpy()]

    for name, compute in (("audio", audio), ("log_mel", images)):
        shards.write_set(table, folder / name, compute, inputs=[], settings=0, worker=Worker(), description="t")
    return folder


def task(data, folder) -> Task:
    values = {"width": 0.0625, "layers": 2}
    (folder / "finished").mkdir(parents=True)
    config = {"network": "cnn4", "parameters": values, "labels": LABELS, "decides": "label", "signal": {"mels": 16}}
    config |= {"bounds": {"log_mel": None}, "front_end": FRONT_END}

    def build():
        return victim.build("cnn4", 2, values, where="t", signal={"mels": 16})

    clips = shards.ShardSet(data / "log_mel")
    return Task(clips, shards.ShardSet(data / "audio"), LABELS, build, config, "cpu", folder, folder / "finished")


def trained(data, folder, **changed):
    """The finished folder."""
    made = task(data, folder)
    adversarial.train(made, recipe(**changed))
    return made.finished


def weights(folder):
    return (folder / "weights.safetensors").read_bytes()


class Linear(torch.nn.Module):
    """Logits that are a linear map of the image; the vector before them is the image itself."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.tensor([[1.0, -2.0, 0.5, 0.0], [-1.0, 0.5, 2.0, 1.0]]))

    def vector_and_logits(self, image):
        return image.flatten(1), image.flatten(1) @ self.weight.T


IMAGES = torch.tensor([[[0.3, -0.1], [0.2, 0.4]], [[-0.5, 0.6], [0.1, -0.2]]])
TARGETS = torch.tensor([0, 1])


def by_hand(epsilon: float):
    """Real and adversarial cross-entropies, and both images: the loss grows along the sign of w_other - w_own."""
    weight, x = Linear().weight.detach().numpy(), IMAGES.flatten(1).numpy()
    own = weight[TARGETS.numpy()]
    adversarial_x = x + epsilon * np.sign(weight[1 - TARGETS.numpy()] - own)

    def losses(values):
        logits = values @ weight.T
        return np.log(np.exp(logits).sum(1)) - logits[np.arange(2), TARGETS.numpy()]

    return losses(x).mean(), losses(adversarial_x).mean(), x, adversarial_x, weight


def test_vanilla_is_equation_3():
    real, attacked, *_ = by_hand(0.1)
    loss = adversarial.adversarial_loss(Linear(), IMAGES, TARGETS, 0.1, recipe(alpha=0.3))
    assert loss.item() == pytest.approx(0.3 * real + 0.7 * attacked, rel=1e-5)
    assert attacked > real


@pytest.mark.parametrize("compared", ["logits", "features"])
def test_similarity_is_equation_4(compared):
    real, attacked, x, adversarial_x, weight = by_hand(0.1)
    difference = adversarial_x - x if compared == "features" else (adversarial_x - x) @ weight.T
    expected = 0.4 * real + 0.4 * attacked + 0.2 * np.linalg.norm(difference, axis=1).mean()
    made = recipe(regime="similarity", compared=compared)
    loss = adversarial.adversarial_loss(Linear(), IMAGES, TARGETS, 0.1, made)
    assert loss.item() == pytest.approx(expected, rel=1e-5)


def test_eta_clips_the_step():
    _, attacked, *_ = by_hand(0.04)
    loss = adversarial.adversarial_loss(Linear(), IMAGES, TARGETS, 0.1, recipe(alpha=0.0, eta=0.04))
    assert loss.item() == pytest.approx(attacked, rel=1e-5)


def test_a_module_that_is_sure_is_attacked_nonetheless():
    sure = Linear()
    sure.weight.data *= 1e4
    loss = adversarial.adversarial_loss(sure, IMAGES, TARGETS, 0.1, recipe(alpha=0.0))
    # Both are right by gaps that float32 takes for certain; the first one's of 1500 becomes one of -5500.
    assert loss.item() == pytest.approx(5500 / 2, rel=1e-3)


def test_batches_go_through_all_clips_again_and_again_however_the_rounds_are_cut():
    whole = in_random_order(10, 4, range(0, 10), seed=[3])
    parts = [in_random_order(10, 4, range(*ends), seed=[3]) for ends in ((0, 3), (3, 4), (4, 10))]
    assert np.array_equal(whole, np.concatenate(parts))
    passes = whole.ravel().reshape(4, 10)
    assert all(sorted(one) == list(range(10)) for one in passes)
    assert not np.array_equal(passes[0], passes[1])


@pytest.fixture(scope="module")
def whole(data, tmp_path_factory):
    """What a training comes to that nobody interrupts."""
    return trained(data, tmp_path_factory.mktemp("whole") / "vanilla")


@pytest.fixture(scope="module")
def single(data, tmp_path_factory):
    """What one on real data alone comes to."""
    return trained(data, tmp_path_factory.mktemp("whole") / "single", regime="single")


def test_a_family_has_a_model_for_each_purpose_and_epsilon(whole):
    members = clip_table.read(whole / "members.csv")
    assert list(members.member) == ["development-0.05", "development-0.1", "test-0.05", "test-0.1"]
    assert list(members.training_epsilon) == [0.05, 0.1, 0.05, 0.1]
    assert list(members.attacked_at) == list(members.variant) == ["0.05", "0.1", "0.05", "0.1"]
    assert list(members.purpose) == ["development", "development", "test", "test"]
    assert list(members.judged_on) == ["validation", "validation", "test", "test"]
    assert set(members.judged_by) == {"split"} and set(members.regime) == {"vanilla"} and not members.kept.any()
    models = [victim.load(whole / name, device="cpu") for name in members.member]
    assert models[0].bounds == {"log_mel": (-np.inf, np.inf)}
    assert len({weights(whole / name) for name in members.member}) == 4
    history = pd.read_csv(whole / "test-0.1" / "history.csv")
    assert list(history.iteration) == [2, 4, 6, 7]


def test_until_the_regime_is_in_force_all_regimes_are_one(data, single, tmp_path):
    late = trained(data, tmp_path / "b", adversarial_from=7)
    later = trained(data, tmp_path / "c", regime="similarity", adversarial_from=8)
    assert weights(single / "test") == weights(late / "test-0.05") == weights(later / "test-0.1")
    early = trained(data, tmp_path / "d", adversarial_from=6)
    assert weights(early / "test-0.05") != weights(single / "test")


def test_test_models_learn_from_validation_clips_too_and_none_from_test_clips(data, single, tmp_path):
    changed = shutil.copytree(data, tmp_path / "changed")

    def with_noise(split):
        source = shards.ShardSet(data / "log_mel")

        def compute(rows):
            scale = (rows.split == split).to_numpy(float)
            images = [source.load(key)["log_mel"] + np.float32(one) for key, one in zip(rows.key, scale)]
            return rows, [{"log_mel": image} for image in images]

        plan = source.table.drop(columns="shard")
        output = changed / "log_mel"
        shards.write_set(plan, output, compute, inputs=[], settings=split, worker=Worker(), description="t")
        return trained(changed, tmp_path / split, regime="single")

    moved = with_noise("validation")
    assert weights(moved / "development") == weights(single / "development")
    assert weights(moved / "test") != weights(single / "test")
    moved = with_noise("test")
    assert weights(moved / "test") == weights(single / "test")


@pytest.mark.parametrize("after", [1, 3, 6, 11])
def test_interrupted_it_ends_with_equal_bytes(data, whole, tmp_path, after):
    made = task(data, tmp_path)
    with interrupted(after):
        adversarial.train(made, recipe())
    shutil.rmtree(made.finished)
    made.finished.mkdir()
    adversarial.train(made, recipe())
    for file in sorted(whole.rglob("*")):
        if file.is_file():
            assert file.read_bytes() == (made.finished / file.relative_to(whole)).read_bytes(), file


def test_noise_on_audio_has_the_ratio_asked_for(data, tmp_path):
    made = task(data, tmp_path)
    own = adversarial.Data(made.clips.table, made)
    rows = range(len(own.keys))
    images = own.images(rows)
    quiet, loud = (own.noisy_images(rows, snr_db, torch.Generator().manual_seed(0)) for snr_db in (100.0, 0.0))
    assert torch.allclose(quiet, images, atol=0.02)
    # White noise as strong as the tones lifts the bins that the tones leave empty, and hardly those that they fill.
    assert (loud - images).median() > 1
    assert (loud.amax(2) - images.amax(2)).abs().mean() < 0.5


@pytest.mark.parametrize("standardise", ["per_bin", "global", "none"])
def test_standardisation(data, tmp_path, standardise):
    made = task(data, tmp_path)
    module, own = made.build(), adversarial.Data(made.clips.table, made)
    adversarial._fit_standardisation(module, own, standardise)
    images = own.images(range(len(own.keys)))
    values = module.standardised(images)
    if standardise == "per_bin":
        assert values.mean((0, 1)).abs().max() < 1e-3
        assert (values.std((0, 1)) - 1).abs().max() < 1e-2
    elif standardise == "global":
        assert values.mean().item() == pytest.approx(0, abs=1e-3)
        assert values.mean((0, 1)).abs().max() > 0.1
    else:
        assert torch.equal(values, images)


def test_images_are_held_some_at_a_time(data, tmp_path, monkeypatch):
    monkeypatch.setattr(adversarial, "CLIPS_AT_ONCE", 4)
    made = task(data, tmp_path)
    monkeypatch.setattr(made.clips, "load", held := Held(made.clips.load))
    adversarial.train(made, recipe())
    assert held.most == VALUES["batch_size"]


def test_both_noises_make_models(data, tmp_path):
    folder = trained(data, tmp_path, regime="noise")
    names = ["development-audio", "development-log_mel", "test-audio", "test-log_mel"]
    assert sorted(path.name for path in folder.iterdir() if path.is_dir()) == names
    assert len({weights(folder / name) for name in names}) == 4
    members = clip_table.read(folder / "members.csv")
    assert list(members.variant) == ["audio", "log_mel"] * 2 and not members.kept.any()
    assert set(members.attacked_at) == {"never"}


def test_a_model_on_real_data_alone_is_attacked_at_every_strength_and_kept(single):
    members = clip_table.read(single / "members.csv")
    assert list(members.member) == ["development", "test"]
    assert set(members.attacked_at) == set(members.variant) == {""} and members.kept.all()


def test_it_tells_the_recall_of_the_models_judged_on_test_clips(data, tmp_path):
    made = task(data, tmp_path)
    outcome = adversarial.train(made, recipe(regime="single"))
    loaded, test = victim.load(made.finished / "test", device="cpu"), made.clips.table[-4:]
    inputs = {"log_mel": torch.from_numpy(np.stack([made.clips.load(key)["log_mel"] for key in test.key]))}
    decided = loaded.names(loaded.decode(loaded.logits(loaded.module.prepare(inputs)))[0])
    recalls = [np.mean([got == name for got, name in zip(decided, test.label) if name == label]) for label in LABELS]
    assert outcome.told == f"UAR {np.mean(recalls):.3f} on 4 test clips"


def test_of_one_label_nothing_is_learned(data, tmp_path):
    with pytest.raises(UserError, match="expected at least two labels; found 1: high"):
        adversarial.train(replace(task(data, tmp_path), labels=["high"]), recipe())


def test_training_that_ends_in_nan_is_an_error_and_not_the_best_recall(data, tmp_path):
    with pytest.raises(UserError, match=r"expected finite numbers as .*; train it otherwise"):
        trained(data, tmp_path, learning_rate=1e18, regime="single")
    made = task(data, tmp_path / "other")
    module = made.build()
    module.get_parameter(next(name for name, _ in module.named_parameters())).data.fill_(torch.nan)
    with pytest.raises(UserError, match=r"what the network says of the clip clip\d+: expected finite numbers"):
        adversarial._recall(module, made)


def test_a_recipe_that_makes_no_sense_is_refused():
    with pytest.raises(UserError, match="epsilons of a vanilla regime"):
        recipe(epsilons=[])
    with pytest.raises(UserError, match=r"beta \+ gamma: expected at most 1; found 1\.2"):
        recipe(beta=0.8)


@pytest.mark.parametrize("network", ["cnn4", "resnet50", "vgg16"])
def test_at_the_papers_scale_the_loss_reaches_all_weights(network):
    files = (TOP / "params.yaml", TOP / "scales" / "paper.yaml")
    values, changes = (parameters.section("emotion", file) for file in files)
    scale.apply(values, changes, "paper")
    given = values["recipes"]["adversarial"] | values["variants"]["similarity"]
    made = parameters.bind(adversarial.Recipe, "paper", given)()
    assert (made.iterations, made.adversarial_from, made.batch_size) == (10000, 1000, 16)
    assert values["features"]["log_mel"]["parameters"]["frames"] == 373
    torch.manual_seed(0)
    module = victim.build(network, 7, values["victims"][network]["parameters"], where="t", signal={"mels": 64}).train()
    loss = adversarial.adversarial_loss(module, torch.randn(2, 373, 64), torch.tensor([0, 6]), 0.1, made)
    loss.backward()
    assert torch.isfinite(loss)
    assert all(weight.grad.any() for weight in module.parameters())
