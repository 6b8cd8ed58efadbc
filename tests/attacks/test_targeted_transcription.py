"""The attack on transcripts: what counts as success is what the victim then writes, and success makes it shrink."""

import pytest
import torch
from torch import nn

from stages.attacking.problem import Setting
from stages.attacks import targeted_transcription
from stages.frame import parameters
from stages.frame.errors import UserError
from stages.measures.transcripts import word_error_counts
from stages.victim import Goal, Transcriber

ALPHABET = [" ", "a", "b", "c"]
UNIT = {"audio": 1 / 32768, "video": 1.0}
# For sound as far as the clean inputs go, so that much of what an attack would do is out of bounds.
BOUNDS = {"audio": (-2000 / 32768, 1999 / 32768), "video": (0.0, 255.0)}
STEPS, SAMPLES, SIDE = 20, 16, 3
PHRASES = ["ab ca b", "c cab", "ba a c", "a b c", "bac ab", "ca ba"]
VALUES = {"iterations": 40, "relative_step": 0.2, "shrink": 0.8, "checked_every": 5, "tolerated_wer": 0.0}


class Reader(nn.Module):
    """Three steps of sound and video to a step's logits, with random weights; the blank is certain after the end."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(3)
        self.hidden = nn.Conv1d(SAMPLES + SIDE**2, 40, 3, padding=1, dtype=torch.float64)
        self.last = nn.Conv1d(40, len(ALPHABET) + 1, 3, padding=1, dtype=torch.float64)

    def steps(self, inputs):
        return inputs["video_length"]

    def forward(self, inputs):
        sound = 60 * inputs["audio"].unflatten(1, (-1, SAMPLES))
        both = torch.cat([sound, (inputs["video"].flatten(2) - 128) / 16], 2)
        inside = (torch.arange(both.shape[1]) < inputs["video_length"][:, None])[..., None]
        hidden = self.hidden((both * inside).transpose(1, 2)).tanh() * inside.transpose(1, 2)
        blank = 30.0 * (torch.arange(len(ALPHABET) + 1) == len(ALPHABET))
        return torch.where(inside, 6 * self.last(hidden).transpose(1, 2), blank)


def victim_and_inputs(lengths=(STEPS,) * 6):
    generator = torch.Generator().manual_seed(4)
    lengths = torch.tensor(lengths)
    audio = torch.randint(-2000, 2000, (len(lengths), STEPS, SAMPLES), generator=generator) / 32768
    video = torch.randint(80, 176, (len(lengths), STEPS, SIDE, SIDE), generator=generator)
    inside = torch.arange(STEPS) < lengths[:, None]
    inputs = {
        "audio": (audio * inside[..., None]).flatten(1).double(),
        "audio_length": SAMPLES * lengths,
        "video": (video * inside[..., None, None]).double(),
        "video_length": lengths,
    }
    return Transcriber(Reader(), ALPHABET, bounds=BOUNDS), inputs


def run(victim, inputs, phrases=PHRASES, *, audio=1024, video=16, quantum=UNIT, epsilon=None, **changes):
    epsilon = epsilon or {"audio": audio / 32768, "video": float(video)}
    setting = Setting(bounds=BOUNDS, epsilon=epsilon, quantum=quantum)
    goal = Goal(victim.encode(phrases), True)
    return targeted_transcription.attack(victim, inputs, goal, setting=setting, **VALUES | changes)


def written(victim, inputs):
    return victim.names(victim.decode(victim.logits(inputs))[0])


def word_errors(victim, inputs, phrases=PHRASES):
    errors, words = word_error_counts(phrases, written(victim, inputs)).T
    return torch.from_numpy(errors / words)


def sizes(result, inputs, audio=1024, video=16):
    """Largest |perturbation| / epsilon of each example over its inputs."""
    parts = [(result.adversarial[name] - inputs[name]).abs().flatten(1).amax(1) for name in ("audio", "video")]
    return torch.maximum(parts[0] * 32768 / audio, parts[1] / video)


def test_it_goes_on_from_where_it_is_told_to_begin():
    """There it checks first: what has arrived is returned, or what is smaller."""
    victim, inputs = victim_and_inputs()
    first = run(victim, inputs)
    made = run(victim, inputs, start=first.adversarial, iterations=1, relative_step=1e-6)
    assert first.success.any() and not run(victim, inputs, iterations=1, relative_step=1e-6).success.any()
    assert torch.equal(made.success, first.success)
    kept = first.success.nonzero()[:, 0]
    assert (sizes(made, inputs)[kept] <= sizes(first, inputs)[kept]).all()


@pytest.mark.parametrize("budget", [(1024, 16), (448, 5), (256, 4)])
@pytest.mark.parametrize("tolerated_wer", [0.0, 0.5])
def test_success_is_what_the_victim_then_writes_of_whole_numbers(budget, tolerated_wer):
    victim, inputs = victim_and_inputs()
    before = {name: value.clone() for name, value in inputs.items()}
    result = run(victim, inputs, audio=budget[0], video=budget[1], tolerated_wer=tolerated_wer)
    errors = word_errors(victim, result.adversarial)
    assert torch.equal(result.success, (errors == 0) | (errors < tolerated_wer))
    for name, (low, high) in BOUNDS.items():
        whole = result.adversarial[name] / UNIT[name]
        assert torch.equal(whole, whole.round())
        assert low <= result.adversarial[name].min() and result.adversarial[name].max() <= high
    assert (sizes(result, inputs, *budget) <= 1).all()
    assert (sizes(result, inputs, *budget)[~result.success] == 1).all()
    assert all(torch.equal(inputs[name], value) for name, value in before.items())
    if budget == (1024, 16):
        assert result.success.all()
    if budget == (256, 4):
        assert not result.success.all()


@pytest.mark.parametrize("changes", [{}, {"audio": 8192, "video": 64, "relative_step": 0.03}])
def test_the_bound_shrinks_after_a_success(changes):
    """Also where the first success is far within the bound."""
    victim, inputs = victim_and_inputs()
    budget = {name: changes[name] for name in ("audio", "video") if name in changes}
    first = torch.full((len(PHRASES),), torch.nan, dtype=torch.float64)
    for iterations in range(5, 45, 5):
        result = run(victim, inputs, iterations=iterations, **changes)
        first = torch.where(first.isnan() & result.success, sizes(result, inputs, **budget), first)
    assert (sizes(result, inputs, **budget) <= 0.81 * first).all()


def test_in_coarse_quanta_the_smallest_is_kept_too():
    victim, inputs = victim_and_inputs()
    last = torch.full((len(PHRASES),), torch.inf, dtype=torch.float64)
    for iterations in range(2, 42, 2):
        result = run(
            victim, inputs, iterations=iterations, checked_every=2, quantum={"audio": 1 / 32768, "video": 16.0}
        )
        size = torch.where(result.success, sizes(result, inputs), torch.inf)
        assert (size <= last).all()
        last = size
    assert last.isfinite().any()


def test_what_was_found_is_not_lost_when_the_bound_gets_too_small():
    victim, inputs = victim_and_inputs()
    result = run(victim, inputs, shrink=0.1)
    assert result.success.all()
    assert (word_errors(victim, result.adversarial) == 0).all()


def test_half_of_the_words_take_less_than_all():
    victim, inputs = victim_and_inputs()
    whole, half = (run(victim, inputs, tolerated_wer=share) for share in (0.0, 0.5))
    assert whole.success.all() and half.success.all()
    assert (sizes(half, inputs) <= sizes(whole, inputs)).all()
    assert sizes(half, inputs).mean() < 0.9 * sizes(whole, inputs).mean()
    assert (word_errors(victim, half.adversarial) < 0.5).all()


def test_half_of_the_words_is_not_enough():
    victim, inputs = victim_and_inputs()
    said = written(victim, inputs)
    phrases = [f"{text} {text}" for text in said]
    assert (word_errors(victim, inputs, phrases) == 0.5).all()
    nothing = {"audio": 1e-6, "video": 1e-6}
    assert not run(victim, inputs, phrases, tolerated_wer=0.5, epsilon=nothing).success.any()
    assert run(victim, inputs, phrases, tolerated_wer=0.51, epsilon=nothing).success.all()


def test_what_says_the_phrase_already_stays_as_it_is():
    victim, inputs = victim_and_inputs()
    result = run(victim, inputs, written(victim, inputs))
    assert result.success.all()
    assert (sizes(result, inputs) == 0).all()


@pytest.mark.parametrize("tolerated_wer", [0.0, 0.5])
def test_alone_and_beside_longer_clips_it_is_the_same(tolerated_wer):
    lengths = (20, 14, 17, 20, 12, 15)
    victim, inputs = victim_and_inputs(lengths)
    together = run(victim, inputs, audio=600, video=10, tolerated_wer=tolerated_wer)
    assert together.success.any()
    for row, length in enumerate(lengths):
        cut = {"audio": SAMPLES * length, "video": length}
        own = {name: value[row : row + 1] for name, value in inputs.items()}
        own |= {name: own[name][:, :end] for name, end in cut.items()}
        alone = run(victim, own, PHRASES[row : row + 1], audio=600, video=10, tolerated_wer=tolerated_wer)
        assert together.success[row] == alone.success[0]
        for name, end in cut.items():
            adversarial = together.adversarial[name][row]
            assert torch.equal(adversarial[:end], alone.adversarial[name][0])
            assert adversarial[end:].count_nonzero() == 0


def test_in_single_precision_the_verdict_alone_is_that_beside_others():
    lengths = (20, 14, 17, 20, 12, 15)
    victim, inputs = victim_and_inputs(lengths)
    victim.module.float()
    inputs |= {name: inputs[name].float() for name in ("audio", "video")}
    together = run(victim, inputs, iterations=100)
    assert together.success.any()
    for row, length in enumerate(lengths):
        own = {name: value[row : row + 1] for name, value in inputs.items()}
        own |= {"audio": own["audio"][:, : SAMPLES * length], "video": own["video"][:, :length]}
        heard = {name: value[row : row + 1] for name, value in together.adversarial.items()}
        heard |= {"audio": heard["audio"][:, : SAMPLES * length], "video": heard["video"][:, :length]}
        assert together.success[row] == (written(victim, heard) == [PHRASES[row]])
        alone = run(victim, own, PHRASES[row : row + 1], iterations=100)
        assert together.success[row] == alone.success[0]
        size = sizes(together, inputs)[row].item()
        assert sizes(alone, own)[0].item() == pytest.approx(size, rel=0.05)


def test_a_phrase_longer_than_the_steps_is_no_robustness():
    victim, inputs = victim_and_inputs()
    phrases = ["abc" * STEPS, *PHRASES[1:]]
    goal = Goal(victim.encode(phrases), True)
    assert victim.possible(inputs, goal).tolist() == [False] + [True] * 5
    result = run(victim, inputs, phrases)
    assert result.zero_gradient.tolist() == [True] + [False] * 5
    assert not result.success[0]


def test_one_input_alone_and_no_quantum():
    victim, inputs = victim_and_inputs()
    result = run(victim, inputs, epsilon={"audio": 0.1}, quantum=None)
    assert result.success.any()
    assert torch.equal(result.adversarial["video"], inputs["video"])
    assert result.adversarial["audio"].min() >= -2000 / 32768 and result.adversarial["audio"].max() <= 1999 / 32768
    whole = result.adversarial["audio"] * 32768
    assert not torch.equal(whole, whole.round())


def test_every_pass_is_counted():
    victim, inputs = victim_and_inputs()
    calls = []
    victim.module.register_forward_hook(lambda module, given, output: calls.append(output.requires_grad))
    result = run(victim, inputs, iterations=12)
    assert result.iterations.tolist() == result.backwards.tolist() == [sum(calls)] * 6 == [12] * 6
    # The gradient's pass is also the check's, but after the last step.
    assert result.forwards.tolist() == [len(calls)] * 6 == [12 + 1] * 6


def test_parameters_are_checked_and_the_goal_must_be_a_phrase():
    victim, inputs = victim_and_inputs()
    passed = ("setting",)
    parameters.bind(targeted_transcription.attack, "attack", VALUES, passed=passed)
    with pytest.raises(UserError, match="checked_every"):
        parameters.bind(targeted_transcription.attack, "attack", VALUES | {"checked_every": 0}, passed=passed)
    with pytest.raises(UserError, match="targeted"):
        setting = Setting(bounds=BOUNDS, epsilon={"audio": 0.1})
        goal = Goal(victim.encode(PHRASES), False)
        targeted_transcription.attack(victim, inputs, goal, setting=setting, **VALUES)
