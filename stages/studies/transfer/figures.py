"""Room of studies: draws the figures of the transfer study from their data."""

from pathlib import Path
from typing import Any

import pandas as pd

# How many examples the paper trains on: few, and all of four of IEMOCAP's sessions.
IEMOCAP_EXAMPLES = {"few": 500, "all": 4425}
NAMES = {"lld": "low-level descriptors", "wav2vec": "wav2vec"}


def draw(made: dict[str, pd.DataFrame], measured: Any, folder: Path) -> None:
    """Draws Figure 2, UA against the number of examples, and the confusion matrices."""
    drawn = {"figure_2": _draw_curve(made), "figure_confusion": _draw_confusion(made["table_confusion"])}
    for name, figure in drawn.items():
        figure.savefig(folder / f"{name}.png", dpi=110, metadata={"Software": None})


def _draw_curve(made: dict[str, pd.DataFrame]) -> Any:
    """Intervals as bars, one deviation over draws as bands, the line of least squares in the logarithm dashed."""
    import numpy as np
    from matplotlib.figure import Figure

    curve, table = made["figure_2"], made["table_2"]
    figure = Figure(figsize=(9.5, 4.8), layout="constrained")
    axis = figure.subplots()
    cited = table[(table.cited == "yes") & ~table.features.str.contains("GloVe|recognition")].ua_paper.max()
    axis.axhline(cited, color="grey", linestyle=":", label="best acoustic model cited (on IEMOCAP)")
    for number, (feature, own) in enumerate(curve.groupby("feature")):
        ends = (own.ua - own.ua_low).clip(0), (own.ua_high - own.ua).clip(0)
        # Intervals would hide each other: the features stand a little apart.
        at = own.examples * (0.98, 1.02)[number % 2]
        name = NAMES.get(feature, feature)
        printed = own[own.ua_paper.notna()]
        if len(printed):
            at_paper = printed["size"].map(lambda size: IEMOCAP_EXAMPLES["all" if size == "all" else "few"])
            axis.plot(at_paper, printed.ua_paper, "x", color=f"C{number}", label=f"{name}, paper (on IEMOCAP)")
        axis.errorbar(at, own.ua, ends, fmt=".-", color=f"C{number}", capsize=3, label=f"{name}, here")
        axis.fill_between(
            own.examples, own.ua - own.deviation, own.ua + own.deviation, color=f"C{number}", alpha=0.2, linewidth=0
        )
        if len(own) > 2:
            slope, offset = np.polyfit(np.log10(own.examples.to_numpy(float)), own.ua, 1)
            fitted = slope * np.log10(own.examples.to_numpy(float)) + offset
            axis.plot(own.examples, fitted, "--", color=f"C{number}", linewidth=0.8)
    axis.set(xscale="log", xlabel="training examples", ylabel="UA", title="MLP with mean pooling")
    sizes = sorted({*curve.examples, *IEMOCAP_EXAMPLES.values()})
    axis.set_xticks(sizes, [str(size) for size in sizes], minor=False, rotation=45)
    axis.minorticks_off()
    axis.grid(alpha=0.3)
    figure.legend(*axis.get_legend_handles_labels(), loc="outside right upper", frameon=False)
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
