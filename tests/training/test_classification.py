"""Training: the same bytes with or without a break, balanced batches, masking, and that it learns."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from breaks import interrupted

from stages import victim
from stages.frame import shards
from stages.frame.devices import Worker
from stages.frame.errors import UserError
from stages.training import classification
from stages.training.task import Task

RECIPE = classification.Recipe(
    seed=1,
    epochs=6,
    batch_size=8,
    learning_rate=5e-3,
    decay=0.9,
    decay_every_epochs=2,
    mixup_alpha=0.2,
    masked_above=0.8,
    averaged_epochs=2,
    least_batches=1,
)


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """Two labels, high and low noise bursts, that any network can tell apart."""
    folder = tmp_path_factory.mktemp("clips")
    rng = np.random.default_rng(0)
    rows = []
    for number in range(48):
        label = ("low", "high")[number % 2]
        split = "train" if number < 32 else "validation" if number < 40 else "test"
        rows.append((f"clip{number}", label, split, number % 3 > 0, 0.25))
    table = pd.DataFrame(rows, columns=["key", "label", "split", "verified", "duration_s"])

    def compute(part):
        time = np.arange(8000) / 32000
        tones = {"low": 400, "high": 4000}
        arrays = [
            {
                "audio": (
                    0.1 * np.sin(2 * np.pi * tones[label] * time + rng.uniform(0, 6))
                    + 0.005 * rng.standard_normal(8000)
                ).astype("f")
            }
            for label in part.label
        ]
        return part, arrays

    shards.write_set(table, folder / "audio", compute, inputs=[], settings=0, worker=Worker(), description="t")
    return shards.ShardSet(folder / "audio")


def build():
    values = {"architecture": "vgg13", "width": 0.0625, "blocks": 2}
    return victim.build("spectrogram_cnn", 2, values, where="t", signal={"sample_rate_hz": 32000})


def task(clips, scratch):
    config = {"network": "spectrogram_cnn", "labels": ["high", "low"], "decides": "label"}
    (scratch / "finished").mkdir(parents=True, exist_ok=True)
    return Task(clips, clips, ["high", "low"], build, config, "cpu", scratch, scratch / "finished")


def fit(clips, scratch):
    torch.manual_seed(0)
    model = build()
    return model, classification.fit(model, task(clips, scratch), RECIPE)


@pytest.fixture(scope="module")
def fitted(clips, tmp_path_factory):
    """A model that nobody interrupted, and its history."""
    return fit(clips, tmp_path_factory.mktemp("fitted"))


def test_it_learns_and_twice_gives_equal_bytes(clips, fitted, tmp_path):
    (first, history), (second, _) = fitted, fit(clips, tmp_path)
    assert all(torch.equal(x, y) for x, y in zip(first.state_dict().values(), second.state_dict().values()))
    assert len(history) == 6
    decided = classification.decisions(first, task(clips, tmp_path), 8)
    assert (decided.decision == decided.label).mean() >= 0.8
    assert set(decided.split) == {"train", "validation", "test"}


@pytest.mark.parametrize("after", [1, 2, 3])
def test_interrupted_after_an_epoch_it_ends_with_equal_bytes(clips, fitted, tmp_path, after):
    with interrupted(after):
        fit(clips, tmp_path)
    resumed, history = fit(clips, tmp_path)
    assert [row["epoch"] for row in history] == [0, 1, 2, 3, 4, 5]
    assert all(torch.equal(x, y) for x, y in zip(fitted[0].state_dict().values(), resumed.state_dict().values()))


def test_standardisation_is_that_of_the_training_chunks(clips, fitted):
    model, _ = fitted
    train = clips.table[clips.table.split == "train"]
    batch = victim.padded_batch([clips.load(key)["audio"] for key in train.key], "cpu")
    values = model.examples(batch)[0]
    assert values.mean().item() == pytest.approx(0, abs=1e-3)
    assert values.std().item() == pytest.approx(1, abs=1e-3)


def test_batches_draw_from_all_labels_alike():
    labels = np.array(["a"] * 90 + ["b"] * 9 + ["c"])
    order = classification.balanced_order(labels, len(labels), np.random.default_rng(0))
    assert len(order) == 100
    assert {name: int((labels[order] == name).sum()) for name in "abc"} in (
        {"a": 34, "b": 33, "c": 33},
        {"a": 33, "b": 34, "c": 33},
        {"a": 33, "b": 33, "c": 34},
    )
    drawn = order[labels[order] == "a"]
    assert len(set(drawn)) == len(drawn)
    more = classification.balanced_order(labels, 250, np.random.default_rng(0))
    assert len(more) == 250 and sorted((labels[more] == name).sum() for name in "abc") == [83, 83, 84]
    for start in range(0, 99, 3):
        assert set(labels[order[start : start + 3]]) == set("abc")


def test_masking_leaves_out_unverified_examples_of_large_loss():
    examples = torch.zeros(3, 2)
    targets = torch.tensor([0, 1, 1])

    class Fixed(torch.nn.Module):
        def forward(self, x):
            return torch.tensor([[0.0, 0.0], [4.0, 0.0], [4.0, 0.0]])

    recipe = replace(RECIPE, mixup_alpha=0.0)

    def loss(verified):
        batch = classification.Batch(examples, targets, torch.tensor(verified))
        return classification._loss(Fixed(), batch, recipe, None).item()

    low, high = np.log(2), np.log(1 + np.exp(4))
    assert loss([True, True, True]) == pytest.approx((low + 2 * high) / 3)
    assert loss([True, True, False]) == pytest.approx((low + high) / 2)
    assert loss([False, False, False]) == pytest.approx(low)


def test_it_tells_its_accuracy_on_test_clips(clips, tmp_path):
    outcome = classification.train(task(clips, tmp_path), RECIPE)
    decided = pd.read_csv(tmp_path / "finished/decisions.csv")
    test = decided[decided.split == "test"]
    assert outcome.told == f"accuracy {(test.decision == test.label).mean():.3f} on 8 test clips"


class Confused(torch.nn.Module):
    """Says NaN of one clip in five, and of the others what is wrong."""

    def forward(self, inputs):
        logits = torch.zeros(len(inputs["audio"]), 2)
        logits[::5] = math.nan
        return logits


def test_nan_is_not_the_best_decision_but_an_error_that_names_its_clip(clips, tmp_path):
    validation = clips.table[clips.table.split == "validation"]
    given = task(clips, tmp_path)
    for judge in (
        lambda: classification._validate(Confused(), given, validation, 8),
        lambda: classification.decisions(Confused(), given, 8),
    ):
        with pytest.raises(UserError, match=r"what the network says of the clip clip\d+: expected finite numbers"):
            judge()


def test_training_that_ends_in_nan_is_an_error_and_no_model(clips, tmp_path):
    given = task(clips, tmp_path)
    with pytest.raises(
        UserError, match=r"expected finite numbers.*; train it otherwise, such as at a lower learning rate"
    ):
        classification.train(given, replace(RECIPE, learning_rate=1e30))
    assert not list(given.finished.iterdir())


def test_of_one_label_nothing_is_learned(clips, tmp_path):
    with pytest.raises(UserError, match="expected at least two labels; found 1: high; add clips of others"):
        classification.train(replace(task(clips, tmp_path), labels=["high"]), RECIPE)
