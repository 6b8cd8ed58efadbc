"""The smallest perturbation in L-infinity: what is found where the exact one is known, and where there is none."""

from dataclasses import replace

import pytest
import torch
from minimal_attacks import goal_for, points
from small_victims import affine, relu_net

from stages.attacking.problem import Setting
from stages.attacks import bim, fmn

PARAMETERS = {"steps": 60, "relative_step": 1.0, "resize": 0.2}


def run(victim, x, goal, epsilon=1.0):
    return fmn.attack(
        victim, {"audio": x}, goal, setting=Setting(bounds=victim.bounds, epsilon={"audio": epsilon}), **PARAMETERS
    )


def sizes(made, x):
    return (made.adversarial["audio"] - x).abs().amax(1)


@pytest.mark.parametrize("targeted", [False, True])
def test_of_an_affine_victim_it_is_the_distance_of_the_boundary_within_two_percent(targeted):
    """The gap over the L1 norm of the difference of weights: of two labels, or of the nearest one of four."""
    victim, x = affine(2 if targeted else 4, 10, 0), points(16, 10, seed=1)
    goal = goal_for(victim, x, targeted)
    weight, scores = victim.module.network.weight, victim.logits({"audio": x})
    own = scores.argmax(1)
    gaps = scores.gather(1, own[:, None]) - scores
    lengths = (weight[own][:, None] - weight[None]).abs().sum(2)
    exact = torch.where(lengths > 0, gaps / lengths, torch.inf).amin(1)
    made, near = run(victim, x, goal), exact < 0.3  # the walls of the box are farther away
    assert near.sum() >= 8 and made.success[near].all()
    found = (sizes(made, x) / exact)[near]
    assert found.min() >= 1 - 1e-6 and found.max() <= 1.02


def test_hardly_anything_that_is_a_tenth_smaller_is_found_by_many_steps_from_several_starts():
    victim, x = relu_net(3, 8, 12, 2), points(16, 8, seed=3)
    goal = goal_for(victim, x, False)
    made = run(victim, x, goal)
    smaller, setting = [], Setting(bounds=victim.bounds)
    told = {"steps": 100, "relative_step": 0.05, "random_starts": 3}
    for row in made.success.nonzero()[:, 0].tolist():
        own = type(goal)(goal.labels[row : row + 1], False)
        epsilon = {"audio": 0.9 * sizes(made, x)[row].item()}
        tried = bim.attack(victim, {"audio": x[row : row + 1]}, own, setting=replace(setting, epsilon=epsilon), **told)
        smaller.append(tried.success.item())
    assert len(smaller) >= 12 and sum(smaller) <= 2


def test_where_nothing_within_epsilon_is_found_the_clip_stays_as_it_is_and_what_is_found_is_within_it():
    victim, x = affine(4, 10, 0), points(16, 10, seed=1)
    goal = goal_for(victim, x, False)
    free = sizes(run(victim, x, goal), x)
    epsilon = free.median().item()
    made = run(victim, x, goal, epsilon)
    assert torch.equal(made.success, free <= epsilon * (1 + 1e-9)) or (sizes(made, x) <= epsilon).all()
    assert (sizes(made, x)[~made.success] == 0).all()
    assert not made.success[free > 1.02 * epsilon].any() and made.success[free < 0.98 * epsilon].all()


def test_values_behind_a_clips_end_stay():
    victim, x = affine(2, 12, 3), points(2, 12, seed=4)
    x[1, 8:] = 0
    goal = goal_for(victim, x, False)
    setting = Setting(bounds=victim.bounds, epsilon={"audio": 1.0})
    inputs = {"audio": x, "audio_length": torch.tensor([12, 8])}
    made = fmn.attack(victim, inputs, goal, setting=setting, **PARAMETERS)
    assert made.success.all() and (made.adversarial["audio"][1, 8:] == 0).all()


def test_a_flat_victim_is_told_of():
    victim, x = affine(2, 12, 3), points(2, 12, seed=4)
    goal = goal_for(victim, x, False)
    victim.module.network.weight.zero_()
    victim.module.network.bias.copy_(torch.where(torch.arange(2) == 0, 1.0, 0.0))
    goal = goal_for(victim, x, False)
    made = run(victim, x, goal)
    assert made.zero_gradient.all() and not made.success.any() and torch.equal(made.adversarial["audio"], x)
