"""Room of training: what batches of mouths and sound are varied by, from a generator of random numbers."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch
from torch import Tensor

from stages.frame.parameters import Range, Share
from stages.victim import Inputs

BRIGHTNESS, CONTRAST, GAIN_DB = 20.0, 0.2, 6.0
FULL_SCALE = 32768


@dataclass(frozen=True, kw_only=True)
class Noise:
    """Random noise in files' own integer steps.

    Args:
        audio_levels: largest amplitude in the sound, in steps of 16 bits.
        video_levels: largest amplitude in the video, in steps of 8 bits.
        share: of the clips that get it, for each of the streams by itself.
    """

    audio_levels: Annotated[float, Range(0, FULL_SCALE)]
    video_levels: Annotated[float, Range(0, 255)]
    share: Share


@dataclass(frozen=True, kw_only=True)
class Sounds:
    """What else is heard: another clip's voice, or white noise.

    Args:
        lowest_snr_db, highest_snr_db: how far the clip lies above it, drawn evenly between them.
        share: of the clips that get it.
    """

    lowest_snr_db: Annotated[float, Range(-100, 100)]
    highest_snr_db: Annotated[float, Range(-100, 100)]
    share: Share


def with_sounds(inputs: Inputs, sounds: Sounds, rng: np.random.Generator) -> Inputs:
    """The sound with the next clip's voice in half of those that get any, with white noise in the other half."""
    audio, clips = inputs["audio"], len(inputs["audio"])
    noise = _white(audio, int(rng.integers(2**62)))
    other = torch.where(_each(rng.random(clips) < 0.5, audio).bool(), audio.roll(1, 0), noise)
    level = 10 ** (-rng.uniform(sounds.lowest_snr_db, sounds.highest_snr_db, clips) / 20)
    return inputs | {"audio": _beside(audio, other, level * (rng.random(clips) < sounds.share))}


def in_white_noise(inputs: Inputs, snr_db: float, seed: int) -> Inputs:
    """The sound so far above white noise, over all that a clip has."""
    audio = inputs["audio"]
    level = np.full(len(audio), 10 ** (-snr_db / 20))
    return inputs | {"audio": _beside(audio, _white(audio, seed), level)}


def _white(like: Tensor, seed: int) -> Tensor:
    generator = torch.Generator(like.device).manual_seed(seed)
    return torch.randn(like.shape, generator=generator, device=like.device)


def _beside(audio: Tensor, other: Tensor, level: np.ndarray) -> Tensor:
    """Sounds with another one, of `level` (clips,) their root mean square."""
    ratio = audio.norm(dim=1) / other.norm(dim=1).clamp_min(1e-30)
    return (audio + (_each(level, ratio) * ratio)[:, None] * other).clamp(-1, 1)


def with_noise(inputs: Inputs, noise: Noise, rng: np.random.Generator) -> Inputs:
    """The streams there are, with random signs or uniform values of a random amplitude on some clips."""
    largest = {"audio": noise.audio_levels / FULL_SCALE, "video": noise.video_levels}
    limits = {"audio": (-1, 1), "video": (0, 255)}
    made = {}
    for name in [name for name in largest if name in inputs]:
        clips = len(inputs[name])
        amplitude = rng.uniform(0, largest[name], clips) * (rng.random(clips) < noise.share)
        drawn = 2 * _uniform(inputs[name], rng) - 1
        drawn = torch.where(_each(rng.random(clips) < 0.5, drawn).bool(), drawn.sign(), drawn)
        made[name] = (inputs[name] + _each(amplitude, drawn) * drawn).clamp(*limits[name])
    return inputs | made


def varied(inputs: Inputs, side: int, rng: np.random.Generator) -> Inputs:
    """Pictures cropped at random to `side`, half mirrored, with other brightness and contrast; other loudness."""
    made = {}
    if "video" in inputs:
        video, clips = inputs["video"], len(inputs["video"])
        top, left = rng.integers(0, video.shape[-1] - side + 1, 2)
        video = video[..., top : top + side, left : left + side]
        video = torch.where(_each(rng.random(clips) < 0.5, video).bool(), video.flip(-1), video)
        contrast, brightness = rng.uniform(1 - CONTRAST, 1 + CONTRAST, clips), rng.uniform(-1, 1, clips) * BRIGHTNESS
        video = (video - 128) * _each(contrast, video) + 128 + _each(brightness, video)
        made["video"] = video.clamp(0, 255)
    if "audio" in inputs:
        gain = 10 ** (rng.uniform(-GAIN_DB, GAIN_DB, len(inputs["audio"])) / 20)
        made["audio"] = (inputs["audio"] * _each(gain, inputs["audio"])).clamp(-1, 1)
    return inputs | made


def _each(values: np.ndarray, like: Tensor) -> Tensor:
    """One number a clip, to be broadcast over all that the clip has."""
    return torch.from_numpy(values).to(like).view(-1, *[1] * (like.dim() - 1))


def _uniform(like: Tensor, rng: np.random.Generator) -> Tensor:
    """Numbers in [0, 1) from a generator of the tensor's device, seeded by `rng`."""
    generator = torch.Generator(like.device).manual_seed(int(rng.integers(2**62)))
    return torch.rand(like.shape, generator=generator, device=like.device)
