"""Tool: which stages are dealt out first: those that begin the longest path, by the seconds that stages took."""

import csv
from collections.abc import Mapping
from graphlib import TopologicalSorter
from pathlib import Path
from statistics import median

# What stages took in a whole run, as `stages.tools.measured` writes it down.
MEASURED = Path("scales/measured.csv")


def awaited_s(waits_for: Mapping[str, set[str]], took_s: Mapping[str, float]) -> dict[str, float]:
    """Seconds of each stage and of the longest path of stages that wait for it, one after the other.

    A stage that is not in `took_s` counts as the median of those that are, and as 1 s where none is: then paths are as
    long as they have stages.
    """
    unknown_s = median(took_s.values()) if took_s else 1.0
    own = {name: took_s.get(name, unknown_s) for name in waits_for}
    paths = dict(own)
    for name in reversed(list(TopologicalSorter(waits_for).static_order())):
        for needed in waits_for[name]:
            paths[needed] = max(paths[needed], own[needed] + paths[name])
    return paths


def measured_s() -> dict[str, float]:
    """Seconds of each stage that was measured, by its name; of none in a folder that has no such table."""
    if not MEASURED.exists():
        return {}
    with MEASURED.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return {f"stages/studies/{row['study']}/dvc.yaml:{row['stage']}": float(row["seconds"]) for row in rows}
