"""Room of auditing: one attack at one budget on clips behind a defence, by all that its user may know."""

from collections.abc import Callable
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
        bare: what attacks made of the clips without knowing of a defence, by attack and budget.
    """

    rows: pd.DataFrame
    inputs: Inputs
    goal: Goal
    quantum: dict[str, float] | None
    bare: dict[tuple[str, float], Result] = field(default_factory=dict)

    def only(self, chosen: np.ndarray) -> "Batch":
        """The clips (clips,) that are chosen."""
        places = torch.from_numpy(np.flatnonzero(chosen))
        inputs, labels = taken(self.inputs, places), self.goal.labels
        goal = Goal(labels[places.to(labels.device)], self.goal.targeted)
        return Batch(rows=self.rows[chosen], inputs=inputs, goal=goal, quantum=self.quantum)


@dataclass(frozen=True, eq=False)
class Louder:
    """What came of a batch at the next louder budget: the best of who knows most, and whether each clip fell."""

    budget: float
    best: Result
    fell: np.ndarray


def rightly(defence: Defence, batch: Batch, inputs: Inputs, hearings: int) -> np.ndarray:
    """The share (clips,) of hearings of a batch's versions that are decided rightly, of one where no chance plays.

    What is drawn at each is told by the row's key.
    """
    return (_decided(defence, batch, inputs, hearings) == batch.goal.labels).double().mean(0).cpu().numpy()


def _decided(defence: Defence, batch: Batch, inputs: Inputs, hearings: int) -> Tensor:
    """The labels (hearings, clips), all hearings at once."""
    first = [stable_hash(key) for key in batch.rows.key]
    trials = range(hearings if defence.chance else 1)
    heard = taken(inputs, torch.arange(len(first)).repeat(len(trials)))
    return defence.decide(heard, [seed + trial for trial in trials for seed in first]).view(len(trials), -1)


@dataclass(frozen=True, eq=False)
class Attempt:
    """One attack at one budget; `louder` is None at the loudest."""

    defence: Defence
    batch: Batch
    grid: Grid
    run: Run
    budget: float
    louder: Louder | None = None

    def made_by_knowledge(self) -> dict[str, Result]:
        """What is made by each thing that the attacker may know."""
        made, known = {}, self.run.entry.knowledge
        if "none" in known:
            made["none"] = self._bare()
        if "unaware" in known:
            made["unaware"] = self._bare()
        if "aware" in known:
            made["aware"] = self._aware(made.get("unaware"))
        return made

    def told_all(self, made: dict[str, Result]) -> dict[str, pd.DataFrame]:
        """The rows of each thing that is made; who keeps what is made without knowing is heard like who made it."""
        told = {}
        for knowledge, result in made.items():
            same = next((name for name in told if made[name] is result), None)
            told[knowledge] = told[same].assign(knowledge=knowledge) if same else self.told(result, knowledge)
        return told

    def arrives(self, made: Result, chosen: np.ndarray) -> np.ndarray:
        """The SNR (clips,) of what is made of the clips that are chosen, as far lowered as it is decided wrongly.

        By halvings of `QUIETER_DB`, each heard through the true defence, by another draw.
        """
        rows, batch = torch.from_numpy(np.flatnonzero(chosen)), self.batch.only(chosen)
        loud = made.only(rows).adversarial
        low, high = np.zeros(len(rows)), np.full(len(rows), QUIETER_DB)
        for trial in range(HALVINGS):
            quieter_db = (low + high) / 2
            tried = self._lowered(batch, loud, 10 ** (-quieter_db / 20))
            decided = self.defence.decide(tried, [stable_hash(f"{key} {trial}") for key in batch.rows.key])
            wrong = (decided != batch.goal.labels).cpu().numpy()
            low, high = np.where(wrong, quieter_db, low), np.where(wrong, high, quieter_db)
        return np.array(self._reached(made.adversarial))[chosen] + low

    def again(self, best: Result, idle: np.ndarray, times: int) -> tuple[Result, pd.DataFrame]:
        """What is best after more steps on the clips (clips,) that are idle, and their rows."""
        rows, rest = torch.from_numpy(np.flatnonzero(idle)), replace(self, batch=self.batch.only(idle))
        # Where chance plays, what is best so far may arrive by luck at the first look, and would be left at that.
        begin = self._bare() if self.defence.chance else best
        found = rest._better(best.only(rows), self.run.times[times], begin.only(rows))
        return _laid(best, found, rows), rest.told(found, "aware", times=times)

    def made(self, attack: Callable[..., Result], victim: Victim, begin: Result | None = None) -> Result:
        """What an attack makes of the clips; one that can go on does so from where it is told to begin."""
        bounds = {name: limits for name, limits in victim.bounds.items() if name in self.batch.inputs}
        setting, told = Setting(bounds=bounds, quantum=self.batch.quantum), {}
        if self.grid.budget_in == "snr_db":
            told = {"snr_db": self.budget}
        else:
            setting = replace(setting, epsilon=dict.fromkeys(bounds, self.budget))
        if begin is not None and self.run.entry.continues:
            told["start"] = begin.adversarial
        made = attack(victim, self.batch.inputs, self.batch.goal, setting=setting, **told)
        return replace(made, adversarial=rounded(made.adversarial, self.batch.quantum))

    def at_most(self, made: Result) -> Result:
        """What was made, lowered to the budget where it is louder."""
        reached = np.array(self._reached(made.adversarial))
        with np.errstate(divide="ignore"):
            of_budget = 10 ** ((reached - self.budget) / 20) if self._in_db else self.budget / reached
        return replace(made, adversarial=self._lowered(self.batch, made.adversarial, np.minimum(of_budget, 1.0)))

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

    @property
    def _in_db(self) -> bool:
        return self.grid.budget_in == "snr_db"

    def _to_hear(self, made: Result) -> list[Arrays]:
        """The sounds, or images, that are kept of each clip, none of most."""
        loudest, arrays = self.budget == self.grid.budgets[-1], []
        for number, row in enumerate(self.batch.rows.itertuples()):
            if not (loudest and self.run.entry.access == "gradient" and row.place < KEPT_CLIPS):
                arrays.append({})
                continue
            own = taken(made.adversarial, torch.tensor([number]))
            if not self._in_db:
                arrays.append({name: own[name][0].cpu().numpy() for name in self.defence.bare.bounds})
                continue
            heard = self.defence.heard(own, [stable_hash(row.key)])
            arrays.append({"audio": to_pcm16(waveforms(own)[0]), "heard": to_pcm16(heard[0])})
        return arrays

    def _bare(self) -> Result:
        """What is made without knowing of the defence.

        At a quieter budget it goes on with the clips that fell at the louder one, and is the louder one, lowered, of
        the others, which it would not bring down with less.
        """
        key, bare, once = (self.run.name, self.budget), self.defence.bare, self.run.times[1]
        if key not in self.batch.bare:
            if self.louder is None:
                self.batch.bare[key] = self.made(once, bare)
            else:
                louder = self.batch.bare[self.run.name, self.louder.budget]
                none = torch.zeros_like(louder.forwards)
                lowered = replace(self.at_most(louder), forwards=none, backwards=none)
                rows = louder.success.nonzero()[:, 0].cpu()
                part = self._only(rows).made(once, bare, louder.only(rows)) if len(rows) else lowered.only(rows)
                self.batch.bare[key] = _laid(lowered, part, rows)
        return self.batch.bare[key]

    def _aware(self, unaware: Result | None) -> Result:
        """What is made through the defence, where what is made without knowing of it does not arrive already.

        At a quieter budget that is tried, from there on, with the clips that fell at the louder one.
        """
        aimed, once = self.defence.aimed(), self.run.times[1]
        if unaware is None:
            return self.made(once, aimed)
        stands = torch.ones(len(self.batch.rows), dtype=torch.bool)
        if self.louder is not None:
            stands = torch.from_numpy(self.louder.fell)
        if stands.any():
            stands = stands & ~self._arrives(aimed, unaware)
        if not stands.any():
            return unaware
        rows = stands.nonzero()[:, 0]
        begin = None if self.louder is None else self.louder.best.only(rows)
        return _laid(unaware, self._only(rows)._better(unaware.only(rows), once, begin), rows)

    def _only(self, rows: Tensor) -> "Attempt":
        chosen = np.zeros(len(self.batch.rows), dtype=bool)
        chosen[rows.numpy()] = True
        return replace(self, batch=self.batch.only(chosen))

    def _better(self, before: Result, attack: Callable[..., Result], begin: Result | None) -> Result:
        """The better one of what was made before and of what is made through the defence; the passes are both's."""
        aimed = self.defence.aimed()
        found = [before, self.made(attack, aimed, begin)]
        best = torch.stack([self._look(aimed, found) for _ in self._looks]).mean(0).argmin(0)
        return Result(
            {name: _picked([one.adversarial[name] for one in found], best) for name in self.batch.inputs},
            *(_picked([getattr(one, name) for one in found], best) for name in ("success", "iterations")),
            *(sum(getattr(one, name) for one in found) for name in ("forwards", "backwards")),
            zero_gradient=_picked([one.zero_gradient for one in found], best),
        )

    @property
    def _looks(self) -> range:
        return range(LOOKS if self.defence.chance else 1)

    def _arrives(self, aimed: Victim, made: Result) -> Tensor:
        """Whether what is made arrives in all looks of an attacker (clips,), the first that fails being the last."""
        arrives = torch.ones(len(self.batch.rows), dtype=torch.bool)
        for _ in self._looks:
            if arrives.any():
                arrives &= (self._look(aimed, [made])[0] < 0).cpu()
        return arrives

    def _look(self, aimed: Victim, found: list[Result]) -> Tensor:
        """Margins (results, clips), as an attacker sees them once, all results by the same draw."""
        goal = self.batch.goal
        together = {name: torch.cat([one.adversarial[name] for one in found]) for name in self.batch.inputs}
        with torch.no_grad():
            margins = aimed.margin(aimed.logits(together), Goal(goal.labels.repeat(len(found)), goal.targeted))
        return margins.view(len(found), -1)

    def _lowered(self, batch: Batch, adversarial: Inputs, share: np.ndarray) -> Inputs:
        """A batch with a share (clips,) of the perturbation that was made of it."""
        lowered = {}
        for name in self._changed(adversarial):
            clean = batch.inputs[name]
            shares = torch.from_numpy(share).to(clean).view(-1, *[1] * (clean.dim() - 1))
            lowered[name] = clean + shares * (adversarial[name] - clean)
        return rounded(batch.inputs | lowered, batch.quantum)

    def _changed(self, inputs: Inputs) -> list[str]:
        return [name for name in inputs if name in self.defence.bare.bounds]

    def _reached(self, adversarial: Inputs) -> list[float]:
        """How large the perturbation of each clip is, in the unit of the budget."""
        if self._in_db:
            clean, made = (inputs["audio"].cpu().numpy() for inputs in (self.batch.inputs, adversarial))
            return [snr_db(before, after - before) for before, after in zip(clean, made)]
        differences = [adversarial[name] - self.batch.inputs[name] for name in self._changed(adversarial)]
        return torch.stack([one.abs().flatten(1).amax(1) for one in differences]).amax(0).tolist()


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
