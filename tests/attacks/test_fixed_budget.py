"""Attacks whose perturbation has a given size: exact where the victim is linear, never more than they are allowed."""

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_victims import affine, relu_net

from stages.attacking.problem import FEWEST, Setting
from stages.attacks import bim, fgsm
from stages.frame import parameters
from stages.frame.errors import UserError
from stages.victim import Goal, Victim

STEPS = {"steps": 8, "relative_step": 0.25, "random_starts": 0}
ATTACKS = {
    "fgsm": (fgsm.attack, {"eta": None}),
    "bim": (bim.attack, STEPS),
    "bim from a random start": (bim.attack, {**STEPS, "random_starts": 1}),
}
EVERY = pytest.mark.parametrize("name", ATTACKS)
TARGETED = pytest.mark.parametrize("targeted", [False, True])


def run(name, victim, x, goal, epsilon, bounds=None, **changes):
    attack, values = ATTACKS[name]
    setting = Setting(bounds=bounds or victim.bounds, epsilon={"audio": epsilon})
    return attack(victim, {"audio": x}, goal, setting=setting, **{**values, **changes})


def points(count, size, seed, scale=0.2):
    return scale * torch.randn(count, size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def goal_for(victim, x, targeted):
    labels = victim.decode(victim.logits({"audio": x}))[0]
    return Goal((labels + 1) % len(victim.labels) if targeted else labels, targeted)


def margin(victim, x, goal):
    scores, labels = victim.logits({"audio": x}), goal.labels[:, None]
    own = scores.gather(1, labels)[:, 0]
    other = scores.scatter(1, labels, -torch.inf).amax(1)
    return other - own if goal.targeted else own - other


@TARGETED
def test_fgsm_on_a_linear_victim_is_its_closed_form(targeted):
    """The cross-entropy of label y has the gradient sum_j p_j w_j - w_y."""
    victim = affine(4, 10, seed=0)
    x = points(16, 10, seed=1)
    goal = goal_for(victim, x, targeted)
    weight = victim.module.network.weight
    gradient = victim.logits({"audio": x}).softmax(1) @ weight - weight[goal.labels]
    expected = x + (-1 if targeted else 1) * 0.03 * gradient.sign()
    assert torch.allclose(run("fgsm", victim, x, goal, 0.03).adversarial["audio"], expected, atol=1e-15)


@EVERY
@TARGETED
def test_with_two_labels_it_succeeds_exactly_where_the_l1_distance_allows(name, targeted):
    victim = affine(2, 10, seed=2)
    x = points(64, 10, seed=3)
    goal = goal_for(victim, x, targeted)
    weight = victim.module.network.weight
    reach = 0.03 * (weight[0] - weight[1]).abs().sum()
    result = run(name, victim, x, goal, 0.03)
    assert 0 < result.success.sum() < len(x)
    assert torch.equal(result.success, margin(victim, x, goal) < reach)
    assert torch.equal(result.success, goal.reached(victim.decode(victim.logits(result.adversarial))[0]))


@EVERY
@TARGETED
def test_budget_and_bounds_are_kept_and_the_input_untouched(name, targeted):
    victim = relu_net(5, 12, 20, seed=4)
    x = points(20, 12, seed=5, scale=0.6).clamp(-1, 1)
    x[0], x[1] = 1.0, -1.0
    before = x.clone()
    goal = goal_for(victim, x, targeted)
    variants = [{}] if name == "fgsm" else [{"relative_step": 0.25}, {"relative_step": 3.0}]
    for epsilon in (0.01, 0.3, 3.0):
        for changes in variants:
            adversarial = run(name, victim, x, goal, epsilon, **changes).adversarial["audio"]
            assert (adversarial - x).abs().max() <= epsilon + 1e-12
            assert adversarial.abs().max() <= 1
    assert torch.equal(x, before)


@EVERY
def test_bounds_may_be_infinite(name):
    victim = affine(2, 6, seed=6)
    x = points(4, 6, seed=7)
    goal = goal_for(victim, x, False)
    adversarial = run(name, victim, x, goal, 50.0, bounds={"audio": (-math.inf, math.inf)}).adversarial["audio"]
    assert torch.allclose((adversarial - x).abs(), torch.full_like(x, 50.0))


def test_a_smaller_eta_clips_and_a_larger_one_does_nothing():
    victim = affine(3, 8, seed=8)
    x = points(6, 8, seed=9)
    goal = goal_for(victim, x, False)
    whole = run("fgsm", victim, x, goal, 0.1).adversarial["audio"]
    clipped = run("fgsm", victim, x, goal, 0.1, eta=0.04).adversarial["audio"]
    assert torch.allclose(clipped, whole.clamp(x - 0.04, x + 0.04))
    assert (clipped - x).abs().max() < 0.05
    assert torch.equal(run("fgsm", victim, x, goal, 0.1, eta=0.5).adversarial["audio"], whole)


class _Sums(torch.nn.Module):
    def forward(self, inputs):
        return torch.stack([inputs["audio"].sum(1), inputs["video"].sum((1, 2))], 1)


@EVERY
def test_every_modality_has_its_own_epsilon(name):
    victim = Victim(_Sums(), ["a", "b"], bounds={"audio": (-1.0, 1.0), "video": (0.0, 1.0)})
    inputs = {"audio": torch.full((2, 4), 0.9), "video": torch.full((2, 2, 2), 0.1), "fps": torch.tensor([25, 25])}
    goal = Goal(torch.tensor([0, 0]), False)
    attack, values = ATTACKS[name]
    setting = Setting(bounds=victim.bounds, epsilon={"audio": 0.3, "video": 0.6})
    both = attack(victim, inputs, goal, setting=setting, **values)
    assert both.success.all()
    assert torch.allclose(both.adversarial["audio"], torch.full((2, 4), 0.6))
    assert torch.allclose(both.adversarial["video"], torch.full((2, 2, 2), 0.7))
    assert torch.equal(both.adversarial["fps"], inputs["fps"])
    one = attack(victim, inputs, goal, setting=replace(setting, epsilon={"video": 2.0}), **values)
    assert torch.equal(one.adversarial["audio"], inputs["audio"])
    assert one.success.all()
    assert one.adversarial["video"].max() == 1


@EVERY
@TARGETED
def test_an_example_does_not_depend_on_its_batch(name, targeted):
    victim = relu_net(4, 8, 16, seed=10)
    victim.module.network[2].bias.zero_()
    x = points(12, 8, seed=11)
    goal, epsilon = goal_for(victim, x, targeted), 0.25 if targeted else 0.05
    together = run(name, victim, x, goal, epsilon)
    assert 0 < together.success.sum() < len(x)
    for row in range(len(x)):
        alone = run(name, victim, x[row : row + 1], Goal(goal.labels[row : row + 1], targeted), epsilon)
        assert torch.allclose(together.adversarial["audio"][row], alone.adversarial["audio"][0], atol=1e-12)
        for count in ("success", "iterations", "forwards", "backwards"):
            assert getattr(together, count)[row] == getattr(alone, count)[0]


@given(
    seed=st.integers(0, 10_000),
    epsilon=st.sampled_from([0.01, 0.05, 0.1, 0.3]),
    relative_step=st.sampled_from([0.1, 0.25, 1.0, 2.0]),
    random_starts=st.integers(0, 2),
    targeted=st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_whatever_fgsm_fools_bim_fools(seed, epsilon, relative_step, random_starts, targeted):
    victim = relu_net(4, 6, 12, seed=seed)
    x = points(16, 6, seed=seed + 1, scale=0.5).clamp(-1, 1)
    goal = goal_for(victim, x, targeted)
    one = run("fgsm", victim, x, goal, epsilon)
    many = run("bim", victim, x, goal, epsilon, steps=4, relative_step=relative_step, random_starts=random_starts)
    assert (many.success | ~one.success).all()
    failed = ~many.success
    margins = [margin(victim, result.adversarial["audio"], goal)[failed] for result in (many, one)]
    assert (margins[0] <= margins[1] + 1e-12).all()


@TARGETED
def test_more_starts_fool_whatever_fewer_do_and_more(targeted):
    """Each start is drawn anew; of all the points the worst one counts."""
    fooled = {1: 0, 2: 0, 5: 0}
    for seed in range(8):
        victim = relu_net(6, 8, 40, seed=seed)
        victim.module.network[0].weight *= 4
        x = points(32, 8, seed=100 + seed)
        goal = goal_for(victim, x, targeted)
        results = [run("bim", victim, x, goal, 0.06, random_starts=starts) for starts in fooled]
        margins = [margin(victim, result.adversarial["audio"], goal) for result in results]
        for fewer, more, before, after in zip(results, results[1:], margins, margins[1:]):
            assert (more.success | ~fewer.success).all()
            assert (after[~more.success] <= before[~more.success] + 1e-12).all()
        for starts, result in zip(fooled, results):
            fooled[starts] += result.success.sum().item()
    assert fooled[1] < fooled[2] < fooled[5]


def test_from_a_start_the_steps_of_all_starts_go_on():
    """On a linear victim six steps and two times three more are what twelve are; nothing is fooled."""
    victim, x = affine(2, 10, seed=4), points(FEWEST, 10, seed=5)
    goal = goal_for(victim, x, False)
    victim.module.network.bias += 100 * (torch.arange(2) == goal.labels[0])
    goal = Goal(goal.labels[:1].expand(FEWEST), False)
    small = {"relative_step": 0.05, "random_starts": 0}
    # That of FGSM is the best point of all on a linear victim, and is left out with a start.
    x_after = x - (run("fgsm", victim, x, goal, 0.1).adversarial["audio"] - x).sign() * -0.005 * 6
    on = run("bim", victim, x, goal, 0.1, **{**small, "random_starts": 2}, steps=3, start={"audio": x_after})
    expected = x + (x_after - x).sign() * 0.005 * 12
    assert torch.allclose(on.adversarial["audio"], expected, atol=1e-12)
    assert on.iterations.tolist() == [6] * FEWEST


def test_bim_fools_more_than_fgsm_where_the_victim_bends():
    fooled = {"fgsm": 0, "bim": 0}
    for seed in range(8):
        victim = relu_net(6, 8, 40, seed=seed)
        victim.module.network[0].weight *= 4
        x = points(32, 8, seed=100 + seed)
        for name in fooled:
            fooled[name] += run(name, victim, x, goal_for(victim, x, True), 0.15).success.sum().item()
    assert fooled["bim"] >= 1.1 * fooled["fgsm"] > 0


@EVERY
def test_a_failure_is_returned_perturbed_and_no_success(name):
    victim = affine(3, 6, seed=12)
    victim.module.network.bias.copy_(torch.tensor([50.0, 0.0, 0.0]))
    x = points(4, 6, seed=13)
    result = run(name, victim, x, Goal(torch.zeros(4, dtype=torch.long), False), 0.1)
    assert not result.success.any()
    assert torch.allclose((result.adversarial["audio"] - x).abs(), torch.full_like(x, 0.1))


@EVERY
@TARGETED
@pytest.mark.parametrize("times", [1e4, 1e6])
def test_a_sure_victim_is_attacked_as_one_that_is_not(name, targeted, times):
    """Logits times a factor decide alike; in float32 the cross-entropy's gradient loses its direction, then itself."""
    victim = relu_net(4, 8, 16, seed=20)
    victim.module.float()
    x = points(32, 8, seed=21).float()
    goal = goal_for(victim, x, targeted)
    # With two labels left the direction doesn't depend on how sure the victim is.
    victim.module.network[2].bias[[2, 3]] -= 1e3
    goal = Goal(victim.decode(victim.logits({"audio": x}))[0] ^ int(targeted), targeted)
    results = [run(name, victim, x, goal, 0.1)]
    victim.module.network[2].weight *= times
    victim.module.network[2].bias *= times
    results.append(run(name, victim, x, goal, 0.1))
    same = (results[0].adversarial["audio"] == results[1].adversarial["audio"]).double().mean()
    assert same > 0.99
    assert results[0].success.any() and torch.equal(*(one.success for one in results))
    assert not results[1].zero_gradient.any()


@EVERY
def test_without_a_gradient_nothing_breaks(name):
    victim = affine(3, 6, seed=14)
    victim.module.network.weight.zero_()
    x = points(4, 6, seed=15)
    result = run(name, victim, x, goal_for(victim, x, False), 0.1)
    assert not result.success.any()
    assert result.zero_gradient.all()
    assert result.adversarial["audio"].isfinite().all()


@pytest.mark.parametrize("random_starts", [0, 1, 3])
def test_passes_are_counted_and_a_finished_example_costs_no_more(random_starts):
    victim = affine(2, 6, seed=16)
    x = points(2, 6, seed=17)
    goal = goal_for(victim, x, False)
    victim.module.network.bias += 100 * (torch.arange(2) == goal.labels[0])
    seen = []
    victim.module.register_forward_hook(lambda module, inputs, output: seen.append(len(output)))
    # The last one is decided wrongly as it is.
    x = torch.cat([x[:1].expand(FEWEST, -1), x[1:]])
    goal = Goal(torch.stack([*goal.labels[:1].expand(FEWEST), 1 - goal.labels[0]]), False)
    result = run("bim", victim, x, goal, 0.01, steps=5, random_starts=random_starts)
    assert result.success.tolist() == [False] * FEWEST + [True]
    tried = 1 + 5 * max(1, random_starts)
    assert result.iterations.tolist() == [tried] * FEWEST + [1]
    gradients = tried if random_starts else tried - 1
    assert result.backwards.tolist() == [gradients] * FEWEST + [1]
    # Besides those of gradients that of FGSM's point, and that of the last point of each start.
    assert result.forwards.tolist() == [gradients + 1 + max(1, random_starts)] * FEWEST + [2]
    assert seen[:3] == [FEWEST + 1, FEWEST + 1, FEWEST]
    assert sum(seen) == result.forwards.sum() + len(x)  # the decisions on the result
    once = run("fgsm", victim, x, goal, 0.01)
    assert [once.iterations.tolist(), once.forwards.tolist(), once.backwards.tolist()] == [[1] * len(x)] * 3


def test_the_parameters_of_a_section_are_checked():
    passed = ("setting",)
    parameters.bind(fgsm.attack, "fgsm", {"eta": None}, passed=passed)
    parameters.bind(bim.attack, "bim", {"steps": 10, "relative_step": 0.25, "random_starts": 1}, passed=passed)
    with pytest.raises(UserError, match=r"fgsm.eta: expected a number > 0 or null"):
        parameters.bind(fgsm.attack, "fgsm", {"eta": 0}, passed=passed)
    with pytest.raises(UserError, match=r"bim.steps: expected a whole number >= 1"):
        parameters.bind(bim.attack, "bim", {**STEPS, "steps": 0}, passed=passed)


@EVERY
def test_without_an_epsilon_it_is_told_what_to_say(name):
    victim = affine(2, 6, seed=18)
    x = points(2, 6, seed=19)
    attack, values = ATTACKS[name]
    with pytest.raises(UserError, match="expected epsilon to be known; found none; say `epsilons` in the plan"):
        attack(victim, {"audio": x}, goal_for(victim, x, False), setting=Setting(bounds=victim.bounds), **values)
