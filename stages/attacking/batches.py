"""Room of attacking: with what a batch of a plan is attacked, opened when it is needed."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from stages.attacking.entries import Attack, Attacked, Plan, Playback
from stages.frame import code, parameters, shards
from stages.frame.errors import UserError
from stages.frame.modules import find
from stages.frame.treatment import Treatment

if TYPE_CHECKING:
    from torch import Tensor

    from stages.victim import Victim

# The plan `judged` has rows of it, which no entry names.
NOTHING = Attack(attack="none")
# Found by name, so that a study where nothing is played does not depend on it.
PLAYBACK = "stages/features/playback.py"


@dataclass(frozen=True, kw_only=True, eq=False)
class Task:
    """All that a batch of rows is attacked with."""

    study: str
    entry: Attacked
    plan: Plan
    runs: dict[str, Callable]
    sets: list[shards.ShardSet]
    playback: Playback | None
    through: Treatment | None
    device: str

    @property
    def quantum(self) -> dict[str, float] | None:
        """One whole number of the files of what is attacked, by input; None where they hold none."""
        about = self.sets[0].about
        return {name: step for name, step in about.get("quantum", {}).items() if name in about["bounds"]} or None


def attacked(task: Task, rows: pd.DataFrame) -> tuple[pd.DataFrame, list[shards.Arrays]]:
    """The table and the arrays of rows of one model, attack and epsilon, so many attacked together as the plan says."""
    size = task.plan.batch_size
    made = [_batch(task, rows.iloc[start : start + size]) for start in range(0, len(rows), size)]
    return pd.concat([table for table, _ in made], ignore_index=True), [one for _, arrays in made for one in arrays]


def _batch(task: Task, rows: pd.DataFrame) -> tuple[pd.DataFrame, list[shards.Arrays]]:
    """The table and the arrays of one batch, which is attacked with copies of its rows where they are too few."""
    from stages.attacking import made
    from stages.attacking.problem import FEWEST, Setting

    first = rows.iloc[0]
    target, unit = aimed_at(task, first.folder), task.plan.unit or {}
    setting = Setting(
        bounds=target.bounds,
        epsilon=made.scaled(first.strength, unit, target.bounds),
        unit=unit,
        quantum=task.quantum,
        rooms=_rooms(task),
        spoken_phrases=task.playback and task.playback.spoken_phrases,
    )
    filled = rows.iloc[np.arange(max(len(rows), min(FEWEST, task.plan.batch_size))) % len(rows)]
    filled = filled.assign(through=task.entry.through or "")
    clips = [{name: array for one in task.sets for name, array in one.load(clip).items()} for clip in filled.clip_id]
    run = task.runs.get(first.attack) or find("attacks", NOTHING.attack, "attack", where="attacks")
    table, arrays = made.attacked(filled, clips, target, run, setting)
    return table.head(len(rows)), arrays[: len(rows)]


def made_of(task: Task, attacks: dict[str, Attack], digest: Callable[..., str], rows: pd.DataFrame) -> list[Any]:
    """All that a batch is made of besides its rows, of no other attack and no other model; see `shards.write_set`.

    `attacks` are the entries by name; `digest` is `content.of_files`, which may know the files already.
    """
    from stages import victim as models

    first, through = rows.iloc[0], task.through
    given = attacks.get(first.attack, NOTHING)
    own = ["stages/attacking/batches.py", f"stages/attacks/{given.attack}.py"]
    own += [f"stages/treatments/{through.treatment}.py"] if through else []
    own += [PLAYBACK] if task.playback else []
    asked = [first.folder, *([Path("models", task.study, through.model)] if through and through.model else [])]
    return [
        *(given.attack, given.parameters, task.plan.batch_size, task.plan.unit, task.playback),
        *(task.entry.through, through, task.entry.draws, task.device.split(":")[0]),
        *(digest(*code.whole(*own)), digest(*read_besides(task))),
        # One by one: models share what is learnt of their front end.
        [[digest(file) for file in models.made_by(one)] for one in asked],
        [digest(one.folder) for one in task.sets],
    ]


def read_besides(task: Task) -> list[str | Path]:
    """The files that a batch depends on besides clips and models."""
    files = [] if task.playback is None else [task.playback.impulse_responses, task.playback.spoken_phrases]
    return [*files, *(task.through.files if task.through else [])]


def aimed_at(task: Task, folder: str) -> "Victim":
    """The model in a folder, behind the treatment through which it is attacked, whose chance begins anew.

    Raises:
        UserError: as `victim`, or gradients can't pass the treatment.
    """
    from stages.attacking.treated import behind

    loaded = victim(task, folder)
    return loaded if task.through is None else behind(_treatment(task, task.through), loaded, draws=task.entry.draws)


@functools.lru_cache(maxsize=1)  # a model's rows lie together
def victim(task: Task, folder: str) -> "Victim":
    """The model in a folder.

    Raises:
        UserError: it is another network than the entry says, or hears through another front end.
    """
    from stages import victim as models

    config, front_end = models.config_of(folder), Path(folder).parent / shards.FRONT_END
    hears_through = config["front_end"]["feature"] if front_end.is_dir() else None
    for name, found in (("network", config["network"]), ("front_end", hears_through)):
        expected = getattr(task.entry, name)
        if expected != found:
            raise UserError(folder, f"the {name} {expected!r}", f"{found!r}", f"name this {name} in the entry")
    return models.load(folder, device=task.device)


def _treatment(task: Task, given: Treatment) -> Callable:
    """The treatment as a function that gradients pass."""
    where = f"{task.study}.treatments.{task.entry.through}"
    function = find("treatments", given.treatment, "through", where=f"{where}.treatment")
    values = given.parameters | ({"model": str(Path("models", task.study, given.model))} if given.model else {})
    bound = parameters.bind(function, f"{where}.parameters", values, passed=("sample_rate_hz", "device"))
    return bound(sample_rate_hz=task.sets[0].about["signal"]["sample_rate_hz"], device=task.device)


@functools.lru_cache(maxsize=1)
def _rooms(task: Task) -> "Tensor | None":
    """The impulse responses (rooms, taps) that attackers may know."""
    if task.playback is None:
        return None
    read_responses = find("features", "playback", "read_responses", where=f"{task.study}.playback")
    how = {"sample_rate_hz": task.sets[0].about["signal"]["sample_rate_hz"], "longest_s": task.playback.longest_s}
    return read_responses(task.playback.impulse_responses, held_out=False, **how).to(task.device)
