"""Victims small enough that the exact minimal perturbation is known."""

import itertools

import numpy as np
import torch
from torch import nn

from stages.victim import Victim


class OnAudio(nn.Module):
    """A network of flat vectors as a module of named inputs."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network

    def forward(self, inputs):
        return self.network(inputs["audio"].flatten(1))


class Plane(nn.Module):
    """Two labels, by which side of a plane a waveform (clips, samples) is on, and how far."""

    takes = ("audio",)

    def __init__(self, weights: torch.Tensor, offset: float):
        super().__init__()
        self.weights, self.offset = nn.Parameter(weights), offset

    def prepare(self, inputs):
        return inputs

    def forward(self, inputs):
        side = inputs["audio"] @ self.weights + self.offset
        return torch.stack([side, -side], dim=1)


def affine(labels: int, size: int, seed: int, **options) -> Victim:
    """An affine classifier in float64."""
    torch.manual_seed(seed)
    return Victim(
        OnAudio(nn.Linear(size, labels).double()),
        [str(n) for n in range(labels)],
        bounds={"audio": (-1.0, 1.0)},
        **options,
    )


def relu_net(labels: int, size: int, hidden: int, seed: int) -> Victim:
    """One hidden ReLU layer in float64."""
    torch.manual_seed(seed)
    network = nn.Sequential(nn.Linear(size, hidden), nn.ReLU(), nn.Linear(hidden, labels)).double()
    return Victim(OnAudio(network), [str(n) for n in range(labels)], bounds={"audio": (-1.0, 1.0)})


def affine_distance(victim: Victim, x: torch.Tensor, target: int | None = None) -> torch.Tensor:
    """Exact L2 distances (examples,) to the nearest boundary, or to the target's region, far from the box's walls."""
    weight, bias = victim.module.network.weight, victim.module.network.bias
    scores = x @ weight.T + bias
    if target is None:
        own = scores.argmax(1)
        gaps = scores.gather(1, own[:, None]) - scores
        lengths = (weight[own][:, None] - weight[None]).norm(dim=2)
        return torch.where(lengths > 0, gaps / lengths, torch.inf).amin(1)
    return torch.tensor([_distance_to_region(weight, bias, point, target) for point in x])


def _distance_to_region(weight, bias, point, target) -> float:
    """min |d| with (w_t - w_j)(x + d) + b_t - b_j >= 0 for all j, by enumerating which constraints are tight."""
    others = [j for j in range(len(weight)) if j != target]
    a = (weight[target] - weight[others]).numpy()
    slack = a @ point.numpy() + (bias[target] - bias[others]).numpy()
    best = 0.0 if (slack >= 0).all() else np.inf
    for count in range(1, len(others) + 1):
        for tight in itertools.combinations(range(len(others)), count):
            rows = a[list(tight)]
            d = -np.linalg.pinv(rows) @ slack[list(tight)]
            if (a @ d + slack >= -1e-9).all():
                best = min(best, np.linalg.norm(d))
    return best


def relu_distance(victim: Victim, x: torch.Tensor) -> torch.Tensor:
    """Exact untargeted L2 distances: a small convex program for every activation pattern and other label."""
    first, _, last = victim.module.network
    return torch.tensor([_relu_distance_of(first, last, point) for point in x])


def _relu_distance_of(first, last, point) -> float:
    from scipy.optimize import minimize

    w1, b1, w2, b2 = (p.detach().numpy() for p in (first.weight, first.bias, last.weight, last.bias))
    x = point.numpy()
    label = int(np.argmax(w2 @ np.maximum(w1 @ x + b1, 0) + b2))
    best = np.inf
    for pattern in itertools.product((0, 1), repeat=len(b1)):
        on = np.array(pattern)
        signs, slope, offset = 2 * on - 1, w2 @ (on[:, None] * w1), w2 @ (on * b1) + b2
        for other in set(range(len(b2))) - {label}:
            # Each row of a d + b >= 0: a hidden unit keeps its sign, and the other label overtakes.
            a = np.vstack([signs[:, None] * w1, slope[other] - slope[label]])
            b = np.append(signs * (w1 @ x + b1), (slope[other] - slope[label]) @ x + offset[other] - offset[label])
            best = min(best, _least_norm(a, b, minimize))
    return best


def _least_norm(a, b, minimize) -> float:
    """min |d| with a d + b >= 0, infinite where there is none."""
    result = minimize(
        lambda d: d @ d,
        np.zeros(a.shape[1]),
        jac=lambda d: 2 * d,
        constraints={"type": "ineq", "fun": lambda d: a @ d + b, "jac": lambda d: a},
        method="SLSQP",
    )
    return float(np.sqrt(result.fun)) if result.success and (a @ result.x + b >= -1e-7).all() else np.inf
