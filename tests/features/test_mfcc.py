"""MFCCs against their definition, computed one frame, filter and coefficient after another."""

import math

import numpy as np
import pytest
import torch

from stages.features.mfcc import Mfcc

EPS = np.finfo(float).eps


def by_definition(samples: np.ndarray, rate: int, window: int, hop: int, nfft: int, coefficients: int, filters: int):
    """python_speech_features' definition, of 16-bit values, in plain loops."""
    x = [float(samples[0])] + [float(samples[n]) - 0.97 * float(samples[n - 1]) for n in range(1, len(samples))]
    count = 1 if len(x) <= window else 1 + math.ceil((len(x) - window) / hop)
    x += [0.0] * ((count - 1) * hop + window - len(x))

    def corner(number: int) -> int:
        mel = number * 2595 * math.log10(1 + rate / 2 / 700) / (filters + 1)
        return math.floor((nfft + 1) * 700 * (10 ** (mel / 2595) - 1) / rate)

    rows = []
    for frame in range(count):
        power = np.abs(np.fft.rfft(x[frame * hop : frame * hop + window], nfft)) ** 2 / nfft
        logs = []
        for number in range(filters):
            low, middle, high = corner(number), corner(number + 1), corner(number + 2)
            total = sum(power[k] * (k - low) / (middle - low) for k in range(low, middle))
            total += sum(power[k] * (high - k) / (high - middle) for k in range(middle, high))
            logs.append(math.log(total or EPS))
        row = []
        for c in range(coefficients):
            cosine = sum(v * math.cos(math.pi * c * (2 * j + 1) / (2 * filters)) for j, v in enumerate(logs))
            scale = math.sqrt((1 if c == 0 else 2) / filters)
            row.append(cosine * scale * (1 + 11 * math.sin(math.pi * c / 22)))
        rows.append([math.log(power.sum() or EPS), *row[1:]])
    return np.array(rows)


def speechlike(count: int, seed: int = 0) -> np.ndarray:
    """Int16 values: a voice, noise and digital silence."""
    rng = np.random.default_rng(seed)
    voiced = sum(np.sin(2 * np.pi * 130 * n * np.arange(count) / 16000) / n for n in range(1, 30))
    wave = np.round(2000 * voiced + 100 * rng.standard_normal(count)).astype(np.int16)
    wave[count // 2 : count // 2 + 900] = 0
    return wave


SETTINGS = {
    "published": ({}, (16000, 400, 160, 512, 13, 26)),
    "speech": (
        {"window_s": 0.032, "hop_s": 0.02, "coefficients": 26},
        (16000, 512, 320, 512, 26, 26),
    ),
    "narrow": (
        # So many filters that some begin and end on one bin; at this rate a window is half a sample more than 275.
        {"sample_rate_hz": 11020, "hop_s": 0.0125, "coefficients": 20, "filters": 60},
        (11020, 276, 138, 512, 20, 60),
    ),
}


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("count", [3999, 4000, 4001, 250])
def test_equal_to_the_definition(name, count):
    values, definition = SETTINGS[name]
    samples = speechlike(count)
    expected = by_definition(samples, *definition)
    audio = torch.from_numpy(samples / 2.0**15)[None]
    found = Mfcc(**values)(audio, torch.tensor([count]))[0]
    assert found.dtype == torch.float64
    assert found.shape == expected.shape
    assert np.abs(found.numpy() - expected).max() < 1e-8
    single = Mfcc(**values)(audio.float(), torch.tensor([count]))[0]
    assert np.abs(single.numpy() - expected).max() < 1e-3


def test_a_clip_is_the_same_in_any_batch():
    mfcc = Mfcc()
    clips = [torch.from_numpy(speechlike(count, count) / 2.0**15) for count in (5000, 3210, 300)]
    lengths = torch.tensor([len(clip) for clip in clips])
    batch = torch.nn.utils.rnn.pad_sequence(clips, batch_first=True)
    batch[1, 3210:] = 0.5  # what lies after a clip's end is not heard
    together = mfcc(batch, lengths)
    for clip, row, frames in zip(clips, together, mfcc.frames_of(lengths)):
        alone = mfcc(clip[None], torch.tensor([len(clip)]))[0]
        assert len(alone) == frames
        assert torch.allclose(row[:frames], alone, atol=1e-10)


def test_gradient_against_finite_differences_and_none_of_silence():
    mfcc = Mfcc(window_s=0.002, hop_s=0.001, coefficients=5, filters=6)
    torch.manual_seed(0)
    audio = 0.1 * torch.randn(2, 90, dtype=torch.float64)
    weights = torch.randn(2, 5, 5, dtype=torch.float64)
    lengths = torch.tensor([90, 70])
    audio.requires_grad_()
    assert torch.autograd.gradcheck(lambda x: (mfcc(x, lengths) * weights).sum(), (audio,), atol=1e-4)
    silence = torch.zeros(1, 800, requires_grad=True)
    Mfcc()(silence, torch.tensor([800])).sum().backward()
    assert (silence.grad == 0).all()
