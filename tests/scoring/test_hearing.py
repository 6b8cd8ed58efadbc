"""What the rooms of scoring make of a treatment's entry and of what it gives back."""

import inspect

import numpy as np
import pandas as pd
import pytest

from stages import score
from stages.frame import parameters
from stages.frame.errors import UserError
from stages.frame.modules import find
from stages.frame.treatment import Treatment
from stages.scoring import batches, hearing


def test_a_treatment_whose_samples_are_no_numbers_is_told():
    rows = pd.DataFrame({"key": ["k"], "source": ["clip"], "trial": [0], "label": ["a"], "treatment": "loud"})
    with pytest.raises(UserError, match="treatment loud of clip: expected finite numbers as samples; found 1 that"):
        batches.treated(rows, [np.zeros(2, "f4")], lambda clips, seeds: [np.array([0.0, np.nan], "f4")], {})


def test_every_entry_of_params_yaml_is_right():
    scored = 0
    for study, section in parameters.read().items():
        for name in section.get("scored", {}):
            entry = parameters.entry(score.Scored, f"{study}.scored.{name}")
            of_images = study == "emotion"
            for one in entry.treatments or section["treatments"]:
                given = parameters.entry(Treatment, f"{study}.treatments.{one}")
                rate_hz = section["corpora"]["audio"]["decoding"]["sample_rate_hz"]
                way = hearing.treated(study, one, given, of_images=of_images, sample_rate_hz=rate_hz, device="cpu")
                treat = find("treatments", given.treatment, "treat", where="")
                asked = {one.name for one in inspect.signature(treat).parameters.values() if one.default is one.empty}
                assert asked - set(way.keywords) == {"waveforms", "seeds"} | ({"model"} if of_images else set())
            if entry.plays:
                playback = parameters.section(f"{study}.playback")
                hearing.played(study, playback, sample_rate_hz=16000, device="cpu")
            scored += 1
    assert scored >= 4
