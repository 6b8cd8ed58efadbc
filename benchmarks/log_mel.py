"""Benchmarks: our log-mel spectrogram beside librosa's, each with one thread: `python -m benchmarks.log_mel`."""

import time
from collections.abc import Callable

import numpy as np

from benchmarks import table

RATE_HZ, WINDOW, HOP, MELS = 32000, 1024, 512, 64
CLIPS, SECONDS, BATCH, ROUNDS = 256, 2, 32, 5
FRAMES = {"n_fft": WINDOW, "hop_length": HOP, "pad_mode": "constant"}
Side = Callable[[list[np.ndarray]], list[np.ndarray]]


def main() -> None:
    """Prints hours of audio per second of each side, the best of some rounds in turn, and how far they differ."""
    import torch

    torch.set_num_threads(1)
    random = np.random.default_rng(0)
    clips = [_clip(random) for _ in range(CLIPS)]
    sides = {
        f"ours, batches of {BATCH}": ours(),
        "librosa, clip by clip": librosa_plain,
        "librosa, clip by clip, filters made once": librosa_with_kept_filters(),
    }
    # Once beforehand, so that no side pays for imports and plans; here the outputs are compared too.
    outcomes = [side(clips) for side in sides.values()]
    seconds = dict.fromkeys(sides, np.inf)
    for _ in range(ROUNDS):
        for name, side in sides.items():
            start = time.perf_counter()
            side(clips)
            seconds[name] = min(seconds[name], time.perf_counter() - start)
    rows = [
        [name, f"{CLIPS * SECONDS / 3600 / took:.2f}", f"{took / min(seconds.values()):.2f}", f"{difference:.1e}"]
        for (name, took), difference in zip(seconds.items(), [_difference_db(one, outcomes[0]) for one in outcomes])
    ]
    print(f"{CLIPS} clips of {SECONDS} s at {RATE_HZ} Hz, window {WINDOW}, hop {HOP}, {MELS} mels, one thread\n")
    print(table(["log-mel", "hours of audio per s", "time, fastest = 1", "max difference to ours, dB"], rows))


def ours() -> Side:
    """The house's module, a batch at a time, without gradients."""
    import torch

    from stages.features.log_mel import LogMel
    from stages.victim import padded_batch

    module = LogMel(sample_rate_hz=RATE_HZ, window_length=WINDOW, hop_length=HOP, mels=MELS)

    @torch.no_grad()
    def side(clips: list[np.ndarray]) -> list[np.ndarray]:
        outcome = []
        for start in range(0, len(clips), BATCH):
            batch = padded_batch(clips[start : start + BATCH], "cpu")
            outcome += list(module(batch["audio"], batch["audio_length"]).numpy())
        return outcome

    return side


def librosa_plain(clips: list[np.ndarray]) -> list[np.ndarray]:
    """librosa as its manual has it."""
    import librosa

    power = (librosa.feature.melspectrogram(y=clip, sr=RATE_HZ, n_mels=MELS, **FRAMES) for clip in clips)
    return [librosa.power_to_db(one, ref=np.max, top_db=None) for one in power]


def librosa_with_kept_filters() -> Side:
    """librosa by one who knows that `melspectrogram` makes its filters anew for every clip."""
    import librosa

    filters = librosa.filters.mel(sr=RATE_HZ, n_fft=WINDOW, n_mels=MELS)

    def side(clips: list[np.ndarray]) -> list[np.ndarray]:
        power = (filters @ np.abs(librosa.stft(clip, **FRAMES)) ** 2 for clip in clips)
        return [librosa.power_to_db(one, ref=np.max, top_db=None) for one in power]

    return side


def _difference_db(some: list[np.ndarray], others: list[np.ndarray]) -> float:
    return max(float(np.abs(one - other).max()) for one, other in zip(some, others))


def _clip(random: np.random.Generator) -> np.ndarray:
    """Three decaying tones and a little noise."""
    time_s = np.arange(SECONDS * RATE_HZ) / RATE_HZ
    tones = sum(0.2 * np.sin(2 * np.pi * hz * time_s) * np.exp(-time_s) for hz in random.uniform(100, 12000, 3))
    return (tones + random.normal(0, 0.01, len(time_s))).astype(np.float32)


if __name__ == "__main__":
    main()
