"""Room of studies: draws the figure of the sound-event study from its data."""

from pathlib import Path
from typing import Any

import pandas as pd


def draw(made: dict[str, pd.DataFrame], measured: Any, folder: Path) -> None:
    """Draws Figure 1: VGG13's decisions on treated adversarial clips against the truth, under two treatments."""
    from matplotlib.figure import Figure

    data = made["figure_1"]
    labels = sorted(set(data.label) | set(data.decision))
    size = max(4.5, 0.28 * len(labels))
    figure = Figure(figsize=(2 * size + 2.5, size + 1), layout="constrained")
    if labels:
        _draw_confusions(figure, data, labels)
    else:
        figure.text(0.5, 0.5, "No attack fooled VGG13.", ha="center")
    figure.savefig(folder / "figure_1.png", dpi=110, metadata={"Software": None})


def _draw_confusions(figure: Any, data: pd.DataFrame, labels: list[str]) -> None:
    axes = figure.subplots(1, 2, sharey=True)
    for axis, name, title in zip(axes, ("live_reverb", "noise_20dB"), ("(a) live reverb", "(b) noise at 20 dB")):
        own = data[data.treatment == name]
        counts = pd.crosstab(own.label, own.decision).reindex(index=labels, columns=labels, fill_value=0)
        shares = counts.div(counts.sum(axis=1).clip(lower=1), axis=0) * 100
        image = axis.imshow(shares, vmin=0, vmax=100, cmap="viridis")
        axis.set_xticks(range(len(labels)), labels, rotation=90)
        axis.set_yticks(range(len(labels)), labels)
        axis.set(title=f"{title} (n = {len(own)})", xlabel="decision after the treatment")
    axes[0].set_ylabel("ground truth")
    figure.colorbar(image, ax=axes, label="% of the class")
