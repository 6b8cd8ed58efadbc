"""Room of studies: what the audit found, in sentences whose numbers are those of its tables."""

import pandas as pd

from stages.measures.testing import LEVEL
from stages.reporting.names import name
from stages.reporting.sentences import highest, told
from stages.studies.audit.cards import CONTROLS
from stages.studies.audit.figures import budget
from stages.studies.audit.tables import at_loudest

Made = dict[str, pd.DataFrame]
QUESTION = "What is a defence worth against an attacker who knows of it?"
WHAT = {"events": "of sounds", "emotion": "of speech emotion by training", "transfer": "of emotion from few labels"}
HALF = 0.5


def findings(made: Made) -> list[str]:
    """The answer first: what is left at the loudest budget, by study, what that costs, then detectors, then doubts."""
    table = made["table_defences"]
    by_study = [(at_loudest(own), str(study)) for study, own in table.groupby("study", sort=False)]
    studies = [_defences(own, study) for own, study in by_study]
    costs = [sentence for own, study in by_study for sentence in _costs(own, study)]
    sentences = [*studies, *costs, *_guards(made["table_guards"]), *_doubts(made["table_victims"])]
    return sentences or ["That can't be told: nothing was audited."]


def _defences(own: pd.DataFrame, study: str) -> str:
    """The best defence beside none; it helps only where more is left than without it, tested on the same clips."""
    best = highest(own[~own.defence.isin(CONTROLS)], "aware")
    bare = highest(own[own.defence.isin(CONTROLS)], "aware")
    what = _what(study)
    if not best.defence:
        return f"No defence {what} was audited."
    helps = bare.defence and best.gain > 0 and best.p_gain < LEVEL
    verdict = f"Defences {what} help" if helps else f"No defence {what} is shown to help"
    without = f"; without a defence {told(bare, 'aware', scale=100)}" if bare.defence else ""
    return (
        f"{verdict}: the best, {name(best.defence)}, leaves {told(best, 'aware', scale=100)} "
        f"decided rightly at {budget(best)}, where it seemed to leave {told(best, 'unaware', scale=100)}{without}."
    )


def _costs(own: pd.DataFrame, study: str) -> list[str]:
    """By how much louder who knows of a defence has to be, of that which costs most."""
    dearest = highest(own, "extra_db")
    if not dearest.defence:
        return []
    return [
        f"Of defences {_what(study)} {name(dearest.defence)} costs who knows most: in the median a clip falls to an "
        f"attack that is {told(dearest, 'extra_db', form='.1f', unit=' dB')} louder than without it."
    ]


def _what(study: str) -> str:
    return WHAT.get(study, f"of {name(study)}")


def _guards(table: pd.DataFrame) -> list[str]:
    guards = table[~table.guard.isin(CONTROLS)]
    if guards.empty:
        return []
    unaware, aware = (int((guards[knowledge] >= HALF).sum()) for knowledge in ("unaware", "aware"))
    best = highest(guards, "aware")
    return [
        f"Of {len(guards)} detectors and treatments beside readers and recognisers {unaware} bring half or more of the "
        f"attacks to nothing if attackers do not know of them, {aware} if they do; the best is then {name(best.guard)} "
        f"beside {name(best.victim)}: {told(best, 'aware', scale=100)}."
    ]


def _doubts(table: pd.DataFrame) -> list[str]:
    if table.empty:
        return []
    flagged = int(table["flags"].fillna("").ne("").sum())
    return [
        f"{flagged} of {len(table)} lines of victims carry a flag: there a stronger attack may leave less than is told."
    ]
