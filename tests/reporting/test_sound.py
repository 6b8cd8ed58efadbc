"""Sounds to be heard: versions of a clip as loud as one another."""

import numpy as np
import pytest

from stages.reporting.sound import levels_matched_db

TONE = np.sin(np.arange(1000) / 3)


def test_versions_are_lowered_to_the_quietest_and_none_is_raised():
    versions = [TONE, TONE / 2, np.pad(TONE / 2, (0, 500)), 10 * TONE]
    assert levels_matched_db(versions, [False] * 4) == pytest.approx([-6.0206, 0, 0, -20])


def test_a_difference_is_lowered_but_lowers_nothing():
    assert levels_matched_db([TONE, TONE / 4, 2 * TONE], [False, True, True]) == pytest.approx([0, 0, -6.0206])


def test_beside_a_silent_version_others_are_still_heard():
    assert levels_matched_db([TONE, 0 * TONE], [False, False]) == [-20.0, 0.0]
