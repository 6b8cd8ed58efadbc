"""Room of studies: what was found of sound events, in sentences whose numbers are those of the tables."""

import pandas as pd

from stages.reporting.names import name
from stages.reporting.sentences import beyond_papers, highest, in_paper, lowest, told

Made = dict[str, pd.DataFrame]
QUESTION = "Do the smallest adversarial perturbations of sounds survive what may happen to a sound on its way?"
CONTROL = "none"


def findings(made: Made) -> list[str]:
    """The answer first; each number with its 95 % interval in brackets."""
    treated = made["table_3"][made["table_3"].treatment != CONTROL]
    if treated.empty:
        return ["That can't be told: no attack fooled a victim.", *_clean(made["table_2"])]
    return [*_treated(treated), *_clean(made["table_2"], highest(treated, "GT").treatment), *_attacks(made)]


def _treated(table: pd.DataFrame) -> list[str]:
    best, least = highest(table, "GT"), lowest(table, "GT")
    answer = (
        "Mostly not" if best.GT_low > 50 else "Mostly, as far as was tried" if best.GT_high < 50 else "Half of them do"
    )
    outside, of = beyond_papers(table, "GT")
    sentences = [
        f"{answer}: the best treatment, {name(best.treatment)}, brings {told(best, 'GT')} of the adversarial clips "
        f"back to their class{in_paper(best, 'GT')}.",
        f"The weakest, {name(least.treatment)}, brings back {told(least, 'GT')}{in_paper(least, 'GT')}, and "
        f"{told(least, 'Adv')} stay adversarial behind it.",
    ]
    if of:
        sentences.append(
            f"Of {of} treatments {outside} bring back more or fewer than in the paper, beyond the interval."
        )
    return sentences


def _clean(table: pd.DataFrame, best: str = CONTROL) -> list[str]:
    """What the best treatment costs, and the one that costs most."""
    own, costly = table[table.treatment == best], lowest(table, "GT")
    kept = "".join(f"of the clean clips {name(best)} keeps {told(row, 'GT')}, " for _, row in own.iterrows())
    if table.empty:
        return []
    sentence = f"{kept}{name(costly.treatment)} only {told(costly, 'GT')}."
    return [sentence[:1].upper() + sentence[1:]]


def _attacks(made: Made) -> list[str]:
    table, strength = made["table_attacks"], made["table_5"].drop_duplicates("attack")
    quiet, loud = highest(strength, "snr_db"), lowest(strength, "snr_db")
    return [
        f"{table.fooled.sum()} of {table.attacked.sum()} attacked clips fell, to perturbations that lie "
        f"{told(loud, 'snr_db', unit=' dB')} below the sound by {name(loud.attack)} and "
        f"{told(quiet, 'snr_db', unit=' dB')} by {name(quiet.attack)}{in_paper(quiet, 'snr_db', unit=' dB')}."
    ]
