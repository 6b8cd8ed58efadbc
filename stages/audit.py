"""Verb: what defences are worth against those who know of them: `python -m stages.audit STUDY SECTION.ENTRY`.

The section is that of params.yaml in which the entry stands, and the file in `stages/auditing` that understands it.
"""

from functools import cache, partial
from pathlib import Path
from typing import Any

import pandas as pd

from stages.frame import clip_table, content, devices, shards
from stages.frame.columns import typed
from stages.frame.devices import Worker
from stages.frame.errors import run
from stages.frame.modules import find


def main(study: str, name: str) -> None:
    """Writes `data/<study>/<section>/<entry>`: a row for each clip, defence, attack, what its user knows, and budget.

    Failed attacks are rows. What the columns mean is told in `stages.auditing.crossed`.

    Raises:
        UserError: the entry does not fit, or something that it names is missing.
    """
    section, _, entry = name.partition(".")
    opened = find("auditing", section, "opened", where=f"{study}.{section}")
    worker = devices.launch()
    write(section, opened(study, entry, worker.device), Path("data", study, *name.split(".")), worker)


def write(section: str, task: Any, output: Path, worker: Worker) -> None:
    """Writes what comes of an opened entry of a section, and tells it in a line.

    What is made of the same as in a former run, each attack on each defence by itself, is not computed again.
    """
    planned, audited, made_of = (
        find("auditing", section, part, where=section) for part in ("planned", "audited", "made_of")
    )
    plan = planned(task)

    name = ".".join(output.parts[-2:])
    shards.write_set(
        plan,
        output,
        partial(audited, task),
        inputs=task.read,
        settings=[task.settings, worker.device.split(":")[0]],
        worker=worker,
        description=f"audit {name}",
        clips_per_shard=len(plan),
        apart=task.apart,
        about={"cards": task.cards},
        made_of=partial(made_of, task, cache(content.of_files)),
    )
    if worker.rank == 0:
        print(f"{name}: {_told(clip_table.read(output / 'clips.csv'))}")


def _told(table: pd.DataFrame) -> str:
    """How much is still decided rightly after the worst of all tries, in a line."""
    table, keys = typed(table, ("right",)), ("knowledge", "clip_id", "victim", "defence", "detector", "budget")
    worst = table.groupby([key for key in keys if key in table], sort=False).right.min()
    shares = worst.groupby("knowledge", sort=False).mean()
    told = ", ".join(f"{knowledge} {100 * share:.0f} %" for knowledge, share in shares.items())
    return f"{table.clip_id.nunique()} clips; still decided rightly by what attackers know: {told}"


if __name__ == "__main__":
    run(main)
