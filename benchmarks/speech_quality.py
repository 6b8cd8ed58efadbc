"""Benchmarks: measures of speech quality, by one process and by all cores: `python -m benchmarks.speech_quality`."""

import os
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks import table

PAIRS, SECONDS, NOISE_SNRS_DB = 200, 4, (0, 5, 10, 15)
SENTENCE = "open the door and water the plants in the garden before the rain begins again"


def main() -> None:
    """Prints the time of a pair for each measure, and that of all pairs by one process and by one for each core."""
    from stages.measures import speech_quality

    clean, degraded = _pairs(speech_quality.SAMPLE_RATE_HZ)
    speech_quality.quality(clean[:1], degraded[:1], speech_quality.SAMPLE_RATE_HZ, processes=1)  # imports, once
    rows = []
    for name, measure in speech_quality.MEASURES.items():
        seconds, _ = _timed(lambda measure=measure: [measure(*pair) for pair in zip(clean, degraded)])
        rows.append([name, f"{1000 * seconds / PAIRS:.2f}"])
    print(f"{PAIRS} pairs of {SECONDS} s at {speech_quality.SAMPLE_RATE_HZ} Hz, eSpeak's voices in white noise\n")
    print(table(["measure", "ms a pair"], rows))
    cores = os.cpu_count()
    (alone, one), (together, many) = (
        _timed(
            lambda processes=processes: speech_quality.quality(
                clean, degraded, speech_quality.SAMPLE_RATE_HZ, processes=processes
            )
        )
        for processes in (1, cores)
    )
    print(f"\n{'the same table' if one.equals(many) else 'DIFFERENT TABLES'} by one process and by {cores}\n")
    print(
        table(
            ["processes", "s", "ratio"],
            [["1", f"{alone:.2f}", "1.00"], [str(cores), f"{together:.2f}", f"{alone / together:.2f}"]],
        )
    )


def _pairs(sample_rate_hz: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Speech, and the same in white noise."""
    from scipy.signal import resample

    from stages.corpora.embedded.voices import speak

    rng = np.random.default_rng(0)
    clean, degraded = [], []
    for pair in range(PAIRS):
        voice = f"en+{'fm'[pair % 2]}{1 + pair // 2 % 4}"
        spoken, rate_hz = speak(SENTENCE, voice, rate_wpm=150 + pair % 40, pitch=30 + pair % 41, pitch_range=50)
        waveform = resample(spoken, round(len(spoken) * sample_rate_hz / rate_hz))[: SECONDS * sample_rate_hz]
        noise_rms = np.sqrt(np.mean(waveform**2)) * 10 ** (-NOISE_SNRS_DB[pair % 4] / 20)
        clean.append(waveform.astype(np.float32))
        degraded.append((waveform + noise_rms * rng.standard_normal(len(waveform))).astype(np.float32))
    return clean, degraded


def _timed(run: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds, and what it returns."""
    start = time.perf_counter()
    result = run()
    return time.perf_counter() - start, result


if __name__ == "__main__":
    main()
