"""Attacks on scores alone: within their budgets, and as far as the closed form of an affine victim allows."""

import numpy as np
import pytest
import torch
from small_victims import OnAudio, affine, affine_distance
from torch import nn

from stages.attacking.problem import Setting
from stages.attacks import bursts, signs, square
from stages.attacks.random_search import shares
from stages.victim import Goal, Victim

PARAMETERS = {"steps": 300, "share": 0.5, "confidence": 0.0}


def images():
    """An affine victim of images of 6 × 8 values, and four images."""
    torch.manual_seed(0)
    module = OnAudio(nn.Linear(48, 2).double())
    victim = Victim(module, ["a", "b"], bounds={"audio": (-9.0, 9.0)})
    inputs = {"audio": torch.from_numpy(np.random.default_rng(1).normal(0, 1, (4, 6, 8)))}
    return victim, inputs, Goal(victim.logits(inputs).argmax(1), targeted=False)


def attacked(victim, inputs, goal, epsilon):
    setting = Setting(bounds=victim.bounds, epsilon={"audio": epsilon})
    return square.attack(victim, inputs, goal, setting=setting, **PARAMETERS)


def test_squares_stay_within_epsilon_and_go_as_far_as_signs_of_the_gradient_do():
    victim, inputs, goal = images()
    with torch.no_grad():
        weight = victim.module.network.weight[0] - victim.module.network.weight[1]
        gap = (victim.logits(inputs)[:, 0] - victim.logits(inputs)[:, 1]).abs()
    exact = gap / weight.abs().sum()  # of one epsilon for all values
    for row in range(4):
        own, one = {"audio": inputs["audio"][row : row + 1]}, Goal(goal.labels[row : row + 1], targeted=False)
        below = attacked(victim, own, one, 0.99 * float(exact[row]))
        above = attacked(victim, own, one, 1.3 * float(exact[row]))
        assert not below.success.item()
        assert above.success.item()
        change = (above.adversarial["audio"] - own["audio"]).abs()
        torch.testing.assert_close(change, torch.full_like(change, 1.3 * float(exact[row])))
        assert not above.backwards.item()
        assert above.forwards.item() < below.forwards.item() == PARAMETERS["steps"] + 1


def test_bursts_are_as_loud_as_told_and_find_what_noise_does_not():
    victim = affine(2, 200, 2)
    x = torch.from_numpy(np.random.default_rng(1).uniform(-0.5, 0.5, (3, 200)))
    goal = Goal(victim.logits({"audio": x}).argmax(1), targeted=False)
    far = affine_distance(victim, x)
    for row in range(3):
        snr_db = float(20 * torch.log10(x[row].norm() / (3 * far[row])))
        own, one = {"audio": x[row : row + 1]}, Goal(goal.labels[row : row + 1], targeted=False)
        setting = Setting(bounds=victim.bounds)
        made = bursts.attack(victim, own, one, setting=setting, snr_db=snr_db, **PARAMETERS)
        assert made.success.item()
        assert made.forwards.item() > 1  # the noise that it begins with is not enough
        assert float((made.adversarial["audio"] - own["audio"]).norm()) == pytest.approx(3 * float(far[row]), rel=1e-6)


def test_changes_shrink_by_halves():
    assert shares(0.8, 1000)[::100] == [0.8, *(0.8 / 2**halved for halved in (5, 6, 6, 7, 7, 8, 8, 9, 9))]


def test_random_signs_are_as_loud_as_epsilon_and_ask_nothing():
    victim, inputs, goal = images()
    made = signs.attack(victim, inputs, goal, setting=Setting(bounds=victim.bounds, epsilon={"audio": 0.25}))
    change = made.adversarial["audio"] - inputs["audio"]
    torch.testing.assert_close(change.abs(), torch.full_like(change, 0.25))
    assert 10 < int((change[0] > 0).sum()) < 38
    assert not made.forwards.any()
