"""Benchmarks: the attack on transcripts in a batch and clip by clip: `python -m benchmarks.targeted_transcription`."""

import time
from collections.abc import Callable

from benchmarks import ROOT, table

BATCH, ITERATIONS = 16, 20
FRAMES, CROP, SAMPLES_PER_FRAME = 75, 48, 640
ALPHABET = list(" abcdefghijklmnopqrstuvwxyz")
PHRASE = "place red at c five now"


def main() -> None:
    """Prints the time of both and the ratio, with one thread and with two."""
    import torch

    rows = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        seconds = []
        for side in _sides():
            start = time.perf_counter()
            side()
            seconds.append(time.perf_counter() - start)
        together, alone = seconds
        rows.append([str(threads), f"{together:.1f}", f"{alone:.1f}", f"{alone / together:.2f}"])
    print(f"{BATCH} clips of {FRAMES} frames, {ITERATIONS} iterations, the sentence victim of params.yaml, untrained\n")
    print(table(["threads", "a batch, s", "one after another, s", "ratio"], rows))


def _sides() -> tuple[Callable[[], None], Callable[[], None]]:
    """The same attack on the whole batch, and on each clip of it."""
    import torch

    from stages import victim
    from stages.attacking.problem import Setting
    from stages.attacks import targeted_transcription
    from stages.frame import parameters

    torch.manual_seed(0)
    values = parameters.section("audiovisual.victims.sentence_reader", ROOT / "params.yaml")
    signal = {"sample_rate_hz": 16000, "frames_per_s": 25, "crop": CROP}
    module = victim.build(values["network"], len(ALPHABET), values["parameters"], where="victim", signal=signal)
    bounds = {"video": (0.0, 255.0), "audio": (-1.0, 1.0)}
    target = victim.Transcriber(module, ALPHABET, bounds=bounds)
    setting = Setting(
        bounds=bounds,
        epsilon={"audio": 512 / 32768, "video": 8.0},
        quantum={"audio": 1 / 32768, "video": 1.0},
    )
    inputs = {
        "video": torch.randint(0, 256, (BATCH, FRAMES, CROP, CROP)).float(),
        "video_length": torch.full((BATCH,), FRAMES),
        "audio": 0.1 * torch.randn(BATCH, FRAMES * SAMPLES_PER_FRAME),
        "audio_length": torch.full((BATCH,), FRAMES * SAMPLES_PER_FRAME),
    }

    def attack(rows: slice) -> None:
        own = {name: value[rows] for name, value in inputs.items()}
        goal = victim.Goal(target.encode([PHRASE] * len(own["video"])), True)
        targeted_transcription.attack(
            target,
            own,
            goal,
            setting=setting,
            iterations=ITERATIONS,
            relative_step=0.2,
            shrink=0.8,
            checked_every=10,
            tolerated_wer=0.5,
        )

    def alone() -> None:
        for row in range(BATCH):
            attack(slice(row, row + 1))

    attack(slice(1))  # what is set up once is not timed
    return lambda: attack(slice(None)), alone


if __name__ == "__main__":
    main()
