"""Room of studies: draws what is left of each defence, one picture a study, with the sentence that it tells."""

from pathlib import Path
from typing import Any

import pandas as pd

from stages.studies.audit.tables import at_loudest

COLOURS = {"none": "#888888", "unaware": "#1f6fb2", "aware": "#b8432f"}
TOLD = {"none": "noise as loud", "unaware": "attacker does not know of it", "aware": "attacker knows of it"}


def draw(made: dict[str, pd.DataFrame], measured: Any, folder: Path) -> None:
    """Draws `figure_<study>.png` for each study whose victims were audited."""
    from matplotlib.figure import Figure

    for study, own in made["table_defences"].groupby("study", sort=False):
        budgets = list(dict.fromkeys(own.budget))
        height = 1.6 + 0.34 * own.defence.nunique()
        figure = Figure(figsize=(5.2 * len(budgets), height), layout="constrained")
        axes = figure.subplots(1, len(budgets), sharey=True, squeeze=False)[0]
        for axis, budget in zip(axes, budgets):
            _bars(axis, own[own.budget == budget])
        axes[0].invert_yaxis()
        figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize="small")
        figure.suptitle(sentence(own), fontsize="medium")
        figure.savefig(folder / f"figure_{study}.png", dpi=110, metadata={"Software": None})


def sentence(own: pd.DataFrame) -> str:
    """What a picture tells: the defence of which most is left at the loudest budget, and what it was thought to be."""
    loudest = at_loudest(own)
    best = loudest.loc[loudest.aware.idxmax()]
    return (
        f"Against an attacker who knows of it the best defence, {best.defence}, leaves {100 * best.aware:.0f} % "
        f"decided rightly\n({_budget(best)}); against one who does not {100 * best.unaware:.0f} %"
    )


def _budget(row: pd.Series) -> str:
    return f"SNR {row.budget:g} dB" if row.budget_in == "snr_db" else f"epsilon {row.budget:g}"


def _bars(axis: Any, own: pd.DataFrame) -> None:
    for number, (knowledge, colour) in enumerate(COLOURS.items()):
        places = [place + 0.26 * (number - 1) for place in range(len(own))]
        values = own[knowledge]
        ends = [(values - own[f"{knowledge}_low"]).clip(lower=0), (own[f"{knowledge}_high"] - values).clip(lower=0)]
        axis.barh(places, values, 0.24, xerr=ends, color=colour, label=TOLD[knowledge], error_kw={"linewidth": 0.8})
    axis.set_yticks(range(len(own)), own.defence)
    axis.set(xlim=(0, 1), xlabel=f"still decided rightly, {_budget(own.iloc[0])}")
