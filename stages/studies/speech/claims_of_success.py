"""Room of studies: what the speech paper claims of how often attacks succeed, and of what that leaves of the words."""

from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd

from stages.reporting.cells import Cells
from stages.reporting.verdicts import Claim, difference_of, judged, untested
from stages.studies.speech.claims_of_quality import ATTENTION
from stages.studies.speech.differences import all_rise, difference, none_higher
from stages.studies.speech.heard import ATTACKED, ATTACKS, heard_as
from stages.studies.speech.measured import NONE

HARDENED = "deepspeech_hardened"
ERRORS = {"rosa": "RoSA", "wer": "WER"}
# What is meant by nine of ten trials.
NEARLY_ALWAYS = 0.9


@dataclass(frozen=True)
class UnderAttack:
    """What is heard of the clips of one attack, told by one measure, one of `ERRORS`.

    `heard` is of the recogniser that was attacked, `transferred` of another one, `printed` the paper's Table 4 of this
    attack.
    """

    heard: pd.DataFrame
    transferred: pd.DataFrame
    recognisers: list[str]
    printed: pd.DataFrame
    attack: str
    measure: str


def always(attacks: pd.DataFrame, attack: str) -> Claim:
    """That an attack never fails on the undefended recogniser."""
    told = {"direct": "the attack that is not played", "carlini_wagner": "Carlini and Wagner's attack"}[attack]
    claim, paper = f"{told} always succeeds on the undefended recogniser", "100 %, cited"
    own = attacks[(attacks.attack == attack) & (attacks.recogniser == ATTACKED) & (attacks.enhancer == NONE)]
    if own.empty:
        return untested(claim, paper)
    row = own.iloc[0]
    holds = bool(row.success == 1)
    # No number of successes proves that there is never a failure; one failure is a proof that there is.
    return judged(claim, paper, f"{100 * row.success:.0f} % of {row.n}", holds, None if holds else True)


def often(table: pd.DataFrame, name: str) -> Claim:
    """That the attack of this name in Table 4 succeeds in nearly all trials."""
    claim = f"the {name} attack succeeds over the air in {100 * NEARLY_ALWAYS:.0f} % of trials and more, undefended"
    own = table[(table.attack == name) & (table.recogniser == ATTACKED) & (table.enhancer == NONE)]
    paper = " and ".join(f"{100 * value:.2f} %" for value in own.rosa_paper.dropna())
    if own.rosa.isna().all():
        return untested(claim, paper)
    row = own.iloc[0]
    holds = bool(row.rosa >= NEARLY_ALWAYS)
    certain = row.rosa_low >= NEARLY_ALWAYS if holds else row.rosa_high < NEARLY_ALWAYS
    return judged(claim, paper, f"{100 * row.rosa:.2f} % of {row.n}", holds, bool(certain))


def lowers(under: UnderAttack, kind: str, enhancers: list[str]) -> Claim:
    """That every enhancer of this kind helps."""
    claim = (
        f"under the {ATTACKS[under.attack]} attack every {kind} lowers the {ERRORS[under.measure]} of both recognisers"
    )
    fallen = _attackable(under, under.recognisers)
    parts = {f"{one}, {enhancer}": _change(under, one, NONE, enhancer) for one in fallen for enhancer in enhancers}
    rows = [list(100 * own[under.measure]) for _, own in under.printed.groupby("recogniser", sort=False)]
    figures = "; ".join(f"{row[0]:.2f} % to {', '.join(f'{value:.2f}' for value in row[1:])} %" for row in rows)
    return all_rise(claim, figures, parts, rises=False, lacking=_lacking(fallen))


def lowers_most(under: UnderAttack, kind: str, enhancers: list[str]) -> Claim:
    """That of the enhancers of this kind the attention U-Net helps the most."""
    told = f"no {kind} lowers the {ERRORS[under.measure]} as far as the attention U-Net"
    fallen = _attackable(under, under.recognisers)
    best = [name for name in enhancers if name.startswith(ATTENTION)][:1]
    parts = {
        f"{recogniser}, {enhancer}": _change(under, recogniser, enhancer, most)
        for recogniser in fallen
        for most in best
        for enhancer in enhancers
        if enhancer != most
    }
    claim = f"under the {ATTACKS[under.attack]} attack {told}"
    return all_rise(claim, "in all 4 comparisons", parts, rises=False, lacking=_lacking(fallen))


def hardened_recogniser(under: UnderAttack, made_on: str) -> Claim:
    """The hardened recogniser beside the undefended one, each under its own attack or both under the latter's."""
    whose = "attack, made anew" if made_on == HARDENED else "attack, made on the undefended one"
    told = f"lowers its {ERRORS[under.measure]} under the {ATTACKS[under.attack]} {whose}"
    undefended = under.printed[under.printed.enhancer == NONE]
    figures = " to ".join(f"{100 * value:.2f} %" for value in undefended[under.measure])
    fallen = _attackable(under, [ATTACKED])
    others = under.transferred
    clips = under.heard if made_on == HARDENED else others[others.victim == made_on]
    later = heard_as(clips, under.attack, HARDENED, NONE, "played")
    parts = {one: difference(_played(under, one), later, under.measure) for one in fallen}
    claim = f"adversarial training of the recogniser {told}"
    return all_rise(claim, figures, parts, rises=False, lacking=_lacking(fallen))


def by_so_much(under: UnderAttack, enhancers: dict[str, str]) -> Claim:
    """The abstract's 2.22 and 2.03 points of WER, which are those of the hardened recogniser in its Table 4."""
    own = under.printed[under.printed.recogniser == HARDENED]
    printed = dict(zip(own.enhancer, own.wer))
    points = printed[NONE] - printed[ATTENTION]
    claim = (
        "before the hardened recogniser the hardened attention U-Net lowers the WER under the "
        f"{ATTACKS[under.attack]} attack by {100 * points:.2f} points at least"
    )
    less = _change(under, HARDENED, enhancers.get(ATTENTION, "") or ATTENTION, NONE)
    figures = f"{100 * printed[NONE]:.2f} % to {100 * printed[ATTENTION]:.2f} %"
    here = f"{100 * less['x']:+.2f} points lower"
    return difference_of(claim, figures, here, tuple(less[end] - points for end in ("x", "x_low", "x_high")))


def hardened_on_clean(decisions: pd.DataFrame) -> Claim:
    """That the hardened recogniser understands clean speech as before."""
    claim = "adversarial training of the recogniser does not raise its WER on clean speech"
    own = decisions.assign(pair=decisions.key)
    before, later = (own[own.heard_by == name] for name in (ATTACKED, HARDENED))
    return none_higher(claim, {"difference": difference(before, later, "wer")})


def _played(under: UnderAttack, recogniser: str, enhancer: str = NONE) -> pd.DataFrame:
    return heard_as(under.heard, under.attack, recogniser, enhancer, "played")


def _change(under: UnderAttack, recogniser: str, before: str, later: str) -> Cells:
    """What a recogniser has more after the one enhancer than after the other."""
    return difference(_played(under, recogniser, before), _played(under, recogniser, later), under.measure)


def _attackable(under: UnderAttack, recognisers: Iterable[str]) -> list[str]:
    """The recognisers whose RoSA can fall at all: where no trial succeeds, nothing can lower it."""
    return [one for one in recognisers if under.measure == "wer" or _played(under, one).hit.any()]


def _lacking(fallen: list[str]) -> str:
    return "not measured" if fallen else "no trial succeeds undefended"
