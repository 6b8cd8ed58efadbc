"""Verb: makes an adversarial set: `python -m stages.attack STUDY ENTRY`."""

import functools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from stages.attacking import batches
from stages.attacking.entries import Attacked, Plan, Playback, opened
from stages.attacking.plans import Work
from stages.frame import clip_table, content, devices, parameters, shards
from stages.frame.errors import each, run
from stages.frame.modules import find_function
from stages.frame.treatment import Treatment

OF_CLIPS = ["clip_id", "label", "text", "speaker", "split", "fold", "duration_s"]
# What of the plan's rows is never mixed in a shard, and how many rows that has, where a batch has not more.
APART, ROWS = ("folder", "attack", "epsilon"), 12


def main(study: str, name: str) -> None:
    """Writes `data/<study>/adversarial/<name>`: a row for all that the plan attacks, failures among them.

    `success` is what the victim decides on what the file holds. Where the attacked set's files hold whole numbers, so
    do the arrays, see `stages.frame.pcm`; about.json is that set's.

    Raises:
        UserError: an entry does not fit, or something that it names is missing.
    """
    worker = devices.launch()
    entry = parameters.entry(Attacked, f"{study}.attacked.{name}")
    made = each(functools.partial(opened, study), entry.attacks)
    attacks = {dotted: one for dotted, (one, _) in made.items()}
    models, data = Path("models", study), Path("data", study)
    plan, choose = _plan(study, entry.plan)
    task = batches.Task(
        study=study,
        entry=entry,
        plan=plan,
        runs={_called(dotted): run for dotted, (_, run) in made.items()},
        sets=[shards.ShardSet(data / one) for one in dict.fromkeys((entry.inputs, entry.beside)) if one],
        playback=parameters.entry(Playback, f"{study}.playback") if "playback" in parameters.section(study) else None,
        through=parameters.entry(Treatment, f"{study}.treatments.{entry.through}") if entry.through else None,
        device=worker.device,
    )
    clips = task.sets[0].table
    work = Work(
        clips=clips.loc[clips.problem == "", OF_CLIPS],
        victims={one: models / one for one in entry.victims},
        attacks={_called(dotted): one for dotted, one in attacks.items()},
        integers=task.quantum is not None,
    )
    rows = choose(work)
    # Here, so that a wrong entry is told before any work, and unfinished work is known by all of its code.
    batches.aimed_at(task, rows.folder[0])
    enhancer = [models / task.through.model] if task.through and task.through.model else []
    output = data / "adversarial" / name
    shards.write_set(
        rows,
        output,
        functools.partial(batches.attacked, task),
        inputs=[*(one.folder for one in task.sets), *work.victims.values(), *enhancer, *batches.read_besides(task)],
        settings=[entry, attacks, plan, task.playback, task.through, worker.device.split(":")[0]],
        worker=worker,
        description=f"attack {study} {name}",
        clips_per_shard=max(ROWS, plan.batch_size),
        apart=APART,
        about=task.sets[0].about,
        made_of=functools.partial(batches.made_of, task, work.attacks, functools.cache(content.of_files)),
    )
    if worker.rank == 0:
        print(f"{study} {name}: {_told(clip_table.read(output / 'clips.csv'))}")


def _called(dotted: str) -> str:
    """The name of an attack in tables."""
    return dotted.rpartition(".")[2]


def _plan(study: str, name: str) -> tuple[Plan, Callable[[Work], pd.DataFrame]]:
    """An entry of the study's plans, and its function with its own parameters."""
    where = f"{study}.plans.{name}"
    given = parameters.section(where)
    of_all = Plan.__dataclass_fields__
    plan = parameters.bind(Plan, where, {key: value for key, value in given.items() if key in of_all})()
    function = find_function("attacking", "plans", plan.plan, where=f"{where}.plan")
    own = {key: value for key, value in given.items() if key not in of_all}
    return plan, parameters.bind(function, where, own)


def _told(rows: pd.DataFrame) -> str:
    """What came of the attacks, in a line, by the means that tables tell."""
    rows = rows[(rows.attack != "none") & ~rows.impossible]
    if rows.empty:
        return "nothing is attacked"
    found = pd.to_numeric(rows.snr_db[rows.success]) if "snr_db" in rows else pd.Series(dtype=float)
    found = found[np.isfinite(found)]
    snr_db = "" if found.empty else f"mean SNR {found.mean():.1f} dB, "
    passes = f"{rows.forwards.mean():.0f} forward and {rows.backwards.mean():.0f} backward passes each"
    return f"{rows.success.sum()} of {len(rows)} attacks succeed, {snr_db}{passes}"


if __name__ == "__main__":
    run(main)
