"""One table of all attacks: what each must do on any victim, and the faults that other toolkits are known for."""

import importlib
import inspect
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_victims import affine, affine_distance, relu_distance, relu_net

import stages.attacks as attacks_room
from stages.attacking import problem
from stages.attacking.problem import Setting
from stages.frame.errors import UserError
from stages.victim import Goal, Victim

SETTINGS = {
    "deepfool": {
        "iterations": 50, "overshoot": 0.02, "candidates": 10, "kept_candidates": 3, "step_growth": 0.0,
        "growth_after": 0, "bisections": 0,
    },
    "cw": {"iterations": 300, "searches": 6, "confidence": 0.0, "learning_rate": 3e-3, "initial_c": 1.0},
    "cw_normalised": {"iterations": 60, "confidence": 0.0, "step": 0.15, "last_step": 0.01, "resize": 0.1},
    "lbfgs": {"iterations": 20, "searches": 6, "history": 10},
}  # fmt: skip
# Where it need not come to the very boundary.
FEWER = {"cw": {"iterations": 100, "searches": 4, "learning_rate": 1e-2}}
CASES = [(name, False) for name in SETTINGS if name != "lbfgs"] + [
    (name, True) for name in SETTINGS if name != "deepfool"
]


def run(name, victim, x, goal, **changes):
    attack = importlib.import_module(f"stages.attacks.{name}").attack
    return attack(victim, {"audio": x}, goal, setting=Setting(bounds=victim.bounds), **{**SETTINGS[name], **changes})


def points(count, size, seed, scale=0.2):
    return scale * torch.randn(count, size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def goal_for(victim, x, targeted):
    labels = victim.decode(victim.logits({"audio": x}))[0]
    return Goal((labels + 1) % len(victim.labels) if targeted else labels, targeted)


def test_every_attack_is_in_the_table():
    files = {path.stem for path in Path(attacks_room.__file__).parent.glob("*.py")}
    attacks = {
        name for name in files - {"__init__"} if hasattr(importlib.import_module(f"stages.attacks.{name}"), "attack")
    }
    # Those that are given a budget have a contract, and tests, of their own.
    of_given_size = {"fgsm", "bim", "basic_iterative"}
    on_transcripts = {"targeted_transcription", "over_the_air", "evolutionary", "noise", "spoken"}
    assert attacks - {"none"} - of_given_size - on_transcripts == set(SETTINGS)


@pytest.mark.parametrize(("name", "targeted"), CASES)
@pytest.mark.parametrize("shift", [0.0, -100.0])
def test_affine_distance_within_two_percent(name, targeted, shift):
    """With a shift all scores are negative: a margin that masks the true label with zeros fails on them."""
    victim = affine(4, 10, seed=0)
    victim.module.network.bias += shift
    x = points(16, 10, seed=1)
    goal = goal_for(victim, x, targeted)
    result = run(name, victim, x, goal)
    assert result.success.all()
    if targeted:
        exact = torch.tensor([affine_distance(victim, row[None], int(t))[0] for row, t in zip(x, goal.labels)])
    else:
        exact = affine_distance(victim, x)
    found = problem.norm(result.adversarial["audio"] - x)
    if name == "deepfool":
        exact = 1.02 * (exact + 1e-4)
    assert (found >= exact * (1 - 1e-6)).all()
    assert (found / exact).median() <= 1.02
    # What L-BFGS finds is shortened along a ray, and is not the exact foot.
    assert (found / exact).max() <= (1.1 if name == "lbfgs" else 1.03)


@pytest.mark.parametrize("name", ["cw_normalised", "cw"])
def test_relu_net_distance_within_two_percent_of_enumeration(name):
    victim = relu_net(3, 4, 5, seed=31)
    victim.module.network[2].bias.zero_()
    x = points(8, 4, seed=4, scale=0.3)
    changes = {
        "cw": {"iterations": 500, "searches": 9, "learning_rate": 5e-3},
        "cw_normalised": {"iterations": 300},
    }
    result = run(name, victim, x, goal_for(victim, x, False), **changes[name])
    exact = relu_distance(victim, x)
    reachable = exact < 0.5  # the walls of the box are farther away
    assert reachable.sum() >= 4
    ratio = (problem.norm(result.adversarial["audio"] - x) / exact)[reachable]
    assert result.success[reachable].all()
    assert ratio.min() >= 1 - 1e-4
    assert ratio.median() <= 1.02


@pytest.mark.parametrize(("name", "targeted"), CASES)
def test_bounds_kept_input_untouched_no_nan(name, targeted):
    victim = affine(5, 12, seed=5)
    x = points(10, 12, seed=6).clamp(-1, 1)
    x[0] = 1.0
    x[1] = -1.0
    before = x.clone()
    result = run(name, victim, x, goal_for(victim, x, targeted), **FEWER.get(name, {}))
    adversarial = result.adversarial["audio"]
    assert result.success.any()
    assert torch.equal(x, before)
    assert adversarial.isfinite().all()
    assert adversarial.abs().max() <= 1


@pytest.mark.parametrize(("name", "targeted"), CASES)
def test_an_example_does_not_depend_on_its_batch(name, targeted):
    victim = relu_net(4, 8, 16, seed=3)
    x = points(6, 8, seed=8)
    goal, fewer = goal_for(victim, x, targeted), FEWER.get(name, {})
    together = run(name, victim, x, goal, **fewer)
    assert len(together.iterations.unique()) > 1
    for row in range(len(x)):
        alone = run(name, victim, x[row : row + 1], Goal(goal.labels[row : row + 1], targeted), **fewer)
        assert torch.allclose(together.adversarial["audio"][row], alone.adversarial["audio"][0], atol=1e-9)
        assert together.success[row] == alone.success[0]
        assert together.iterations[row] == alone.iterations[0]


@pytest.mark.parametrize(("name", "targeted"), CASES)
def test_in_single_precision_the_verdict_alone_is_that_in_a_batch(name, targeted):
    victim = affine(4, 8, seed=7)
    victim.module.float()
    x = points(6, 8, seed=8).float()
    goal, fewer = goal_for(victim, x, targeted), FEWER.get(name, {})
    together = run(name, victim, x, goal, **fewer)
    assert together.success.any()
    for row in range(len(x)):
        own = Goal(goal.labels[row : row + 1], targeted)
        found = together.adversarial["audio"][row : row + 1]
        assert together.success[row] == own.reached(victim.decode(victim.logits({"audio": found}))[0])[0]
        alone = run(name, victim, x[row : row + 1], own, **fewer)
        assert together.success[row] == alone.success[0]
        sizes = [problem.norm(one - x[row : row + 1]).item() for one in (found, alone.adversarial["audio"])]
        assert sizes[0] == pytest.approx(sizes[1], rel=0.03)


@pytest.mark.parametrize(("name", "targeted"), CASES)
def test_a_failure_is_the_clean_input_and_no_success(name, targeted):
    """A constant classifier can't be fooled; failed rows must not come back as zeros and count as successes."""
    victim = affine(3, 6, seed=9)
    victim.module.network.weight.zero_()
    victim.module.network.bias.copy_(torch.tensor([3.0, 1.0, 0.0]))
    x = points(4, 6, seed=10)
    labels = torch.full((4,), 2 if targeted else 0)
    result = run(name, victim, x, Goal(labels, targeted), **FEWER.get(name, {}))
    assert not result.success.any()
    assert torch.equal(result.adversarial["audio"], x)


@pytest.mark.parametrize(("name", "targeted"), CASES)
def test_success_is_judged_example_by_example(name, targeted):
    """One example with a flat score beside ordinary ones: neither spoils the other."""
    victim = relu_net(3, 5, 8, seed=11)
    first = victim.module.network[0]
    first.bias.fill_(-0.5)
    first.weight.copy_(first.weight.abs())
    x = points(6, 5, seed=12).abs() * 3
    x[0] = -1.0  # every hidden unit off: no gradient
    x = x.clamp(-1, 1)
    result = run(name, victim, x, goal_for(victim, x, targeted), **FEWER.get(name, {}))
    assert not result.success[0]
    assert result.success[1:].any()


@pytest.mark.parametrize("shape", [(7,), (1, 7), (2, 3, 4)])
@pytest.mark.parametrize(("name", "targeted"), CASES)
def test_inputs_of_any_shape(name, targeted, shape):
    size = int(torch.tensor(shape).prod())
    victim = affine(3, size, seed=13)
    x = points(4, size, seed=14).view(4, *shape)
    goal = goal_for(victim, x, targeted)
    result = run(name, victim, x, goal, **FEWER.get(name, {}))
    assert result.adversarial["audio"].shape == x.shape
    assert result.success.all()


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
    start, found = problem.adversarial_start(whole, whole.examples)
    result = run("lbfgs", victim, x, goal)
    assert found.all() and result.success.all()
    shares = problem.norm(result.adversarial["audio"] - x) / problem.norm(start - x)
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


@pytest.mark.parametrize(("name", "targeted"), CASES)
def test_a_clip_without_a_gradient_is_no_lost_one(name, targeted):
    """Linear steps have nowhere to go where the score is flat; from louder and louder noise they have."""
    if name == "cw":
        pytest.skip("the published form has no start")
    victim = relu_net(3, 40, 8, seed=11)
    first, last = victim.module.network[0], victim.module.network[2]
    first.bias.fill_(-1.0)
    first.weight *= 3
    last.bias.copy_(torch.tensor([0.1, 0.0, 0.0]))
    x = 1e-3 * points(4, 40, seed=12)
    labels = torch.full((4,), int(targeted))
    result = run(name, victim, x, Goal(labels, targeted))
    assert result.success.all()
    assert not result.zero_gradient.any()


@given(seed=st.integers(0, 1000))
@settings(max_examples=5, deadline=None)
def test_more_budget_is_never_less_success(seed):
    victim = relu_net(4, 6, 12, seed=seed)
    x = points(8, 6, seed=seed + 1, scale=0.4).clamp(-1, 1)
    goal = goal_for(victim, x, True)
    little = run("cw_normalised", victim, x, goal, iterations=5)
    much = run("cw_normalised", victim, x, goal, iterations=40)
    assert (much.success | ~little.success).all()
    shorter = problem.norm(much.adversarial["audio"] - x) <= 1.05 * problem.norm(little.adversarial["audio"] - x)
    assert (~shorter & little.success).sum() <= 1


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


def test_passes_are_counted():
    victim = affine(3, 6, seed=23)
    calls = {"forward": 0}
    victim.module.register_forward_hook(lambda *_: calls.__setitem__("forward", calls["forward"] + 1))
    x = points(1, 6, seed=24)
    result = run("cw_normalised", victim, x, Goal(victim.logits({"audio": x}).argmax(1), False))
    # One call above belongs to the goal, one to the final decision.
    assert result.forwards[0] == calls["forward"] - 2
    assert 0 < result.backwards[0] <= result.forwards[0]


@pytest.mark.parametrize(("name", "targeted"), [("deepfool", True), ("lbfgs", False)])
def test_a_goal_the_attack_does_not_have_is_refused(name, targeted):
    victim = affine(3, 4, seed=25)
    x = points(2, 4, seed=26)
    with pytest.raises(UserError, match="targeted"):
        run(name, victim, x, goal_for(victim, x, targeted))


@pytest.mark.parametrize("name", SETTINGS)
def test_all_parameters_are_keyword_only_and_annotated(name):
    signature = inspect.signature(importlib.import_module(f"stages.attacks.{name}").attack)
    own = [p for p in signature.parameters.values() if p.name not in ("victim", "inputs", "goal")]
    assert all(p.kind is p.KEYWORD_ONLY and p.annotation is not p.empty for p in own)


def test_several_modalities_are_perturbed_together():
    class Both(torch.nn.Module):
        def forward(self, inputs):
            return torch.stack([inputs["audio"].sum(1), inputs["video"].sum((1, 2))], 1)

    victim = Victim(Both(), ["a", "b"], bounds={"audio": (-1.0, 1.0), "video": (0.0, 1.0)})
    inputs = {"audio": torch.full((2, 4), 0.4), "video": torch.full((2, 2, 2), 0.3), "fps": torch.tensor([25, 25])}
    attack = importlib.import_module("stages.attacks.cw_normalised").attack
    result = attack(
        victim,
        inputs,
        Goal(torch.tensor([0, 0]), False),
        setting=Setting(bounds=victim.bounds),
        **SETTINGS["cw_normalised"],
    )
    assert result.success.all()
    assert torch.equal(result.adversarial["fps"], inputs["fps"])
    # The boundary is met when both sums are equal: 0.4 to be shared over eight values.
    assert torch.allclose(result.adversarial["audio"], torch.full((2, 4), 0.35), atol=2e-3)
    assert torch.allclose(result.adversarial["video"], torch.full((2, 2, 2), 0.35), atol=2e-3)
