"""Room of studies: what was found of speech recognition, in sentences whose numbers are those of the tables."""

import pandas as pd

from stages.reporting.cells import one
from stages.reporting.names import name
from stages.reporting.rounding import rounded
from stages.reporting.sentences import highest, in_paper, told
from stages.studies.speech.measured import NONE

Made = dict[str, pd.DataFrame]
QUESTION = "Does enhancing speech undo the phrases that attacks put into it?"
ATTACKED = {"attack": "gradient", "recogniser": "deepspeech"}
ENHANCER = "u_net_attention"
CENT = {"scale": 100}


def findings(made: Made) -> list[str]:
    """The answer first, of gradient attacks on the recogniser that is not hardened."""
    return [
        *_enhanced(made["table_4"]),
        *_known(made["table_magnitude"]),
        *_cost(made["table_recognisers"]),
        *_transferred(made["table_transfer"]),
    ]


def _enhanced(table: pd.DataFrame) -> list[str]:
    bare, behind = (one(table, **ATTACKED, enhancer=enhancer) for enhancer in (NONE, ENHANCER))
    if bare is None or behind is None or pd.isna(bare.rosa):
        return ["That can't be told: no gradient attack was heard with and without the enhancer."]
    undone = behind.rosa_high < bare.rosa_low
    answer = "Yes, where attackers do not know of it" if undone else "Not that it could be shown"
    return [
        f"{answer}: behind the {name(ENHANCER)} {told(behind, 'rosa', **CENT)} of the gradient attacks' phrases are "
        f"heard in unseen rooms{in_paper(behind, 'rosa', **CENT)}; without it {told(bare, 'rosa', **CENT)}"
        f"{in_paper(bare, 'rosa', **CENT)}."
    ]


def _known(table: pd.DataFrame) -> list[str]:
    """The attacks through an enhancer that they know, as files."""
    known = table[(table.enhancer != NONE) & (table.attack != "spoken")]
    return [
        f"Attackers who know of {name(row.enhancer)} still put their phrase into {told(row, 'success', **CENT)} of the "
        f"files by {name(row.attack)}{_louder(row, table)}."
        for _, row in known.head(1).iterrows()
    ]


def _louder(row: pd.Series, table: pd.DataFrame) -> str:
    bare = one(table, attack=row.attack, recogniser=row.recogniser, enhancer=NONE)
    if bare is None or pd.isna(row.snr_median_db) or pd.isna(bare.snr_median_db):
        return ""
    return (
        f", at a median SNR of {rounded(row.snr_median_db, '.1f')} dB; without it "
        f"{rounded(bare.snr_median_db, '.1f')} dB"
    )


def _cost(table: pd.DataFrame) -> list[str]:
    own = table[(table.recogniser == ATTACKED["recogniser"]) & (table.speech == "clean")]
    bare, behind = (one(own, enhancer=enhancer) for enhancer in (NONE, ENHANCER))
    if bare is None or behind is None:
        return []
    verb = "raises" if behind.wer_low > bare.wer_high else "does not measurably raise"
    return [
        f"On clean speech it {verb} the word error rate: {told(behind, 'wer', **CENT)} in the place of "
        f"{told(bare, 'wer', **CENT)}."
    ]


def _transferred(table: pd.DataFrame) -> list[str]:
    most = highest(table, "rosa")
    if most.attack == "":
        return []
    return [
        f"On a recogniser that they were not made on up to {told(most, 'rosa', **CENT)} of the phrases are heard "
        f"({name(most.attack)}, from {name(most.victim)} to {name(most.recogniser)})."
    ]
