"""Offset and confidence of many clips at once against the published definition, one clip and one window at a time."""

import numpy as np
import pytest
import torch
from scipy.signal import medfilt

from stages.detection import lip_sync
from stages.frame import parameters, weights
from stages.networks import syncnet_mouth
from stages.victim import padded_batch

LENGTHS = [25, 71, 18, 40]


def published(video: torch.Tensor, audio: torch.Tensor, shifts: int):
    """Of one clip: offset, confidence, least distance, distances, confidence of each window."""
    padded = torch.nn.functional.pad(audio, (0, 0, shifts, shifts))
    rows = [
        torch.nn.functional.pairwise_distance(window.repeat(2 * shifts + 1, 1), padded[v : v + 2 * shifts + 1])
        for v, window in enumerate(video)
    ]
    means = torch.stack(rows).mean(0)
    least, place = means.min(0)
    own = means.median() - torch.stack(rows)[:, place]
    return shifts - int(place), float(means.median() - least), float(least), means, medfilt(own.numpy(), 9)


def valid_pairs(video: torch.Tensor, audio: torch.Tensor, shifts: int):
    """Of one clip: offset, confidence, least distance, over pairs of windows that exist."""
    means = {}
    for shift in range(-shifts, shifts + 1):
        pairs = [(v, v + shift) for v in range(len(video)) if 0 <= v + shift < len(video)]
        if pairs:
            means[shift] = np.mean([float((video[v] - audio[a] + 1e-6).norm()) for v, a in pairs])
    best = min(means, key=means.get)
    ordered = sorted(means.values())
    return -best, ordered[(len(ordered) - 1) // 2] - means[best], means[best]


def clips(dimensions: int, scale: float):
    """Embeddings of which those of the audio come 0, 3, -5 and 0 windows late, and are noisy."""
    generator = torch.Generator().manual_seed(0)
    video = scale * torch.randn(len(LENGTHS), max(LENGTHS), dimensions, generator=generator)
    audio = torch.stack([clip.roll(late, 0) for clip, late in zip(video, (0, 3, -5, 0))])
    return video, audio + 0.3 * scale * torch.randn(audio.shape, generator=generator)


@pytest.mark.parametrize("shifts", [15, 25])
@pytest.mark.parametrize(("dimensions", "scale"), [(128, 0.1), (1024, 0.25)])
@pytest.mark.parametrize("precision", [torch.float32, torch.float64])
def test_equal_to_the_published_definition(shifts, dimensions, scale, precision):
    video, audio = (one.to(precision) for one in clips(dimensions, scale))
    if precision is torch.float64:
        audio[3, 5:9] = video[3, 5:9]  # distances of next to nothing
    found = lip_sync.synchrony(video, audio, torch.tensor(LENGTHS), shifts=shifts, pairs="padded")
    for row, length in enumerate(LENGTHS):
        own = published(video[row, :length].double(), audio[row, :length].double(), shifts)
        offset, confidence, least, means, frames = own
        assert found.offset[row] == offset
        assert float(found.confidence[row]) == pytest.approx(confidence, rel=0, abs=1e-4)
        assert float(found.distance[row]) == pytest.approx(least, rel=0, abs=1e-4)
        assert torch.allclose(found.distances[row].double(), means, rtol=0, atol=1e-4)
        assert np.allclose(found.frame_confidence[row, :length], frames, rtol=0, atol=1e-4)
        assert found.frame_confidence[row, length:].isnan().all()
    assert found.offset[:2].tolist() == [0, -3]


@pytest.mark.parametrize("shifts", [15, 25])
def test_valid_pairs_alone(shifts):
    video, audio = clips(128, 1.0)
    found = lip_sync.synchrony(video, audio, torch.tensor(LENGTHS), shifts=shifts, pairs="valid")
    for row, length in enumerate(LENGTHS):
        offset, confidence, least = valid_pairs(video[row, :length], audio[row, :length], shifts)
        assert found.offset[row] == offset
        assert float(found.confidence[row]) == pytest.approx(confidence, rel=0, abs=1e-4)
        assert float(found.distance[row]) == pytest.approx(least, rel=0, abs=1e-4)
    # Of 18 windows the last has no partner 25 later, and none of 18 has one at all.
    assert found.distances[2].isnan().sum() == max(0, 2 * (shifts - 17))


def test_sound_before_the_picture_is_a_positive_offset():
    video = torch.randn(1, 60, 8, generator=torch.Generator().manual_seed(1))
    early = video[:, 4:44]  # what is seen in window v is heard in window v - 4
    for pairs in ("padded", "valid"):
        found = lip_sync.synchrony(video[:, :40], early, torch.tensor([40]), shifts=15, pairs=pairs)
        assert found.offset.tolist() == [4]


@pytest.mark.parametrize("pairs", ["padded", "valid"])
def test_confidence_has_a_gradient(pairs):
    video, audio = (one.double() for one in clips(16, 1.0))
    video.requires_grad_()
    found = lip_sync.synchrony(video, audio, torch.tensor(LENGTHS), shifts=15, pairs=pairs)
    found.confidence.sum().backward()
    assert video.grad.isfinite().all()
    step = 1e-3 * video.grad / video.grad.norm()
    higher, lower = (
        lip_sync.synchrony(video.detach() + sign * step, audio, torch.tensor(LENGTHS), shifts=15, pairs=pairs)
        for sign in (1, -1)
    )
    slope = (higher.confidence.sum() - lower.confidence.sum()) / 2e-3
    assert float(slope) == pytest.approx(float(video.grad.norm()), rel=1e-2)
    for row, length in enumerate(LENGTHS):
        assert (video.grad[row, length:] == 0).all()


SIGNAL = {"sample_rate_hz": 16000, "frames_per_s": 25, "crop": 24}
SMALL = {"side": 20, "width": 0.25, "dimensions": 16}


@pytest.fixture
def network():
    torch.manual_seed(0)
    return syncnet_mouth.build(0, **SIGNAL, **SMALL).eval()


def batch(lengths):
    """Clips of random pictures and noise; that of a length is always the same."""
    inputs = {}
    for name in ("video", "audio"):
        arrays = []
        for count in lengths:
            rng = np.random.default_rng(count)
            video, audio = rng.integers(0, 256, (count, 24, 24)), rng.normal(0, 0.1, 640 * count)
            arrays.append({"video": video, "audio": audio}[name])
        inputs |= padded_batch(arrays, "cpu", name)
    return inputs


@torch.no_grad()
def test_a_clip_is_the_same_in_any_batch(network):
    lengths = (29, 45, 33)
    together = lip_sync.of_clips(network, batch(lengths), shifts=15, pairs="valid")
    for row, length in enumerate(lengths):
        alone = lip_sync.of_clips(network, batch([length]), shifts=15, pairs="valid")
        assert alone.offset[0] == together.offset[row]
        assert torch.allclose(alone.distances[0], together.distances[row], atol=1e-5)


@torch.no_grad()
def test_the_detector_scores_by_the_confidence_of_a_saved_network(network, tmp_path):
    config = {"network": "syncnet_mouth", "parameters": SMALL, "signal": SIGNAL, "labels": [], "decides": "label"}
    weights.save(tmp_path, network, config | {"bounds": {"video": [0, 255], "audio": [-1, 1]}})
    values = {"model": str(tmp_path), "shifts": 15, "pairs": "padded"}
    score = parameters.bind(lip_sync.detector, "detectors.lip_sync", values)("cpu")
    scored = score(batch((29, 45)))
    expected = lip_sync.of_clips(network, batch((29, 45)), shifts=15, pairs="padded")
    assert torch.equal(scored["score"], expected.confidence)
    assert torch.equal(scored["offset"], expected.offset)
