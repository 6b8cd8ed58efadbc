"""Room of studies: what the speech paper claims of how often attacks succeed, and of what that leaves of the words."""

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pandas as pd

from stages.measures import testing
from stages.measures.testing import Evidence
from stages.reporting.cells import possible
from stages.reporting.rounding import rounded
from stages.reporting.verdicts import Claim
from stages.studies.speech.claims_of_quality import ATTENTION
from stages.studies.speech.differences import OURS, UNMEASURED, all_rise, difference, none_higher
from stages.studies.speech.heard import ATTACKED, ATTACKS, heard_as
from stages.studies.speech.measured import NONE

HARDENED = "deepspeech_hardened"
ERRORS = {"rosa": "RoSA", "wer": "WER"}
# What is meant by nine of ten trials, and by always.
NEARLY_ALWAYS = 0.9
SAME = "of the same clips, phrases and trials"


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


def always(attacked: pd.DataFrame) -> Claim:
    """That Carlini and Wagner's attack never fails on the undefended recogniser."""
    claim = (
        "Carlini and Wagner's attack always succeeds on the undefended recogniser (taken as: 9 of 10 times and more)"
    )
    own = attacked[(attacked.attack == "carlini_wagner") & (attacked.victim == ATTACKED) & (attacked.through == NONE)]
    own = possible(own)
    if own.empty:
        return Claim(claim, "100 %, cited", UNMEASURED)
    here = f"{rounded(100 * own.success.mean())} % of {len(own)}"
    return Claim(claim, "100 %, cited", here, "success less 90 %", nearly_always(own.success, own), stated=0.1)


def nearly_always(hits: pd.Series, clips: pd.DataFrame) -> Evidence | None:
    """Whether nine of ten of the clips are hits."""
    return testing.share_above(hits.to_numpy(), clips.cluster.to_numpy(), NEARLY_ALWAYS)


def often(under: UnderAttack) -> Claim:
    """That the attack succeeds in nearly all trials."""
    name = ATTACKS[under.attack]
    claim = f"the {name} attack succeeds over the air in {100 * NEARLY_ALWAYS:.0f} % of trials and more, undefended"
    printed = under.printed[(under.printed.recogniser == ATTACKED) & (under.printed.enhancer == NONE)].rosa
    paper = " and ".join(f"{100 * value:.2f} %" for value in printed)
    own = _played(under, ATTACKED)
    if own.empty:
        return Claim(claim, paper, UNMEASURED)
    here = f"{100 * own.hit.mean():.2f} % of {len(own)}"
    stated = printed.min() - NEARLY_ALWAYS
    return Claim(claim, paper, here, "share of trials less 90 %", nearly_always(own.hit, own), stated=stated)


def lowers(under: UnderAttack, enhancers: Iterable[str]) -> Claim:
    """That every enhancer helps; the paper does not say whether those of its Table 4 were hardened."""
    measure = ERRORS[under.measure]
    text = (
        f"under the {ATTACKS[under.attack]} attack every enhancer, hardened or not, lowers the {measure} of both "
        "recognisers"
    )
    fallen = _attackable(under, under.recognisers)
    parts = {f"{one}, {enhancer}": _change(under, one, NONE, enhancer) for one in fallen for enhancer in enhancers}
    rows = [list(own[under.measure]) for _, own in under.printed.groupby("recogniser", sort=False)]
    figures = "; ".join(
        f"{100 * row[0]:.2f} % to {', '.join(f'{100 * value:.2f}' for value in row[1:])} %" for row in rows
    )
    stated = min(row[0] - value for row in rows for value in row[1:])
    claim = Claim(text, figures, "", f"{measure} {SAME} before and after each enhancer")
    return all_rise(claim, parts, rises=False, lacking=_lacking(fallen), stated=stated)


def lowers_most(under: UnderAttack, kinds: Iterable[Sequence[str]]) -> Claim:
    """That of the enhancers of each kind, plain or hardened, the attention U-Net helps the most, by both measures."""
    measured = [dataclasses.replace(under, measure=measure) for measure in ERRORS]
    parts, steps = {}, []
    for by in measured:
        own = by.printed.groupby("recogniser")
        steps += [_least_ahead(rows.set_index("enhancer")[by.measure]) for _, rows in own]
        for recogniser in _attackable(by, by.recognisers):
            for kind in kinds:
                (best,) = [name for name in kind if name.startswith(ATTENTION)] or [None]
                others = [name for name in kind if best and name != best]
                named = {f"{recogniser}, {name}, {ERRORS[by.measure]}": name for name in others}
                parts |= {told: _change(by, recogniser, name, best) for told, name in named.items()}
    text = f"under the {ATTACKS[under.attack]} attack no enhancer lowers RoSA and WER as far as the attention U-Net"
    claim = Claim(text, "in all 8 comparisons", "", f"RoSA and WER {SAME} after it and after each other of its kind")
    return all_rise(claim, parts, rises=False, stated=min(steps))


def _least_ahead(printed: pd.Series) -> float:
    """By how much the paper's attention U-Net is ahead of its next enhancer."""
    return printed.drop([NONE, ATTENTION]).min() - printed[ATTENTION]


def hardened_recogniser(under: UnderAttack, made_on: str) -> Claim:
    """The hardened recogniser beside the undefended one, each under its own attack or both under the latter's."""
    measure = ERRORS[under.measure]
    whose = "attack, made anew" if made_on == HARDENED else "attack, made on the undefended one"
    text = f"adversarial training of the recogniser lowers its {measure} under the {ATTACKS[under.attack]} {whose}"
    printed = list(under.printed[under.printed.enhancer == NONE][under.measure])
    figures = " to ".join(f"{100 * value:.2f} %" for value in printed)
    fallen = _attackable(under, [ATTACKED])
    others = under.transferred
    clips = under.heard if made_on == HARDENED else others[others.victim == made_on]
    later = heard_as(clips, under.attack, HARDENED, NONE, "played")
    parts = {one: difference(_played(under, one), later, under.measure) for one in fallen}
    claim = Claim(text, figures, "", f"{measure} {SAME}, of both recognisers")
    return all_rise(claim, parts, rises=False, lacking=_lacking(fallen), stated=printed[0] - printed[-1])


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
    if less is None:
        return Claim(claim, figures, UNMEASURED)
    here = f"{100 * less.effect:+.2f} points lower"
    compared = f"WER {SAME} before and after it, less {100 * points:.2f} points"
    return Claim(claim, figures, here, compared, testing.shifted(less, points))


def above_controls(heard: pd.DataFrame) -> Claim:
    """That it is the attack that does it: noise as loud does not, nor does the clip itself."""
    claim = "the gradient attack is transcribed as the phrase more often than noise as loud, and than the clip itself"
    parts = {
        f"{told}, {version}": difference(
            *(heard_as(heard, attack, ATTACKED, NONE, version) for attack in (control, "over_the_air")), "rosa"
        )
        for control, told in (("noise", "noise"), (NONE, "clip"))
        for version in ("file", "played")
    }
    return all_rise(Claim(claim, OURS, "", f"share transcribed as the phrase {SAME}, as files and played"), parts)


def hardened_on_clean(decisions: pd.DataFrame) -> Claim:
    """That the hardened recogniser understands clean speech as before."""
    claim = "adversarial training of the recogniser does not raise its WER on clean speech"
    own = decisions.assign(pair=decisions.key)
    before, later = (own[own.heard_by == name] for name in (ATTACKED, HARDENED))
    parts = {"difference": difference(before, later, "wer")}
    return none_higher(claim, "WER of both recognisers on the same test clips", parts)


def _played(under: UnderAttack, recogniser: str, enhancer: str = NONE) -> pd.DataFrame:
    return heard_as(under.heard, under.attack, recogniser, enhancer, "played")


def _change(under: UnderAttack, recogniser: str, before: str, later: str) -> Evidence | None:
    """What a recogniser has more after the one enhancer than after the other."""
    return difference(_played(under, recogniser, before), _played(under, recogniser, later), under.measure)


def _attackable(under: UnderAttack, recognisers: Iterable[str]) -> list[str]:
    """The recognisers whose RoSA can fall at all: where no trial succeeds, nothing can lower it."""
    return [one for one in recognisers if under.measure == "wer" or _played(under, one).hit.any()]


def _lacking(fallen: list[str]) -> str:
    return UNMEASURED if fallen else "no trial succeeds undefended"
