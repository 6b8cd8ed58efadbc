"""Room of auditing: what each attack makes of clips against one defence, at each budget, by all that it may know."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pandas as pd

from stages.attacking.problem import Result
from stages.auditing.attempt import Attempt, Batch, Louder, Run
from stages.auditing.defences import Defence
from stages.auditing.entries import Grid

# An attack arrives where fewer hearings than this share are decided rightly.
HALF = 0.5
# How many times its steps an attack has taken in all that gains nothing by knowing, as long as they find what fewer
# did not.
DOUBLED = (2, 4, 8)


def in_turn(defence: Defence, batches: list[Batch], runs: list[Run], grid: Grid) -> pd.DataFrame:
    """What all attacks make of the clips, see `crossed`, those by scores last, on the clips alone that still stand.

    What counts of a clip is the worst of all attacks, so that a dearer one need not be tried on what a cheaper one has
    brought down (a sequential ensemble, as AutoAttack is; Croce and Hein 2020). A search for the smallest perturbation
    is told by its own size, see `smallest`.
    """
    first = [run for run in runs if run.entry.access != "scores"]
    parts = [(smallest if run.entry.smallest else crossed)(defence, batches, run, grid) for run in first]
    standing = _standing(batches, parts, grid)
    if standing:
        parts += [crossed(defence, standing, run, grid) for run in runs if run not in first]
    return pd.concat(parts, ignore_index=True)


def crossed(defence: Defence, batches: list[Batch], run: Run, grid: Grid) -> pd.DataFrame:
    """A row for each clip, budget, and what the attacker knows.

    `right` is the share of the grid's hearings that are decided rightly, by draws that no attacker has seen. The
    loudest budget comes first: at a quieter one an attacker attacks what fell, from what brought it down. One who knows
    of the defence keeps the best of what it makes and of what it would have made without knowing, by its own looks;
    where that alone arrives in all of them, or the clip stood at the louder budget, it makes nothing else. Where
    knowing gains nothing at the loudest budget it goes on, from the best so far if it can, until it has taken twice the
    steps, and twice as many again as long as that finds more in any clip: `times` is 2, 4 or 8. An attack by scores is
    at that budget alone, and clips that stand there are attacked without a bound. `reached` is in the unit of the
    budget; `forwards` and `backwards` are passes through the victim at the budget. `decision` is that of the first
    hearing, and `arrays` holds, of a few clips, the example (`audio`) and what the victim hears of it then (`heard`).
    `arrives`, of who knows, is the quietest SNR at which a clip is decided wrongly, see `Attempt.arrives`.
    """
    parts, arriving, louder = [], [], [None] * len(batches)
    for budget in grid.budgets[-1:] if run.entry.access == "scores" else grid.budgets[::-1]:
        tries = [Attempt(defence, batch, grid, run, budget, before) for batch, before in zip(batches, louder)]
        made = [one.made_by_knowledge() for one in tries]
        told = [one.told_all(own) for one, own in zip(tries, made)]
        parts += [part for own in told for part in own.values()]
        most = [*made[0]][-1]  # of all that is known
        best, left = [own[most] for own in made], [own[most].right.to_numpy(copy=True) for own in told]
        if {"unaware", "aware"} <= made[0].keys() and budget == grid.budgets[-1]:
            parts += _longer(tries, best, left, [own["unaware"].right.to_numpy() for own in told])
        arriving += zip(tries, best, left)
        louder = [Louder(budget, *of_batch) for of_batch in zip(best, (right < 1 for right in left))]
    if run.entry.access == "gradient":
        for batch in _standing(batches, parts, grid):
            unlimited = Attempt(defence, batch, grid, run, grid.unlimited)
            parts.append(unlimited.told(unlimited.made(run.times[1], defence.aimed()), "aware"))
    rows = pd.concat(parts, ignore_index=True)
    if run.entry.access == "gradient" and grid.budget_in == "snr_db":
        rows = rows.assign(arrives=rows.key.map(_arrives(arriving)).where(rows.knowledge == "aware"))
    return rows


def smallest(defence: Defence, batches: list[Batch], run: Run, grid: Grid) -> pd.DataFrame:
    """A row for each clip and budget: the smallest perturbation that is found through the defence.

    It is lowered where it is larger than the budget. `arrives` is its size where it is decided wrongly.
    """
    parts = []
    for batch in batches:
        unlimited = Attempt(defence, batch, grid, run, grid.unlimited)
        made = unlimited.made(run.times[1], defence.aimed())
        tries = [replace(unlimited, budget=budget) for budget in (*grid.budgets, grid.unlimited)]
        told = [one.told(one.at_most(made), "aware") for one in tries]
        found = told[-1].reached.where(told[-1].right < HALF)
        parts += [rows.assign(arrives=found) for rows in told]
    return pd.concat(parts, ignore_index=True)


def _standing(batches: list[Batch], parts: list[pd.DataFrame], grid: Grid) -> list[Batch]:
    """The clips that some hearing of the loudest budget still decides rightly, whoever attacks."""
    rows = pd.concat([pd.DataFrame(columns=["key", "budget", "right"]), *parts])
    left = rows[rows.budget == grid.budgets[-1]].groupby("key").right.min()
    stand = [(batch.rows.key.map(left).fillna(1.0) > 0).to_numpy() for batch in batches]
    return [batch.only(chosen) for batch, chosen in zip(batches, stand) if chosen.any()]


def _arrives(arriving: list[tuple[Attempt, Result, np.ndarray]]) -> dict[str, float]:
    """The quietest SNR at which clips fall, by key; of attempts, loudest first, with the best and how much is left."""
    found: dict[str, float] = {}
    for one, best, left in reversed(arriving):
        if (first := (left < HALF) & ~one.batch.rows.key.isin(found).to_numpy()).any():
            found |= zip(one.batch.rows.key[first], one.arrives(best, first))
    return found


def _longer(
    tries: list[Attempt], best: list[Result], left: list[np.ndarray], without: list[np.ndarray]
) -> Iterator[pd.DataFrame]:
    """The rows of clips where knowing gains nothing, with ever more steps.

    `best` and `left` are each try's best so far and what is left, which are kept up to date; `without` is what is left
    of who does not know.
    """
    for times in DOUBLED:
        gained = False
        for number, one in enumerate(tries):
            idle = (left[number] > 0) & (left[number] >= without[number])
            if not idle.any():
                continue
            best[number], rows = one.again(best[number], idle, times)
            yield rows
            gained |= bool((rows.right < left[number][idle]).any())
            left[number][idle] = np.minimum(left[number][idle], rows.right)
        if not gained:
            return
