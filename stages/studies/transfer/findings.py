"""Room of studies: what was found of emotion from few labels, in sentences whose numbers are those of the tables."""

import pandas as pd

from stages.reporting.cells import one
from stages.reporting.names import name
from stages.reporting.sentences import highest, in_paper, lowest, told
from stages.studies.transfer.tables import BIMODAL

Made = dict[str, pd.DataFrame]
QUESTION = "Do pretrained features recognise more emotions with fewer labels than hand-made ones?"
CENT = {"scale": 100}


def findings(made: Made) -> list[str]:
    """The answer first."""
    learned = [*_few(made["table_1"]), *_models(made["table_2"]), *_text(made["table_paired"])]
    return [*learned, *_attacks(made["table_attacks"])]


def _few(table: pd.DataFrame) -> list[str]:
    """By the head that gains most from wav2vec."""
    best = highest(table, "improvement")
    if best["head"] == "":
        return ["That can't be told: no model was trained on few examples."]
    answer = "Not here" if best.improvement_high < 0 else "Yes" if best.improvement_low > 0 else "Undecided here"
    paper = in_paper(best, "improvement", form=".1f", unit=" points", **CENT)
    return [
        f"{answer}: with {best.examples} examples wav2vec is at best {_points(best, 'improvement')} of UA ahead of "
        f"low-level descriptors{paper}, with the head {name(best['head'])}; they reach {told(best, 'wav2vec', **CENT)} "
        f"and {told(best, 'lld', **CENT)}."
    ]


def _models(table: pd.DataFrame) -> list[str]:
    best, own = highest(table, "ua"), one(table, model=BIMODAL)
    if best.model == "" or own is None:
        return []
    first = f"With all examples {best.model} is best, with a UA of {told(best, 'ua', **CENT)}"
    other = "" if best.model == BIMODAL else f"; {BIMODAL} has {told(own, 'ua', **CENT)}"
    return [f"{first}{in_paper(best, 'ua', **CENT)}{other}."]


def _text(table: pd.DataFrame) -> list[str]:
    """What the words add to speech."""
    row = one(table, first="wav2vec bimodal", second="wav2vec speech")
    if row is None:
        return []
    adds = (
        "add" if row.difference_low > 0 else "cost" if row.difference_high < 0 else "add nothing that could be shown:"
    )
    return [f"Words {adds} {_points(row, 'difference')} of recall to speech alone, on the same clips."]


def _attacks(table: pd.DataFrame) -> list[str]:
    attacked = table[table.attack != "none"]
    if attacked.ua.dropna().empty:
        return ["What attacks leave can't be told: none was measured."]
    small = attacked[attacked.epsilon == attacked.epsilon.min()]
    most, least = highest(small, "ua"), lowest(small, "ua")
    return [
        f"Attacks at epsilon {least.epsilon:g} of full scale leave the model {name(least.model)} a UA of "
        f"{told(least, 'ua', **CENT)} in the place of {told(least, 'ua_clean', **CENT)}, and {name(most.model)} one of "
        f"{told(most, 'ua', **CENT)} in the place of {told(most, 'ua_clean', **CENT)}."
    ]


def _points(row: pd.Series, column: str) -> str:
    return told(row, column, form=".1f", unit=" points", **CENT)
