"""Benchmarks: our descriptors beside pyAudioAnalysis: `python -m benchmarks.low_level_descriptors`."""

import time

import numpy as np

from benchmarks import table

RATE_HZ, MINUTES, SECONDS, BATCH, ROUNDS = 16000, 10, 5, 4, 3
FRAMES_S = ((0.05, 0.05), (0.05, 0.025))


def main() -> None:
    """Prints the seconds that each side takes for ten minutes, medians of rounds in turn, and how far they differ."""
    import torch
    from pyAudioAnalysis.ShortTermFeatures import feature_extraction

    from stages.features.low_level_descriptors import build

    torch.set_num_threads(1)
    samples = _speechlike()
    clips = samples.reshape(-1, SECONDS * RATE_HZ)
    rows = []
    for window_s, hop_s in FRAMES_S:
        module = build(sample_rate_hz=RATE_HZ, window_s=window_s, hop_s=hop_s, longest_s=SECONDS)

        def ours(module=module) -> list[np.ndarray]:
            made = []
            for start in range(0, len(clips), BATCH):
                audio = torch.from_numpy(clips[start : start + BATCH] / np.float32(2**15))
                with torch.inference_mode():
                    made += list(module(audio, torch.full((len(audio),), audio.shape[1])).numpy())
            return made

        def library(window=window_s * RATE_HZ, hop=hop_s * RATE_HZ) -> list[np.ndarray]:
            return [feature_extraction(clip, RATE_HZ, window, hop, deltas=False)[0].T for clip in clips]

        found, expected = ours(), library()
        difference = max(
            (np.abs(one - other).max(0) / np.abs(other).max(0)).max() for one, other in zip(found, expected)
        )
        seconds = {side: [] for side in (ours, library)}
        for _ in range(ROUNDS):
            for side, taken in seconds.items():
                start = time.perf_counter()
                side()
                taken.append(time.perf_counter() - start)
        mine, theirs = (float(np.median(taken)) for taken in seconds.values())
        frames = f"{1000 * window_s:g} / {1000 * hop_s:g}"
        rows.append([frames, f"{mine:.3f}", f"{theirs:.2f}", f"{theirs / mine:.1f}", f"{difference:.1e}"])
    print(f"{MINUTES} minutes at {RATE_HZ} Hz in clips of {SECONDS} s, float32, one thread\n")
    heads = [
        "window / hop, ms",
        f"ours, batches of {BATCH}, s",
        "pyAudioAnalysis, s",
        "times as fast",
        "max difference",
    ]
    print(table(heads, rows))


def _speechlike() -> np.ndarray:
    """Harmonics of a wandering pitch with syllables and noise, int16."""
    random = np.random.default_rng(0)
    time_s = np.arange(MINUTES * 60 * RATE_HZ) / RATE_HZ
    phase = 2 * np.pi * np.cumsum(130 + 30 * np.sin(2 * np.pi * 0.3 * time_s)) / RATE_HZ
    voice = sum(np.sin(number * phase) / number for number in range(1, 12))
    wave = voice * (1.1 + np.sin(2 * np.pi * 4 * time_s)) + 0.2 * random.standard_normal(len(time_s))
    return np.round(4000 * wave).astype(np.int16)


if __name__ == "__main__":
    main()
