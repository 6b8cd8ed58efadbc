"""Benchmarks: the attack over the air on a batch and on one clip after another: `python -m benchmarks.over_the_air`."""

import time
from collections.abc import Callable

from benchmarks import ROOT, table

BATCH, ITERATIONS = 18, 10
SAMPLES, ROOMS, TAPS = 32_000, 12, 6_000
ALPHABET = list(" 'abcdefghijklmnopqrstuvwxyz")
PHRASE = "open the door"
QUANTUM = 2**-15


def main() -> None:
    """Prints the CPU time of both and the ratio, of the attack over the air and of the direct one."""
    import torch

    torch.set_num_threads(1)
    rows = []
    for name, rooms_per_step in (("over the air", 1), ("direct", 0)):
        seconds = []
        for side in _sides(rooms_per_step):
            start = time.process_time()
            side()
            seconds.append(time.process_time() - start)
        together, alone = seconds
        rows.append([name, f"{together:.1f}", f"{alone:.1f}", f"{alone / together:.2f}"])
    print(f"{BATCH} clips of 2 s, {ITERATIONS} iterations, one thread, the recogniser of params.yaml, untrained\n")
    print(table(["attack", "a batch, CPU s", "one after another, CPU s", "ratio"], rows))


def _sides(rooms_per_step: int) -> tuple[Callable[[], None], Callable[[], None]]:
    """The same attack on the whole batch, and on each clip of it."""
    import torch

    from stages import victim
    from stages.attacking.problem import Setting
    from stages.attacks import over_the_air
    from stages.attacks.clips import SAMPLE_RATE_HZ
    from stages.frame import parameters

    torch.manual_seed(0)
    values = parameters.section("speech.victims.deepspeech", ROOT / "params.yaml")
    signal = {"sample_rate_hz": SAMPLE_RATE_HZ}
    module = victim.build(values["network"], len(ALPHABET), values["parameters"], where="victim", signal=signal)
    bounds = {"audio": (-1.0, 1.0)}
    target = victim.Transcriber(module, ALPHABET, bounds=bounds)
    inputs = {"audio": 0.1 * torch.randn(BATCH, SAMPLES), "audio_length": torch.full((BATCH,), SAMPLES)}
    rooms = torch.randn(ROOMS, TAPS) * 0.999 ** torch.arange(TAPS)
    rooms /= rooms.norm(dim=1, keepdim=True)

    def attack(rows: slice) -> None:
        own = {name: value[rows] for name, value in inputs.items()}
        goal = victim.Goal(target.encode([PHRASE] * len(own["audio"])), True)
        over_the_air.attack(
            target,
            own,
            goal,
            setting=Setting(bounds=bounds, quantum={"audio": QUANTUM}, rooms=rooms),
            snr_db=10.12,
            iterations=ITERATIONS,
            relative_step=0.2,
            shrink=None,
            checked_every=10,
            band_hz=[1000.0, 4000.0],
            noise_snr_db=30.0,
            rooms_per_step=rooms_per_step,
            checked_rooms=4,
            needed=0.5,
        )

    def alone() -> None:
        for row in range(BATCH):
            attack(slice(row, row + 1))

    attack(slice(1))  # what is set up once is not timed
    return lambda: attack(slice(None)), alone


if __name__ == "__main__":
    main()
