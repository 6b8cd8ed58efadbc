"""Benchmarks: the enhancers at the built-in sizes on one core, in times real time: `python -m benchmarks.enhancement`.

Forward is what enhances, forward and backward what training and an attack through the enhancer cost. What is counted is
the processor's time.
"""

import time
from collections.abc import Callable

from benchmarks import table

CLIPS, LENGTH_S, REPEATS = 8, 2.0, 3


def main() -> None:
    """Prints the processor's time a second of sound, and times real time, of each enhancer of params.yaml."""
    import torch

    from stages import victim
    from stages.frame import parameters

    torch.set_num_threads(1)
    rate_hz = parameters.section("speech.corpora.audio.decoding")["sample_rate_hz"]
    audio = 0.1 * torch.randn(CLIPS, round(LENGTH_S * rate_hz), generator=torch.Generator().manual_seed(1))
    inputs = {"audio": audio, "audio_length": torch.full((CLIPS,), audio.shape[1])}
    rows = []
    for name, values in parameters.section("speech.victims").items():
        # A hardened one is the network that it starts from.
        if values["method"] != "enhancement" or "starts_from" in values:
            continue
        signal = {"sample_rate_hz": rate_hz}
        module = victim.build(values["network"], 0, values["parameters"], where=f"speech.victims.{name}", signal=signal)
        forward = _seconds(torch.no_grad()(lambda module=module: module(inputs)))
        both = _seconds(lambda module=module: module(inputs).square().mean().backward())
        for what, seconds in (("forward", forward), ("forward and backward", both)):
            one = seconds / (CLIPS * LENGTH_S)
            rows.append([f"{name}, {what}", f"{1000 * one:.1f}", f"{1 / one:.0f}"])
    print(f"{CLIPS} clips of {LENGTH_S:g} s\n")
    print(table(["enhancer", "CPU ms a second", "times real time"], rows))


def _seconds(run: Callable) -> float:
    """The processor's time of one run, after one that nobody pays for."""
    run()
    before = time.process_time()
    for _ in range(REPEATS):
        run()
    return (time.process_time() - before) / REPEATS


if __name__ == "__main__":
    main()
