"""One table of all attacks: what each must do on any victim, and the faults that other toolkits are known for."""

import importlib
import inspect
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from minimal_attacks import CASES, FEWER, SETTINGS, goal_for, points, run
from small_victims import affine, affine_distance, relu_distance, relu_net

import stages.attacks as attacks_room
from stages.attacking import problem
from stages.attacking.problem import Setting
from stages.frame.errors import UserError
from stages.victim import Goal, Victim


def test_every_attack_is_in_the_table():
    files = {path.stem for path in Path(attacks_room.__file__).parent.glob("*.py")}
    attacks = {
        name for name in files - {"__init__"} if hasattr(importlib.import_module(f"stages.attacks.{name}"), "attack")
    }
    # Those that are given a budget have a contract, and tests, of their own.
    of_given_size = {"fgsm", "bim", "basic_iterative", "pgd_l2", "bursts", "square", "signs"}
    in_other_norms = {"fmn"}
    on_transcripts = {"targeted_transcription", "over_the_air", "evolutionary", "noise", "spoken", "pgd_snr"}
    assert attacks - {"none"} - of_given_size - in_other_norms - on_transcripts == set(SETTINGS)


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
    first.weight.copy_(first.weight.abs())
    # A hidden unit is on where most of the five values are positive: at no tone, and at no noise on the first one.
    first.bias.copy_(-0.75 * first.weight.sum(1))
    x = (0.9 + points(6, 5, seed=12)).clamp(-1, 1)
    x[0] = -1.0
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
