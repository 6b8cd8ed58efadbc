"""The basic iterative method: its equation written out, the published numbers of steps, and nothing beyond them."""

import pytest
import torch
from torch import nn

from stages.attacking.problem import Setting
from stages.attacks import basic_iterative, fgsm
from stages.frame import parameters
from stages.frame.errors import UserError
from stages.victim import Goal, Victim

UNIT = {"audio": 1 / 32768, "video": 1.0}
STEP = {"audio": 64.0, "video": 1.0}
BOUNDS = {"audio": (-1.0, 32767 / 32768), "video": (0.0, 255.0)}
FRAMES, SAMPLES = 3, 30


class Both(nn.Module):
    """Sound, video and a bias that is no signal, through one hidden layer."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(1)
        self.layers = nn.Sequential(nn.Linear(SAMPLES + 4 * FRAMES, 24), nn.Tanh(), nn.Linear(24, 5)).double()

    def forward(self, inputs):
        signal = torch.cat([10 * inputs["audio"], inputs["video"].flatten(1) / 50 - 2], 1)
        return self.layers(signal) + inputs["bias"][:, None]


def victim_and_inputs(count=6):
    generator = torch.Generator().manual_seed(2)
    audio = torch.randint(-32768, 32768, (count, SAMPLES), generator=generator).double() / 32768
    video = torch.randint(0, 256, (count, FRAMES, 2, 2), generator=generator).double()
    inputs = {"audio": audio, "video": video, "bias": torch.zeros(count, dtype=torch.float64)}
    victim = Victim(Both(), list("abcde"), bounds=BOUNDS)
    return victim, inputs, Goal(victim.decode(victim.logits(inputs))[0], False)


def run(victim, inputs, goal, audio=512.0, video=8.0, *, epsilon=None, **changes):
    epsilon = epsilon or {"audio": audio * UNIT["audio"], "video": video}
    setting = Setting(bounds=victim.bounds, epsilon=epsilon, unit=UNIT)
    return basic_iterative.attack(
        victim, inputs, goal, setting=setting, **{"step": STEP, "counted_on": "video"} | changes
    )


def most_units(result, inputs, name):
    return (result.adversarial[name] - inputs[name]).abs().max().item() / UNIT[name]


@pytest.mark.parametrize("targeted", [False, True])
def test_it_is_the_published_equation(targeted):
    victim, inputs, goal = victim_and_inputs()
    goal = Goal((goal.labels + 1) % 5, True) if targeted else goal
    expected = {name: value.clone() for name, value in inputs.items()}
    for _ in range(10):
        points = {name: expected[name].clone().requires_grad_() for name in UNIT}
        loss = nn.functional.cross_entropy(victim.logits(expected | points), goal.labels, reduction="sum")
        for name, slope in zip(UNIT, torch.autograd.grad(loss, list(points.values()))):
            moved = expected[name] + (-1 if targeted else 1) * STEP[name] * UNIT[name] * slope.sign()
            epsilon = {"audio": 512 / 32768, "video": 8.0}[name]
            clipped = torch.clip(moved, inputs[name] - epsilon, inputs[name] + epsilon)
            expected[name] = clipped.clip(*BOUNDS[name])
    result = run(victim, inputs, goal)
    for name in inputs:
        assert torch.equal(result.adversarial[name], expected[name])
    assert torch.equal(result.success, goal.reached(victim.decode(victim.logits(expected))[0]))
    assert result.success.any()


def test_one_step_of_the_whole_epsilon_is_the_fast_gradient_sign_method():
    victim, inputs, goal = victim_and_inputs()
    epsilon = {"audio": 256 * UNIT["audio"], "video": 4.0}
    many = run(victim, inputs, goal, 256.0, 4.0, step={"audio": 256.0, "video": 4.0})
    one = fgsm.attack(victim, inputs, goal, setting=Setting(bounds=BOUNDS, epsilon=epsilon), eta=None)
    assert many.iterations.tolist() == one.iterations.tolist() == [1] * 6
    for name in inputs:
        assert torch.equal(many.adversarial[name], one.adversarial[name])


@pytest.mark.parametrize(("video", "iterations"), [(4.0, 5), (8.0, 10), (16.0, 20)])
def test_the_published_steps_and_how_far_they_take_the_sound(video, iterations):
    """Steps of 64 reach 320, 640, 1280, the loudness in the table of Ma et al. (-29.36 dB at 320, peaks of 9400)."""
    victim, inputs, goal = victim_and_inputs()
    victim.module.layers[1] = nn.Identity()
    calls = []
    victim.module.register_forward_hook(lambda module, given, output: calls.append(len(output)))
    result = run(victim, inputs, goal, 1024.0, video)
    assert calls == [6] * (iterations + 1)  # the last one decides on what is returned
    for counted in (result.iterations, result.forwards, result.backwards):
        assert counted.tolist() == [iterations] * 6
    assert most_units(result, inputs, "audio") == pytest.approx(min(1024, 64 * iterations))
    assert most_units(result, inputs, "video") == video
    for name, (low, high) in BOUNDS.items():
        assert low <= result.adversarial[name].min() and result.adversarial[name].max() <= high


def test_a_quotient_just_short_of_a_whole_number_counts_as_it():
    assert [basic_iterative.iterations_for(steps) for steps in (0.4, 1, 0.8 / 0.1 - 1e-9, 16.0)] == [1, 1, 10, 20]


def test_an_example_that_is_fooled_goes_on():
    victim, inputs, goal = victim_and_inputs()
    fooled_already = Goal((goal.labels + 1) % 5, False)
    result = run(victim, inputs, fooled_already)
    assert most_units(result, inputs, "video") == 8
    assert (result.adversarial["video"] != inputs["video"]).any((1, 2, 3)).all()


def test_inputs_without_an_epsilon_stay():
    victim, inputs, goal = victim_and_inputs()
    result = run(victim, inputs, goal, epsilon={"video": 8.0})
    assert torch.equal(result.adversarial["audio"], inputs["audio"])
    assert most_units(result, inputs, "video") == 8


def test_alone_and_beside_a_longer_clip_it_is_the_same():
    victim, inputs, goal = victim_and_inputs()
    lengths = torch.tensor([SAMPLES, 18, 30, 1, 29, 12])
    inputs["audio"] = inputs["audio"] * (torch.arange(SAMPLES) < lengths[:, None])
    inputs["audio_length"] = lengths
    together = run(victim, inputs, goal)
    assert together.adversarial["audio"][1, 18:].count_nonzero() == 0
    for row in range(6):
        one = slice(row, row + 1)
        alone = run(victim, {name: value[one] for name, value in inputs.items()}, Goal(goal.labels[one], False))
        for name in UNIT:
            assert torch.allclose(together.adversarial[name][one], alone.adversarial[name], atol=1e-12)
        assert together.success[row] == alone.success[0]


def test_what_is_missing_is_named():
    victim, inputs, goal = victim_and_inputs()
    with pytest.raises(UserError, match="'video'"):
        run(victim, inputs, goal, step={"audio": 64.0})
    with pytest.raises(UserError, match="'video'"):
        run(victim, inputs, goal, epsilon={"audio": 0.1})
    with pytest.raises(UserError, match="number > 0"):
        values = {"step": {"video": 0}, "counted_on": "video"}
        parameters.bind(basic_iterative.attack, "bim", values, passed=("setting",))


def test_steps_are_counted_in_the_inputs_own_scale_where_no_unit_is_given():
    victim, inputs, goal = victim_and_inputs()
    setting = Setting(bounds=victim.bounds, epsilon={"video": 8.0})
    result = basic_iterative.attack(victim, inputs, goal, setting=setting, step={"video": 2.0}, counted_on="video")
    assert result.iterations.tolist() == [5] * 6 and most_units(result, inputs, "video") == 8
