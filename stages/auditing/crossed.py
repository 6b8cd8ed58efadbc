"""Room of auditing: what each attack makes of clips against one defence, at each budget, by all that it may know."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

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
# How many times its steps an attack takes that gains nothing by knowing, as long as they find what fewer did not.
DOUBLED = (2, 4, 8)
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


def crossed(defence: Defence, batch: Batch, run: Run, grid: Grid) -> pd.DataFrame:
    """A row for each clip, budget, and what the attacker knows.

    `right` is the share of the grid's hearings that are decided rightly, by draws that no attacker has seen. An
    attacker who knows of the defence keeps the best of what it makes and of what it would have made without knowing, by
    its own looks. Where that gains nothing at the loudest budget it tries again with twice the steps, from what it
    would have made without knowing if it can, and with twice as many again as long as that finds more: `times` is 2, 4
    or 8. An attack by scores is at that budget alone. `reached` is in the unit of the budget; `forwards` and
    `backwards` are passes through the victim of all that led to the example. `decision` is that of the first hearing,
    and `arrays` holds, of a few clips, the example (`audio`) and what the victim hears of it then (`heard`).
    """
    parts = []
    for budget in grid.budgets[-1:] if run.entry.access == "scores" else grid.budgets:
        parts += _Try(defence, batch, grid, run, budget).parts()
    if run.entry.access == "gradient":
        unlimited = _Try(defence, batch, grid, run, grid.unlimited)
        parts.append(unlimited.told(unlimited.made(run.times[1], defence.aimed()), "aware"))
    return pd.concat(parts, ignore_index=True)


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

    def parts(self) -> list[pd.DataFrame]:
        """The rows of each thing that the attacker may know."""
        made, once = {}, self.run.times[1]
        if "none" in self.run.entry.knowledge:
            made["none"] = self.made(once, self.defence.bare)
        if "unaware" in self.run.entry.knowledge:
            made["unaware"] = self._unaware()
        if "aware" in self.run.entry.knowledge:
            made["aware"] = self._aware(made.get("unaware"), once)
        parts = {knowledge: self.told(result, knowledge) for knowledge, result in made.items()}
        again = {"unaware", "aware"} <= parts.keys() and self.budget == self.grid.budgets[-1]
        return [*parts.values(), *(self._again(made["unaware"], parts) if again else [])]

    def _again(self, unaware: Result, parts: dict[str, pd.DataFrame]) -> Iterator[pd.DataFrame]:
        """The rows of clips where knowing gains nothing, with ever more steps."""
        left, without = (parts[name].right.to_numpy(copy=True) for name in ("aware", "unaware"))
        for times in DOUBLED:
            idle = (left > 0) & (left >= without)
            if not idle.any():
                return
            rest = replace(self, batch=self.batch.only(idle))
            first = unaware.only(torch.from_numpy(np.flatnonzero(idle)))
            start = {"start": first.adversarial} if self.run.entry.continues else {}
            told = rest.told(rest._aware(first, self.run.times[times], **start), "aware", times=times)
            yield told
            found = np.minimum(left[idle], told.right)
            if (found == left[idle]).all():
                return
            left[idle] = found

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
        """The sounds that are kept of each clip, none of most."""
        loudest = self.budget == self.grid.budgets[-1] and self.grid.budget_in == "snr_db"
        arrays: list[Arrays] = []
        for number, row in enumerate(self.batch.rows.itertuples()):
            if not (loudest and self.run.entry.access == "gradient" and row.place < KEPT_CLIPS):
                arrays.append({})
                continue
            own = taken(made.adversarial, torch.tensor([number]))
            heard = self.defence.heard(own, [stable_hash(row.key)])
            arrays.append({"audio": to_pcm16(waveforms(own)[0]), "heard": to_pcm16(heard[0])})
        return arrays

    def _unaware(self) -> Result:
        key = self.run.name, self.budget
        if key not in self.batch.unaware:
            self.batch.unaware[key] = self.made(self.run.times[1], self.defence.bare)
        return self.batch.unaware[key]

    def _aware(self, unaware: Result | None, attack: Callable[..., Result], **start: Inputs) -> Result:
        """The better one of what was made without knowing of the defence and of what is made through it.

        The passes are those of both.
        """
        aimed = self.defence.aimed()
        if unaware is None:
            return self.made(attack, aimed)
        found = [unaware, self.made(attack, aimed, **start)]
        looks = LOOKS if self.defence.chance else 1
        best = _seen(aimed, [one.adversarial for one in found], self.batch.goal, looks).argmin(0)
        return Result(
            {name: _picked([one.adversarial[name] for one in found], best) for name in self.batch.inputs},
            *(_picked([getattr(one, name) for one in found], best) for name in ("success", "iterations")),
            *(sum(getattr(one, name) for one in found) for name in ("forwards", "backwards")),
            zero_gradient=_picked([one.zero_gradient for one in found], best),
        )

    def _reached(self, adversarial: Inputs) -> list[float]:
        """How large the perturbation of each clip is, in the unit of the budget."""
        if self.grid.budget_in == "epsilon":
            changed = [name for name in adversarial if name in self.defence.bare.bounds]
            sizes = [(adversarial[name] - self.batch.inputs[name]).abs().flatten(1).amax(1) for name in changed]
            return torch.stack(sizes).amax(0).tolist()
        clean, made = (inputs["audio"].cpu().numpy() for inputs in (self.batch.inputs, adversarial))
        return [snr_db(before, after - before) for before, after in zip(clean, made)]


def _seen(victim: Victim, several: list[Inputs], goal: Goal, looks: int) -> Tensor:
    """The margin (several, clips) of versions of clips as an attacker sees them, all versions by the same draws."""
    together = {name: torch.cat([one[name] for one in several]) for name in several[0]}
    labels = goal.labels.repeat(len(several))
    with torch.no_grad():
        logits = torch.stack([victim.logits(together).log_softmax(-1) for _ in range(looks)]).logsumexp(0)
    return victim.margin(logits, Goal(labels, goal.targeted)).view(len(several), -1)


def _picked(several: list[Tensor], best: Tensor) -> Tensor:
    """Of several tensors (clips, ...) for each clip the row of the best one (clips,)."""
    stacked = torch.stack([one.to(several[0].device) for one in several])
    best = best.to(stacked.device)
    return stacked[best, torch.arange(len(best), device=stacked.device)]
