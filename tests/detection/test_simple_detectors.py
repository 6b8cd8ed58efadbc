"""Detectors that know nothing of speech: values by hand, alone and in a batch, and clips that are too short."""

import math

import numpy as np
import pytest

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
