"""What searches for the smallest perturbation say: it holds for the file, in any batch, and a failure has a reason."""

import importlib

import pytest
import torch
from minimal_attacks import CASES, FEWER, SETTINGS, goal_for, points, run
from small_victims import affine, relu_net

from stages.attacking import problem
from stages.attacking.problem import Setting
from stages.attacks import over_the_air, targeted_transcription
from stages.frame.errors import UserError
from stages.networks import deepspeech
from stages.victim import Goal, Transcriber


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
def test_what_is_found_is_found_as_a_file_holds_it(name, targeted):
    """Whole numbers a tenth as large as perturbations, so that rounding at the end alone would undo many."""
    victim, step = affine(4, 8, seed=27), 2**-5
    x = (points(24, 8, seed=28) / step).round() * step
    goal, setting = goal_for(victim, x, targeted), Setting(bounds=victim.bounds, quantum={"audio": step})
    attack = importlib.import_module(f"stages.attacks.{name}").attack
    result = attack(victim, {"audio": x}, goal, setting=setting, **SETTINGS[name] | FEWER.get(name, {}))
    adversarial = result.adversarial["audio"]
    assert torch.equal(adversarial, (adversarial / step).round() * step)
    assert torch.equal(result.success, goal.reached(victim.decode(victim.logits(result.adversarial))[0]))
    assert torch.equal(adversarial[~result.success], x[~result.success])
    assert result.success.double().mean() >= 0.8


@pytest.mark.parametrize("name", ["cw_normalised", "deepfool"])
def test_a_margin_is_kept_that_another_batch_cannot_take_away(name):
    """From points on the boundary: one unit in the last place beyond it would be no success in another batch."""
    victim = affine(2, 10, seed=29)
    victim.module.float()
    weight, bias = victim.module.network.weight, victim.module.network.bias
    x = points(32, 10, seed=30).float()
    slope, offset = weight[0] - weight[1], bias[0] - bias[1]
    x = x - ((x @ slope + offset) / slope.square().sum())[:, None] * slope
    goal = goal_for(victim, x, False)
    result = run(name, victim, x, goal, **({"bisections": 20} if name == "deepfool" else {}))
    assert result.success.all()
    logits = victim.logits(result.adversarial)
    gaps = (logits[:, 0] - logits[:, 1]).abs()
    assert (gaps > 32 * torch.finfo(torch.float32).eps * logits.abs().amax(1)).all()


def test_a_success_is_what_the_victim_decides_and_a_failure_comes_back_clean():
    victim = affine(2, 6, seed=31)
    x = points(4, 6, seed=32)
    goal = goal_for(victim, x, False)
    beyond = run("deepfool", victim, x, goal).adversarial["audio"]
    beyond[0] = x[0] + 1e-9
    found = torch.tensor([True, True, False, True])
    result = problem.Problem(victim, {"audio": x}, goal, victim.bounds, None).smallest(beyond, found)
    assert result.success.tolist() == [False, True, False, True]
    assert torch.equal(result.adversarial["audio"][[0, 2]], x[[0, 2]])
    assert torch.equal(result.adversarial["audio"][[1, 3]], beyond[[1, 3]])


@pytest.mark.parametrize(("name", "targeted"), CASES)
def test_a_sure_victim_of_probabilities_has_a_direction(name, targeted):
    """A gap of 25 logits in float32, where the probability is one and its gradient in float32 is none."""
    victim = affine(3, 6, seed=33, attacked_on="probabilities")
    victim.module.float()
    x = points(4, 6, seed=38, scale=0.01).float() + 0.3
    victim.module.network.weight *= 50
    victim.module.network.bias.copy_(torch.tensor([25.0, 0.0, 0.0]))
    goal = Goal(torch.full((4,), 1 if targeted else 0), targeted)
    result = run(name, victim, x, goal, **FEWER.get(name, {}))
    assert not result.zero_gradient.any()
    assert result.success.all() or name in ("cw", "deepfool")


def test_an_attack_by_tanh_says_that_it_takes_finite_bounds():
    victim = affine(2, 4, seed=34)
    victim.bounds["audio"] = (-torch.inf, 1.0)
    x = points(2, 4, seed=35)
    with pytest.raises(UserError, match="attack cw: expected finite bounds of audio; found infinite ones"):
        run("cw", victim, x, goal_for(victim, x, False))


@pytest.mark.parametrize(("name", "targeted"), CASES)
def test_a_gradient_that_is_zero_is_told_from_robustness(name, targeted):
    victim = affine(3, 6, seed=36)
    x = points(4, 6, seed=37)
    goal = goal_for(victim, x, targeted)
    assert not run(name, victim, x, goal, **FEWER.get(name, {})).zero_gradient.any()
    victim.module.network.weight.zero_()
    result = run(
        name, victim, x, Goal((victim.module.network.bias.argmax() + targeted) % 3 + 0 * goal.labels, targeted)
    )
    assert result.zero_gradient.all() and not result.success.any()


OF_TRANSCRIPTS = {
    over_the_air: {
        "snr_db": 0.0, "iterations": 30, "relative_step": 0.2, "shrink": None, "checked_every": 10, "band_hz": None,
        "noise_snr_db": None, "rooms_per_step": 0, "checked_rooms": 1, "needed": 1.0,
    },
    targeted_transcription: {
        "iterations": 30, "relative_step": 0.2, "shrink": 0.8, "checked_every": 10, "tolerated_wer": 0.0,
    },
}  # fmt: skip


@pytest.mark.parametrize("room", OF_TRANSCRIPTS)
def test_in_batches_of_one_shape_it_is_no_matter_who_is_beside(room):
    """Against a recurrent network in single precision, where another shape would lead elsewhere."""
    torch.manual_seed(5)
    sizes = {"coefficients": 13, "context": 2, "hidden_units": [32, 32, 32], "lstm_units": 24, "last_units": 32}
    module = deepspeech.build(3, sample_rate_hz=16_000, window_s=0.025, hop_s=0.02, dropout=0.0, **sizes)
    victim = Transcriber(module, [" ", "a", "b"], bounds={"audio": (-1.0, 1.0)})
    audio, lengths = 0.1 * torch.randn(5, 4000), torch.tensor([4000, 2800, 3400, 3100, 4000])
    audio *= torch.arange(4000) < lengths[:, None]
    setting = Setting(bounds=victim.bounds, epsilon={"audio": 0.1}, quantum={"audio": 2**-15})

    def attacked(rows):
        goal = Goal(victim.encode([["ab", "b a", "ba"][row % 3] for row in rows]), True)
        inputs = {"audio": audio[rows], "audio_length": lengths[rows]}
        return room.attack(victim, inputs, goal, setting=setting, **OF_TRANSCRIPTS[room]).adversarial["audio"][0]

    first = attacked([0, 1, 2])
    assert (first - audio[0]).abs().max() > 1e-3
    assert torch.equal(first, attacked([0, 4, 3]))
