"""What attackers who know of a treatment aim through: the same as what happens, and gradients that tell the truth."""

import math

import numpy as np
import pytest
import torch
from small_victims import Plane
from test_contract import NAMES, RATE_HZ, TOLD, clips, places, room  # noqa: F401

from stages.attacking.problem import Setting
from stages.attacking.treated import behind
from stages.attacks import cw_normalised
from stages.frame.errors import UserError
from stages.treatments import mp3, none, resample, reverb, rooms, white_noise
from stages.victim import Goal, Victim, padded_batch

LENGTHS = [4000, 2401, 3999]
BOUNDS = {"audio": (-1.0, 1 - 2**-15)}


@pytest.fixture
def ways(room, places):  # noqa: F811
    """What really happens and what is aimed through, with their parameters."""
    return {
        "mp3": (mp3, {"bitrate_kbps": 32}),
        "none": (none, {}),
        "resample": (resample, {"rate_hz": 20000}),
        "reverb": (reverb, {"impulse_response": room}),
        "rooms": (rooms, {"impulse_responses": places, "noise_snr_db": 300.0}),
        "white_noise": (white_noise, {"snr_db": 10.0}),
    }


def test_every_treatment_of_sound_can_be_aimed_through(ways):
    assert {*ways, "enhancer"} == set(NAMES)  # enhancers are tried in test_enhancer


@pytest.mark.parametrize("name", ["mp3", "none", "resample", "reverb"])
def test_it_is_what_happens_and_silent_after_a_clips_end(ways, name):
    file, parameters = ways[name]
    waveforms = clips(LENGTHS)
    happens = file.treat(waveforms, seeds=[0, 1, 2], **TOLD, **parameters)
    aimed = file.through(**TOLD, **parameters)(padded_batch(waveforms, "cpu"))
    for own, row in zip(happens, aimed.numpy(), strict=True):
        np.testing.assert_allclose(row[: len(own)], own, atol=2e-6)
        assert not row[len(own) :].any()


@pytest.mark.parametrize("name", ["resample", "reverb", "white_noise", "rooms"])
def test_gradients_are_differences(ways, name):
    file, parameters = ways[name]
    batch = {
        key: value.double() if key == "audio" else value for key, value in padded_batch(clips(LENGTHS), "cpu").items()
    }
    rng = torch.Generator().manual_seed(1)
    way, weights = (torch.randn(batch["audio"].shape, generator=rng, dtype=torch.float64) for _ in range(2))

    def at(step: float) -> torch.Tensor:
        audio = (batch["audio"] + step * way).requires_grad_()
        made = (file.through(**TOLD, **parameters)(batch | {"audio": audio}) * weights).sum()
        return made if step else torch.autograd.grad(made, audio)[0]

    difference = (at(1e-6) - at(-1e-6)) / 2e-6
    inside = torch.arange(way.shape[1]) < torch.tensor(LENGTHS)[:, None]
    # Response and weights of the filter are float32.
    assert float((at(0) * way * inside).sum().detach()) == pytest.approx(float(difference.detach()), rel=1e-3)


def test_noise_is_other_noise_at_each_call_at_its_level_alone_and_beside_others(ways):
    file, parameters = ways["white_noise"]
    waveforms = clips(LENGTHS)
    together, alone = (file.through(**TOLD, **parameters) for _ in range(2))
    for _ in range(2):
        heard = together(padded_batch(waveforms, "cpu"))
        (own,) = alone(padded_batch(waveforms[1:2], "cpu")).numpy()
        np.testing.assert_allclose(heard[1, : len(own)], own, atol=1e-6)
    noise = own - waveforms[1]
    assert 10 * math.log10(np.sum(waveforms[1] ** 2.0) / np.sum(noise**2.0)) == pytest.approx(10, abs=1e-3)
    assert not np.allclose(own, alone(padded_batch(waveforms[1:2], "cpu"))[0], atol=1e-3)


def test_attackers_hear_other_rooms_than_those_that_are_played_in(ways):
    file, parameters = ways["rooms"]
    click = np.zeros(1000, np.float32)
    click[0] = 0.5
    way, batch = file.through(**TOLD, **parameters), padded_batch([click], "cpu")
    # The place of its echo tells a room.
    aimed = {int(way(batch)[0, 1:].argmax()) for _ in range(20)}
    held_out = file.treat([click] * 2, seeds=[0, 1], **TOLD, **parameters)
    assert len(aimed) == 2
    assert not aimed & {int(one[1:].argmax()) for one in held_out}


def test_gradients_of_mp3_are_those_of_what_it_keeps(ways):
    """White noise's correlation with its own code is what a step along the gradient of that correlation gains."""
    file, parameters = ways["mp3"]
    (waveform,) = clips([2 * RATE_HZ], 0.1)
    batch = padded_batch([waveform], "cpu")
    audio = batch["audio"].requires_grad_()
    made = file.through(**TOLD, **parameters)(batch)
    (gradient,) = torch.autograd.grad((made * audio.detach()).sum(), audio)
    kept = torch.fft.rfft(gradient[0]) / torch.fft.rfft(audio.detach()[0])
    bins = len(kept) - 1
    low, high = kept[bins // 20 : bins // 4].abs().median(), kept[-bins // 10 :].abs().median()
    assert float(low) == pytest.approx(0.93, abs=0.04)  # LAME's own level
    assert float(high) < 0.05  # 32 kb/s hold nothing above 9 kHz


def test_rates_that_share_no_divisor_are_told():
    with pytest.raises(UserError, match="shares a large divisor"):
        resample.through(**TOLD, rate_hz=16001)


@pytest.fixture
def affine():
    """A victim, and two clips of 1,000 samples about half a unit from its plane."""
    weights = torch.from_numpy(np.random.default_rng(3).normal(0, 1, 1000)).float()
    victim = Victim(Plane(weights / weights.norm(), 0.5), ["a", "b"], bounds=BOUNDS)
    rng = np.random.default_rng(4)
    clean = torch.from_numpy(rng.normal(0, 0.02, (2, 1000)).astype("f4"))
    return victim, {"audio": clean, "audio_length": torch.tensor([1000, 1000])}


@pytest.mark.parametrize("name", ["none", "resample"])
def test_through_a_linear_treatment_the_smallest_perturbation_has_its_closed_form(affine, ways, name):
    victim, inputs = affine
    file, parameters = ways[name]
    way = file.through(**TOLD, **parameters)
    aimed = behind(way, victim)
    with torch.no_grad():
        base = way({"audio": torch.eye(1000), "audio_length": torch.full((1000,), 1000)})
        side = aimed.logits(inputs)[:, 0]
    exact = side / (base @ victim.module.weights).norm()
    assert (side > 0).all()
    parameters = {"iterations": 100, "confidence": 0.0, "step": 0.15, "last_step": 0.01, "resize": 0.1}
    goal = Goal(torch.zeros(2, dtype=torch.long), targeted=False)
    result = cw_normalised.attack(aimed, inputs, goal, setting=Setting(bounds=BOUNDS), **parameters)
    found = (result.adversarial["audio"] - inputs["audio"]).norm(dim=1)
    assert result.success.all()
    torch.testing.assert_close(found, exact, rtol=0.02, atol=0)


def test_several_draws_are_the_mean_probability_and_say_how_often_fresh_noise_will_be_decided_so(affine):
    victim, inputs = affine
    clean = inputs["audio"][:1]
    # At the plane but for a tenth of what noise moves a clip.
    sigma = float(clean.norm()) * 10 ** (-10 / 20) / math.sqrt(1000)
    with torch.no_grad():
        side = victim.logits({"audio": clean})[:, 0]
        weights = victim.module.weights
        clean = clean - (side + 0.1 * sigma) * weights
        told = {"audio": clean, "audio_length": torch.tensor([1000])}
        steep = Victim(Plane(weights * 1e6, 0.5e6), ["a", "b"], bounds=BOUNDS)
        estimate = behind(white_noise.through(**TOLD, snr_db=10.0), steep, draws=400).logits(told).softmax(-1)[0, 1]
        fresh = white_noise.treat([clean[0].numpy()] * 400, seeds=list(range(400)), **TOLD, snr_db=10.0)
        share = (steep.logits({"audio": torch.from_numpy(np.stack(fresh))}).argmax(1) == 1).float().mean()
    expected = 0.5 * (1 + math.erf(0.1 / math.sqrt(2)))
    # Three standard deviations of 400 draws.
    assert float(estimate) == pytest.approx(expected, abs=0.075)
    assert float(share) == pytest.approx(float(estimate), abs=0.106)
