"""The attacks that search for the smallest perturbation, with parameters for small victims."""

import importlib

import torch

from stages.attacking.problem import Setting
from stages.victim import Goal

SETTINGS = {
    "deepfool": {
        "iterations": 50, "overshoot": 0.02, "candidates": 10, "kept_candidates": 3, "step_growth": 0.0,
        "growth_after": 0, "bisections": 0,
    },
    "cw": {"iterations": 300, "searches": 6, "confidence": 0.0, "learning_rate": 3e-3, "initial_c": 1.0},
    "cw_normalised": {"iterations": 60, "confidence": 0.0, "step": 0.15, "last_step": 0.01, "resize": 0.1},
    "lbfgs": {"iterations": 20, "searches": 6, "history": 10},
}  # fmt: skip
# Where it need not come to the very boundary.
FEWER = {"cw": {"iterations": 100, "searches": 4, "learning_rate": 1e-2}}
CASES = [(name, False) for name in SETTINGS if name != "lbfgs"] + [
    (name, True) for name in SETTINGS if name != "deepfool"
]


def run(name, victim, x, goal, **changes):
    attack = importlib.import_module(f"stages.attacks.{name}").attack
    return attack(victim, {"audio": x}, goal, setting=Setting(bounds=victim.bounds), **{**SETTINGS[name], **changes})


def points(count, size, seed, scale=0.2):
    return scale * torch.randn(count, size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def goal_for(victim, x, targeted):
    labels = victim.decode(victim.logits({"audio": x}))[0]
    return Goal((labels + 1) % len(victim.labels) if targeted else labels, targeted)
