"""The front ends of transformers' models: equal to their feature extractors, and gradients pass."""

import numpy as np
import pytest
import torch
import transformers

from stages.features import extractors
from stages.frame.errors import UserError

SETTINGS = [
    transformers.Wav2Vec2FeatureExtractor(do_normalize=True),
    transformers.Wav2Vec2FeatureExtractor(do_normalize=False),
    transformers.ASTFeatureExtractor(max_length=64),
    transformers.ASTFeatureExtractor(max_length=64, num_mel_bins=40, do_normalize=False),
    transformers.WhisperFeatureExtractor(chunk_length=1),
    transformers.WhisperFeatureExtractor(chunk_length=1, feature_size=128),
]


def clips(samples: int = 8123) -> np.ndarray:
    """A loud one with an offset and one so quiet that the least variance of the extractors matters."""
    rng = np.random.default_rng(0)
    loud = 0.5 * np.sin(np.arange(samples) / 7) + 0.2 * rng.standard_normal(samples) + 0.1
    return np.stack([loud.clip(-1, 1), 3e-4 * rng.standard_normal(samples)]).astype("f4")


@pytest.mark.parametrize("settings", SETTINGS, ids=lambda one: type(one).__name__)
def test_front_ends_equal_the_feature_extractors(settings):
    expected = [settings(clip, sampling_rate=16000, return_tensors="pt") for clip in clips()]
    expected = torch.cat([one.get("input_values", one.get("input_features")) for one in expected])
    made = extractors.build(settings.to_dict())
    assert made.sample_rate_hz == 16000
    audio = torch.from_numpy(clips()).requires_grad_()
    heard = made(audio)
    assert heard.shape == expected.shape
    assert (heard - expected).abs().max() < 1e-4
    heard.square().sum().backward()
    assert audio.grad.isfinite().all() and (audio.grad != 0).any(1).all()


@pytest.mark.parametrize(
    ("settings", "samples", "told"),
    [
        (SETTINGS[2], 399, r"a clip: expected 0\.025 to 0\.664937 s, the model's window; found 0\.0249375 s"),
        (SETTINGS[2], 10640, "found 0.665 s; leave it out; `longest_s`"),
        (SETTINGS[4], 16001, r"expected 6\.25e-05 to 1 s, the model's window; found 1\.00006 s"),
    ],
)
def test_clips_that_do_not_fit_the_window_are_told(settings, samples, told):
    made = extractors.build(settings.to_dict())
    with pytest.raises(UserError, match=told):
        made(torch.zeros(1, samples))


def test_the_longest_clips_that_fit_lose_nothing():
    made = extractors.build(SETTINGS[2].to_dict())
    assert made.frames == 64 and made(torch.rand(1, made.longest)).shape == (1, 64, 128)
    assert extractors.build(SETTINGS[4].to_dict())(torch.rand(1, 16000)).shape == (1, 80, 100)


def test_another_feature_extractor_is_told():
    with pytest.raises(UserError, match=r"one of Wav2Vec2FeatureExtractor, .*; found EncodecFeatureExtractor"):
        extractors.build({"feature_extractor_type": "EncodecFeatureExtractor"})
