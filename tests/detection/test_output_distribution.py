"""Probabilities over time: characteristics by hand, and how far they are from those of benign clips."""

import math

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.covariance import LedoitWolf

from stages import victim
from stages.detection import output_distribution
from stages.frame import shards
from stages.frame.devices import Worker
from stages.frame.errors import UserError
from stages.victim import padded_batch


def test_characteristics_by_hand():
    steps = [(0.5, 0.5), (0.9, 0.1), (0.9, 0.1)]
    logits = torch.tensor(steps, dtype=torch.float64).log()[None]
    mixed = -(0.9 * math.log(0.9) + 0.1 * math.log(0.1))
    divergence = 0.5 * math.log(0.5 / 0.9) + 0.5 * math.log(0.5 / 0.1)
    halves = sum(p * math.log(p / (p + q) * 2) + q * math.log(q / (p + q) * 2) for p, q in ((0.5, 0.9), (0.5, 0.1)))
    expected = [
        *((math.log(2) + 2 * mixed) / 3, math.log(2), mixed, mixed),
        *(2.3 / 3, 0.9, 0.5, 0.9),
        *(divergence / 2, divergence, 0, 0),
        *(halves / 4, halves / 2, 0, 0),
    ]
    found = output_distribution.characteristics(logits, torch.tensor([3]))[0]
    assert found.tolist() == pytest.approx(expected, abs=1e-12)


def test_what_comes_after_a_clips_end_has_no_influence_and_one_step_has_none():
    logits = torch.randn(2, 9, 4, generator=torch.Generator().manual_seed(0))
    alone = output_distribution.characteristics(logits[:, :6], torch.tensor([6, 6]))
    together = output_distribution.characteristics(logits, torch.tensor([6, 1]))
    torch.testing.assert_close(together[0], alone[0])
    assert together[1, 8:].isnan().all() and not together[1, :8].isnan().any()


def test_they_have_gradients():
    logits = torch.randn(2, 9, 4, generator=torch.Generator().manual_seed(0)).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda one: output_distribution.characteristics(one, torch.tensor([9, 5])), logits)


def write(folder, splits, texts):
    rng = np.random.default_rng(3)
    arrays = [(0.1 * rng.standard_normal(8000 + 320 * number)).astype("f4") for number in range(len(splits))]
    names = [f"clip-{number}" for number in range(len(splits))]
    seconds = [len(one) / 16000 for one in arrays]
    table = {"key": names, "clip_id": names, "split": splits, "text": texts, "problem": "", "duration_s": seconds}
    held = dict(zip(names, arrays))
    shards.write_set(
        pd.DataFrame(table),
        folder,
        lambda rows: (rows, [{"audio": held[key]} for key in rows.key]),
        inputs=[],
        settings=[],
        worker=Worker(),
        description="made up",
        about={"signal": {"sample_rate_hz": 16000}, "bounds": {"audio": [-1, 1]}},
    )
    return arrays


def test_scores_are_distances_to_validation_clips_with_a_text(talker, tmp_path):
    splits, texts = ["validation"] * 20 + ["train"] * 2 + ["validation"] * 2, ["a"] * 22 + [""] * 2
    arrays = write(tmp_path / "clips", splits, texts)
    recogniser = victim.load(talker, device="cpu")

    def of(sound):
        batch = padded_batch([sound], "cpu")
        with torch.no_grad():
            return output_distribution.characteristics(recogniser.logits(batch), recogniser.module.steps(batch))[0]

    benign = torch.stack([of(sound) for sound in arrays[:20]]).numpy()
    middle, spread = benign.mean(0), benign.std(0, ddof=1)
    precision = LedoitWolf(assume_centered=True).fit((benign - middle) / spread).precision_
    score = output_distribution.detector("cpu", model=str(talker), clips=str(tmp_path / "clips"))
    tone = np.sin(np.arange(9000) / 20).astype("f4")
    found = score(padded_batch([arrays[0], arrays[21], tone], "cpu"))["score"].tolist()
    for sound, own in zip((arrays[0], arrays[21], tone), found, strict=True):
        apart = (of(sound).numpy() - middle) / spread
        assert own == pytest.approx(-(apart @ precision @ apart), rel=1e-3)
    assert found[2] < min(found[:2])


def test_no_benign_clips_are_told(talker, tmp_path):
    write(tmp_path / "clips", ["train", "validation"], ["a", "a"])
    with pytest.raises(UserError, match="validation clips with a text"):
        output_distribution.detector("cpu", model=str(talker), clips=str(tmp_path / "clips"))
