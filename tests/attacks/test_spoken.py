"""The phrase spoken over a clip: as quiet as its listener still hears it, told as it is where it fails."""

import numpy as np
import pytest
import soundfile
import torch
from test_evolutionary import ALPHABET, Listener

from stages.attacking.problem import Setting
from stages.attacks import spoken
from stages.frame.errors import UserError
from stages.victim import Goal, Transcriber

RATE_HZ, FRAME = 16_000, 1600
TONES_HZ = {"a": 1400, "b": 2300}
LENGTHS = (8 * FRAME, 6 * FRAME)
# The listener's level is a power of -25 dB.
HEARD_FROM = np.sqrt(2 * 10**-2.5)


@pytest.fixture(scope="module")
def phrases(tmp_path_factory):
    """A tenth of a second of a tone for each letter, quiet, the two as loud."""
    folder = tmp_path_factory.mktemp("phrases")
    time_s = np.arange(FRAME) / RATE_HZ
    for phrase in ("ab", "b a"):
        tones = [0.01 * np.sin(2 * np.pi * TONES_HZ.get(letter, 0) * time_s) for letter in phrase]
        soundfile.write(folder / f"{phrase.replace(' ', '-')}.wav", np.concatenate(tones), RATE_HZ, subtype="FLOAT")
    return folder


def run(phrases, text="ab", **changes):
    audio = torch.zeros(len(LENGTHS), max(LENGTHS))
    for row, length in enumerate(LENGTHS):
        audio[row, :length] = 0.3 * torch.sin(2 * torch.pi * 200 * torch.arange(length) / RATE_HZ)
    victim = Transcriber(Listener(), ALPHABET, bounds={"audio": (-1.0, 1.0)})
    inputs = {"audio": audio, "audio_length": torch.tensor(LENGTHS)}
    goal = Goal(victim.encode([text] * len(LENGTHS)), True)
    values = {"snr_db": -10.0, "quietest_db": 40.0, "step_db": 0.5} | changes
    setting = Setting(bounds=victim.bounds, quantum={"audio": 2**-15}, spoken_phrases=phrases and str(phrases))
    return inputs, spoken.attack(victim, inputs, goal, setting=setting, **values)


def ratios_db(inputs, result):
    added = result.adversarial["audio"] - inputs["audio"]
    return 10 * np.log10(inputs["audio"].square().sum(1) / added.square().sum(1)).numpy()


def test_it_is_as_quiet_as_it_is_still_heard(phrases):
    inputs, result = run(phrases)
    assert result.success.all()
    spoken_energy = 2 * FRAME * HEARD_FROM**2 / 2
    least_db = 10 * np.log10(inputs["audio"].square().sum(1).numpy() / spoken_energy)
    assert (least_db - ratios_db(inputs, result) < 0.6).all() and (ratios_db(inputs, result) < least_db + 0.1).all()
    added = result.adversarial["audio"] - inputs["audio"]
    assert added[:, 2 * FRAME :].abs().max() <= 2**-15
    # From 40 dB down, half a dB at a time.
    assert result.forwards.tolist() == [1 + round((40 - one) / 0.5) for one in ratios_db(inputs, result)]
    assert not result.backwards.any()


def test_what_is_never_heard_is_as_loud_as_it_may_be_and_no_success(phrases):
    inputs, result = run(phrases, snr_db=25.0)
    assert not result.success.any()
    np.testing.assert_allclose(ratios_db(inputs, result), 25, atol=0.05)


def test_the_recording_is_that_of_the_phrase(phrases):
    _, result = run(phrases, text="b a")
    added = result.adversarial["audio"][0, :FRAME].double() - 0.3 * torch.sin(
        2 * torch.pi * 200 * torch.arange(FRAME, dtype=torch.float64) / RATE_HZ
    )
    assert torch.fft.rfft(added).abs().argmax() == TONES_HZ["b"] * FRAME / RATE_HZ


def test_a_phrase_without_a_recording_and_ratios_the_wrong_way_round_are_errors(phrases):
    with pytest.raises(UserError, match=r"c-a\.wav: expected an audio file; found no such file"):
        run(phrases, text="c a")
    with pytest.raises(UserError, match=r"expected spoken_phrases to be known; found none; .* `playback`"):
        run(None)
    with pytest.raises(UserError, match="quietest_db: expected at least snr_db, 50"):
        run(phrases, snr_db=50.0)
    with pytest.raises(UserError, match=r"at most 0\.1 s, the parameter longest_s; found 0\.2 s"):
        run(phrases, longest_s=0.1)
    soundfile.write(phrases / "c.wav", np.zeros(100), RATE_HZ, subtype="PCM_16")
    with pytest.raises(UserError, match="nothing but silence"):
        run(phrases, text="c")
