"""Room of reporting: what comes of a claim of a paper, as a row of the table of claims."""

import math

Claim = tuple[str, str, str, str, str]
UNTESTABLE = "not testable here"
COLUMNS = ["claim", "paper", "here", "verdict", "certain"]


def judged(claim: str, paper: str, here: str, holds: bool | None, certain: bool | None = None) -> Claim:
    """A row; without intervals that could decide, `certain` is None, and `holds` where it can't be told at all."""
    verdict = UNTESTABLE if holds is None else "holds" if holds else "does not hold"
    return claim, paper, here, verdict, "" if certain is None else "yes" if certain else "no"


def untested(claim: str, paper: str, here: str = "not measured") -> Claim:
    """A row of what can't be told here."""
    return claim, paper, here, UNTESTABLE, ""


def difference_of(claim: str, paper: str, here: str, ends: tuple[float, float, float]) -> Claim:
    """A claim that a difference is positive; `ends` are the difference and its interval's low and high end."""
    difference, low, high = ends
    if math.isnan(difference):
        return untested(claim, paper)
    holds = difference > 0
    return judged(claim, paper, here, holds, low > 0 if holds else high < 0)
