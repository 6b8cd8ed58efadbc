"""Benchmarks: our DeepFool and Carlini-Wagner attacks beside four toolkits on one victim: `python -m benchmarks.attacks`.

Everyone attacks the same second of the same correctly decided test clips, in a process of its own with one thread.
Passes are counted at the network, distances measured on what is returned, and success is what the victim then decides.
The clips are those that come last in the order in which stages take them.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import run_alone, table

if TYPE_CHECKING:
    from torch import Tensor, nn

    from benchmarks.counting import Counting

Adapter = Callable[["Counting", "Tensor", "Tensor"], "Tensor"]
STEPS = (1e-2, 1e-3, 1e-4)
DEEPFOOL_STEPS, OVERSHOOT, CANDIDATES = 50, 0.02, 10
FIRST_C = 1e-3
SHORT_S, ROUNDS = 30, 3
# Who fails more often than this has no part in the clips that medians are taken over.
LEAST_SUCCESS = 0.5


def main() -> None:
    """Prints a table for each attack; with `--only` runs one contender and prints its figures as JSON."""
    options = _options()
    if options.only is not None:
        _, toolkit, _, adapter = contenders(options.searches, options.iterations)[options.only]
        print(json.dumps(measure(adapter, Path(options.model), Path(options.audio), options.clips, toolkit == "ours")))
        return
    print(
        f"{options.clips} clips of 1 s, {options.model}; the peers' searches for c: {options.searches} x "
        f"{options.iterations} iterations (ART, whose iterations are line searches: a tenth of them); "
        f"medians over the clips on which all succeeded that succeed on at least {LEAST_SUCCESS:.0%}.\n"
    )
    found = []
    for number, (attack, toolkit, step, _) in enumerate(contenders(options.searches, options.iterations)):
        print(f"{attack}, {toolkit}, {step}", file=sys.stderr, flush=True)
        output, peak_mib = run_alone("benchmarks.attacks", *sys.argv[1:], "--only", str(number))
        found.append((attack, toolkit, step, json.loads(output.splitlines()[-1]) | {"peak_mib": peak_mib}))
    for attack in dict.fromkeys(attack for attack, *_ in found):
        print(f"\n{attack}\n\n{_table([row[1:] for row in found if row[0] == attack])}", flush=True)


def contenders(searches: int, iterations: int) -> list[tuple[str, str, str, Adapter]]:
    """Attack, toolkit, what it is set to, and the function that runs it."""
    budget = {"searches": searches, "iterations": iterations}
    sweep = [
        (toolkit, f"step {step:g}", partial(adapter, learning_rate=step, **budget))
        for toolkit, adapter in (
            ("ours", our_adam),
            ("foolbox", foolbox_carlini_wagner),
            ("torchattacks", torchattacks_carlini_wagner),
            ("ART", art_carlini_wagner),
            ("cleverhans", cleverhans_carlini_wagner),
        )
        for step in STEPS
    ]
    scheme = "carlini_wagner_normalised"
    normalised = [
        ("ours", f"normalised {tried} x {count}", partial(ours, attack=scheme, searches=tried, iterations=count))
        for tried, count in ((1, 30), (1, 60), (3, 100))
    ]
    deepfool = [
        ("ours", "params.yaml", partial(ours, attack="deepfool")),
        ("foolbox", f"{CANDIDATES} candidates", foolbox_deepfool),
        ("torchattacks", "all classes", torchattacks_deepfool),
        ("ART", f"{CANDIDATES} candidates", art_deepfool),
    ]
    return [("DeepFool, untargeted", *one) for one in deepfool] + [
        ("Carlini-Wagner L2, untargeted", *one) for one in [*normalised, *sweep]
    ]


def measure(adapter: Adapter, model: Path, audio: Path, clips: int, with_bare_passes: bool) -> dict[str, Any]:
    """Distances, successes, passes and time of one contender; times are the best of some rounds if they are short."""
    from benchmarks.counting import Counting, bare_passes
    from stages import victim

    config = json.loads((model / "config.json").read_text(encoding="utf-8"))
    module = victim.load(model, network=config["network"], device="cpu").module
    clean, labels = test_clips(module, config, model, audio, clips)
    seconds, bare_seconds = [], []
    while not seconds or (len(seconds) < ROUNDS and min(seconds) < SHORT_S):
        counted = Counting(module, config["labels"])
        start = time.perf_counter()
        adversarial = adapter(counted, clean, labels)
        seconds.append(time.perf_counter() - start)
        if with_bare_passes:
            start = time.perf_counter()
            bare_passes(module, clean, counted.calls)
            bare_seconds.append(time.perf_counter() - start)
    decided = Counting(module, config["labels"]).decide(adversarial)
    return {
        "distances": (adversarial - clean).double().norm(dim=1).tolist(),
        "success": (decided != labels).tolist(),
        "forwards": counted.forwards / clips,
        "backwards": counted.backwards / clips,
        "seconds": min(seconds),
        "bare_seconds": min(bare_seconds, default=None),
    }


def test_clips(
    module: "nn.Module", config: dict, model: Path, audio: Path, count: int
) -> tuple["Tensor", "Tensor"]:
    """The first second, or a shorter clip and zeros, of `count` test clips decided correctly so; and their labels.

    Raises:
        UserError: there are not so many.
    """
    import pandas as pd
    import torch

    from benchmarks.counting import Counting
    from stages.clip_table import stable_hash
    from stages.errors import UserError
    from stages.shards import ShardSet

    decisions = pd.read_csv(model / "decisions.csv", keep_default_na=False)
    rows = decisions[(decisions.split == "test") & (decisions.decision == decisions.label)]
    rows = rows.iloc[(-rows.key.map(stable_hash)).argsort(kind="stable")]
    waveforms = torch.zeros(len(rows), config["sample_rate_hz"])
    shards = ShardSet(audio)
    for waveform, key in zip(waveforms, rows.key):
        samples = torch.from_numpy(shards.load(key)["audio"])[: len(waveform)]
        waveform[: len(samples)] = samples
    labels = torch.tensor([config["labels"].index(label) for label in rows.label])
    kept = (Counting(module, config["labels"]).decide(waveforms) == labels).nonzero()[:count, 0]
    if len(kept) < count:
        raise UserError(model, expected=f"{count} correct seconds", found=str(len(kept)), do="give fewer --clips")
    return waveforms[kept], labels[kept]


def ours(counted: "Counting", clean: "Tensor", labels: "Tensor", *, attack: str, **changed: Any) -> "Tensor":
    """The house's attack with the parameters of params.yaml, except those `changed`."""
    import torch

    from stages import parameters
    from stages.modules import find
    from stages.victim import Goal, Victim

    values = parameters.section(f"attacks.{attack}") | changed
    run = parameters.bind(find("attacks", attack, "attack", where=f"attacks.{attack}"), f"attacks.{attack}", values)
    bounds = {"audio": (-1.0, 1.0)}
    inputs = {"audio": clean, "audio_length": torch.full((len(clean),), clean.shape[1])}
    return run(Victim(counted, counted.labels, bounds=bounds), inputs, Goal(labels, False), bounds=bounds).adversarial[
        "audio"
    ]


def our_adam(counted, clean, labels, *, learning_rate: float, searches: int, iterations: int) -> "Tensor":
    """The house's Carlini and Wagner as published."""
    budget = {"learning_rate": learning_rate, "searches": searches, "iterations": iterations}
    return ours(counted, clean, labels, attack="carlini_wagner", **budget)


def foolbox_deepfool(counted, clean, labels) -> "Tensor":
    """foolbox's DeepFool."""
    from foolbox.attacks import L2DeepFoolAttack

    return _foolbox(L2DeepFoolAttack(steps=DEEPFOOL_STEPS, candidates=CANDIDATES, overshoot=OVERSHOOT), counted)(
        clean, labels
    )
