"""The attack by evolution: its success is what the victim then writes, within the bound, by queries alone."""

import numpy as np
import pytest
import torch
from torch import nn

from stages.attacking.problem import Setting, norm
from stages.attacks import evolutionary
from stages.features.mfcc import Mfcc
from stages.features.playback import played
from stages.frame import parameters
from stages.frame.errors import UserError
from stages.victim import Goal, Transcriber

ALPHABET = [" ", "a", "b", "c"]
FRAME = 1600
BANDS_HZ = ((1000, 1800), (1800, 2800), (2800, 4000))
VALUES = {
    "objective": "over_the_air_loss",
    "population": 12,
    "generations": 25,
    "relative_step": 0.3,
    "generations_in_rooms": 0,
    "relative_step_in_rooms": 0.1,
    "checked_rooms": 2,
    "needed": 1.0,
    "refinements": 3,
    "bands": 6,
    "segment_s": 0.1,
    "band_hz": [1000.0, 4000.0],
    "noise_snr_db": 30.0,
}
PASSED = ("setting", "snr_db")
QUANTUM = {"audio": 2**-15}


class Listener(nn.Module):
    """Writes a, b or c for a tenth of a second in which one of three bands is louder than a fixed level."""

    def __init__(self):
        super().__init__()
        self.level_db = nn.Parameter(torch.tensor(-25.0))

    def forward(self, inputs):
        frames = inputs["audio"].unfold(1, FRAME, FRAME)
        power = torch.fft.rfft(frames).abs().square() / FRAME**2 * 2
        low_high = [(int(low * FRAME / 16000), int(high * FRAME / 16000)) for low, high in BANDS_HZ]
        bands_db = (
            10 * torch.stack([power[..., low:high].sum(-1) for low, high in low_high], -1).clamp_min(1e-9).log10()
        )
        scores = torch.cat([torch.full_like(bands_db[..., :1], -60), bands_db], -1)
        return (torch.cat([scores, self.level_db.expand(scores[..., :1].shape)], -1)) / 3


class OnlyQueries(torch.autograd.Function):
    @staticmethod
    def forward(context, x):
        return x.clone()

    @staticmethod
    def backward(context, gradient):
        raise AssertionError("a gradient was asked for")


def victim_and_inputs(lengths=(9600, 8000, 11300)):
    """Hums below the bands that are listened to, loud enough for tones at 10 dB below them to be heard."""
    rng = np.random.default_rng(5)
    audio = torch.zeros(len(lengths), max(lengths))
    for row, length in enumerate(lengths):
        hum = 0.3 * np.sin(2 * np.pi * (200 + 100 * row) * np.arange(length) / 16000)
        audio[row, :length] = torch.from_numpy(np.round(2**15 * (hum + 0.001 * rng.standard_normal(length))) / 2**15)
    inputs = {"audio": audio, "audio_length": torch.tensor(lengths)}
    return Transcriber(Listener(), ALPHABET, bounds={"audio": (-1.0, 1.0)}), inputs


def rooms():
    responses = torch.zeros(4, 800)
    responses[:, 0] = 1
    responses[torch.arange(4), torch.tensor([100, 250, 420, 700])] = 0.3
    return responses / responses.norm(dim=1, keepdim=True)


def run(victim, inputs, phrases=("ab", "ca", "bc"), *, snr_db=0.0, **changes):
    goal = Goal(victim.encode(list(phrases)), True)
    setting = Setting(bounds=victim.bounds, quantum=QUANTUM, rooms=rooms())
    return evolutionary.attack(victim, inputs, goal, setting=setting, **{"snr_db": snr_db} | VALUES | changes)


def written(victim, inputs):
    """Each clip by itself, as the victim hears frames of what lies after a clip's end."""
    return [
        victim.names(victim.decode(victim.logits({"audio": wave[None, :length]}))[0])[0]
        for wave, length in zip(inputs["audio"], inputs["audio_length"].tolist())
    ]


def overheard(victim):
    """All that the victim is given from now on; a gradient of it is an error."""
    listen, heard = victim.module.forward, []

    def forward(given):
        heard.append(given["audio"].clone())
        return listen(given | {"audio": OnlyQueries.apply(given["audio"])})

    victim.module.forward = forward
    victim.module.requires_grad_(True)
    return heard


def snr_db(result, inputs):
    perturbation = (result.adversarial["audio"] - inputs["audio"]).double()
    return 10 * torch.log10(inputs["audio"].double().square().sum(1) / perturbation.square().sum(1))


@pytest.mark.parametrize("objective", ["edit_distance", "over_the_air_loss"])
@pytest.mark.parametrize("bound_db", [0.0, 6.0])
@pytest.mark.parametrize("generations_in_rooms", [0, 21])
def test_success_is_what_the_victim_writes_within_the_bound(objective, bound_db, generations_in_rooms):
    victim, inputs = victim_and_inputs()
    before = inputs["audio"].clone()
    phrases = ["ab", "ca", "bc"]
    # Of decisions alone there is no slope before a member is loud enough to change one.
    bound_db -= 20 * (objective == "edit_distance")
    changes = {"objective": objective, "generations_in_rooms": generations_in_rooms}
    result = run(victim, inputs, phrases, snr_db=bound_db, **changes)
    texts = written(victim, result.adversarial)
    assert result.success.tolist() == [text == phrase for text, phrase in zip(texts, phrases)]
    assert result.success.any()
    assert (snr_db(result, inputs) >= bound_db).all()
    samples = result.adversarial["audio"] * 2**15
    assert torch.equal(samples, samples.round()) and samples.min() >= -(2**15) and samples.max() < 2**15
    assert all(wave[length:].count_nonzero() == 0 for wave, length in zip(samples, inputs["audio_length"]))
    assert torch.equal(inputs["audio"], before)


def test_a_failure_is_told_and_perturbed_all_the_same():
    victim, inputs = victim_and_inputs()
    result = run(victim, inputs, ["ab", "ca", "bc"], snr_db=50.0)
    assert not result.success.any()
    assert written(victim, result.adversarial) == ["", "", ""]
    assert snr_db(result, inputs).isfinite().all()


def test_more_generations_come_nearer():
    victim, inputs = victim_and_inputs()
    phrases = ["abca", "cab", "bcab"]
    goal = Goal(victim.encode(phrases), True)
    losses = [
        torch.stack(
            [
                victim.loss(victim.logits({"audio": wave[None, :length]}), Goal(goal.labels[row : row + 1], True))[0]
                for row, (wave, length) in enumerate(zip(audio, inputs["audio_length"].tolist()))
            ]
        )
        for audio in [
            inputs["audio"],
            *(run(victim, inputs, phrases, snr_db=20.0, generations=n).adversarial["audio"] for n in (3, 40)),
        ]
    ]
    assert (losses[1] < losses[0]).all()
    assert (losses[2] < losses[1]).all()


def test_what_says_the_phrase_is_refined_towards_the_clean_clip():
    victim, inputs = victim_and_inputs()
    mfcc = Mfcc()
    found, refined = (run(victim, inputs, snr_db=0.0, refinements=n) for n in (0, 20))
    assert found.success.all() and refined.success.all()
    clean, *perturbed = (
        mfcc(audio, inputs["audio_length"])
        for audio in (inputs["audio"], found.adversarial["audio"], refined.adversarial["audio"])
    )
    before, later = (norm(one - clean) for one in perturbed)
    assert (later < before).all()


@pytest.mark.parametrize("generations_in_rooms", [0, 12])
def test_alone_and_beside_longer_clips_it_is_the_same_and_so_is_a_second_run(generations_in_rooms):
    victim, inputs = victim_and_inputs()
    changes = {"generations": 6, "generations_in_rooms": generations_in_rooms}
    together = run(victim, inputs, **changes)
    np.random.seed(7)  # noqa: NPY002 (nobody else's random numbers may matter)
    again = run(victim, inputs, **changes)
    assert torch.equal(together.adversarial["audio"], again.adversarial["audio"])
    for row, length in enumerate(inputs["audio_length"].tolist()):
        own = {"audio": inputs["audio"][row : row + 1, :length], "audio_length": torch.tensor([length])}
        alone = run(victim, own, [("ab", "ca", "bc")[row]], **changes)
        assert torch.equal(alone.adversarial["audio"][0], together.adversarial["audio"][row, :length])


@pytest.mark.parametrize("objective", ["edit_distance", "over_the_air_loss"])
@pytest.mark.parametrize("generations_in_rooms", [0, 11])
def test_every_waveform_heard_is_counted_in_batches_and_no_gradient_is_asked_for(objective, generations_in_rooms):
    victim, inputs = victim_and_inputs((9600,))
    heard = overheard(victim)
    result = run(victim, inputs, ["ab"], objective=objective, generations_in_rooms=generations_in_rooms)
    assert result.forwards.tolist() == [sum(len(audio) for audio in heard)]
    assert result.backwards.tolist() == [0]
    assert {len(audio) for audio in heard} == {12, 1}
    batches = sum(len(audio) == 12 for audio in heard)
    # In rooms each refinement is heard in both that are checked.
    twice = VALUES["refinements"] if generations_in_rooms and batches > result.iterations.item() else 0
    assert result.iterations.item() == batches - twice
    assert not result.adversarial["audio"].requires_grad


def test_the_search_stops_as_soon_as_a_file_is_written_as_the_phrase():
    victim, inputs = victim_and_inputs((9600,))
    heard = overheard(victim)
    result = run(victim, inputs, ["ab"], refinements=0)
    texts = [written(victim, {"audio": audio, "audio_length": torch.full((12,), 9600)}) for audio in heard[:-1]]
    assert 1 < result.iterations.item() < 25
    assert ["ab" in one for one in texts] == [False] * (len(texts) - 1) + [True]


def test_the_two_of_a_pair_are_heard_in_the_same_room_and_others_in_others():
    victim, inputs = victim_and_inputs((9600,))
    heard = overheard(victim)
    # Of a perturbation so quiet nothing is left in the file: all members are the clip itself.
    run(victim, inputs, ["ab"], snr_db=150.0, generations=1, generations_in_rooms=2)
    _, first, second = (audio for audio in heard if len(audio) == 12)
    assert torch.allclose(first[:6], first[6:], atol=1e-6)
    apart = (first[:6, None] - first[None, :6]).abs().amax(-1)
    assert (apart + torch.eye(6) > 1e-3).all()
    assert (first - second).abs().max() > 1e-3


def test_in_rooms_it_goes_on_until_the_phrase_is_written_in_those_that_are_checked():
    victim, inputs = victim_and_inputs((9600, 8000))
    phrases = ["ab", "ca"]
    most = {"generations": 1, "generations_in_rooms": 101, "relative_step_in_rooms": 0.3, "noise_snr_db": None}
    result = run(victim, inputs, phrases, **most)
    assert (result.iterations < 1 + 101).all()
    for row, (phrase, length) in enumerate(zip(phrases, inputs["audio_length"])):
        wave, noise = result.adversarial["audio"][row : row + 1, :length], torch.zeros(1, int(length))
        for room in rooms()[: VALUES["checked_rooms"]]:
            heard = played(wave, length[None], room[None], noise, None)
            assert written(victim, {"audio": heard, "audio_length": length[None]}) == [phrase]


def test_gradients_pass_the_victim_afterwards():
    victim, inputs = victim_and_inputs((9600,))
    run(victim, inputs, ["ab"], generations=2, generations_in_rooms=2)
    audio = inputs["audio"].clone().requires_grad_()
    victim.loss(victim.logits({"audio": audio}), Goal(victim.encode(["ab"]), True)).sum().backward()
    assert audio.grad.abs().sum() > 0


def test_what_lies_in_the_band_is_what_changes():
    victim, inputs = victim_and_inputs((16000,))
    result = run(victim, inputs, ["ab"], generations=2, snr_db=0.0)
    spectrum = torch.fft.rfft((result.adversarial["audio"] - inputs["audio"])[0].double()).abs().square()
    assert spectrum[950:4050].sum() > 0.99 * spectrum.sum()


def test_edit_distances_count_characters():
    texts = ["open the door", "", "open thedoor", "pen the doorx", "shut the door"]
    assert evolutionary.edit_distances("open the door", texts).tolist() == [0, 13, 1, 2, 4]


def test_parameters_are_checked_and_the_goal_must_be_a_phrase():
    parameters.bind(evolutionary.attack, "attack", VALUES, passed=PASSED)
    for name, value in {"objective": "wer", "population": 1, "generations": 0, "needed": 1.5}.items():
        with pytest.raises(UserError, match=name):
            parameters.bind(evolutionary.attack, "attack", VALUES | {name: value}, passed=PASSED)
    victim, inputs = victim_and_inputs()
    goal = Goal(victim.encode(["a", "b", "c"]), False)
    with pytest.raises(UserError, match="targeted"):
        evolutionary.attack(victim, inputs, goal, setting=Setting(bounds=victim.bounds), snr_db=0.0, **VALUES)
    goal = Goal(goal.labels, True)
    with pytest.raises(UserError, match=r"expected rooms to be known; found none; .*`playback`"):
        setting, in_rooms = Setting(bounds=victim.bounds, quantum=QUANTUM), VALUES | {"generations_in_rooms": 1}
        evolutionary.attack(victim, inputs, goal, setting=setting, snr_db=0.0, **in_rooms)
    with pytest.raises(UserError, match="even number"):
        run(victim, inputs, population=3)
