"""Room of studies: draws the figures of the audio-visual study."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from stages.frame import shards
from stages.studies.audiovisual.detection import SYNCNETS
from stages.studies.audiovisual.shown import added, as_seen, strength
from stages.studies.audiovisual.tables import Measured

COLOURS = {"benign": "C0", "adversarial": "C3", "noise": "C1", "transplant": "C2"}
NAMES = {"benign": "benign", "adversarial": "attacked", "noise": "noise", "transplant": "another clip's perturbation"}
# The epsilons of the paper's Figure 2.
SHOWN = ("256/4", "512/8")


def draw(made: dict[str, pd.DataFrame], measured: Measured, folder: Path) -> None:
    """Draws Figure 1d, the distributions of the SyncNets' confidences, and Figure 2, one clip under BIM."""
    drawn = {"figure_1d": _distributions(made["figure_1d"]), "figure_2": _clip(measured.detections)}
    for name, figure in drawn.items():
        figure.savefig(folder / f"{name}.png", dpi=110, metadata={"Software": None})


def _distributions(scores: pd.DataFrame) -> Any:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 3.6), layout="constrained")
    detectors = [name for name in SYNCNETS if name in scores and np.isfinite(scores[name]).any()]
    for place, detector in enumerate(detectors, 1):
        axis = figure.add_subplot(1, len(detectors), place)
        told = scores[np.isfinite(scores[detector])]
        edges = np.linspace(told[detector].min(), told[detector].max(), 25)
        for version, own in told.groupby("version", sort=False):
            weights = np.full(len(own), 1 / len(own))
            # The controls as outlines, else four areas would lie over each other.
            filled = version in ("benign", "adversarial")
            look = {"histtype": "stepfilled", "alpha": 0.35} if filled else {"histtype": "step"}
            axis.hist(own[detector], edges, weights=weights, color=COLOURS[version], label=NAMES[version], **look)
        axis.set(title=detector, xlabel="confidence", ylabel="share of clips")
        axis.legend(frameon=False)
    attacked = scores[scores.version == "adversarial"]
    if len(attacked):
        figure.suptitle(f"test sentences, {attacked.attack.iloc[0]} at {attacked.epsilon.iloc[0]}")
    return figure


def _clip(detections: pd.DataFrame) -> Any:
    """Pictures, waveform and spectrum of one word: benign, what BIM added, attacked.

    At the epsilons of the paper's figure, or where one of them is missing the two smallest.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 6.5), layout="constrained")
    attacked = detections[(detections.version == "adversarial") & (detections.split == "test")]
    attacked = attacked[attacked.attack == "basic_iterative"]
    made = sorted(attacked.epsilon.unique(), key=strength)
    epsilons = SHOWN if set(SHOWN) <= set(made) else made[:2]
    if not epsilons:
        return figure
    axes = figure.subplots(3, 3 * len(epsilons), squeeze=False)
    for number, epsilon in enumerate(epsilons):
        at_epsilon = attacked[attacked.epsilon == epsilon]
        clean, adversarial = _loaded(at_epsilon[at_epsilon.clip_id == at_epsilon.clip_id.min()].iloc[0])
        lines = {"benign": clean, "added": added(clean, adversarial), "attacked": adversarial}
        for line, (name, arrays) in enumerate(lines.items()):
            own = axes[line, 3 * number : 3 * number + 3]
            _panels(own, arrays, is_difference=name == "added")
            own[0].set_ylabel(name)
            if line == 0:
                for axis, title in zip(own, (f"picture, {epsilon}", "waveform", "log spectrum")):
                    axis.set_title(title, fontsize=9)
    return figure


def _loaded(row: pd.Series) -> tuple[dict, dict]:
    """The clip and what the attack made of it."""
    clean = shards.ShardSet(Path("data/audiovisual", row.corpus)).load(row.clip_id)
    made = shards.ShardSet(Path("data/audiovisual", row.set)).load(row.source)
    return clean, as_seen(made)


def _panels(axes: Any, arrays: dict, *, is_difference: bool) -> None:
    from scipy.signal import stft

    middle = arrays["video"][len(arrays["video"]) // 2]
    axes[0].imshow(middle, cmap="gray", vmin=0, vmax=255)
    axes[1].plot(arrays["audio"], linewidth=0.3, color="k")
    if not is_difference:
        axes[1].set_ylim(-1, 1)
    _, _, spectrum = stft(arrays["audio"], nperseg=400, noverlap=240)
    axes[2].imshow(20 * np.log10(np.abs(spectrum[::-1]) + 1e-7), cmap="magma", vmin=-120, vmax=-20, aspect="auto")
    for axis in axes:
        axis.set_xticks([])
        axis.set_yticks([])
