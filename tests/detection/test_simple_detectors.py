"""Detectors that know nothing of speech: values by hand, alone and in a batch, and clips that are too short."""

import math

import numpy as np
import pytest
import torch

from stages.detection import frame_difference, quietest_moment
from stages.victim import padded_batch


def test_quietest_moment_by_hand_and_none_of_less_than_a_window():
    loud, short = np.full(1200, 0.5, "f4"), np.full(399, 0.5, "f4")
    loud[400:800] = 0.1
    score = quietest_moment.detector("cpu")
    together = score(padded_batch([loud, short, loud[:400]], "cpu"))["score"].tolist()
    assert together[0] == pytest.approx(-0.1) and together[2] == pytest.approx(-0.5)
    assert math.isnan(together[1])
    assert math.isnan(score(padded_batch([short], "cpu"))["score"].item())


def test_frame_difference_by_hand_and_none_of_one_picture():
    video = np.zeros((3, 2, 2), "f4")
    video[1], video[2] = 4, 6
    score = frame_difference.detector("cpu")
    together = score(padded_batch([video, video[:1]], "cpu", "video"))["score"].tolist()
    assert together[0] == pytest.approx(-3) and math.isnan(together[1])
    assert math.isnan(score(padded_batch([video[:1]], "cpu", "video"))["score"].item())


@pytest.mark.parametrize("detector", [frame_difference, quietest_moment])
def test_scores_have_gradients(detector):
    rng = torch.Generator().manual_seed(0)
    lengths = torch.tensor([1000, 700])
    audio = torch.randn(2, 1000, generator=rng, dtype=torch.float64).requires_grad_()
    video = torch.randn(2, 5, 3, 3, generator=rng, dtype=torch.float64).requires_grad_()
    counted = {"audio_length": lengths, "video_length": torch.tensor([5, 3])}
    score = detector.detector("cpu")
    own = video if detector is frame_difference else audio
    name = "video" if detector is frame_difference else "audio"
    assert torch.autograd.gradcheck(lambda one: score({name: one} | counted)["score"], own)


def test_a_silent_moment_has_no_slope_and_is_no_obstacle_to_others():
    audio = torch.full((2, 800), 0.1).double()
    audio[0, :400] = 0
    audio.requires_grad_()
    found = quietest_moment.detector("cpu")({"audio": audio, "audio_length": torch.tensor([800, 400])})["score"]
    (gradient,) = torch.autograd.grad(found.sum(), audio)
    assert found.tolist() == pytest.approx([0, -0.1]) and not gradient[0].any()
    assert gradient[1].tolist() == pytest.approx([-1 / 400] * 400 + [0] * 400)
