"""Benchmarks: features of the large wav2vec on a CPU, in times real time: `python -m benchmarks.wav2vec`.

Random weights: time does not depend on them.
"""

import os
import time

import numpy as np

from benchmarks import table

RATE_HZ, SECONDS, CLIPS, ROUNDS = 16000, 10, 6, 3


def main() -> None:
    """Prints how much faster than real time a minute goes through, with one thread and with two, medians of rounds."""
    import torch

    from stages.networks import wav2vec

    torch.manual_seed(0)
    network = wav2vec.build(**wav2vec.LARGE).eval()
    audio = 0.05 * torch.randn(CLIPS, SECONDS * RATE_HZ)
    lengths = {
        "equally long": torch.full((CLIPS,), audio.shape[1]),
        "of different lengths": torch.linspace(0.8, 1, CLIPS).mul(audio.shape[1]).long(),
    }
    rows = []
    for name, own in lengths.items():
        row = [f"{CLIPS} clips {name}"]
        for threads in (1, 2):
            torch.set_num_threads(threads)
            taken = []
            with torch.inference_mode():
                network(audio[:1], own[:1])
                for _ in range(ROUNDS):
                    start = time.perf_counter()
                    network(audio, own)
                    taken.append(time.perf_counter() - start)
            row.append(f"{own.sum().item() / RATE_HZ / float(np.median(taken)):.1f}")
        rows.append(row)
    print(f"up to {SECONDS} s each, float32, a machine of {os.cpu_count()} cores\n")
    print(table(["wav2vec large", "times real time, 1 thread", "2 threads"], rows))


if __name__ == "__main__":
    main()
