"""What each search for the smallest perturbation is known by: DeepFool's steps, L-BFGS's start, C&W's c and descent."""

import math

import pytest
import torch
from minimal_attacks import FEWER, goal_for, points, run
from small_victims import affine, affine_distance, relu_net

from stages.attacking import problem
from stages.victim import Goal, Victim


def test_deepfool_does_not_scale_its_steps_with_the_range():
    """On (-1, 1) some toolkits double the perturbation; one step goes 1e-4 beyond an affine boundary, times 1.02."""
    victim = affine(2, 20, seed=15)
    x = points(8, 20, seed=16)
    result = run("deepfool", victim, x, goal_for(victim, x, False))
    expected = 1.02 * (affine_distance(victim, x) + 1e-4)
    assert torch.allclose(problem.norm(result.adversarial["audio"] - x), expected, rtol=1e-9)
    assert result.iterations.tolist() == [1] * 8


def test_deepfool_goes_to_the_nearest_boundary_not_to_that_of_the_smallest_gap():
    victim = affine(3, 2, seed=0)
    victim.module.network.weight.copy_(torch.tensor([[0.0, 0.0], [0.1, 0.0], [0.0, 10.0]]))
    victim.module.network.bias.copy_(torch.tensor([1.0, 0.95, 0.0]))
    # Gaps of 0.05 and of 1, at distances of 0.5 and of 0.1.
    x = torch.zeros(1, 2, dtype=torch.float64)
    result = run("deepfool", victim, x, Goal(torch.tensor([0]), False))
    assert torch.allclose(result.adversarial["audio"], torch.tensor([[0.0, 1.02 * 0.1001]], dtype=torch.float64))


def test_deepfool_as_published_crosses_where_the_box_holds_it():
    """Clipped steps fall short of the boundary, and those that follow become too short without the published 1e-4."""
    victim = relu_net(4, 8, 16, seed=2)
    x = points(64, 8, seed=3, scale=3.0).clamp(-1, 1)
    result = run("deepfool", victim, x, goal_for(victim, x, False))
    assert ((result.adversarial["audio"].abs() == 1) & (x.abs() < 1)).any()
    assert result.success.all()


@pytest.mark.parametrize("seed", [3, 4])
def test_lbfgs_comes_nearer_than_the_start_that_it_is_given(seed):
    """Also where the target is decided at a probability far below one half, as among ten labels."""
    victim = relu_net(10, 20, 40, seed=seed)
    victim.module.network[0].weight *= 3
    x = points(24, 20, seed=5, scale=0.3)
    goal = goal_for(victim, x, True)
    whole = problem.Problem(victim, {"audio": x}, goal, victim.bounds, None)
    begun, found = problem.adversarial_start(whole, whole.examples)
    result = run("lbfgs", victim, x, goal)
    assert found.all() and result.success.all()
    shares = problem.norm(result.adversarial["audio"] - x) / problem.norm(begun - x)
    assert shares.max() <= 1
    assert (shares < 0.95).double().mean() > 0.2


def test_binary_search_keeps_old_and_new_c_apart():
    """From a c far too small and one far too large the search must come to the same distance."""
    victim = affine(3, 10, seed=17)
    x = points(8, 10, seed=18)
    goal = goal_for(victim, x, False)
    exact = affine_distance(victim, x)
    for c in (1e-4, 1e3):
        changes = {"iterations": 150, "learning_rate": 6e-3, "searches": 14, "initial_c": c}
        found = problem.norm(run("cw", victim, x, goal, **changes).adversarial["audio"] - x)
        assert (found / exact).max() < 1.03


def test_a_long_descent_comes_within_one_percent_of_a_curved_boundary():
    """From near the long axis of an ellipsoid the gradient leads along it, which is a tenth too far."""
    squared_curvatures = torch.tensor([1.0] + [4.0] * 29, dtype=torch.float64)

    class Ellipsoid(torch.nn.Module):
        def forward(self, inputs):
            inside = 0.25 - (squared_curvatures * inputs["audio"].square()).sum(1)
            return torch.stack([inside, torch.zeros_like(inside)], 1)

    victim = Victim(Ellipsoid(), ["inside", "outside"], bounds={"audio": (-1.0, 1.0)})
    x = points(8, 30, seed=33, scale=1e-3)
    x[:, 0] += 0.3
    result = run("cw_normalised", victim, x, Goal(torch.zeros(8, dtype=torch.long), False), iterations=300)
    assert result.success.all()
    ratio = problem.norm(result.adversarial["audio"] - x) / torch.stack(
        [ellipsoid_distance(row, squared_curvatures, 0.25) for row in x]
    )
    assert ratio.min() >= 1 - 1e-6
    assert ratio.max() <= 1.01


def ellipsoid_distance(x, squared_curvatures, level):
    """From inside, by Lagrange: the nearest point is x / (1 + k a), k the root of a monotone function."""
    low, high = -1 / squared_curvatures.max(), torch.zeros((), dtype=torch.float64)
    for _ in range(100):
        middle = (low + high) / 2
        outside = (squared_curvatures * (x / (1 + middle * squared_curvatures)).square()).sum() > level
        low, high = (middle, high) if outside else (low, middle)
    return (x / (1 + high * squared_curvatures) - x).norm()


def test_confidence_is_reached():
    victim = affine(3, 10, seed=21)
    x = points(6, 10, seed=22)
    goal = goal_for(victim, x, True)
    for name in ("cw", "cw_normalised"):
        result = run(name, victim, x, goal, confidence=0.3, **FEWER.get(name, {}))
        scores = victim.logits({"audio": result.adversarial["audio"]})
        own = scores.gather(1, goal.labels[:, None])[:, 0]
        other = scores.scatter(1, goal.labels[:, None], -torch.inf).amax(1)
        assert result.success.all()
        assert (own - other >= 0.3 - 1e-6).all()


def test_a_start_that_no_noise_leads_to_is_found_from_a_tone():
    """Most of the sound has to have a period of 16 samples; elsewhere there is no gradient."""
    wave = torch.arange(64, dtype=torch.float64) * 2 * math.pi / 16
    basis = torch.stack([wave.sin(), wave.cos()]) / math.sqrt(32)

    class OfOnePeriod(torch.nn.Module):
        def forward(self, inputs):
            there, all_there = ((inputs["audio"] @ basis.T).square().sum(1), inputs["audio"].square().sum(1))
            other = torch.full_like(there, 0.1)
            return torch.stack([other, torch.relu(there / all_there - 0.5)], 1)

    victim = Victim(OfOnePeriod(), ["other", "of that period"], bounds={"audio": (-1.0, 1.0)})
    x = points(4, 64, seed=21, scale=0.1)
    whole = problem.Problem(victim, {"audio": x}, Goal(torch.ones(4, dtype=torch.int64), True), victim.bounds, None)
    begun, found = problem.adversarial_start(whole, whole.examples)
    assert found.all()
    assert (whole.margin(begun, whole.examples) < 0).all()
