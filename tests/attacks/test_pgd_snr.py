"""Gradient descent on the loss within an SNR: of an affine victim the loudest step against it is known."""

import pytest
import torch
from small_victims import affine

from stages.attacking.problem import Setting
from stages.attacks import pgd_snr
from stages.victim import Goal

SNR_DB = 20.0
PARAMETERS = {"snr_db": SNR_DB, "steps": 12, "relative_step": 0.5}


def attacked(victim, x, lengths=None):
    """What is made of clips, and the labels that were theirs."""
    inputs = {"audio": x} | ({"audio_length": lengths} if lengths is not None else {})
    goal = Goal(victim.module({"audio": x}).argmax(1), targeted=False)
    return pgd_snr.attack(victim, inputs, goal, setting=Setting(bounds=victim.bounds), **PARAMETERS), goal


def test_of_two_labels_the_perturbation_is_the_best_of_its_size():
    torch.manual_seed(0)
    victim, x = affine(2, 30, 1), torch.rand(5, 30, dtype=torch.double) - 0.5
    made, goal = attacked(victim, x)
    weight = victim.module.network.weight
    against = weight[1 - goal.labels] - weight[goal.labels]
    size = x.norm(dim=1, keepdim=True) * 10 ** (-SNR_DB / 20)
    best = x + size * against / against.norm(dim=1, keepdim=True)
    torch.testing.assert_close(made.adversarial["audio"], best, rtol=0, atol=1e-9)
    assert made.success.tolist() == (victim.module({"audio": best}).argmax(1) != goal.labels).tolist()
    assert made.backwards.tolist() == [12] * 5 and made.forwards.tolist() == [13] * 5


def test_it_goes_on_from_where_it_is_told_to_begin():
    torch.manual_seed(0)
    victim, x = affine(2, 30, 1), torch.rand(5, 30, dtype=torch.double) - 0.5
    first, goal = attacked(victim, x)
    told = {"setting": Setting(bounds=victim.bounds), "start": first.adversarial}
    made = pgd_snr.attack(victim, {"audio": x}, goal, **told, **PARAMETERS | {"steps": 1, "relative_step": 1e-9})
    torch.testing.assert_close(made.adversarial["audio"], first.adversarial["audio"], rtol=0, atol=1e-9)


def test_steps_are_shares_of_the_ball_and_lead_out_of_it_never():
    torch.manual_seed(0)
    victim, x = affine(2, 30, 1), torch.rand(1, 30, dtype=torch.double) - 0.5
    asked = []
    victim.module.register_forward_hook(lambda module, given, told: asked.append((given[0]["audio"] - x).norm().item()))
    attacked(victim, x)
    size = x.norm().item() * 10 ** (-SNR_DB / 20)
    # The labels are asked for first.
    assert asked[:4] == [0, 0, pytest.approx(0.5 * size), pytest.approx(size)]
    assert max(asked) <= size * (1 + 1e-9)


def test_what_is_behind_a_clips_end_stays_as_it_is():
    victim, x = affine(2, 20, 3), torch.full((2, 20), 0.25, dtype=torch.double)
    made, _ = attacked(victim, x, torch.tensor([20, 12]))
    change = made.adversarial["audio"] - x
    assert not change[1, 12:].any()
    loud = torch.stack([x[0].norm(), x[1, :12].norm()]) * 10 ** (-SNR_DB / 20)
    torch.testing.assert_close(change.norm(dim=1), loud)
