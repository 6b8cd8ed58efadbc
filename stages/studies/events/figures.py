"""Room of studies: the pictures of the sound-event study."""

from typing import Any

import pandas as pd

from stages.reporting.charts import PER_CENT, decisions, long, values
from stages.reporting.names import name
from stages.reporting.sentences import highest, lowest

Made = dict[str, pd.DataFrame]
CONTROL = "none"


def charts(made: Made, measured: Any) -> dict[str, Any]:
    """A chart for each of the paper's tables and its figure, by stem; the first one answers the study's question."""
    return {
        "table_3": _treatments(made["table_3"]),
        "table_2": _clean(made["table_2"]),
        "table_1": _accuracies(made["table_1"]),
        "table_4": _best(made["table_4"], "model", "Which treatments bring back most, by the network attacked"),
        "table_5": _best(made["table_5"], "attack", "Which treatments bring back most, by attack"),
        "table_attacks": _attacks(made["table_attacks"]),
        "figure_1": _confusions(made["figure_1"]),
    }


def _treatments(table: pd.DataFrame) -> Any:
    treated = table[table.treatment != CONTROL].sort_values("GT", ascending=False)
    best, least = highest(treated, "GT"), lowest(treated, "GT")
    title = f"{name(best.treatment)} brings most adversarial sounds back to their class, {name(least.treatment)} fewest"
    data = long(treated, {"GT": ""}, row="treatment")
    return values(data, title=title, axis="% of adversarial clips back at their class", **PER_CENT)


def _clean(table: pd.DataFrame) -> Any:
    treated = table[table.treatment != CONTROL].sort_values("GT", ascending=False)
    title = f"{name(lowest(treated, 'GT').treatment)} costs most of the clean sounds"
    return values(long(treated, {"GT": ""}, row="treatment"), title=title, axis="% of clean clips right", **PER_CENT)


def _accuracies(table: pd.DataFrame) -> Any:
    best, least = highest(table, "test"), lowest(table, "test")
    title = f"{name(best.model)} decides most test clips rightly, {name(least.model)} fewest"
    return values(long(table, {"test": ""}, row="model"), title=title, axis="% of test clips right", **PER_CENT)


def _best(table: pd.DataFrame, panel: str, title: str) -> Any:
    data = long(table, {"GT": ""}, row="treatment", panel=panel)
    axis = "% of adversarial clips back at their class"
    return values(data, title=title, axis=axis, own="y", **PER_CENT)


def _attacks(table: pd.DataFrame) -> Any:
    data = long(table, {"snr_db": ""}, row="attack", panel="model")
    title = (
        f"{name(highest(table, 'snr_db').attack)} needs least: the perturbations that fool lie so far below the sound"
    )
    return values(data, title=title, axis="SNR in dB, mean of the clips that fell")


def _confusions(data: pd.DataFrame) -> Any:
    """Of the clips of each class that fooled VGG13 what it decides after two treatments, as the paper's Figure 1."""
    counted = data.groupby(["treatment", "label", "decision"]).size().rename("count").reset_index()
    shares = 100 * counted["count"] / counted.groupby(["treatment", "label"])["count"].transform("sum")
    shown = counted.assign(share=shares).pipe(long, {"share": ""}, row="label", panel="treatment")
    labels = sorted({*data.label.map(name), *data.decision.map(name)})
    title = "What VGG13 decides on clips that fooled it, after two treatments"
    return decisions(shown.assign(series=counted.decision.map(name)), title=title, labels=labels)
