"""Room of auditing: the section `classifiers`: victims that decide on a label, crossed with defences and attacks."""

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache, cached_property, partial
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from stages import victim as models
from stages.attacking import batches
from stages.attacking.problem import filled, rounded
from stages.auditing import cards, defences, ways
from stages.auditing.attempt import Batch, Run, rightly
from stages.auditing.cards import Card
from stages.auditing.crossed import DOUBLED, in_turn
from stages.auditing.entries import Attack, Classifier, Grid
from stages.frame import clip_table, code, parameters
from stages.frame.errors import UserError
from stages.frame.modules import find
from stages.frame.shards import Arrays, ShardSet
from stages.victim import Goal, Inputs, Victim, padded_batch

OF_CLIPS = ["clip_id", "label", "speaker", "split", "fold", "duration_s"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Task:
    """All that an entry is audited with; `of` is its victims' study, `sets` what is attacked and what lies beside."""

    study: str
    of: str
    entry: Classifier
    grid: Grid
    runs: list[Run]
    ways: dict[str, ways.Way]
    sets: list[ShardSet]
    device: str
    apart = ("folder", "defence")

    @property
    def defences(self) -> list[str]:
        """The names of all defences."""
        return [*self.ways, *self.entry.trained]

    @property
    def read(self) -> list[str | Path]:
        """All files and folders that the work depends on."""
        given = [one for way in self.ways.values() for one in way.given]
        named = [*self.entry.victims, *self.entry.trained.values(), *(one.model for one in given if one.model)]
        return [
            *(one.folder for one in self.sets),
            *(Path("models", self.of, name) for name in dict.fromkeys(named)),
            *dict.fromkeys(file for one in given for file in one.files),
        ]

    @property
    def settings(self) -> list[Any]:
        """All parameters that the work depends on."""
        return [
            self.entry,
            self.grid,
            [run.entry for run in self.runs],
            [(one.given, one.how, one.draws) for one in self.ways.values()],
        ]

    @property
    def cards(self) -> list[Card]:
        """What stands in for the names of victims and defences."""
        victims = {
            one["name"]: one for one in (cards.of_victim(Path("models", self.of, it)) for it in self.entry.victims)
        }
        return [*victims.values(), *cards.of_ways(self.ways), *cards.of_trainings(self.of, self.entry.trained)]

    @cached_property
    def quantum(self) -> dict[str, float] | None:
        """One whole number of the files of what is attacked, by input; None where they hold none."""
        about = self.sets[0].about
        return {name: step for name, step in about.get("quantum", {}).items() if name in about["bounds"]} or None


def opened(study: str, name: str, device: str) -> Task:
    """The entry `name`, such as `events.vgg13`, of the section `<study>.classifiers`, with all that it names.

    Raises:
        UserError: something is missing, is called otherwise, or does not fit the victim.
    """
    entry = parameters.entry(Classifier, f"{study}.classifiers.{name}")
    return tasked(study, name, entry, parameters.entry(Grid, f"{study}.grids.{entry.grid}"), device)


def tasked(study: str, name: str, entry: Classifier, grid: Grid, device: str) -> Task:
    """What is to be done for an entry and its grid, wherever they stand; `name` tells the victims' study, as above.

    Raises:
        UserError: as `opened`.
    """
    where, of = f"{study}.classifiers.{name}", name.partition(".")[0]
    sets = [ShardSet(Path("data", of, one)) for one in dict.fromkeys((entry.inputs, entry.beside)) if one]
    if bool(grid.treatments) == bool(entry.trained):
        found = "both" if entry.trained else "neither"
        raise UserError(f"params.yaml: {where}", "treatments of its grid, or `trained` models", found, "name one kind")
    if grid.treatments and "audio" not in sets[0].about["bounds"]:
        found = f"{', '.join(sets[0].about['bounds'])} in data/{of}/{entry.inputs}"
        raise UserError(
            f"params.yaml: {where}.grid", "a grid without treatments, which are of sound", found, "change it"
        )
    told = {"sample_rate_hz": sets[0].about["signal"].get("sample_rate_hz"), "device": device}
    task = Task(
        study=study,
        of=of,
        entry=entry,
        grid=grid,
        runs=[_run(study, attack, grid) for attack in grid.attacks],
        ways={one: ways.way(study, one, of, **told) for one in grid.treatments},
        sets=sets,
        device=device,
    )
    for one in task.ways.values():
        one.through()
    _check_gradients(task)
    return task


def planned(task: Task) -> pd.DataFrame:
    """A row for each clip and defence, those of one model and defence together.

    The clips are those that the bare victim decides rightly, of its own part of the corpus, so many of each label, of
    as many speakers as there are; they are numbered by `place`.

    Raises:
        UserError: there is none.
    """
    return _defended(task).sort_values(["folder", "defence", "duration_s", "clip_id"], kind="stable", ignore_index=True)


def audited(task: Task, rows: pd.DataFrame) -> tuple[pd.DataFrame, list[Arrays]]:
    """What comes of the clips `rows` of a plan, all of one model and one defence, and sounds, see `in_turn`.

    `right_clean` is what `right` is before the attack, by the same draws.
    """
    first = rows.iloc[0]
    defence = _defence(task, first.folder, first.defence)
    made = in_turn(defence, list(_batches(task, rows)), task.runs, task.grid)
    table = made.assign(right_clean=made.key.map(_clean(task, first.folder, first.defence)))
    parts = ["attack", "knowledge", "budget", "times"]
    names = table[parts].astype({"budget": float}).astype(str).agg("/".join, axis=1)
    table = table.assign(key=table.key + "/" + names, budget_in=task.grid.budget_in)
    return table.drop(columns=["folder", "place", "arrays"]), list(table.arrays)


def made_of(task: Task, digest: Callable[..., str], rows: pd.DataFrame) -> list[Any]:
    """All that these rows' table is made of besides them, of no other defence.

    See `shards.write_set`; `digest` is `content.of_files`, which may know the files already.
    """
    first = rows.iloc[0]
    way, hardened = task.ways.get(first.defence), task.entry.trained.get(first.defence)
    given = way.given if way else ()
    own = [f"stages/attacks/{run.entry.attack}.py" for run in task.runs]
    own += [f"stages/treatments/{one.treatment}.py" for one in given]
    asked = [Path("models", task.of, one) for one in (hardened, *(one.model for one in given)) if one]
    return [
        *([run.entry for run in task.runs], replace(task.grid, treatments=[]), task.device.split(":")[0]),
        *((given, way.how, way.draws) if way else ()),
        digest(*code.whole("stages/auditing/classifiers.py", *own)),
        # One by one: defences share clips and files, and models what is learnt of their front end.
        [[digest(file) for file in models.made_by(one)] for one in (first.folder, *asked)],
        [digest(one) for one in (*(one.folder for one in task.sets), *(file for one in given for file in one.files))],
    ]


def _run(study: str, name: str, grid: Grid) -> Run:
    """An attack on filled batches, with its own steps and with as many times as many as may be needed."""
    where = f"{study}.attacks.{name}"
    entry = parameters.entry(Attack, where)
    called = name.rpartition(".")[2]
    function = find("attacks", entry.attack, "attack", where=f"{where}.attack")
    passed = ["setting", *(["snr_db"] if grid.budget_in == "snr_db" else []), *(["start"] if entry.continues else [])]
    for one in passed:
        if one not in inspect.signature(function).parameters:
            expected, do = f"an attack that takes {one}", "name another one, or change budget_in or continues"
            raise UserError(f"params.yaml: {where}.attack", expected, repr(entry.attack), do)
    bound = parameters.bind(function, f"{where}.parameters", entry.parameters, passed=tuple(passed))
    once = filled(bound, grid.batch_size)
    if not {"unaware", "aware"} <= set(entry.knowledge):
        return Run(name=called, entry=entry, times={1: once})
    if "steps" not in entry.parameters:
        raise UserError(f"params.yaml: {where}.parameters", "steps, to be doubled", "none", "name how many")
    steps = entry.parameters["steps"]
    # One that goes on has taken half of them already.
    more = {times: partial(once, steps=(times // 2 if entry.continues else times) * steps) for times in DOUBLED}
    return Run(name=called, entry=entry, times={1: once} | more)


def _check_gradients(task: Task) -> None:
    """Passes where no attack needs a gradient, or the victim has one."""
    needing = [run.name for run in task.runs if run.entry.access == "gradient"]
    clips = task.sets[0].table
    inputs = _inputs(task, bare := _victim(task, _victims(task)[0]), [clips[clips.problem == ""].clip_id.iloc[0]])
    for name in bare.bounds.keys() & inputs.keys():
        inputs[name] = inputs[name].clone().requires_grad_()
    if needing and not bare.logits(inputs).requires_grad:
        expected, do = f"a victim that gradients pass, for {needing[0]}", "take that attack out of its grid"
        raise UserError(_victims(task)[0], expected, "one whose outputs have none", do)


def _victim(task: Task, folder: str) -> Victim:
    """The model in a folder, attacked on its logits: where probabilities are 0 and 1, margins are all alike."""
    loaded = batches.victim(task, folder)
    return Victim(loaded.module, loaded.labels, bounds=loaded.bounds)


def _victims(task: Task) -> list[str]:
    """The folders of the bare victims."""
    return [str(Path("models", task.of, name)) for name in task.entry.victims]


@cache
def _defence(task: Task, folder: str, name: str) -> defences.Defence:
    """The defence of this name before, or in the place of, the model in a folder."""
    bare = _victim(task, folder)
    if name in task.ways:
        way = task.ways[name]
        return defences.treated(bare, way, draws=way.draws or task.grid.draws)
    return defences.trained(bare, _victim(task, str(Path("models", task.of, task.entry.trained[name]))))


@cache
def _clean(task: Task, folder: str, name: str) -> dict[str, float]:
    """The share of hearings of each clip behind a defence that are decided rightly as it is, by its key."""
    clips = _defended(task)
    clips = clips[(clips.folder == folder) & (clips.defence == name)].sort_values(["duration_s", "clip_id"])
    defence, shares = _defence(task, folder, name), {}
    for batch in _batches(task, clips):
        shares |= zip(batch.rows.key, rightly(defence, batch, batch.inputs, task.grid.hearings))
    return shares


@cache
def _defended(task: Task) -> pd.DataFrame:
    """A row for each clip that is audited and each defence."""
    clips = pd.concat([_chosen(task, folder) for folder in _victims(task)])
    if clips.empty:
        raise UserError(task.entry.victims[0], "a test clip decided rightly", "none", "train it longer")
    clips = clips.assign(place=clips.groupby("place").cumcount() + clips.place * clips.label.nunique())
    plan = clips.merge(pd.Series(task.defences, name="defence"), how="cross")
    return plan.assign(key=plan.clip_id + "/" + plan.victim + "/" + plan.defence, study=task.of)


def _batches(task: Task, rows: pd.DataFrame) -> Iterator[Batch]:
    """The clips of one model, so many at a time, with what has been made of them without knowing of a defence."""
    for start in range(0, len(rows), task.grid.batch_size):
        own = rows.iloc[start : start + task.grid.batch_size]
        yield replace(_batch(task, own.folder.iloc[0], tuple(own.clip_id), tuple(own.label)), rows=own)


def _chosen(task: Task, folder: str) -> pd.DataFrame:
    """The clips that one model is audited on."""
    part, of = _judged_on(Path(folder))
    clips = task.sets[0].table
    clips = clip_table.by_turns(clips[(clips.problem == "") & (clips[part] == of)], "clip_id")[OF_CLIPS]
    bare, right = _victim(task, folder), []
    by_length = clips.sort_values("duration_s", kind="stable")
    for start in range(0, len(clips), task.grid.batch_size):
        own = by_length.iloc[start : start + task.grid.batch_size]
        with torch.no_grad():
            decided = bare.names(bare.decide(_inputs(task, bare, list(own.clip_id)))[0])
        right += list(own.clip_id[own.label == decided])
    clips = clips[clips.clip_id.isin(right)]
    clips = clips.assign(place=clips.groupby("label").cumcount(), victim=Path(folder).parts[2], folder=folder)
    return clips[clips.place < task.grid.clips_per_label]


def _judged_on(folder: Path) -> tuple[str, str]:
    """The column of the clip table, and its value, of the clips that a model is judged on."""
    if not (folder.parent / "members.csv").is_file():
        return "split", "test"
    members = clip_table.read(folder.parent / "members.csv").set_index("member")
    return members.judged_by[folder.name], members.judged_on[folder.name]


@cache  # the defences of one victim meet the same clips, and what was made without knowing of any
def _batch(task: Task, folder: str, clips: tuple[str, ...], labels: tuple[str, ...]) -> Batch:
    bare = _victim(task, folder)
    goal = Goal(bare.encode(list(labels)), targeted=False)
    return Batch(rows=pd.DataFrame(), inputs=_inputs(task, bare, list(clips)), goal=goal, quantum=task.quantum)


def _inputs(task: Task, bare: Victim, clips: list[str]) -> Inputs:
    """The clips as the victim is attacked on them, as their files hold them."""
    arrays = [{name: array for one in task.sets for name, array in one.load(clip).items()} for clip in clips]
    raw = [padded_batch([one[taken] for one in arrays], task.device, taken) for taken in bare.module.takes]
    return rounded(bare.module.prepare({name: value for one in raw for name, value in one.items()}), task.quantum)
