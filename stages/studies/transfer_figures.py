"""Room of studies: draws the figures of the transfer study from their data."""

from pathlib import Path
from typing import Any

import pandas as pd

# How many examples the paper trains on: few, and all of four of IEMOCAP's sessions.
IEMOCAP_EXAMPLES = {"few": 500, "all": 4425}
NAMES = {"lld": "low-level descriptors", "wav2vec": "wav2vec"}


def draw(made: dict[str, pd.DataFrame], folder: Path) -> None:
    """Draws Figure 2, UA against the number of examples, and the confusion matrices."""
    drawn = {"figure_2": _draw_curve(made["figure_2"]), "figure_confusion": _draw_confusion(made["table_confusion"])}
    for name, figure in drawn.items():
        figure.savefig(folder / f"{name}.png", dpi=110, metadata={"Software": None})


def _draw_curve(curve: pd.DataFrame) -> Any:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.5, 4.6), layout="constrained")
    axis = figure.subplots()
    for number, (feature, own) in enumerate(curve.groupby("feature")):
        ends = (own.ua - own.ua_low).clip(0), (own.ua_high - own.ua).clip(0)
        # Intervals would hide each other: the features stand a little apart.
        at = own.examples * (0.98, 1.02)[number % 2]
        printed = own[own.ua_paper.notna()]
        if len(printed):
            at_paper = printed["size"].map(lambda size: IEMOCAP_EXAMPLES["all" if size == "all" else "few"])
            axis.plot(
                at_paper, printed.ua_paper, "x", color=f"C{number}", label=f"{NAMES.get(feature, feature)}, paper"
            )
        axis.errorbar(
            at, own.ua, ends, fmt=".-", color=f"C{number}", capsize=3, label=f"{NAMES.get(feature, feature)}, here"
        )
    axis.set(xscale="log", xlabel="training examples", ylabel="UA", title="MLP with mean pooling, 95 % intervals")
    sizes = sorted({*curve.examples, *IEMOCAP_EXAMPLES.values()})
    axis.set_xticks(sizes, [str(size) for size in sizes], minor=False)
    axis.minorticks_off()
    axis.grid(alpha=0.3)
    axis.legend(frameon=False, loc="lower right")
    return figure


def _draw_confusion(confusion: pd.DataFrame) -> Any:
    from matplotlib.figure import Figure

    models = list(confusion.model.unique())
    figure = Figure(figsize=(11, 7), layout="constrained")
    axes = figure.subplots(2, 3, sharex=True, sharey=True).ravel()
    for axis, model in zip(axes, models):
        shares = confusion[confusion.model == model].pivot(index="label", columns="decision", values="share")
        axis.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        for row, values in enumerate(shares.to_numpy()):
            for column, value in enumerate(values):
                axis.text(column, row, f"{value:.2f}", ha="center", va="center", color="w" if value > 0.6 else "k")
        axis.set_xticks(range(len(shares)), shares.columns)
        axis.set_yticks(range(len(shares)), shares.index)
        features = confusion.features[confusion.model == model].iloc[0]
        axis.set_title(f"{model}\n({features})", fontsize=9)
    for axis in axes[len(models) :]:
        axis.set_axis_off()
    figure.supxlabel("decided")
    figure.supylabel("true")
    return figure
