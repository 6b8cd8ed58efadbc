"""Room of studies: what was found of attacks on lip reading, in sentences whose numbers are those of the tables."""

import pandas as pd

from stages.reporting.cells import one
from stages.reporting.names import name
from stages.reporting.sentences import highest, in_paper, lowest, told

Made = dict[str, pd.DataFrame]
QUESTION = "Can attacks on recognisers of sound and lips be caught by asking whether both belong together?"
AUC = {"form": ".2f", "unit": ""}
CHANCE = 0.5


def findings(made: Made) -> list[str]:
    """The answer first."""
    words = made["table_1"]
    detected = [*_words(words, made["table_controls"]), *_sentences(made["table_2"], made["table_3"])]
    return [*detected, *_accuracy(words), *_streams(made["table_streams"])]


def _words(table: pd.DataFrame, controls: pd.DataFrame) -> list[str]:
    """Lip sync catches an attack if it tells it from benign clips, and better than noise as loud."""
    best = highest(table, "auc")
    if best.attack == "":
        return ["That can't be told of words: no attack was measured."]
    noise = one(controls, corpus="words", attack=best.attack, epsilon=best.epsilon, detector="sync_clean")
    detected = best.auc_low > CHANCE
    own = detected and noise is not None and best.auc_low > noise.auc_noise_high
    noticed = "They are noticed, but not told from noise as loud" if detected else "Not that it could be shown"
    return [
        f"{'Yes' if own else noticed}: the most noticeable attack on words, {name(best.attack)} at {best.epsilon}, is "
        f"detected with an AUC of {told(best, 'auc', **AUC)}{in_paper(best, 'auc', **AUC)}{_beside(noise)}."
    ]


def _beside(noise: pd.Series | None) -> str:
    """That noise is detected too, and how much it spoils."""
    if noise is None:
        return ""
    wrong = told(noise, "error_noise", scale=100)
    return f"; noise as loud, in which {wrong} is read wrongly, with {told(noise, 'auc_noise', **AUC)}"


def _sentences(*tables: pd.DataFrame) -> list[str]:
    least = lowest(pd.concat(tables, ignore_index=True), "auc")
    if least.epsilon == "":
        return ["No attack on sentences was measured."]
    return [
        f"In sentences the AUC of lip sync is {told(least, 'auc', **AUC)} or more{in_paper(least, 'auc', **AUC)}; the "
        f"attack it is lowest for, at {least.epsilon}, succeeds in {told(least, 'success', scale=100)}."
    ]


def _accuracy(table: pd.DataFrame) -> list[str]:
    clean, worst = one(table, attack="none"), lowest(table[table.attack != "none"], "accuracy")
    if clean is None or worst.attack == "":
        return []
    right, left = told(clean, "accuracy", scale=100), told(worst, "accuracy", scale=100)
    paper = in_paper(worst, "accuracy", scale=100)
    return [f"Of words {right} are read rightly, and {left} under {name(worst.attack)} at {worst.epsilon}{paper}."]


def _streams(table: pd.DataFrame) -> list[str]:
    """What is left if the attack changes one of both, by the attack that leaves least."""
    alone = table[table.streams != "both"]
    worst = lowest(alone, "accuracy")
    left = [
        f"{told(row, 'accuracy', scale=100)} if it changes the {row.streams} alone"
        for _, row in alone[alone.attack == worst.attack].iterrows()
    ]
    return [f"{name(worst.attack)} leaves {' and '.join(left)}."] if left else []
