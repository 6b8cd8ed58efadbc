"""The attack over the air, direct or played, and noise: the bound on the SNR, the band, the end, and success."""

import pytest
import torch
from torch import nn

from stages.attacking.problem import Setting
from stages.attacks import noise, over_the_air
from stages.features.playback import played
from stages.frame import parameters
from stages.frame.errors import UserError
from stages.victim import Goal, Transcriber

ALPHABET = [" ", "a", "b", "c"]
STEPS, SAMPLES = 20, 160
BOUNDS = {"audio": (-1.0, 1.0)}
PHRASES = ["ab ca b", "c cab", "ba a c", "a b c", "bac ab", "ca ba"]
DIRECT = {
    "snr_db": 10.0,
    "iterations": 40,
    "relative_step": 0.2,
    "shrink": None,
    "checked_every": 5,
    "band_hz": None,
    "noise_snr_db": None,
    "rooms_per_step": 0,
    "checked_rooms": 3,
    "needed": 1.0,
}
OVER_THE_AIR = DIRECT | {"rooms_per_step": 2, "noise_snr_db": 30.0, "needed": 0.6}
BAND = {"band_hz": [1000.0, 4000.0]}
ROOMS = torch.cat([torch.ones(4, 1), 0.2 * torch.randn(4, 99, generator=torch.Generator().manual_seed(1))], 1).double()


class Reader(nn.Module):
    """Three steps of sound to a step's logits, with random weights; the blank is certain after the end."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(3)
        self.hidden = nn.Conv1d(SAMPLES, 40, 3, padding=1, dtype=torch.float64)
        self.last = nn.Conv1d(40, len(ALPHABET) + 1, 3, padding=1, dtype=torch.float64)

    def steps(self, inputs):
        return inputs["audio_length"] // SAMPLES

    def forward(self, inputs):
        sound = 20 * inputs["audio"].unflatten(1, (-1, SAMPLES))
        inside = (torch.arange(sound.shape[1]) < inputs["audio_length"][:, None] // SAMPLES)[..., None]
        hidden = self.hidden((sound * inside).transpose(1, 2)).tanh() * inside.transpose(1, 2)
        blank = 30.0 * (torch.arange(len(ALPHABET) + 1) == len(ALPHABET))
        return torch.where(inside, 6 * self.last(hidden).transpose(1, 2), blank)


def victim_and_inputs(lengths=(STEPS, 14, 17, STEPS, 12, 15)):
    generator = torch.Generator().manual_seed(4)
    lengths = SAMPLES * torch.tensor(lengths)
    audio = torch.randint(-4000, 4000, (len(lengths), STEPS * SAMPLES), generator=generator).double() / 32768
    inside = torch.arange(STEPS * SAMPLES) < lengths[:, None]
    return Transcriber(Reader(), ALPHABET, bounds=BOUNDS), {"audio": audio * inside, "audio_length": lengths}


def setting(bounds=BOUNDS, rooms=None):
    return Setting(bounds=bounds, quantum={"audio": 2**-15}, rooms=rooms)


def run(values, victim, inputs, phrases=PHRASES, *, bounds=BOUNDS, rooms=ROOMS):
    goal = Goal(victim.encode(phrases), True)
    return over_the_air.attack(victim, inputs, goal, setting=setting(bounds=bounds, rooms=rooms), **values)


def written(victim, inputs):
    return victim.names(victim.decode(victim.logits(inputs))[0])


def snr_db(result, inputs):
    energies = [x.square().sum(1) for x in (inputs["audio"], result.adversarial["audio"] - inputs["audio"])]
    return 10 * torch.log10(energies[0] / energies[1])


@pytest.mark.parametrize("values", [DIRECT, DIRECT | BAND, OVER_THE_AIR, OVER_THE_AIR | BAND])
def test_files_within_the_bounds_silent_after_their_end_and_in_the_band(values):
    victim, inputs = victim_and_inputs()
    before = inputs["audio"].clone()
    result = run(values, victim, inputs)
    whole = result.adversarial["audio"] * 32768
    assert torch.equal(whole, whole.round())
    assert torch.equal(inputs["audio"], before)
    assert (snr_db(result, inputs) >= 10.0).all()
    assert (snr_db(result, inputs) <= 10.1).all()
    delta = result.adversarial["audio"] - inputs["audio"]
    for row, length in enumerate(inputs["audio_length"].tolist()):
        assert delta[row, length:].count_nonzero() == 0
        power = torch.fft.rfft(delta[row], 16_000).abs().square()
        outside = power[:900].sum() + power[4100:].sum()
        assert (outside < 1e-4 * power.sum()) == (values["band_hz"] is not None)


def test_it_goes_on_from_where_it_is_told_to_begin_as_far_as_the_ball_has_it():
    victim, inputs = victim_and_inputs()
    first = run(DIRECT, victim, inputs)
    assert first.success.any()
    goal, still = Goal(victim.encode(PHRASES), True), {"iterations": 1, "relative_step": 1e-6}
    for quieter_db, same in ((0.0, True), (6.0, False)):
        told = DIRECT | still | {"snr_db": DIRECT["snr_db"] + quieter_db}
        made = over_the_air.attack(victim, inputs, goal, setting=setting(), start=first.adversarial, **told)
        torch.testing.assert_close(snr_db(made, inputs), snr_db(first, inputs) + quieter_db, atol=0.05, rtol=0)
        if same:
            assert torch.equal(made.success, first.success)
            torch.testing.assert_close(made.adversarial, first.adversarial, atol=2**-14, rtol=0)


@pytest.mark.parametrize("bounds", [(-1.0, 1.0), (-0.125, 0.125)])
def test_nothing_leaves_the_range_of_values(bounds):
    victim, inputs = victim_and_inputs()
    inputs["audio"] = (inputs["audio"] * 9).clamp(*bounds)
    adversarial = run(DIRECT | {"snr_db": -5.0}, victim, inputs, bounds={"audio": bounds}).adversarial["audio"]
    assert bounds[0] <= adversarial.min() <= 0.999 * bounds[0]
    assert 0.999 * bounds[1] <= adversarial.max() <= min(bounds[1], 32767 / 32768)


def test_direct_success_is_what_the_victim_then_writes_and_a_failure_stays_one():
    victim, inputs = victim_and_inputs()
    some = []
    for bound in (5.0, 15.0, 40.0):
        result = run(DIRECT | {"snr_db": bound}, victim, inputs)
        texts = written(victim, result.adversarial)
        assert result.success.tolist() == [text == phrase for text, phrase in zip(texts, PHRASES)]
        some.append(result.success.sum())
    assert some[0] == len(PHRASES) and some[-1] == 0


def test_a_phrase_too_long_for_its_clip_fails_beside_others():
    victim, inputs = victim_and_inputs()
    phrases = [PHRASES[0], "abc" * STEPS, *PHRASES[2:]]
    result = run(DIRECT | {"snr_db": 5.0}, victim, inputs, phrases)
    assert result.success.tolist() == [True, False, True, True, True, True]
    assert result.zero_gradient.tolist() == [False, True, False, False, False, False]
    assert result.adversarial["audio"].isfinite().all()


def test_what_is_trained_in_rooms_is_heard_in_rooms_more_often():
    victim, inputs = victim_and_inputs((STEPS,) * 6)
    generator = torch.Generator().manual_seed(7)
    goal = Goal(victim.encode(PHRASES), True)

    def heard(result):
        hits = 0
        for room in ROOMS:
            sound = torch.randn(inputs["audio"].shape, generator=generator, dtype=torch.float64)
            sound = played(result.adversarial["audio"], inputs["audio_length"], room[None], sound, 30.0)
            hits += goal.reached(victim.decode(victim.logits(inputs | {"audio": sound}))[0]).sum().item()
        return hits

    direct, air = (run(values | {"snr_db": 3.0}, victim, inputs) for values in (DIRECT, OVER_THE_AIR))
    assert heard(air) > heard(direct) + 4
    assert air.success.any()


def test_success_over_the_air_takes_the_share_of_rooms_that_is_asked_for():
    victim, inputs = victim_and_inputs((STEPS,) * 6)
    few, most, all_of_them = (
        run(OVER_THE_AIR | {"snr_db": 16.0, "needed": needed}, victim, inputs) for needed in (0.0, 0.6, 1.0)
    )
    assert torch.equal(few.adversarial["audio"], all_of_them.adversarial["audio"])
    assert few.success.sum() >= most.success.sum() >= all_of_them.success.sum()
    assert few.success.sum() > all_of_them.success.sum()
    assert not run(OVER_THE_AIR | {"snr_db": 60.0, "needed": 0.0}, victim, inputs).success.any()


@pytest.mark.parametrize("values", [DIRECT | {"snr_db": 0.0}, OVER_THE_AIR | {"snr_db": -3.0}])
def test_with_shrink_the_smallest_success_is_kept(values):
    victim, inputs = victim_and_inputs((STEPS,) * 6)
    plain = run(values, victim, inputs)
    shrunk = run(values | {"shrink": 0.8, "iterations": 60}, victim, inputs)
    assert shrunk.success[plain.success].all() and plain.success.any()
    assert (snr_db(shrunk, inputs) > snr_db(plain, inputs) + 3)[plain.success].all()


@pytest.mark.parametrize("values", [DIRECT | {"shrink": 0.8}, OVER_THE_AIR | {"snr_db": 4.0} | BAND])
def test_alone_and_beside_longer_clips_it_is_the_same(values):
    victim, inputs = victim_and_inputs()
    together = run(values, victim, inputs)
    assert together.success.any()
    for row, length in enumerate(inputs["audio_length"].tolist()):
        own = {"audio": inputs["audio"][row : row + 1, :length], "audio_length": inputs["audio_length"][row : row + 1]}
        alone = run(values, victim, own, PHRASES[row : row + 1])
        assert together.success[row] == alone.success[0]
        # Sums of Fourier transforms of another length round otherwise, which may tip a sample to the next whole number.
        difference = together.adversarial["audio"][row, :length] - alone.adversarial["audio"][0]
        assert difference.abs().max() <= 1 / 32768
        assert difference.count_nonzero() <= 0.01 * length


@pytest.mark.parametrize("values", [DIRECT, OVER_THE_AIR | {"snr_db": 4.0} | BAND])
def test_in_single_precision_the_verdict_alone_is_that_beside_others(values):
    victim, inputs = victim_and_inputs()
    victim.module.float()
    inputs["audio"] = inputs["audio"].float()
    together = run(values, victim, inputs)
    assert together.success.any()
    for row, length in enumerate(inputs["audio_length"].tolist()):
        own = {"audio": inputs["audio"][row : row + 1, :length], "audio_length": inputs["audio_length"][row : row + 1]}
        alone = run(values, victim, own, PHRASES[row : row + 1])
        assert together.success[row] == alone.success[0]
        assert snr_db(alone, own)[0].item() == pytest.approx(snr_db(together, inputs)[row].item(), abs=0.05)


def test_every_pass_is_counted():
    victim, inputs = victim_and_inputs()
    calls = []
    victim.module.register_forward_hook(lambda module, given, output: calls.append((len(output), output.requires_grad)))
    for values in (DIRECT, OVER_THE_AIR):
        calls.clear()
        result = run(values | {"iterations": 12}, victim, inputs)
        assert result.iterations.tolist() == [12] * 6
        assert 6 * result.backwards[0] == result.backwards.sum() == sum(rows for rows, learns in calls if learns)
        assert 6 * result.forwards[0] == result.forwards.sum() == sum(rows for rows, _ in calls)


@pytest.mark.parametrize("band", [{"band_hz": None}, BAND])
def test_noise_is_as_loud_as_it_should_be_its_clips_own_and_no_attack(band):
    victim, inputs = victim_and_inputs()
    goal = Goal(victim.encode(PHRASES), True)
    result = noise.attack(victim, inputs, goal, setting=setting(), snr_db=10.0, **band)
    assert (snr_db(result, inputs) - 10).abs().max() < 0.05
    assert not result.success.any()
    for row, length in enumerate(inputs["audio_length"].tolist()):
        own = {"audio": inputs["audio"][row : row + 1, :length], "audio_length": inputs["audio_length"][row : row + 1]}
        alone = noise.attack(
            victim, own, Goal(goal.labels[row : row + 1], True), setting=setting(), snr_db=10.0, **band
        )
        assert (alone.adversarial["audio"][0] - result.adversarial["audio"][row, :length]).abs().max() <= 1 / 32768
        assert result.adversarial["audio"][row, length:].count_nonzero() == 0
    said = Goal(victim.encode(written(victim, result.adversarial)), True)
    assert noise.attack(victim, inputs, said, setting=setting(), snr_db=10.0, **band).success.all()


def test_parameters_are_checked_and_the_goal_must_be_a_phrase():
    victim, inputs = victim_and_inputs()
    parameters.bind(over_the_air.attack, "attack", OVER_THE_AIR, passed=("setting",))
    with pytest.raises(UserError, match="needed"):
        parameters.bind(over_the_air.attack, "attack", DIRECT | {"needed": 2.0}, passed=("setting",))
    for band in ([4000.0, 1000.0], [1000.0], [0.0, 9000.0]):
        with pytest.raises(UserError, match="two frequencies"):
            run(DIRECT | {"band_hz": band}, victim, inputs)
    with pytest.raises(UserError, match="targeted"):
        goal = Goal(victim.encode(PHRASES), False)
        over_the_air.attack(victim, inputs, goal, setting=setting(), **DIRECT)
    with pytest.raises(UserError, match=r"expected rooms to be known; found none; .*`playback`"):
        run(OVER_THE_AIR, victim, inputs, rooms=None)
    with pytest.raises(UserError, match=r"expected quantum to be known; found none; .*about\.json"):
        goal = Goal(victim.encode(PHRASES), True)
        over_the_air.attack(victim, inputs, goal, setting=Setting(bounds=BOUNDS), **DIRECT)
