"""What every transform promises: new float32 clips of the same lengths, each independent of the others."""

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.transforms import mp3, none, resample, reverb, white_noise

RATE_HZ = 32000


def clips(lengths: list[int], level: float = 0.2) -> list[np.ndarray]:
    return [
        np.clip(np.random.default_rng(length).normal(0, level, length), -1, 1 - 2**-15).astype(np.float32)
        for length in lengths
    ]


@pytest.fixture(scope="module")
def room(tmp_path_factory) -> str:
    """A response of 0.1 s at 48 kHz whose direct sound comes after 2 ms."""
    path = tmp_path_factory.mktemp("room") / "room.wav"
    response = np.random.default_rng(0).normal(0, 0.05, 4800) * np.exp(-np.arange(4800) / 800)
    response[:96] = 0
    response[96] = 0.9
    soundfile.write(path, response, 48000)
    return str(path)


@pytest.fixture(params=["mp3", "none", "resample", "reverb", "white_noise"])
def transform(request, room):
    """Each transform with parameters, as a function of the clips and their seeds."""
    function, parameters = {
        "mp3": (mp3.transform, {"bitrate_kbps": 128}),
        "none": (none.transform, {}),
        "resample": (resample.transform, {"rate_hz": 20000}),
        "reverb": (reverb.transform, {"impulse_response": room}),
        "white_noise": (white_noise.transform, {"snr_db": 20}),
    }[request.param]
    return lambda waveforms, seeds: function(waveforms, sample_rate_hz=RATE_HZ, seeds=seeds, **parameters)


# More clips than one ffmpeg process takes, so that the seam between two of its groups is crossed.
LENGTHS = [*range(3000, 3000 + mp3.CLIPS_PER_PROCESS), 1, 7, 1151, 16000]


def test_same_lengths_new_float32_arrays_and_inputs_untouched(transform):
    inputs = clips(LENGTHS)
    before = [clip.copy() for clip in inputs]
    outputs = transform(inputs, list(range(len(inputs))))
    assert [len(clip) for clip in outputs] == LENGTHS
    for clip, original, output in zip(inputs, before, outputs, strict=True):
        assert output.dtype == np.float32
        assert np.isfinite(output).all()
        assert not np.shares_memory(output, clip)
        np.testing.assert_array_equal(clip, original)


def test_a_clips_result_is_its_own_whatever_its_mates_and_place(transform):
    inputs = clips(LENGTHS)
    seeds = list(range(100, 100 + len(inputs)))
    together = transform(inputs, seeds)
    backwards = transform(inputs[::-1], seeds[::-1])[::-1]
    for clip, seed, one, other in zip(inputs, seeds, together, backwards, strict=True):
        np.testing.assert_array_equal(one, other)
        np.testing.assert_array_equal(one, transform([clip], [seed])[0])


def test_silence_stays_silent(transform):
    output = transform([np.zeros(4000, np.float32)], [1])[0]
    assert np.abs(output).max() < 2**-16


def test_no_clips_give_no_clips(transform):
    assert transform([], []) == []


@settings(max_examples=30, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 5000), min_size=1, max_size=4),
    level=st.floats(1e-4, 1),
    rate_hz=st.integers(4000, RATE_HZ - 1),
    snr_db=st.floats(-20, 80),
)
def test_lengths_and_finiteness_hold_at_any_length_level_and_setting(room, lengths, level, rate_hz, snr_db):
    inputs = clips(lengths, level)
    seeds = lengths
    for outputs in (
        none.transform(inputs, sample_rate_hz=RATE_HZ, seeds=seeds),
        white_noise.transform(inputs, sample_rate_hz=RATE_HZ, seeds=seeds, snr_db=snr_db),
        resample.transform(inputs, sample_rate_hz=RATE_HZ, seeds=seeds, rate_hz=rate_hz),
        reverb.transform(inputs, sample_rate_hz=RATE_HZ, seeds=seeds, impulse_response=room),
    ):
        assert [len(clip) for clip in outputs] == lengths
        assert all(np.isfinite(clip).all() and clip.dtype == np.float32 for clip in outputs)
