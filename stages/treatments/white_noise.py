"""Room of treatments: Gaussian white noise at a set signal-to-noise ratio."""

import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import numpy as np

from stages.frame.parameters import Range

if TYPE_CHECKING:
    from torch import Tensor


def treat(
    waveforms: list[np.ndarray],
    *,
    sample_rate_hz: int,
    seeds: list[int],
    device: str,
    snr_db: Annotated[float, Range(-100, 100)],
) -> list[np.ndarray]:
    """The clips plus noise, each from its own seed; for the contract see `stages.treatments`."""
    return [at_snr(waveform, noise(seed, len(waveform)), snr_db) for waveform, seed in zip(waveforms, seeds)]


def through(
    *, sample_rate_hz: int, device: str, snr_db: Annotated[float, Range(-100, 100)]
) -> Callable[[dict[str, "Tensor"]], "Tensor"]:
    """The clips plus other noise at each call; the noise rises and falls with the clip, and so do gradients."""
    calls = itertools.count()

    def treated(inputs: dict[str, "Tensor"]) -> "Tensor":
        import torch

        from stages.victim import inside

        own = inside(inputs)
        clips = inputs["audio"] * own
        # A generator a call, so that noise begins alike however long the batch is.
        rng = np.random.default_rng(next(calls))
        drawn = torch.from_numpy(rng.standard_normal((1, clips.shape[1]))).to(clips) * own
        ratio = clips.square().sum(1) / drawn.square().sum(1).clamp_min(1e-30) * 10 ** (-snr_db / 10)
        # A square root has no slope at zero.
        level = torch.where(ratio > 0, ratio, 1).sqrt() * (ratio > 0)
        return clips + level[:, None] * drawn

    return treated


def noise(seed: int, length: int) -> np.ndarray:
    """`length` float64 samples of Gaussian white noise, of mean power exactly 1."""
    samples = np.random.default_rng(seed).standard_normal(length)
    return samples / np.sqrt(np.mean(samples**2))


def at_snr(waveform: np.ndarray, noise: np.ndarray, snr_db: float) -> np.ndarray:
    """`waveform` plus unit-power `noise` scaled to `snr_db` below the waveform's mean power; silence stays silent."""
    power = np.mean(waveform.astype(np.float64) ** 2)
    return (waveform + noise * np.sqrt(power * 10 ** (-snr_db / 10))).astype(np.float32)
