"""Room of studies: the pictures of the transfer study."""

from typing import Any

import pandas as pd

from stages.reporting.charts import PER_CENT, curves, decisions, long, values
from stages.reporting.names import name
from stages.reporting.sentences import highest, lowest

Made = dict[str, pd.DataFrame]
# How many examples the paper trains on: few, and all of four of IEMOCAP's sessions.
IEMOCAP_EXAMPLES = {"few": 500, "all": 4425}


def charts(made: Made, measured: Any) -> dict[str, Any]:
    """A chart for each table and for the paper's figure, which answers the study's question."""
    return {
        "figure_2": _curve(made["figure_2"]),
        "table_corpus": _classes(made["table_corpus"]),
        "table_1": _heads(made["table_1"]),
        "table_less_data": _less_data(made["table_less_data"]),
        "table_2": _models(made["table_2"]),
        "table_paired": _paired(made["table_paired"]),
        "table_folds": _folds(made["table_folds"]),
        "table_attacks": _attacks(made["table_attacks"]),
        "table_text_robustness": _text(made["table_text_robustness"]),
        "figure_confusion": _confusion(made["table_confusion"]),
    }


def _curve(table: pd.DataFrame) -> Any:
    """UA by the number of examples; the paper's values stand where IEMOCAP has as many."""
    parts = []
    for feature, own in table.groupby("feature", sort=False):
        here = long(own, {"ua": name(feature)}, x="examples", scale=100)
        printed = here[here.paper.notna()]
        few_or_all = own["size"].map(lambda size: IEMOCAP_EXAMPLES["all" if size == "all" else "few"])
        at_papers = few_or_all[own.ua_paper.notna()].to_numpy()
        parts += [here.assign(paper=float("nan")), printed.assign(x=at_papers, value=float("nan"), low=None, high=None)]
    data = pd.concat(parts, ignore_index=True) if parts else long(table, {"ua": ""}, x="examples")
    best = highest(table, "ua")
    title = f"An MLP on {name(best.feature)} has the highest UA here, at {best['size']} examples"
    x_axis = "training examples (the paper's: of IEMOCAP)"
    return curves(data, title=title, x_axis=x_axis, y_axis="UA in %", log=True)


def _classes(table: pd.DataFrame) -> Any:
    """Shares, as IEMOCAP has five times as many utterances, in each session and in all."""
    told = table.fillna({"session": "", "label": ""})
    own = told[told.label != ""].replace({"session": {"": "all sessions"}})
    shares = {
        column: 100 * own[column] / own.groupby("session")[column].transform("sum") for column in ("n", "n_paper")
    }
    data = long(own.assign(**shares), {"n": ""}, row="label", panel="session")
    return values(data, title="How many utterances are of each class", axis="% of the session's utterances")


def _heads(table: pd.DataFrame) -> Any:
    columns = {feature: name(feature) for feature in ("lld", "wav2vec")}
    title = "UA with few examples, by head: wav2vec beside low-level descriptors"
    return values(long(table, columns, row="head", scale=100), title=title, axis="UA in %")


def _less_data(table: pd.DataFrame) -> Any:
    """Each feature with its own number of examples."""
    columns = {"wav2vec": "examples", "lld": "lld_examples"}
    parts = [
        long(table.assign(feature=feature), {feature: ""}, row=("feature", examples), scale=100)
        for feature, examples in columns.items()
    ]
    data = pd.concat(parts, ignore_index=True)
    best = highest(data, "value")
    title = f"Few examples on wav2vec beside many on descriptors: {best.row} have the higher UA"
    return values(data, title=title, axis="UA in % of an MLP", **PER_CENT)


def _models(table: pd.DataFrame) -> Any:
    title = f"{highest(table, 'ua').model} has the highest UA with all examples"
    return values(long(table, {"ua": ""}, row="model", scale=100), title=title, axis="UA in %")


def _paired(table: pd.DataFrame) -> Any:
    first, second, size = (table[key].map(name).astype(str) for key in ("first", "second", "size"))
    pairs = table.assign(pair=first + " less " + second + ", " + size)
    best = highest(pairs, "difference")
    title = f"On the same clips {name(best['first'])} is most ahead, of {name(best.second)}"
    data = long(pairs, {"difference": ""}, row="pair", scale=100)
    return values(data, title=title, axis="points of recall, mean over speakers")


def _folds(table: pd.DataFrame) -> Any:
    worst = lowest(table.groupby("session", as_index=False).ua.mean(), "ua")
    title = f"{worst.session} is recognised worst, in the mean of the models, if left out"
    return values(long(table, {"ua": ""}, row="session", panel="model", scale=100), title=title, axis="UA in %")


def _attacks(table: pd.DataFrame) -> Any:
    """UA before and under the attacks at each epsilon, a picture a model."""
    least = lowest(table, "ua")
    title = f"{name(least.attack)} at epsilon {least.epsilon} leaves least of the UA"
    data = long(table, {"ua": ""}, row=("attack", "epsilon"), panel="model", scale=100)
    return values(data, title=title, axis="UA in % of the attacked clips", **PER_CENT)


def _text(table: pd.DataFrame) -> Any:
    data = long(table, {"difference": ""}, row=("attack", "epsilon"), panel="against", scale=100)
    title = "What speech with its words is ahead of other models, under attack"
    return values(data, title=title, axis="points of accuracy, mean over speakers")


def _confusion(table: pd.DataFrame) -> Any:
    data = long(table, {"share": ""}, row="label", panel="model", scale=100)
    best = highest(table[table.label == table.decision], "share")
    title = f"{best.model} decides most of one class rightly, {name(best.label)}"
    labels = list(dict.fromkeys(table.label.map(name)))
    return decisions(data.assign(series=table.decision.map(name)), title=title, labels=labels)
