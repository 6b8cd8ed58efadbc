"""Gradient descent within an L2 budget: what it finds of victims whose exact smallest perturbation is known."""

import numpy as np
import torch
from small_victims import affine, affine_distance, relu_distance, relu_net

from stages.attacking.problem import Setting
from stages.attacks import pgd_l2
from stages.victim import Goal

PARAMETERS = {"steps": 40, "relative_step": 0.2, "confidence": 0.0}


def points(count, size, seed=5):
    return torch.from_numpy(np.random.default_rng(seed).uniform(-0.5, 0.5, (count, size)))


def at_distance(victim, x, distance, **parameters):
    """What the attack makes of each row of `x`, its budget being its own distance."""
    goal = Goal(victim.module({"audio": x}).argmax(1), targeted=False)
    made = []
    for row, (point, far) in enumerate(zip(x, distance)):
        snr_db = float(20 * torch.log10(point.norm() / far))
        own = Goal(goal.labels[row : row + 1], targeted=False)
        setting = Setting(bounds=victim.bounds)
        told = PARAMETERS | parameters
        made.append(pgd_l2.attack(victim, {"audio": point[None]}, own, setting=setting, snr_db=snr_db, **told))
    return made


def test_of_an_affine_victim_it_succeeds_exactly_where_the_budget_exceeds_the_distance():
    victim, x = affine(3, 12, 1), points(8, 12)
    distance = affine_distance(victim, x)
    assert all(one.success.item() for one in at_distance(victim, x, 1.02 * distance))
    assert not any(one.success.item() for one in at_distance(victim, x, 0.98 * distance))


def test_of_a_network_with_bends_it_finds_nothing_nearer_than_there_is():
    victim, x = relu_net(3, 6, 4, 2), points(8, 6)
    victim.bounds = {"audio": (-10.0, 10.0)}
    distance = relu_distance(victim, x)
    assert not any(one.success.item() for one in at_distance(victim, x, 0.98 * distance))
    assert sum(one.success.item() for one in at_distance(victim, x, 4 * distance)) >= 6


def test_nothing_is_louder_than_the_budget_or_after_a_clips_end():
    victim = affine(2, 20, 3)
    x = points(2, 20)
    inputs = {"audio": x, "audio_length": torch.tensor([20, 12])}
    goal = Goal(victim.module({"audio": x}).argmax(1), targeted=False)
    setting = Setting(bounds=victim.bounds)
    made = pgd_l2.attack(victim, inputs, goal, setting=setting, snr_db=6.0, **PARAMETERS | {"confidence": 100.0})
    change = made.adversarial["audio"] - x
    loud = torch.stack([x[0].norm(), x[1, :12].norm()]) * 10 ** (-6 / 20)
    torch.testing.assert_close(change.norm(dim=1), loud)
    assert not change[1, 12:].any()


def test_it_goes_on_from_where_it_is_told_to_begin_and_keeps_what_is_better():
    victim = affine(3, 12, 1)
    x = points(4, 12)
    far = 1.5 * affine_distance(victim, x)
    goal = Goal(victim.module({"audio": x}).argmax(1), targeted=False)
    first = at_distance(victim, x, far)
    for row, one in enumerate(first):
        snr_db = float(20 * torch.log10(x[row].norm() / far[row]))
        setting, own = Setting(bounds=victim.bounds), Goal(goal.labels[row : row + 1], targeted=False)
        told = PARAMETERS | {"steps": 1, "relative_step": 1e-6}
        start = {"audio": one.adversarial["audio"]}
        made = pgd_l2.attack(
            victim, {"audio": x[row : row + 1]}, own, setting=setting, snr_db=snr_db, start=start, **told
        )
        assert made.success.item()
        assert (made.forwards.item(), made.backwards.item()) == (1, 0)  # it met the goal where it began


def test_passes_are_counted_and_those_that_are_done_cost_no_more():
    victim = affine(3, 12, 1)
    x = points(4, 12)
    near, far = (
        at_distance(victim, x[:1], 2 * affine_distance(victim, x[:1]))[0],
        at_distance(victim, x[:1], 0.5 * affine_distance(victim, x[:1]))[0],
    )
    assert near.backwards.item() < far.backwards.item() == PARAMETERS["steps"] + 1
    # Of the last point the margin alone is asked.
    assert all(one.forwards.item() == one.backwards.item() + 1 for one in (near, far))


def test_a_flat_victim_is_told_of():
    victim = affine(2, 12, 3)
    victim.module.network.weight.zero_()
    made = at_distance(victim, points(2, 12), torch.tensor([1.0, 1.0]))
    assert all(one.zero_gradient.item() and not one.success.item() for one in made)
