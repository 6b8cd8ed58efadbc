"""Benchmarks: a population heard as one batch and member by member: `python -m benchmarks.evolutionary`."""

import time

from benchmarks import ROOT, table

POPULATION, GENERATIONS = 32, 10
SAMPLES, ROOMS, TAPS = 32_000, 12, 6_000
ALPHABET = list(" 'abcdefghijklmnopqrstuvwxyz")
PHRASE = "open the door"
QUANTUM = 2**-15


def main() -> None:
    """Prints the time of both, the ratio, and how far apart the waveforms are that they end with."""
    import torch

    from stages import victim
    from stages.attacking.problem import Setting
    from stages.attacks import evolutionary
    from stages.attacks.clips import SAMPLE_RATE_HZ
    from stages.frame import parameters

    class OneByOne(victim.Transcriber):
        """Hears each clip of a batch by itself."""

        def logits(self, inputs: victim.Inputs) -> torch.Tensor:
            rows = range(len(inputs["audio"]))
            return torch.cat(
                [
                    super(OneByOne, self).logits({name: value[row : row + 1] for name, value in inputs.items()})
                    for row in rows
                ]
            )

    torch.set_num_threads(1)
    torch.manual_seed(0)
    values = parameters.section("speech.victims.deepspeech", ROOT / "params.yaml")
    signal = {"sample_rate_hz": SAMPLE_RATE_HZ}
    module = victim.build(values["network"], len(ALPHABET), values["parameters"], where="victim", signal=signal)
    inputs = {"audio": 0.1 * torch.randn(1, SAMPLES), "audio_length": torch.tensor([SAMPLES])}
    rooms = torch.randn(ROOMS, TAPS) * 0.999 ** torch.arange(TAPS)
    rooms /= rooms.norm(dim=1, keepdim=True)

    def attack(kind: type[victim.Transcriber], objective: str, generations: int) -> tuple[torch.Tensor, float]:
        """The attacked clip and the seconds that it took."""
        target = kind(module, ALPHABET, bounds={"audio": (-1.0, 1.0)})
        start = time.perf_counter()
        result = evolutionary.attack(
            target,
            inputs,
            victim.Goal(target.encode([PHRASE]), True),
            setting=Setting(bounds=target.bounds, quantum={"audio": QUANTUM}, rooms=rooms),
            snr_db=10.12,
            objective=objective,
            population=POPULATION,
            generations=generations,
            relative_step=0.08,
            generations_in_rooms=generations,
            relative_step_in_rooms=0.03,
            checked_rooms=6,
            needed=0.5,
            refinements=0,
            bands=13,
            segment_s=0.04,
            band_hz=None,
            noise_snr_db=30.0,
        )
        return result.adversarial["audio"], time.perf_counter() - start

    attack(OneByOne, "over_the_air_loss", 1)  # what is set up once is not timed
    rows = []
    for objective in ("over_the_air_loss", "edit_distance"):
        (together, seconds), (alone, seconds_alone) = (
            attack(kind, objective, GENERATIONS) for kind in (victim.Transcriber, OneByOne)
        )
        apart = float((together - alone).abs().max())
        times = [f"{seconds:.1f}", f"{seconds_alone:.1f}", f"{seconds_alone / seconds:.2f}"]
        rows.append([objective, *times, f"{apart:g}"])
    print(
        f"A clip of 2 s, {GENERATIONS} generations of {POPULATION} as files and as many in rooms, one thread, "
        "params.yaml's recogniser, untrained\n"
    )
    print(table(["objective", "a batch, s", "one by one, s", "ratio", "largest difference"], rows))


if __name__ == "__main__":
    main()
