"""Transcripts of a part and of the whole: agreement by hand, the score of a saved recogniser, and its gradient."""

import numpy as np
import pytest
import torch

from stages import victim
from stages.detection import temporal_dependency
from stages.frame import parameters
from stages.frame.ctc import ctc
from stages.frame.errors import UserError
from stages.victim import padded_batch


@pytest.mark.parametrize(
    ("part", "whole", "words", "characters", "prefix"),
    [
        ("turn off", "turn off the light", 1, 1, 0.5),
        ("turn of", "turn off the light", 0.5, 1, 0.25),
        ("turn of the", "turn off the light", 2 / 3, 7 / 9, 0.25),
        ("open the door", "open the", 1, 1, 2 / 3),
        ("burn off", "turn off the light", 0.5, 6 / 7, 0),
        ("", "turn off", 0, 0, 0),
        ("turn", "", 0, 0, 0),
        ("", "", 1, 1, 1),
    ],
)
def test_agreement_by_hand(part, whole, words, characters, prefix):
    for measure, value in {"words": words, "characters": characters, "prefix": prefix}.items():
        assert temporal_dependency.agreement(part, whole, measure) == pytest.approx(value), measure


def clips(lengths):
    rng = np.random.default_rng(0)
    return [(0.1 * rng.standard_normal(n) * np.sin(np.arange(n) / 700)).astype("f4") for n in lengths]


VALUES = {"part": 0.5, "measure": "prefix"}


def test_a_clips_score_is_the_agreement_of_what_is_heard_of_it_and_of_its_half(talker):
    recogniser = victim.load(talker, device="cpu")
    sounds = clips([14500, 9001, 12000])
    score = parameters.bind(temporal_dependency.detector, "detectors.td", VALUES | {"model": str(talker)})("cpu")
    found = score(padded_batch(sounds, "cpu"))["score"]
    with torch.no_grad():
        for sound, own in zip(sounds, found.tolist(), strict=True):
            heard = [
                recogniser.names(recogniser.decide(padded_batch([one], "cpu"))[0])[0]
                for one in (sound[: len(sound) // 2], sound)
            ]
            assert own == pytest.approx(temporal_dependency.agreement(*heard, "prefix"), abs=1e-5)
    assert len(set(found.tolist())) > 1


def test_its_gradient_is_that_of_what_the_whole_says_in_the_part_alone(talker):
    recogniser = victim.load(talker, device="cpu")
    batch = padded_batch(clips([9000, 16000]), "cpu")
    audio = batch["audio"].requires_grad_()
    score = temporal_dependency.detector("cpu", model=str(talker), **VALUES)
    (gradient,) = torch.autograd.grad(score(batch)["score"].sum(), audio)
    gradient = gradient[:1]
    assert not gradient[:, 4500:].any()
    text = recogniser.encode(recogniser.names(recogniser.decide(batch)[0])[:1])

    def probable(step):
        moved = (audio.detach()[:1] + step * gradient / gradient.norm())[:, :4500]
        return -float(ctc(recogniser.logits({"audio": moved, "audio_length": torch.tensor([4500])}), text))

    slope = (probable(1e-3) - probable(-1e-3)) / 2e-3
    assert slope == pytest.approx(float(gradient.norm()), rel=0.05)


def test_a_part_beyond_the_whole_is_told(talker):
    with pytest.raises(UserError, match="part"):
        parameters.bind(temporal_dependency.detector, "detectors.td", VALUES | {"part": 1.5, "model": str(talker)})
