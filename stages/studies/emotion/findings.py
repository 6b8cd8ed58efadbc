"""Room of studies: what was found of speech emotion, in sentences whose numbers are those of the tables."""

import pandas as pd

from stages.reporting.names import name
from stages.reporting.sentences import highest, told

Made = dict[str, pd.DataFrame]
QUESTION = "Does adversarial training protect networks that recognise emotions?"
CENT = {"scale": 100}


def findings(made: Made) -> list[str]:
    """The answer first, of test clips at the largest epsilon."""
    table = made["table_robustness"]
    own = table[table.split == "test"]
    own = own[own.epsilon == own.epsilon.max()]
    bare, trained = own[own.regime == "single"], own[own.regime != "single"]
    if highest(trained, "uar_fgsm")["network"] == "":
        return ["That can't be told: no network trained against attacks was attacked."]
    sentences = [_protection(bare, trained), _stronger(table), _real(bare, trained)]
    return [one for one in (*sentences, _through_sound(made["table_inversion"])) if one]


def _protection(bare: pd.DataFrame, trained: pd.DataFrame) -> str:
    """Partly where the best one's interval lies above that of the same network without, and below its real data."""
    best = highest(trained, "uar_fgsm")
    without = highest(bare[bare.network == best.network], "uar_fgsm")
    gains = without.network != "" and best.uar_fgsm_low > without.uar_fgsm_high
    answer = "Not that it could be shown" if not gains else "Partly" if best.uar_fgsm_high < best.uar_real else "Yes"
    beside = f", where it keeps {told(without, 'uar_fgsm', **CENT)} untrained" if without.network else ""
    return (
        f"{answer}: trained by {name(best.regime)}, {name(best.network)} keeps a UAR of "
        f"{told(best, 'uar_fgsm', **CENT)} under FGSM at epsilon {best.epsilon:g}{beside}, and "
        f"{told(best, 'uar_real', **CENT)} on real data."
    )


def _stronger(table: pd.DataFrame) -> str:
    holds, falls = int((table.holds_fgsm == "yes").sum()), int((table.falls_to_bim == "yes").sum())
    return (
        f"Of {len(table)} models and epsilons {holds} hold against FGSM (nearer to real data than to chance); "
        f"{falls} of these fall to BIM, a stronger attack of the same size."
    )


def _real(bare: pd.DataFrame, trained: pd.DataFrame) -> str:
    """What training costs, or gives, on real data: by the points, as intervals are of each alone."""
    both = trained.merge(bare, on="network", suffixes=("", "_bare"))
    gained = int((both.uar_real > both.uar_real_bare).sum())
    return f"On real data {gained} of {len(both)} trained models have a higher UAR than the same network untrained."


def _through_sound(table: pd.DataFrame) -> str:
    told_of = table[(table.attack != "none") & table.still_fools.notna()]
    if told_of.empty:
        return "Whether attacked spectrograms still fool once they are sound can't be told: none was kept that fooled."
    least = told_of.loc[told_of.still_fools.astype(float).idxmin()]
    return (
        f"Made into sound and analysed again attacked spectrograms still fool: the fewest, {name(least.attack)} at "
        f"epsilon {least.epsilon:g} on {name(least.network)}, in {told(least, 'still_fools', **CENT)} of {least.n:.0f}."
    )
