"""Room of studies: the pictures of the emotion study."""

from pathlib import Path
from typing import Any

import pandas as pd

from stages.reporting.charts import PER_CENT, curves, long, values
from stages.reporting.names import name
from stages.reporting.sentences import highest
from stages.studies.emotion.claims import NAMES

Made = dict[str, pd.DataFrame]
# The z of a one-tailed test at .05.
SIGNIFICANT = 1.64


def charts(made: Made, measured: Any) -> dict[str, Any]:
    """A chart for each table and Figure 3; the first one answers the study's question."""
    curves_of = made["figure_3"]
    return {
        "table_robustness": _robustness(made["table_robustness"]),
        "table_1": _clips(made["table_1"]),
        "table_2": _regimes(made["table_2"]),
        "table_3": _augmented(made["table_3"]),
        "figure_3": _curves(curves_of[curves_of.split == "test"]),
        "table_check": _check(made["table_check"]),
        "table_given_back": _given_back(made["table_given_back"]),
        "table_z": _significance(made["table_z"]),
        "table_inversion": _inversion(made["table_inversion"]),
    }


def draw(made: Made, measured: Any, folder: Path) -> None:
    """Draws Figure 2, one clip real and adversarial."""
    drawn = _draw_example(made, measured.images)
    drawn.savefig(folder / "figure_2.png", dpi=110, metadata={"Software": None})


def _largest(table: pd.DataFrame) -> pd.DataFrame:
    """The test split, where there are several, at the largest epsilon."""
    own = table[table.split == "test"] if "split" in table else table
    return own[own.epsilon == own.epsilon.max()]


def _robustness(table: pd.DataFrame) -> Any:
    own = _largest(table)
    best = highest(own, "uar_bim")
    columns = {"uar_real": "as they are", "uar_fgsm": "under FGSM", "uar_bim": "under BIM"}
    data = long(own, columns, row="regime", panel="network", scale=100)
    title = f"Most is left under the stronger attack, BIM, of {name(best.network)} trained by {name(best.regime)}"
    return values(data, title=title, axis=f"UAR in %, epsilon {own.epsilon.max():g}", **PER_CENT)


def _clips(table: pd.DataFrame) -> Any:
    """Shares, as the paper has ten times as many clips; speakers and the sum of all are left to the table."""
    own = table[~table.row.isin(["speakers", "total"])]
    shares = {column: 100 * own[column] / own[column].sum() for column in ("total", "total_paper")}
    title = "How many of all clips are of each emotion"
    return values(long(own.assign(**shares), {"total": ""}, row="row"), title=title, axis="% of all clips")


def _regimes(table: pd.DataFrame) -> Any:
    """UAR on real and fake test data, a picture a network."""
    parts = []
    for network in NAMES:
        columns = {f"{network}_real_test": "real data", f"{network}_fake_test": "fake data, by FGSM"}
        parts.append(long(table, columns, row=("regime", "epsilon"), scale=100).assign(panel=name(network)))
    title = "UAR on real data and on what FGSM makes of them, by training"
    return values(pd.concat(parts, ignore_index=True), title=title, axis="UAR in %, test clips", **PER_CENT)


def _augmented(table: pd.DataFrame) -> Any:
    columns = {"dev": "development", "test": "test"}
    title = "Other ways to augment, beside vanilla adversarial training"
    return values(long(table, columns, row="method", scale=100), title=title, axis="UAR in % on real data", **PER_CENT)


def _curves(table: pd.DataFrame) -> Any:
    """UAR against epsilon on test clips, a picture a network, with chance."""
    parts = [
        long(own, {"uar": name(attack)}, panel="network", x="epsilon", scale=100)
        for attack, own in table.groupby("attack", sort=False)
    ]
    chance = long(
        table.drop_duplicates(["network", "epsilon"]), {"chance": "chance"}, panel="network", x="epsilon", scale=100
    )
    data = pd.concat([*parts, chance], ignore_index=True)
    title = "UAR of models that are trained on real data alone, by the size of the attack"
    return curves(data, title=title, x_axis="epsilon", y_axis="UAR in %", **PER_CENT)


def _check(table: pd.DataFrame) -> Any:
    columns = {"uar_fgsm": "FGSM", "uar_bim": "BIM", "uar_pgd": "PGD"}
    data = long(_largest(table), columns, row="regime", panel="network", scale=100)
    title = "The same clips under FGSM, BIM, and PGD from several starts"
    return values(data, title=title, axis="UAR in %", **PER_CENT)


def _given_back(table: pd.DataFrame) -> Any:
    own = table[table.split == "test"]
    columns = {"still_taken": "still taken by FGSM", "given_back": "given back", "real_gain": "gained on real data"}
    data = long(own, columns, row=("regime", "epsilon"), panel="network", scale=100)
    return values(data, title="What adversarial training gives back of the UAR", axis="points of UAR, test clips")


def _significance(table: pd.DataFrame) -> Any:
    """The score of each test, by which those of the paper and of fewer clips can be compared."""
    title = f"What vanilla training of VGG-16 is ahead of others by: {SIGNIFICANT} and more is significant"
    data = long(table, {"z": ""}, row="rival", panel="split")
    return values(data, title=title, axis="z of the difference of two UARs", format=".1f")


def _inversion(table: pd.DataFrame) -> Any:
    own = _largest(table[table.attack != "none"])
    data = long(own, {"still_fools": ""}, row="attack", panel="network", scale=100)
    title = "Attacked spectrograms made into sound and analysed again"
    return values(data, title=title, axis="% that still fool", **PER_CENT)


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
