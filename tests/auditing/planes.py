"""A grid, and what crosses victims that are planes: for tests of what attacks make of clips behind a defence."""

import numpy as np
import pandas as pd
import torch

from stages.attacks import pgd_l2
from stages.auditing.attempt import Batch, Run
from stages.auditing.crossed import DOUBLED
from stages.auditing.entries import Attack, Grid
from stages.auditing.ways import Way
from stages.victim import Goal

RATE_HZ, SAMPLES = 16_000, 1000
TOLD = {"sample_rate_hz": RATE_HZ, "device": "cpu"}
BOUNDS = {"audio": (-1.0, 1 - 2**-15)}
PGD = {"steps": 40, "relative_step": 0.4, "confidence": 0.0}
GRID = Grid(
    attacks=["pgd"],
    budgets=[0.0],
    budget_in="snr_db",
    unlimited=-20.0,
    clips_per_label=1,
    batch_size=8,
    draws=8,
    hearings=200,
)


def batch_of(victim, count=3):
    audio = torch.from_numpy(np.random.default_rng(4).normal(0, 0.02, (count, SAMPLES)).astype("f4"))
    inputs = {"audio": audio, "audio_length": torch.full((count,), SAMPLES)}
    with torch.no_grad():
        labels = victim.decide(inputs)[0]
    rows = pd.DataFrame({"key": [f"clip{number}" for number in range(count)], "place": range(count)})
    return Batch(rows=rows, inputs=inputs, goal=Goal(labels, targeted=False), quantum={"audio": 2**-15})


def way(file, **parameters):
    return Way(
        lambda waveforms, seeds: file.treat(waveforms, seeds=seeds, **TOLD, **parameters),
        lambda: file.through(**TOLD, **parameters),
        (),
    )


def run(attack, knowledge, access="gradient", **parameters):
    def bound(steps):
        own = parameters | ({"steps": steps * parameters["steps"]} if "steps" in parameters else {})
        return lambda *given, **told: attack(*given, **own, **told)

    entry = Attack(attack="", knowledge=knowledge, access=access, continues=attack is pgd_l2.attack)
    return Run(name="pgd", entry=entry, times={times: bound(times) for times in (1, *DOUBLED)})
