"""Benchmarks: our DeepFool and Carlini-Wagner beside four toolkits on one victim: `python -m benchmarks.attacks`.

All attack the same second of the same correctly decided test clips, each in a process of its own with one thread.
Passes are counted at the network, distances measured on what is returned, and success is what the victim then decides.
The clips are those that come last in the order in which the attack stage takes them.
"""

import argparse
import json
import statistics
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import run_alone, table
from stages.frame.errors import UserError, told_in_one_line

if TYPE_CHECKING:
    from torch import Tensor, nn

    from benchmarks.counting import Counting

STEPS = (1e-2, 1e-3, 1e-4)
SHORT_S, ROUNDS = 5, 3
# Who fails more often than this has no part in choosing the clips that medians are taken over.
LEAST_SUCCESS = 0.5
Contender = tuple[str, str, str, str, dict[str, Any]]


def main() -> None:
    """Prints a table for each attack; with `--only` runs one contender and prints its figures as JSON.

    Raises:
        UserError: there is no victim.
    """
    options = _options()
    if not Path(options.model, "config.json").is_file():
        raise UserError(options.model, "a trained victim", "none", "run `make reproduce` first")
    everyone = contenders(options.searches, options.iterations)
    if options.only is not None:
        print(json.dumps(measure(everyone[options.only], Path(options.model), Path(options.audio), options.clips)))
        return
    print(
        f"{options.clips} clips of 1 s, {options.model}; published Carlini-Wagner with {options.searches} searches of "
        f"{options.iterations} iterations (ART, whose iterations are line searches: a tenth of them). Medians are over "
        f"the clips that all of those succeed on who succeed on {LEAST_SUCCESS:.0%} or more; passes are per clip."
    )
    found = []
    for number, (attack, toolkit, setting, _, _) in enumerate(everyone):
        print(f"{attack}: {toolkit}, {setting}", file=sys.stderr, flush=True)
        output, peak_mib = run_alone("benchmarks.attacks", *sys.argv[1:], "--only", str(number))
        found.append((attack, toolkit, setting, json.loads(output.splitlines()[-1]) | {"peak_mib": peak_mib}))
    for attack in dict.fromkeys(row[0] for row in found):
        print(f"\n{attack}, untargeted\n\n{_table([row[1:] for row in found if row[0] == attack])}", flush=True)


def contenders(searches: int, iterations: int) -> list[Contender]:
    """Attack, toolkit, setting as the table shows them; then the name of the function (of `peers` or, for ours, of the
    house's attack) and its parameters.
    """
    budget = {"searches": searches, "iterations": iterations}
    fewer = {"searches": searches, "iterations": max(1, iterations // 10)}
    adam = [
        ("ours", "cw", budget),
        ("foolbox", "foolbox_carlini_wagner", budget),
        ("torchattacks", "torchattacks_carlini_wagner", {"iterations": iterations, "c": 1.0}),
        ("ART", "art_carlini_wagner", fewer),
        ("cleverhans", "cleverhans_carlini_wagner", budget),
    ]
    return [
        ("DeepFool", "ours", "as params.yaml", "deepfool", {}),
        ("DeepFool", "foolbox", "10 candidates", "foolbox_deepfool", {}),
        ("DeepFool", "torchattacks", "all classes", "torchattacks_deepfool", {}),
        ("DeepFool", "ART", "10 candidates", "art_deepfool", {}),
        *(
            ("Carlini-Wagner L2", "ours", f"normalised, {steps} steps", "cw_normalised", {"iterations": steps})
            for steps in (30, 60, 300)
        ),
        *(
            ("Carlini-Wagner L2", toolkit, f"step {step:g}", function, {**values, "learning_rate": step})
            for toolkit, function, values in adam
            for step in STEPS
        ),
    ]


def measure(contender: Contender, model: Path, audio: Path, clips: int) -> dict[str, Any]:
    """Distances, successes, passes and time of one contender; times are the best of some rounds if they are short."""
    from benchmarks import peers
    from benchmarks.counting import Counting, bare_passes
    from stages import victim

    _, toolkit, _, function, values = contender
    config = json.loads((model / "config.json").read_text(encoding="utf-8"))
    network = victim.load(model, device="cpu").module
    clean, labels = test_clips(network, config, model, audio, clips)
    seconds, bare_seconds = [], []
    while not seconds or (len(seconds) < ROUNDS and min(seconds) < SHORT_S):
        counted = Counting(network, config["labels"])
        start = time.perf_counter()
        if toolkit == "ours":
            adversarial = ours(counted, clean, labels, function, values)
        else:
            adversarial = getattr(peers, function)(counted, clean, labels, **values)
        seconds.append(time.perf_counter() - start)
        if toolkit == "ours":
            start = time.perf_counter()
            bare_passes(network, clean, counted.calls)
            bare_seconds.append(time.perf_counter() - start)
    return {
        "distances": (adversarial - clean).double().norm(dim=1).tolist(),
        "success": (decide(network, adversarial) != labels).tolist(),
        "forwards": counted.forwards / clips,
        "backwards": counted.backwards / clips,
        "seconds": min(seconds),
        "bare_seconds": min(bare_seconds, default=None),
    }


def ours(counted: "Counting", clean: "Tensor", labels: "Tensor", attack: str, changed: dict[str, Any]) -> "Tensor":
    """The house's attack with the parameters of params.yaml, except those `changed`."""
    from benchmarks.counting import inputs
    from stages.attacking.problem import Setting
    from stages.frame import parameters
    from stages.frame.modules import find
    from stages.victim import Goal, Victim

    run = find("attacks", attack, "attack", where=attack)
    values = parameters.section(f"events.attacks.{attack}.parameters") | changed
    target = Victim(counted, counted.labels, bounds={"audio": (-1.0, 1.0)})
    setting = Setting(bounds=target.bounds)
    return run(target, inputs(clean), Goal(labels, False), setting=setting, **values).adversarial["audio"]


def decide(network: "nn.Module", audio: "Tensor") -> "Tensor":
    """The network's decisions (clips,) on (clips, samples)."""
    import torch

    from benchmarks.counting import inputs

    with torch.no_grad():
        return network(inputs(audio)).argmax(1)


def test_clips(network: "nn.Module", config: dict, model: Path, audio: Path, count: int) -> tuple["Tensor", "Tensor"]:
    """The first second (or a shorter clip and zeros) of `count` test clips, decided correctly even so; their labels.

    Raises:
        UserError: there are not so many.
    """
    import pandas as pd
    import torch

    from stages.frame.clip_table import stable_hash
    from stages.frame.shards import ShardSet

    decisions = pd.read_csv(model / "decisions.csv", keep_default_na=False)
    rows = decisions[(decisions.split == "test") & (decisions.decision == decisions.label)]
    rows = rows.iloc[rows.key.map(stable_hash).argsort(kind="stable")[::-1]]
    waveforms = torch.zeros(len(rows), config["signal"]["sample_rate_hz"])
    shards = ShardSet(audio)
    for waveform, key in zip(waveforms, rows.key):
        samples = torch.from_numpy(shards.load(key)["audio"])[: len(waveform)]
        waveform[: len(samples)] = samples
    waveforms = waveforms.to(next(network.parameters()).device)
    labels = torch.tensor([config["labels"].index(label) for label in rows.label], device=waveforms.device)
    kept = (decide(network, waveforms) == labels).nonzero()[:count, 0]
    if len(kept) < count:
        raise UserError(model, f"{count} correct seconds", str(len(kept)), "give fewer --clips")
    return waveforms[kept], labels[kept]


def _table(rows: list[tuple[str, str, dict[str, Any]]]) -> str:
    clips = len(rows[0][2]["success"])
    able = [found["success"] for _, _, found in rows if sum(found["success"]) >= LEAST_SUCCESS * clips]
    common = [number for number in range(clips) if all(success[number] for success in able)]
    heads = [
        "toolkit",
        "setting",
        "success",
        f"median L2 ({len(common)} clips)",
        "forwards",
        "backwards",
        "wall s",
        "over bare passes",
        "peak MiB",
    ]
    return table(heads, [_row(*row, common) for row in rows])


def _row(toolkit: str, setting: str, found: dict[str, Any], common: list[int]) -> list[str]:
    success = found["success"]
    distances = [found["distances"][number] for number in common]
    counts = sum(success) >= LEAST_SUCCESS * len(success) and common
    return [
        toolkit,
        setting,
        f"{sum(success)}/{len(success)}",
        f"{statistics.median(distances):.4f}" if counts else "-",
        f"{found['forwards']:.0f}",
        f"{found['backwards']:.0f}",
        f"{found['seconds']:.1f}",
        f"{found['seconds'] / found['bare_seconds']:.2f}" if found["bare_seconds"] else "",
        f"{found['peak_mib']:.0f}",
    ]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.attacks", description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="models/events/vgg13", help="folder of a trained victim")
    parser.add_argument("--audio", default="data/events/audio", help="its corpus's shards")
    parser.add_argument("--clips", type=int, default=12)
    parser.add_argument("--searches", type=int, default=9, help="values of c in the published attack")
    parser.add_argument("--iterations", type=int, default=250, help="steps for each of them")
    parser.add_argument("--only", type=int, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    with told_in_one_line():
        main()
