"""Room of studies: draws the figures of the emotion paper from their data."""

from pathlib import Path
from typing import Any

import pandas as pd

from stages.studies.emotion.claims import NAMES


def draw(made: dict[str, pd.DataFrame], measured: Any, folder: Path) -> None:
    """Draws Figure 2, one clip real and adversarial, and Figure 3, UAR against epsilon."""
    for name, drawn in {"figure_2": _draw_example(made, measured.images), "figure_3": _draw_curves(made)}.items():
        drawn.savefig(folder / f"{name}.png", dpi=110, metadata={"Software": None})


def _draw_example(made: dict[str, pd.DataFrame], images: dict[str, Any]) -> Any:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 3.9), layout="constrained")
    if made["figure_2"].empty:
        figure.text(0.5, 0.5, "FGSM fooled on none of the clips whose images were kept.", ha="center")
        return figure
    real, fake = made["figure_2"].itertuples()
    clean, adversarial = (images[row.network].load(row.key)["log_mel"] for row in (real, fake))
    axes = figure.subplots(1, 3, sharey=True)
    shown = {
        f"real: {real.decision} {real.probability:.3f}": (clean, "magma", clean.min(), clean.max()),
        f"adversarial: {fake.decision} {fake.probability:.3f}": (adversarial, "magma", clean.min(), clean.max()),
        "difference": (adversarial - clean, "RdBu_r", -fake.epsilon, fake.epsilon),
    }
    for axis, (title, (image, colours, low, high)) in zip(axes, shown.items()):
        axis.imshow(image.T, origin="lower", aspect="auto", cmap=colours, vmin=low, vmax=high)
        axis.set(title=title, xlabel="frame")
    figure.colorbar(axes[1].images[0], ax=axes[1], label="standardised log-mel")
    figure.colorbar(axes[2].images[0], ax=axes[2], ticks=[-fake.epsilon, 0, fake.epsilon])
    axes[0].set_ylabel("mel bin")
    name = NAMES.get(real.network, real.network)
    figure.suptitle(f"{name}, FGSM, ε = {fake.epsilon:g}: clip {real.clip_id}, {real.label}")
    return figure


def _draw_curves(made: dict[str, pd.DataFrame]) -> Any:
    from matplotlib.figure import Figure

    data = made["figure_3"]
    figure = Figure(figsize=(10, 4.4), layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    # Intervals would hide each other: the networks stand a little apart.
    aside = {name: number * 0.012 * data.epsilon.max() for number, name in enumerate(data.network.unique(), start=-1)}
    titles = {"dev": "development", "test": "test"}
    for axis, split in zip(axes, titles):
        for (network, attack), own in data[data.split == split].groupby(["network", "attack"], sort=False):
            colour = f"C{list(aside).index(network)}"
            label = f"{NAMES.get(network, network)}, {attack.upper()}"
            line = "-" if attack == "fgsm" else "--"
            ends = (own.uar - own.uar_low).clip(0), (own.uar_high - own.uar).clip(0)
            style = {"fmt": f".{line}", "color": colour, "elinewidth": 0.8, "capsize": 2}
            axis.errorbar(own.epsilon + aside[network], own.uar, ends, label=label, **style)
        for chance in data.chance[data.split == split].unique():
            axis.axhline(chance, color="grey", linestyle=":", linewidth=1, label="chance")
        axis.set(title=titles[split], xlabel="ε", ylim=(0, 1), xticks=sorted(data.epsilon.unique()))
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("UAR")
    if len(data):
        figure.legend(*axes[-1].get_legend_handles_labels(), loc="outside right center", frameon=False)
    return figure
