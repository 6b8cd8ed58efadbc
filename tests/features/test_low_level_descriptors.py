"""The 34 descriptors: against their definitions frame by frame, against pyAudioAnalysis if it is there, by hand."""

import math
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from stages.features.low_level_descriptors import DESCRIPTORS, build
from stages.frame.errors import UserError

LIBRISPEECH = Path(__file__).parents[2].parent / "shared" / "corpora" / "LibriSpeech"
RATE = 16_000
EPS = np.finfo(float).eps
FRAMES = [(0.05, 0.05), (0.05, 0.025), (0.025, 0.01)]


def speechlike(seconds: float, seed: int) -> np.ndarray:
    """Voiced and noisy stretches with an offset and a pause, int16."""
    rng = np.random.default_rng(seed)
    time = np.arange(round(seconds * RATE)) / RATE
    voiced = sum(np.sin(2 * np.pi * 140 * n * time) / n for n in range(1, 20))
    wave = voiced * (1 + np.sin(2 * np.pi * 3 * time)) + 0.3 * rng.standard_normal(len(time))
    wave[len(wave) // 3 : len(wave) // 3 + 2000] *= 0.01
    return np.round(1500 * wave + 40).astype(np.int16)


def by_definition(samples: np.ndarray, window: int, hop: int) -> np.ndarray:
    """(frames, 34), one frame and one value after another."""
    x = samples / 2.0**15
    x = x - x.mean()
    x = x / (np.abs(x).max() + 1e-10)
    rows, before = [], None
    for start in range(0, len(x) - window + 1, hop):
        frame = x[start : start + window]
        magnitude = np.abs(np.fft.fft(frame))[: window // 2] / (window // 2)
        before = magnitude if before is None else before
        rows.append([*waves(frame), *spectrum(magnitude, before)])
        before = magnitude
    return np.array(rows)


def entropy(power: np.ndarray) -> float:
    size = len(power) // 10
    shares = [power[size * n : size * (n + 1)].sum() / (power.sum() + EPS) for n in range(10)]
    return -sum(share * math.log2(share + EPS) for share in shares)


def waves(frame: np.ndarray) -> list[float]:
    crossings = sum(abs(a - b) for a, b in zip(np.sign(frame[1:]), np.sign(frame[:-1]))) / 2
    return [crossings / (len(frame) - 1), (frame**2).sum() / len(frame), entropy(frame**2)]


def spectrum(magnitude: np.ndarray, before: np.ndarray) -> list[float]:
    bins = len(magnitude)
    place = (np.arange(bins) + 1) / bins
    level = magnitude / (magnitude.max() or EPS)
    centroid = (place * level).sum() / (level.sum() + EPS)
    spread = math.sqrt(((place - centroid) ** 2 * level).sum() / (level.sum() + EPS))
    flux = ((magnitude / (magnitude + EPS).sum() - before / (before + EPS).sum()) ** 2).sum()
    power = magnitude**2
    above = np.flatnonzero(np.cumsum(power) + EPS > 0.9 * power.sum())
    notes = [round(12 * math.log2((k + 1) * RATE / (2 * bins) / 27.5)) for k in range(bins)]
    last = dict(zip(notes, power))
    slots = np.zeros(bins)
    for note, value in last.items():
        slots[note] = value
    slots = np.array([value / notes.count(notes[notes[p]]) for p, value in enumerate(slots)])
    chroma = np.array([slots[n::12].sum() for n in range(12)]) / (power.sum() or EPS)
    return [centroid, spread, entropy(power), flux, above[0] / bins, *mfcc(magnitude), *chroma, chroma.std()]


def mfcc(magnitude: np.ndarray) -> list[float]:
    bins = len(magnitude)
    corners = [133.33 + 200 / 3 * n for n in range(13)]
    corners += [corners[-1] * 1.0711703**n for n in range(1, 30)]
    energies = []
    for low, centre, high in zip(corners, corners[1:], corners[2:]):
        total = 0.0
        for k in range(bins):
            hz = k * RATE / bins
            if math.floor(low * bins / RATE) < k <= math.floor(centre * bins / RATE):
                total += magnitude[k] * 2 / (high - low) * (hz - low) / (centre - low)
            elif math.floor(centre * bins / RATE) < k <= math.floor(high * bins / RATE):
                total += magnitude[k] * 2 / (high - low) * (high - hz) / (high - centre)
        energies.append(math.log10(total + EPS))
    return [
        (math.sqrt(1 / 40) if c == 0 else math.sqrt(2 / 40))
        * sum(energy * math.cos(math.pi * c * (n + 0.5) / 40) for n, energy in enumerate(energies))
        for c in range(13)
    ]


def computed(samples: np.ndarray, window_s: float, hop_s: float, dtype) -> np.ndarray:
    module = build(sample_rate_hz=RATE, window_s=window_s, hop_s=hop_s, longest_s=60.0)
    audio = torch.from_numpy(samples / 2.0**15).to(dtype)[None]
    return module(audio, torch.tensor([len(samples)]))[0].double().numpy()


def error(found: np.ndarray, expected: np.ndarray) -> float:
    """The largest difference of a descriptor, relative to its largest value in the clip."""
    assert found.shape == expected.shape
    return (np.abs(found - expected).max(0) / np.abs(expected).max(0)).max()


@pytest.mark.parametrize(("window_s", "hop_s"), FRAMES)
def test_every_descriptor_is_what_its_definition_says(window_s, hop_s):
    samples = speechlike(0.61234, 0)
    expected = by_definition(samples, round(window_s * RATE), round(hop_s * RATE))
    assert error(computed(samples, window_s, hop_s, torch.float64), expected) < 1e-9
    assert error(computed(samples, window_s, hop_s, torch.float32), expected) < 1e-4


@pytest.mark.skipif(not LIBRISPEECH.is_dir(), reason="the excerpt of LibriSpeech is not here")
@pytest.mark.parametrize(("window_s", "hop_s"), FRAMES)
def test_it_equals_pyaudioanalysis_on_real_speech(window_s, hop_s):
    library = pytest.importorskip("pyAudioAnalysis.ShortTermFeatures", reason="pyAudioAnalysis is not installed")
    for path in sorted(LIBRISPEECH.rglob("*.flac"))[::20]:
        samples, _ = soundfile.read(path, dtype="int16")
        expected = library.feature_extraction(samples, RATE, window_s * RATE, hop_s * RATE, deltas=False)[0].T
        assert error(computed(samples, window_s, hop_s, torch.float64), expected) < 1e-5
        assert error(computed(samples, window_s, hop_s, torch.float32), expected) < 1e-3


def test_a_sine_by_hand():
    time = np.arange(RATE) / RATE
    samples = np.round(10_000 * np.sin(2 * np.pi * 280 * time + 0.1)).astype(np.int16)
    values = dict(zip(DESCRIPTORS, computed(samples, 0.05, 0.05, torch.float64)[3]))
    assert values["zcr"] == pytest.approx(2 * 280 / RATE, rel=0.04)
    assert values["energy"] == pytest.approx(0.5, rel=0.02)
    assert values["energy_entropy"] == pytest.approx(math.log2(10), rel=1e-3)
    assert values["spectral_centroid"] == pytest.approx(280 / 8000, abs=0.01)
    assert values["spectral_rolloff"] == pytest.approx(280 / 8000, abs=0.005)
    assert values["spectral_flux"] == pytest.approx(0, abs=1e-6)
    note = round(12 * math.log2(300 / 27.5)) % 12  # the bin's frequency counts from its upper end
    assert max(range(12), key=lambda n: values[f"chroma_{n + 1}"]) == note


def clips(count: int) -> list[torch.Tensor]:
    if LIBRISPEECH.is_dir():
        found = sorted(LIBRISPEECH.rglob("*.flac"))[:: max(1, 100 // count)][:count]
        return [torch.from_numpy(soundfile.read(path, dtype="float32")[0]) for path in found]
    return [torch.from_numpy(speechlike(0.7 + 0.3 * n, n) / np.float32(2**15)) for n in range(count)]


def test_a_clip_alone_has_the_values_that_it_has_in_a_batch():
    waves = clips(20)
    module = build(sample_rate_hz=RATE, window_s=0.05, hop_s=0.025, longest_s=5.0)
    lengths = torch.tensor([len(wave) for wave in waves])
    padded = torch.full((len(waves), int(lengths.max())), 0.5)  # what pads a clip must not count
    for row, wave in zip(padded, waves):
        row[: len(wave)] = wave
    together = module(padded, lengths)
    frames = module.frames_of(lengths).clamp_max(module.frames)
    assert together.shape == (20, module.frames, 34) or int(frames.max()) == together.shape[1]
    for row, wave, count in zip(together, waves, frames.tolist()):
        alone = module(wave[None], torch.tensor([len(wave)]))[0]
        assert torch.isfinite(alone).all()
        assert torch.allclose(row[:count], alone, rtol=1e-4, atol=1e-5)
        assert (row[count:] == 0).all()


def test_what_lies_beyond_the_longest_duration_is_as_if_it_were_not_there():
    wave = torch.from_numpy(speechlike(2.0, 1) / np.float32(2**15))
    module = build(sample_rate_hz=RATE, window_s=0.05, hop_s=0.05, longest_s=1.0)
    louder = torch.cat([wave[:RATE], 5 * wave[RATE:]])
    cut = module(wave[None, :RATE], torch.tensor([RATE]))
    assert torch.equal(module(louder[None].clamp(-1, 1), torch.tensor([len(wave)])), cut)
    assert cut.shape[1] == module.frames == 20


def test_silence_is_finite():
    module = build(sample_rate_hz=RATE, window_s=0.05, hop_s=0.05, longest_s=1.0)
    assert torch.isfinite(module(torch.zeros(1, 8000), torch.tensor([8000]))).all()


def test_a_window_without_a_bin_for_each_semitone_is_one_line():
    with pytest.raises(UserError, match=r"window_s of low_level_descriptors: expected at least 0.0124 .*found 0.01"):
        build(sample_rate_hz=RATE, window_s=0.01, hop_s=0.01, longest_s=5.0)
