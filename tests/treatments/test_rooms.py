"""Whether clips are played in rooms that attackers have not seen, each trial in another, with noise of the place."""

import numpy as np
import pytest
import soundfile

from stages.features.playback import read_responses
from stages.frame.errors import UserError
from stages.treatments.rooms import treat

RATE_HZ = 16000
CLIP = np.random.default_rng(1).normal(0, 0.1, 6000).astype("f4")


@pytest.fixture
def places(tmp_path):
    for number in range(9):
        response = np.zeros(400)
        response[[0, 30 + 40 * number]] = 1, 0.5
        soundfile.write(tmp_path / f"{number}.wav", response, RATE_HZ, subtype="FLOAT")
    return tmp_path


def played(places, seeds, noise_snr_db=30.0):
    values = {"impulse_responses": str(places), "noise_snr_db": noise_snr_db}
    return treat([CLIP] * len(seeds), sample_rate_hz=RATE_HZ, seeds=seeds, device="cpu", **values)


def left(heard, response):
    """Power of what a room does not explain, relative to what is heard."""
    explained = np.convolve(CLIP, response)[: len(CLIP)]
    return np.square(heard - explained).sum() / np.square(heard).sum()


def test_seeds_one_apart_are_heard_in_other_rooms_all_of_them_held_out(places):
    held_out, others = (
        read_responses(places, sample_rate_hz=RATE_HZ, held_out=one).double().numpy() for one in (True, False)
    )
    seeds = [40, 41, 42]
    for seed, heard in zip(seeds, played(places, seeds), strict=True):
        # The noise of the place is 30 dB below.
        assert left(heard, held_out[seed % 3]) == pytest.approx(1e-3, rel=0.1)
        assert min(left(heard, other) for other in others) > 0.01
        assert min(left(heard, held_out[other % 3]) for other in (seed + 1, seed + 2)) > 0.01


def test_noise_is_as_loud_as_asked_and_the_seeds_own(places):
    quiet, again, other = played(places, [7, 7, 10], noise_snr_db=100.0)
    loud, _, also_loud = played(places, [7, 7, 10], noise_snr_db=20.0)
    np.testing.assert_array_equal(quiet, again)
    noise, other_noise = loud - quiet, also_loud - other
    assert 10 * np.log10(np.square(quiet).sum() / np.square(noise).sum()) == pytest.approx(20, abs=0.1)
    assert abs(np.corrcoef(noise, other_noise)[0, 1]) < 0.05


def test_rooms_may_be_as_long_as_params_yaml_says(places):
    values = {"impulse_responses": str(places), "noise_snr_db": 30.0}
    with pytest.raises(UserError, match=r"at most 0\.02 s, the parameter longest_s; found 0\.025 s"):
        treat([CLIP], sample_rate_hz=RATE_HZ, seeds=[1], device="cpu", **values, longest_s=0.02)


def test_a_missing_folder_is_told_in_one_line(tmp_path):
    with pytest.raises(UserError, match=r"nowhere: expected impulse responses; found no such folder"):
        played(tmp_path / "nowhere", [1])
