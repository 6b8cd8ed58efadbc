"""A run that is killed at random moments, as a whole or one process of it, comes to the same bytes when run again."""

import random
import shutil
from pathlib import Path

from benchmarks import clones, kills

KILLS = 3
# What a run of the part takes at least: trained, attacked, scored.
WITHIN_S = 12.0


def test_killed_at_random_moments_it_ends_with_the_same_bytes(own):
    expected = clones.outputs(own, "events")
    for made in (".dvc/cache", "models/events/vgg13", "data/events/adversarial", "data/events/scores"):
        shutil.rmtree(Path(made))
    kills.killed(own, random.Random(1), WITHIN_S, KILLS)  # noqa: S311 (no secrets here)
    assert kills.ended(own) == expected
