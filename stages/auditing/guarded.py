"""Room of auditing: the section `guarded`: a victim with treatments before it or detectors beside it, attacked."""

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from stages import victim as models
from stages.attacking.entries import Attack
from stages.attacking.plans import told
from stages.attacking.problem import Result, Setting, filled, rounded, taken
from stages.auditing import cards, guards, perturbations, ways
from stages.auditing.cards import Card
from stages.auditing.entries import Guarded
from stages.detection import controls
from stages.detection.entries import Detector, bound, of_victim
from stages.frame import clip_table, code, parameters
from stages.frame.clip_table import stable_hash
from stages.frame.errors import UserError
from stages.frame.modules import find
from stages.frame.shards import Arrays, ShardSet
from stages.measures.perturbation import snr_db
from stages.victim import Goal, Inputs, Victim, padded_batch

OF_CLIPS = ["clip_id", "label", "text", "speaker", "split", "duration_s"]
# Of how many clips it is kept what attackers make of them.
KEPT_CLIPS = 1
PASSES = ("forwards", "backwards")
Strings = tuple[str, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Task:
    """All that an entry is audited with; `of` is the victim's study, `detectors` make each its scores on a device."""

    of: str
    entry: Guarded
    clips: ShardSet
    ways: dict[str, ways.Way]
    given: dict[str, Detector]
    detectors: dict[str, Callable]
    attacks: dict[str, Attack]
    runs: dict[str, Callable[..., Result]]
    device: str
    apart = ("guard",)

    @property
    def folder(self) -> Path:
        """The victim's."""
        return Path("models", self.of, self.entry.victim)

    @property
    def read(self) -> list[str | Path]:
        """All files and folders that the work depends on."""
        treatments = [one for way in self.ways.values() for one in way.given]
        named = [self.entry.victim, *(one.model for one in [*treatments, *self.given.values()] if one.model)]
        files = dict.fromkeys(file for one in treatments for file in one.files)
        return [self.clips.folder, *(Path("models", self.of, one) for one in dict.fromkeys(named)), *files]

    @property
    def settings(self) -> list[Any]:
        """All parameters that the work depends on."""
        return [self.entry, self.attacks, [(one.given, one.how) for one in self.ways.values()], self.given]

    @property
    def cards(self) -> list[Card]:
        """What stands in for the names of the victim and what guards it."""
        return [cards.of_victim(self.folder), *cards.of_ways(self.ways), *cards.of_detectors(self.given)]


def opened(study: str, name: str, device: str) -> Task:
    """The entry `name`, such as `audiovisual.words`, of the section `<study>.guarded`, with all that it names.

    Raises:
        UserError: something is missing, is called otherwise, or does not fit the victim.
    """
    return tasked(study, name, parameters.entry(Guarded, f"{study}.guarded.{name}"), device)


def tasked(study: str, name: str, entry: Guarded, device: str) -> Task:
    """What is to be done for an entry, wherever it stands; `name` tells the victim's study, as above.

    Raises:
        UserError: as `opened`.
    """
    where, of = f"{study}.guarded.{name}", name.partition(".")[0]
    folder, clips = Path("models", of, entry.victim), ShardSet(Path("data", of, entry.inputs))
    if (network := models.config_of(folder)["network"]) != entry.network:
        raise UserError(folder, f"the network {entry.network!r}", repr(network), "name this network in the entry")
    if twice := sorted(set(entry.treatments) & set(entry.detectors)):
        raise UserError(f"params.yaml: {where}", "guards of different names", repr(twice[0]), "rename one")
    own = parameters.section(study).get("detectors", {})
    places = {one: f"{study if one in own else of}.detectors.{one}" for one in entry.detectors}
    given = {one: of_victim(place, parameters.entry(Detector, place), entry.victim) for one, place in places.items()}
    signal = {"sample_rate_hz": clips.about["signal"]["sample_rate_hz"], "device": device}
    named = {"unaware": entry.unaware, "aware": entry.aware}
    attacks = {one: parameters.entry(Attack, f"{study}.attacks.{dotted}") for one, dotted in named.items()}
    return Task(
        of=of,
        entry=entry,
        clips=clips,
        ways={one: ways.way(study, one, of, **signal) for one in entry.treatments},
        given=given,
        detectors={one: bound(places[one], it, Path("models", of)) for one, it in given.items()},
        attacks=attacks,
        runs={
            "unaware": _attack(f"{study}.attacks.{entry.unaware}", attacks["unaware"], batch_size=entry.batch_size),
            "aware": _attack(
                f"{study}.attacks.{entry.aware}", attacks["aware"], batch_size=entry.batch_size, goes_on=True
            ),
        },
        device=device,
    )


def planned(task: Task) -> pd.DataFrame:
    """A row for each clip and guard, those of one guard together, clips of like length beside each other.

    Raises:
        UserError: there is none.
    """
    entry = task.entry
    clips = clip_table.by_turns(_readable(task, "test"), "clip_id")[OF_CLIPS]
    if entry.targets:
        clips = clips.head(entry.clips)
        clips = clips.assign(target=[entry.targets[place % len(entry.targets)] for place in range(len(clips))])
        clips = clips[clips.target != clips.text]
    else:
        right = clips if (clips.label == "").all() else clips[_right(task, clips)]
        clips = right.head(entry.clips).assign(target="")
    if clips.empty:
        raise UserError(task.folder, "a test clip that can be attacked", "none", "train it longer, or add clips")
    clips = clips.assign(kept=np.arange(len(clips)) < KEPT_CLIPS)
    plan = clips.merge(pd.Series([*task.ways, *task.detectors], name="guard"), how="cross")
    plan = plan.assign(key=plan.clip_id + "/" + plan.guard, study=task.of, victim=entry.victim.partition("/")[0])
    return plan.sort_values(["guard", "duration_s", "clip_id"], kind="stable", ignore_index=True)


def audited(task: Task, rows: pd.DataFrame) -> tuple[pd.DataFrame, list[Arrays]]:
    """What comes of the clips `rows` of a plan, all of one guard: a row for each clip and what its attacker knows.

    `knowledge` is `benign` for the clip as it is, `none` for one with the values of the unaware attack's perturbation
    in another order, `transplant` for one with the next clip's, `unaware` and `aware`. `met` says whether the decision
    meets the goal, `refused` whether the detector's `score` lies below its `threshold`, `right` whether the attack
    comes to nothing: a benign clip is right where it is decided so and not refused. Who knows of the guard keeps what
    is made without knowing where that works and the other does not. Where neither works it goes on for as many steps
    again, to be just not refused: `times` is 2. Arrays are, of few clips, the inputs as attackers who do not and who do
    know make them, and where a treatment guards what is heard behind it (`heard`).
    """
    name, made, size = rows.guard.iloc[0], [], task.entry.batch_size
    guard = _guard(task, name)
    batches = [rows.iloc[start : start + size] for start in range(0, len(rows), size)]
    added = [one for batch in batches for one in _added(task, batch)]
    for number, batch in enumerate(batches):
        own = added[number * size : number * size + len(batch)]
        others = [*added[number * size + 1 :], *added][: len(batch)] if len(added) > 1 else []
        made += _batch(task, guard, batch, own, others)
    table = pd.concat(made, ignore_index=True).rename(columns={"guard": "detector"})
    guarded = {"defence": "none"} if name in task.detectors else {"defence": name, "detector": ""}
    keys = table.key + "/" + table.knowledge + "/" + table.times.astype(str)
    table = table.assign(key=keys, threshold=guard.threshold, **guarded)
    return table.drop(columns=["kept", "arrays"]), list(table.arrays)


def made_of(task: Task, digest: Callable[..., str], rows: pd.DataFrame) -> list[Any]:
    """All that these rows' table is made of besides them, of no other guard.

    See `shards.write_set`; `digest` is `content.of_files`, which may know the files already.
    """
    name = rows.guard.iloc[0]
    way, detector = task.ways.get(name), task.given.get(name)
    given = way.given if way else ()
    own = {f"stages/attacks/{one.attack}.py" for one in task.attacks.values()}
    own |= {f"stages/treatments/{one.treatment}.py" for one in given}
    own |= {f"stages/detection/{detector.detector}.py"} if detector else set()
    asked = [Path("models", task.of, one.model) for one in (*given, *([detector] if detector else [])) if one.model]
    return [
        *(replace(task.entry, treatments=[], detectors=[]), task.attacks, task.device.split(":")[0]),
        *(detector, given, way and way.how),
        digest(*code.whole("stages/auditing/guarded.py", *sorted(own))),
        # One by one: guards share clips and files.
        [[digest(it) for it in models.made_by(one)] for one in (task.folder, *asked)],
        [digest(one) for one in (task.clips.folder, *(file for one in given for file in one.files))],
    ]


def _batch(
    task: Task, guard: guards.Guard, rows: pd.DataFrame, own: list[Arrays], others: list[Arrays]
) -> list[pd.DataFrame]:
    """The parts of the table of clips that are attacked together; `own` and `others` are perturbations of as many."""
    inputs, goal, unaware = _attacked(task, tuple(rows.clip_id)), _goal(task, rows), _unaware_of(task, rows)
    aware = guards.better(guard.again(), goal, _made(task, "aware", guard.aimed(), inputs, goal), unaware)
    shuffled = [controls.shuffled(one, key) for one, key in zip(own, rows.clip_id)]
    versions = {"benign": inputs, "none": perturbations.laid(inputs, shuffled, _quantum(task))}
    if others:
        versions["transplant"] = perturbations.laid(inputs, others, _quantum(task))
    parts = [_told(task, guard, rows, heard, knowledge) for knowledge, heard in versions.items()]
    for knowledge, made in {"unaware": unaware, "aware": aware}.items():
        parts.append(_told(task, guard, rows, made.adversarial, knowledge, made=made))
    left = (~aware.success).nonzero()[:, 0].cpu()
    if len(left):
        part, goal = taken(inputs, left), Goal(goal.labels[left.to(goal.labels.device)], goal.targeted)
        before, again = aware.only(left), guard.again()
        more = _made(task, "aware", again, part, goal, start=before.adversarial)
        more = replace(more, **{name: getattr(before, name) + getattr(more, name) for name in PASSES})
        longer = guards.better(guard.again(), goal, more, unaware.only(left))
        own = rows.iloc[left.numpy()]
        parts.append(_told(task, guard, own, longer.adversarial, "aware", made=longer).assign(times=2))
    return parts


def _attack(where: str, given: Attack, *, batch_size: int, goes_on: bool = False) -> Callable[..., Result]:
    """An attack with its own parameters, on batches of one shape."""
    function = find("attacks", given.attack, "attack", where=f"{where}.attack")
    if goes_on and "start" not in inspect.signature(function).parameters:
        expected = "an attack that goes on from a `start`"
        raise UserError(f"params.yaml: {where}.attack", expected, repr(given.attack), "name another one")
    bound = parameters.bind(function, f"{where}.parameters", given.parameters, passed=("setting", "start"))
    return filled(bound, batch_size)


def _readable(task: Task, split: str) -> pd.DataFrame:
    clips = task.clips.table
    return clips[(clips.problem == "") & (clips.split == split) & ((clips.label != "") | (clips.text != ""))]


def _right(task: Task, clips: pd.DataFrame) -> np.ndarray:
    """Which clips (clips,) the victim decides rightly."""
    bare, right = _victim(task), []
    for start in range(0, len(clips), task.entry.batch_size):
        own = clips.iloc[start : start + task.entry.batch_size]
        with torch.no_grad():
            right += (bare.decide(_inputs(task, tuple(own.clip_id)))[0] == bare.encode(list(own.label))).tolist()
    return np.array(right, dtype=bool)


def _inputs(task: Task, clips: Strings) -> Inputs:
    """A batch of clips as their files hold them, as the victim is attacked on them."""
    bare, arrays = _victim(task), [task.clips.load(clip) for clip in clips]
    raw = [padded_batch([one[taken] for one in arrays], task.device, taken) for taken in bare.module.takes]
    return rounded(bare.module.prepare({key: value for one in raw for key, value in one.items()}), _quantum(task))


# The guards of one victim meet the same clips. Of the clips that are looked at besides, however many, none is kept.
_attacked = cache(_inputs)


@cache
def _victim(task: Task) -> Victim:
    return models.load(task.folder, device=task.device)


@cache
def _unaware(task: Task, clips: Strings, targets: Strings, labels: Strings, texts: Strings) -> Result:
    """What the attack makes of clips without knowing of a guard."""
    rows = pd.DataFrame({"target": targets, "label": labels, "text": texts})
    return _made(task, "unaware", _victim(task), _attacked(task, clips), _goal(task, rows))


def _added(task: Task, rows: pd.DataFrame) -> list[Arrays]:
    """What the attack adds to each clip without knowing of a guard."""
    clean, made = _attacked(task, tuple(rows.clip_id)), _unaware_of(task, rows)
    return perturbations.added(clean, made.adversarial, list(_victim(task).bounds))


def _unaware_of(task: Task, rows: pd.DataFrame) -> Result:
    return _unaware(task, *(tuple(rows[column]) for column in ("clip_id", "target", "label", "text")))


def _quantum(task: Task) -> dict[str, float] | None:
    about = task.clips.about
    return {name: step for name, step in about.get("quantum", {}).items() if name in about["bounds"]} or None


def _said(rows: pd.DataFrame) -> pd.Series:
    """What clips are: their labels, or texts."""
    return rows.label.where(rows.label != "", rows.text)


def _goal(task: Task, rows: pd.DataFrame) -> Goal:
    wanted = rows.target.where(rows.target != "", _said(rows))
    return Goal(_victim(task).encode(list(wanted)), targeted=bool(task.entry.targets))


def _guard(task: Task, name: str) -> guards.Guard:
    if name in task.ways:
        return guards.treatment(_victim(task), task.ways[name], draws=task.entry.draws)
    score = task.detectors[name](task.device)
    clips = clip_table.by_turns(_readable(task, "validation"), "clip_id").head(task.entry.calibrated_on)

    def batches() -> Iterator[tuple[Inputs, Goal]]:
        for start in range(0, len(clips), task.entry.batch_size):
            own = clips.iloc[start : start + task.entry.batch_size]
            truth = _victim(task).encode(list(_said(own)))
            yield _inputs(task, tuple(own.clip_id)), Goal(truth, targeted=False)

    return guards.detector(_victim(task), score, batches())


def _made(task: Task, attack: str, victim: Victim, inputs: Inputs, goal: Goal, **start: Inputs) -> Result:
    """What an attack makes of the clips, as files hold it."""
    given, unit = task.attacks[attack], task.entry.unit
    epsilon = given.epsilon and {name: size * unit.get(name, 1.0) for name, size in given.epsilon.items()}
    setting = Setting(bounds=victim.bounds, epsilon=epsilon, unit=unit, quantum=_quantum(task))
    return task.runs[attack](victim, inputs, goal, setting=setting, **start)


def _told(
    task: Task, guard: guards.Guard, rows: pd.DataFrame, heard: Inputs, knowledge: str, *, made: Result | None = None
) -> pd.DataFrame:
    """The rows of versions of clips, decided on behind the guard and measured."""
    goal, clean = _goal(task, rows), _attacked(task, tuple(rows.clip_id))
    seeds = [stable_hash(key) for key in rows.key]
    decided = guard.decide(heard, seeds)
    met = goal.reached(decided).cpu().numpy()
    score = np.full(len(rows), np.nan) if guard.score is None else guard.score(heard).cpu().numpy()
    refused = score < guard.threshold
    given = task.attacks["aware" if knowledge == "aware" else "unaware"]
    passes = {name: 0 if made is None else getattr(made, name).tolist() for name in PASSES}
    sounds = zip(*(perturbations.of_each(one, ["audio"]) for one in (clean, heard)), strict=True)
    return rows.assign(
        attack="none" if knowledge == "benign" else given.attack,
        access="none" if made is None else "gradient",
        knowledge=knowledge,
        budget=told(given.epsilon) if given.epsilon else given.parameters.get("snr_db", ""),
        budget_in="epsilon" if given.epsilon else "snr_db",
        times=1,
        decision=_victim(task).names(decided),
        met=met,
        score=score,
        refused=refused,
        right=(~met & ~refused if knowledge == "benign" else ~met | refused).astype(float),
        reached=[snr_db(before["audio"], after["audio"] - before["audio"]) for before, after in sounds],
        zero_gradient=False if made is None else made.zero_gradient.tolist(),
        arrays=guards.kept(guard, rows.kept & (made is not None), heard, list(_victim(task).bounds), seeds),
        **passes,
    )
