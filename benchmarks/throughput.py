"""Benchmarks: how fast attacks are beside the bare passes that they take, on the device of the environment.

`python -m benchmarks.throughput` after a run of the sound-event study, at any scale; tests/on_gpu.sh calls it.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from stages.frame.errors import told_in_one_line

MODEL, AUDIO = Path("models/events/vgg13"), Path("data/events/audio")
ATTACKS, CLIPS, ROUNDS = ("deepfool", "cw_normalised"), 8, 3
# What is slower does too much beside its passes.
LEAST_SHARE = 0.5


def main() -> None:
    """Prints for each attack its speed as a share of that of its bare passes; fails where one is below a half."""
    from benchmarks.attacks import ours, test_clips
    from benchmarks.counting import Counting, bare_passes
    from stages import victim
    from stages.frame import devices

    device, config = devices.launch().device, victim.config_of(MODEL)
    network = victim.load(MODEL, device=device).module
    clean, labels = test_clips(network, config, MODEL, AUDIO, CLIPS)
    shares = []
    for attack in ATTACKS:
        counted = Counting(network, config["labels"])
        ours(counted, clean, labels, attack, {})
        calls = list(counted.calls)
        attack_s = _seconds(lambda attack=attack, counted=counted: ours(counted, clean, labels, attack, {}), device)
        shares.append(_seconds(lambda calls=calls: bare_passes(network, clean, calls), device) / attack_s)
        print(f"{attack} on {device}: {attack_s:.2f} s, {shares[-1]:.0%} of the speed of its bare passes")
    sys.exit(0 if min(shares) >= LEAST_SHARE else f"error: an attack is slower than {LEAST_SHARE:.0%} of its passes")


def _seconds(run: Callable[[], Any], device: str) -> float:
    """The least that a run takes of some, what the device still has to do then included."""
    import torch

    taken = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        run()
        if device.startswith("cuda"):
            torch.cuda.synchronize()
        taken.append(time.perf_counter() - began)
    return min(taken)


if __name__ == "__main__":
    with told_in_one_line():
        main()
