"""What every treatment promises: new float32 clips of the same lengths, each independent of the others."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from stages import treatments, victim
from stages.frame import weights
from stages.treatments import enhancer, mp3, none, resample, reverb, rooms, white_noise

RATE_HZ = 32000
TOLD = {"sample_rate_hz": RATE_HZ, "device": "cpu"}
# By networks and Fourier transforms sums come in another order in another batch: less than a quarter of a 16-bit step.
COMPUTED_TOGETHER = {"enhancer": 2**-17, "rooms": 2**-17}
# What takes images and no sound is tried in test_griffin_lim.
NAMES = ["enhancer", "mp3", "none", "resample", "reverb", "rooms", "white_noise"]


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


@pytest.fixture(scope="module")
def places(tmp_path_factory) -> str:
    """Four rooms, two of them held out."""
    folder = tmp_path_factory.mktemp("places")
    for number in range(4):
        response = np.zeros(400)
        response[[0, 30 + 40 * number]] = 1, 0.3
        soundfile.write(folder / f"{number}.wav", response, RATE_HZ, subtype="FLOAT")
    return str(folder)


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> str:
    """An enhancer with random weights."""
    folder = tmp_path_factory.mktemp("enhancer")
    torch.manual_seed(0)
    parameters = {"layers": 2, "filters": 4, "down_kernel": 15, "up_kernel": 5, "fold": 1}
    signal = {"sample_rate_hz": RATE_HZ}
    module = victim.build("wave_u_net", 0, parameters, where="test", signal=signal)
    config = {"network": "wave_u_net", "parameters": parameters, "signal": signal, "labels": [], "decides": "text"}
    weights.save(folder, module, config | {"bounds": {"audio": [-1, 1]}, "attacked_on": "logits"})
    return str(folder)


@pytest.fixture(params=NAMES)
def name(request):
    return request.param


@pytest.fixture
def treat(name, room, places, model):
    """Each treatment with parameters, as a function of the clips and their seeds."""
    function, parameters = {
        "enhancer": (enhancer.treat, {"model": model}),
        "mp3": (mp3.treat, {"bitrate_kbps": 128}),
        "none": (none.treat, {}),
        "resample": (resample.treat, {"rate_hz": 20000}),
        "reverb": (reverb.treat, {"impulse_response": room}),
        "rooms": (rooms.treat, {"impulse_responses": places, "noise_snr_db": 30.0}),
        "white_noise": (white_noise.treat, {"snr_db": 20}),
    }[name]
    return lambda waveforms, seeds: function(waveforms, seeds=seeds, **TOLD, **parameters)


def test_every_treatment_is_tried():
    files = {file.stem for file in Path(treatments.__file__).parent.glob("*.py")}
    assert files - {"__init__", "entry", "griffin_lim"} == set(NAMES)


# More clips than one ffmpeg process takes, so that the seam between two of its groups is crossed.
LENGTHS = [*range(3000, 3000 + mp3.CLIPS_PER_PROCESS), 1, 7, 1151, 16000]


def test_same_lengths_new_float32_arrays_and_inputs_untouched(treat):
    inputs = clips(LENGTHS)
    before = [clip.copy() for clip in inputs]
    outputs = treat(inputs, list(range(len(inputs))))
    assert [len(clip) for clip in outputs] == LENGTHS
    for clip, original, output in zip(inputs, before, outputs, strict=True):
        assert output.dtype == np.float32
        assert np.isfinite(output).all()
        assert not np.shares_memory(output, clip)
        np.testing.assert_array_equal(clip, original)


def test_a_clips_result_is_its_own_whatever_its_mates_and_place(treat, name):
    inputs = clips(LENGTHS)
    seeds = list(range(100, 100 + len(inputs)))
    together = treat(inputs, seeds)
    backwards = treat(inputs[::-1], seeds[::-1])[::-1]
    error = COMPUTED_TOGETHER.get(name, 0)
    for clip, seed, one, other in zip(inputs, seeds, together, backwards, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=error)
        np.testing.assert_allclose(one, treat([clip], [seed])[0], rtol=0, atol=error)


def test_silence_stays_silent(treat, name):
    if name == "enhancer":
        pytest.skip("what a network makes of silence is for its training to see to")
    output = treat([np.zeros(4000, np.float32)], [1])[0]
    assert np.abs(output).max() < 2**-16


def test_no_clips_give_no_clips(treat):
    assert treat([], []) == []


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
        none.treat(inputs, seeds=seeds, **TOLD),
        white_noise.treat(inputs, seeds=seeds, **TOLD, snr_db=snr_db),
        resample.treat(inputs, seeds=seeds, **TOLD, rate_hz=rate_hz),
        reverb.treat(inputs, seeds=seeds, **TOLD, impulse_response=room),
    ):
        assert [len(clip) for clip in outputs] == lengths
        assert all(np.isfinite(clip).all() and clip.dtype == np.float32 for clip in outputs)
