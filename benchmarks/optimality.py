"""Benchmarks: minimal-L2 attacks by AttackBench's optimality, at equal passes: `python -m benchmarks.optimality`.

Cinà et al., AttackBench (AAAI 2025). An attack's curve r(e) is the share of clips that it leaves right with
perturbations of an L2 norm up to e; the best curve r* is that of each clip's smallest perturbation found by anybody at
any number of passes. With e0, the largest of those smallest perturbations (where r* comes to zero), optimality is

    1 - (integral of r - r* from 0 to e0) / (integral of 1 - r* from 0 to e0) = sum(max(0, e0 - d)) / sum(e0 - d*),

where d are the distances of the attack (infinite where it failed) and d* the smallest: 1 is the best everywhere. A pass
is a forward pass of one clip, with or without the way back, counted at the network.
"""

import argparse
import json
import statistics
import sys
from pathlib import Path
from typing import Any

from benchmarks import run_alone, table
from stages.frame.errors import told_in_one_line

VICTIMS = ("vgg13", "crnn", "dense_wav")
PASSES = (100, 300, 1000)
# What of our passes the start and the last bisections take on average; the others are the descent's.
OVERHEAD = 50
# Searches for c of the Carlini-Wagner attacks: nine as published take all the passes of the larger numbers.
SEARCHES = {100: 2, 300: 3, 1000: 5}
# Passes of the start of Brendel and Bethge's attack and of its steps, and of an iteration of ART's, a line search.
INITIAL, BRENDEL_BETHGE_STEP, ART_ITERATION = 40, 2, 4
Contender = tuple[str, str, dict[str, Any]]


def main() -> None:
    """Prints a table for each victim; with `--only` runs one contender and prints its figures as JSON."""
    options = _options()
    if options.only is not None:
        toolkit, function, values = contenders(options.passes)[options.only]
        found = measure(toolkit, function, values, Path("models/events", options.victim), options.clips)
        print(json.dumps(found))
        return
    print(f"{options.clips} held-out clips of 1 s a victim, untargeted.")
    for victim in VICTIMS:
        found = {}
        for passes in PASSES:
            for number, contender in enumerate(contenders(passes)):
                name = contender[0]
                print(f"{victim}, {passes} passes: {name}", file=sys.stderr, flush=True)
                asked = ["--victim", victim, "--passes", str(passes), "--only", str(number)]
                output, _ = run_alone("benchmarks.optimality", "--clips", str(options.clips), *asked)
                found[name, passes] = json.loads(output.splitlines()[-1])
        print(f"\n{victim}\n\n{_table(found)}", flush=True)


def contenders(passes: int) -> list[Contender]:
    """Who may ask for so many passes: name, function (of `peers`, or of the house), and its parameters."""
    searches = SEARCHES[passes]
    adam = {"searches": searches, "iterations": passes // searches}
    return [
        ("ours", "cw_normalised", {"iterations": passes - OVERHEAD}),
        ("foolbox DDN", "foolbox_ddn", {"steps": passes}),
        ("foolbox FMN", "foolbox_fmn", {"steps": passes}),
        ("foolbox Brendel-Bethge", "foolbox_brendel_bethge", {"steps": (passes - INITIAL) // BRENDEL_BETHGE_STEP}),
        *(
            (f"foolbox C&W, step {step:g}", "foolbox_carlini_wagner", {**adam, "learning_rate": step})
            for step in (1e-3, 1e-4)
        ),
        ("torchattacks C&W", "torchattacks_carlini_wagner", {"iterations": passes, "learning_rate": 1e-3, "c": 1.0}),
        (
            "ART C&W",
            "art_carlini_wagner",
            {"searches": 1, "iterations": passes // ART_ITERATION, "learning_rate": 1e-2},
        ),
    ]


def measure(toolkit: str, function: str, values: dict[str, Any], model: Path, clips: int) -> dict[str, Any]:
    """Distances of the clips, infinite where the attack failed, and passes a clip."""
    from benchmarks import attacks, peers
    from benchmarks.counting import Counting
    from stages import victim

    config = json.loads((model / "config.json").read_text(encoding="utf-8"))
    network = victim.load(model, device="cpu").module
    clean, labels = attacks.test_clips(network, config, model, Path("data/events/audio"), clips)
    counted = Counting(network, config["labels"])
    if toolkit == "ours":
        adversarial = attacks.ours(counted, clean, labels, function, values)
    else:
        adversarial = getattr(peers, function)(counted, clean, labels, **values)
    success = attacks.decide(network, adversarial) != labels
    distances = (adversarial - clean).double().norm(dim=1).where(success, float("inf"))
    return {"distances": distances.tolist(), "passes": counted.forwards / clips}


def optimality(distances: list[float], smallest: list[float]) -> float:
    """How near an attack's curve of robust accuracy comes to the best one: at most 1.

    Args:
        distances: its L2 norms, infinite where it failed.
        smallest: those of each clip's smallest perturbation.
    """
    farthest = max(smallest)
    return sum(max(0.0, farthest - one) for one in distances) / sum(farthest - one for one in smallest)


def _table(found: dict[tuple[str, int], dict[str, Any]]) -> str:
    smallest = [min(ones) for ones in zip(*(one["distances"] for one in found.values()))]
    heads = ["attack"]
    for passes in PASSES:
        heads += [f"optimality, {passes} passes", "success", "median L2", "passes"]
    names = dict.fromkeys(name for name, _ in found)
    return table(heads, [[name, *_cells(found, name, smallest)] for name in names])


def _cells(found: dict[tuple[str, int], dict[str, Any]], name: str, smallest: list[float]) -> list[str]:
    cells = []
    for passes in PASSES:
        distances = found[name, passes]["distances"]
        cells += [
            f"{optimality(distances, smallest):.3f}",
            f"{sum(one < float('inf') for one in distances)}/{len(distances)}",
            f"{statistics.median(distances):.4f}",
            f"{found[name, passes]['passes']:.0f}",
        ]
    return cells


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.optimality", description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=int, default=16)
    parser.add_argument("--victim", choices=VICTIMS, default=VICTIMS[0], help=argparse.SUPPRESS)
    parser.add_argument("--passes", type=int, choices=PASSES, default=PASSES[0], help=argparse.SUPPRESS)
    parser.add_argument("--only", type=int, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    with told_in_one_line():
        main()
