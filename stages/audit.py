"""Verb: what defences are worth against those who know of them: `python -m stages.audit STUDY SECTION.ENTRY`.

The section is that of params.yaml in which the entry stands, and the file in `stages/auditing` that understands it.
"""

from pathlib import Path

import pandas as pd

from stages.frame import clip_table, devices, shards
from stages.frame.columns import typed
from stages.frame.errors import run
from stages.frame.modules import find


def main(study: str, name: str) -> None:
    """Writes `data/<study>/<section>/<entry>`: a row for each clip, defence, attack, what its user knows, and budget.

    Failed attacks are rows. What the columns mean is told in `stages.auditing.crossed`.

    Raises:
        UserError: the entry does not fit, or something that it names is missing.
    """
    section, _, entry = name.partition(".")
    opened, planned, audited = (
        find("auditing", section, part, where=f"{study}.{section}") for part in ("opened", "planned", "audited")
    )
    worker = devices.launch()
    task = opened(study, entry, worker.device)
    plan = planned(task)

    def compute(rows: pd.DataFrame) -> tuple[pd.DataFrame, list[shards.Arrays]]:
        table = audited(task, rows)
        return table, [{}] * len(table)

    output = Path("data", study, *name.split("."))
    shards.write_set(
        plan,
        output,
        compute,
        inputs=task.read,
        settings=[task.settings, worker.device.split(":")[0]],
        worker=worker,
        description=f"audit {name}",
        clips_per_shard=len(plan),
        apart=task.apart,
    )
    if worker.rank == 0:
        print(f"{name}: {_told(clip_table.read(output / 'clips.csv'))}")


def _told(table: pd.DataFrame) -> str:
    """How much is still decided rightly, in a line."""
    table = typed(table, ("right",))
    shares = table.groupby("knowledge", sort=False).right.mean()
    told = ", ".join(f"{knowledge} {100 * share:.0f} %" for knowledge, share in shares.items())
    return f"{table.clip_id.nunique()} clips; still decided rightly by what attackers know: {told}"


if __name__ == "__main__":
    run(main)
