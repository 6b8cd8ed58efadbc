"""Room of auditing: what each attack makes of clips against one defence, at each budget, by all that it may know."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields, replace

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from stages.attacking.problem import Result, Setting, rounded, taken
from stages.auditing.defences import Defence, waveforms
from stages.auditing.entries import Attack, Grid
from stages.frame.clip_table import stable_hash
from stages.frame.pcm import to_pcm16
from stages.frame.shards import Arrays
from stages.measures.perturbation import snr_db
from stages.victim import Goal, Inputs, Victim

# How often an attacker looks at what it made, where chance plays, to choose the best by draws that made none of it.
LOOKS = 4
# An attack arrives where fewer hearings than this share are decided rightly.
HALF = 0.5
# How many times its steps an attack has taken in all that gains nothing by knowing, as long as they find what fewer
# did not.
DOUBLED = (2, 4, 8)
# How much quieter a perturbation is made at most to find where it still arrives, and in how many halvings of that.
QUIETER_DB, HALVINGS = 16.0, 5
# Of how many clips the sounds are kept, of gradient attacks at the loudest budget.
KEPT_CLIPS = 3


@dataclass(frozen=True, kw_only=True, eq=False)
class Run:
    """An attack with its own parameters, by how many times their steps it takes; `name` is its entry's."""

    name: str
    entry: Attack
    times: dict[int, Callable[..., Result]]


@dataclass(frozen=True, kw_only=True, eq=False)
class Batch:
    """Clips that are attacked together.

    Attributes:
        rows: of the plan, one a clip; `place` is its place among the grid's clips.
        inputs: as victims are attacked on, and as files hold them.
        goal: away from the clips' labels.
        quantum: one whole number of each input's file; None where the files hold none.
        unaware: what attacks made of the clips without knowing of a defence, by attack and budget.
    """

    rows: pd.DataFrame
    inputs: Inputs
    goal: Goal
    quantum: dict[str, float] | None
    unaware: dict[tuple[str, float], Result] = field(default_factory=dict)

    def only(self, chosen: np.ndarray) -> "Batch":
        """The clips (clips,) that are chosen."""
        places = torch.from_numpy(np.flatnonzero(chosen))
        inputs, labels = taken(self.inputs, places), self.goal.labels
        goal = Goal(labels[places.to(labels.device)], self.goal.targeted)
        return Batch(rows=self.rows[chosen], inputs=inputs, goal=goal, quantum=self.quantum)


def in_turn(defence: Defence, batches: list[Batch], runs: list[Run], grid: Grid) -> pd.DataFrame:
    """What all attacks make of the clips, see `crossed`, those by scores last, on the clips alone that still stand.

    What counts of a clip is the worst of all attacks, so that a dearer one need not be tried on what a cheaper one has
    brought down (a sequential ensemble, as AutoAttack is; Croce and Hein 2020).
    """
    first = [run for run in runs if run.entry.access != "scores"]
    parts = [crossed(defence, batches, run, grid) for run in first]
    standing = [one.only(chosen) for one in batches if (chosen := _stands(one, parts, grid)).any()]
    if standing:
        parts += [crossed(defence, standing, run, grid) for run in runs if run not in first]
    return pd.concat(parts, ignore_index=True)


def _stands(batch: Batch, parts: list[pd.DataFrame], grid: Grid) -> np.ndarray:
    """Which clips (clips,) some hearing of the loudest budget still decides rightly, whoever attacks."""
    rows = pd.concat([pd.DataFrame(columns=["key", "budget", "right"]), *parts])
    left = rows[rows.budget == grid.budgets[-1]].groupby("key").right.min()
    return (batch.rows.key.map(left).fillna(1.0) > 0).to_numpy()


def crossed(defence: Defence, batches: list[Batch], run: Run, grid: Grid) -> pd.DataFrame:
    """A row for each clip, budget, and what the attacker knows.

    `right` is the share of the grid's hearings that are decided rightly, by draws that no attacker has seen. An
    attacker who knows of the defence keeps the best of what it makes and of what it would have made without knowing, by
    its own looks; where that alone arrives in all of them it makes nothing else. Where knowing gains nothing at the
    loudest budget it goes on, from the best so far if it can, until it has taken twice the steps, and twice as many
    again as long as that finds more in any clip: `times` is 2, 4 or 8. An attack by scores is at that budget alone.
    `reached` is in the unit of the budget; `forwards` and `backwards` are passes through the victim of all that led to
    the example. `decision` is that of the first hearing, and `arrays` holds, of a few clips, the example (`audio`) and
    what the victim hears of it then (`heard`). `arrives_db` stands at the quietest SNR at which an attacker who knows
    arrives in most hearings, see `_Try.arrives_db`.
    """
    parts, arrived = [], set()
    for budget in grid.budgets[-1:] if run.entry.access == "scores" else grid.budgets:
        tries = [_Try(defence, batch, grid, run, budget) for batch in batches]
        made = [one.made_by_knowledge() for one in tries]
        told = [one.told_all(own, arrived) for one, own in zip(tries, made)]
        parts += [part for own in told for part in own.values()]
        if {"unaware", "aware"} <= made[0].keys() and budget == grid.budgets[-1]:
            parts += _longer(tries, [own["aware"] for own in made], told)
    if run.entry.access == "gradient":
        for batch in batches:
            unlimited = _Try(defence, batch, grid, run, grid.unlimited)
            parts.append(unlimited.told(unlimited.made(run.times[1], defence.aimed()), "aware"))
    return pd.concat(parts, ignore_index=True)


def _longer(tries: list["_Try"], best: list[Result], told: list[dict[str, pd.DataFrame]]) -> Iterator[pd.DataFrame]:
    """The rows of clips where knowing gains nothing, with ever more steps; `best` is each try's best so far."""
    left, without = ([own[name].right.to_numpy(copy=True) for own in told] for name in ("aware", "unaware"))
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


def rightly(defence: Defence, batch: Batch, inputs: Inputs, hearings: int) -> np.ndarray:
    """The share (clips,) of hearings of a batch's versions that are decided rightly, of one where no chance plays.

    What is drawn at each is told by the row's key.
    """
    return (_decided(defence, batch, inputs, hearings) == batch.goal.labels).double().mean(0).cpu().numpy()


def _decided(defence: Defence, batch: Batch, inputs: Inputs, hearings: int) -> Tensor:
    """The labels (hearings, clips)."""
    first = [stable_hash(key) for key in batch.rows.key]
    trials = range(hearings if defence.chance else 1)
    return torch.stack([defence.decide(inputs, [seed + trial for seed in first]) for trial in trials])


@dataclass(frozen=True, eq=False)
class _Try:
    """One attack at one budget."""

    defence: Defence
    batch: Batch
    grid: Grid
    run: Run
    budget: float

    def made_by_knowledge(self) -> dict[str, Result]:
        """What is made by each thing that the attacker may know."""
        made, once = {}, self.run.times[1]
        if "none" in self.run.entry.knowledge:
            made["none"] = self.made(once, self.defence.bare)
        if "unaware" in self.run.entry.knowledge:
            made["unaware"] = self._unaware()
        if "aware" in self.run.entry.knowledge:
            made["aware"] = self._aware(made.get("unaware"), once)
        return made

    def told_all(self, made: dict[str, Result], arrived: set[str]) -> dict[str, pd.DataFrame]:
        """The rows of each thing that is made; the keys of clips that an attacker who knows arrives on are added."""
        told = {knowledge: self.told(result, knowledge) for knowledge, result in made.items()}
        if "aware" in told and self.run.entry.access == "gradient" and self.grid.budget_in == "snr_db":
            rows = told["aware"]
            first = (rows.right < HALF) & ~rows.key.isin(arrived)
            told["aware"] = rows.assign(arrives_db=self.arrives_db(made["aware"], first.to_numpy()))
            arrived |= set(rows.key[first])
        return told

    def arrives_db(self, made: Result, chosen: np.ndarray) -> np.ndarray:
        """The SNR (clips,) of what is made, as far lowered as it is decided wrongly, NaN of clips that are not chosen.

        By halvings of `QUIETER_DB`, each heard through the true defence, by another draw.
        """
        found = np.full(len(chosen), np.nan)
        if not chosen.any():
            return found
        rows, batch = torch.from_numpy(np.flatnonzero(chosen)), self.batch.only(chosen)
        clean, loud = batch.inputs["audio"], made.only(rows).adversarial["audio"]
        low, high = np.zeros(len(rows)), np.full(len(rows), QUIETER_DB)
        for trial in range(HALVINGS):
            quieter_db = (low + high) / 2
            share = torch.from_numpy(10 ** (-quieter_db / 20)).to(clean)[:, None]
            tried = rounded(batch.inputs | {"audio": clean + share * (loud - clean)}, batch.quantum)
            decided = self.defence.decide(tried, [stable_hash(f"{key} {trial}") for key in batch.rows.key])
            wrong = (decided != batch.goal.labels).cpu().numpy()
            low, high = np.where(wrong, quieter_db, low), np.where(wrong, high, quieter_db)
        found[chosen] = np.array(self._reached(made.adversarial))[chosen] + low
        return found

    def again(self, best: Result, idle: np.ndarray, times: int) -> tuple[Result, pd.DataFrame]:
        """What is best after more steps on the clips (clips,) that are idle, and their rows."""
        rows, rest = torch.from_numpy(np.flatnonzero(idle)), replace(self, batch=self.batch.only(idle))
        # Where chance plays, what is best so far may arrive by luck at the first look, and would be left at that.
        begin = self._unaware() if self.defence.chance else best
        start = {"start": begin.only(rows).adversarial} if self.run.entry.continues else {}
        found = rest._better(best.only(rows), self.run.times[times], **start)
        return _laid(best, found, rows), rest.told(found, "aware", times=times)

    def made(self, attack: Callable[..., Result], victim: Victim, **start: Inputs) -> Result:
        """What an attack makes of the clips."""
        bounds = {name: limits for name, limits in victim.bounds.items() if name in self.batch.inputs}
        setting, told = Setting(bounds=bounds, quantum=self.batch.quantum), {}
        if self.grid.budget_in == "snr_db":
            told = {"snr_db": self.budget}
        else:
            setting = replace(setting, epsilon=dict.fromkeys(bounds, self.budget))
        made = attack(victim, self.batch.inputs, self.batch.goal, setting=setting, **told, **start)
        return replace(made, adversarial=rounded(made.adversarial, self.batch.quantum))

    def told(self, made: Result, knowledge: str, *, times: int = 1) -> pd.DataFrame:
        """Its rows, judged by the true defence."""
        decided = _decided(self.defence, self.batch, made.adversarial, self.grid.hearings)
        return self.batch.rows.assign(
            attack=self.run.name,
            access=self.run.entry.access,
            knowledge=knowledge,
            budget=self.budget,
            times=times,
            right=(decided == self.batch.goal.labels).double().mean(0).tolist(),
            decision=self.defence.bare.names(decided[0]),
            reached=self._reached(made.adversarial),
            forwards=made.forwards.tolist(),
            backwards=made.backwards.tolist(),
            zero_gradient=made.zero_gradient.tolist(),
            arrays=self._to_hear(made),
        )

    def _to_hear(self, made: Result) -> list[Arrays]:
        """The sounds, or images, that are kept of each clip, none of most."""
        loudest, arrays = self.budget == self.grid.budgets[-1], []
        for number, row in enumerate(self.batch.rows.itertuples()):
            if not (loudest and self.run.entry.access == "gradient" and row.place < KEPT_CLIPS):
                arrays.append({})
                continue
            own = taken(made.adversarial, torch.tensor([number]))
            if self.grid.budget_in == "epsilon":
                arrays.append({name: own[name][0].cpu().numpy() for name in self.defence.bare.bounds})
                continue
            heard = self.defence.heard(own, [stable_hash(row.key)])
            arrays.append({"audio": to_pcm16(waveforms(own)[0]), "heard": to_pcm16(heard[0])})
        return arrays

    def _unaware(self) -> Result:
        key = self.run.name, self.budget
        if key not in self.batch.unaware:
            self.batch.unaware[key] = self.made(self.run.times[1], self.defence.bare)
        return self.batch.unaware[key]

    def _aware(self, unaware: Result | None, attack: Callable[..., Result]) -> Result:
        """What is made through the defence, where what is made without knowing of it does not arrive already."""
        if unaware is None:
            return self.made(attack, self.defence.aimed())
        stands = (self._looked(self.defence.aimed(), [unaware]).amax(0)[0] >= 0).cpu()
        if not stands.any():
            return unaware
        rows, rest = stands.nonzero()[:, 0], replace(self, batch=self.batch.only(stands.numpy()))
        return _laid(unaware, rest._better(unaware.only(rows), attack), rows)

    def _better(self, before: Result, attack: Callable[..., Result], **start: Inputs) -> Result:
        """The better one of what was made before and of what is made through the defence; the passes are both's."""
        aimed = self.defence.aimed()
        found = [before, self.made(attack, aimed, **start)]
        best = self._looked(aimed, found).mean(0).argmin(0)
        return Result(
            {name: _picked([one.adversarial[name] for one in found], best) for name in self.batch.inputs},
            *(_picked([getattr(one, name) for one in found], best) for name in ("success", "iterations")),
            *(sum(getattr(one, name) for one in found) for name in ("forwards", "backwards")),
            zero_gradient=_picked([one.zero_gradient for one in found], best),
        )

    def _looked(self, aimed: Victim, found: list[Result]) -> Tensor:
        """Margins (looks, results, clips), as an attacker sees them, all results by the same draws."""
        goal, looks = self.batch.goal, LOOKS if self.defence.chance else 1
        together = {name: torch.cat([one.adversarial[name] for one in found]) for name in self.batch.inputs}
        whole = Goal(goal.labels.repeat(len(found)), goal.targeted)
        with torch.no_grad():
            margins = [aimed.margin(aimed.logits(together), whole) for _ in range(looks)]
        return torch.stack(margins).view(looks, len(found), -1)

    def _reached(self, adversarial: Inputs) -> list[float]:
        """How large the perturbation of each clip is, in the unit of the budget."""
        if self.grid.budget_in == "epsilon":
            changed = [name for name in adversarial if name in self.defence.bare.bounds]
            sizes = [(adversarial[name] - self.batch.inputs[name]).abs().flatten(1).amax(1) for name in changed]
            return torch.stack(sizes).amax(0).tolist()
        clean, made = (inputs["audio"].cpu().numpy() for inputs in (self.batch.inputs, adversarial))
        return [snr_db(before, after - before) for before, after in zip(clean, made)]


def _picked(several: list[Tensor], best: Tensor) -> Tensor:
    """Of several tensors (clips, ...) for each clip the row of the best one (clips,)."""
    stacked = torch.stack([one.to(several[0].device) for one in several])
    best = best.to(stacked.device)
    return stacked[best, torch.arange(len(best), device=stacked.device)]


def _laid(whole: Result, part: Result, rows: Tensor) -> Result:
    """The result of all examples with that of some, the `rows`, in its place."""
    whole_fields, part_fields = ({one.name: getattr(own, one.name) for one in fields(own)[1:]} for own in (whole, part))
    return Result(_replaced(whole.adversarial, part.adversarial, rows), **_replaced(whole_fields, part_fields, rows))


def _replaced(whole: dict[str, Tensor], part: dict[str, Tensor], rows: Tensor) -> dict[str, Tensor]:
    return {name: value.index_copy(0, rows.to(value.device), part[name]) for name, value in whole.items()}
