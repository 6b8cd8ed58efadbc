"""Tool: entry of `make seeds`: repeats a study under other seeds, and tells how far its headline numbers spread.

What is repeated is all that learns, and with it all that is attacked, on the same corpora: the seeds of `embedded` and
`corpora` stay, every other one of the study's section in params.yaml is raised by one for each repetition. An attack
draws the same numbers each time, against other models. Each repetition is an experiment of DVC in a folder of its own
(`dvc exp show` lists it), which takes from the cache what no seed changes.
"""

import argparse
import csv
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from stages.frame import parameters
from stages.frame.errors import UserError, told_in_one_line

STUDIES = Path("stages/studies")
OF_CORPORA = ("embedded", "corpora")
DVC = (sys.executable, "-m", "stages.tools.quick_dvc", "exp")
COLUMNS = ("metric", "seeds", "value", "mean", "sd", "lowest", "highest", "range")

Metrics = dict[str, float]


def main(study: str, count: int) -> None:
    """Writes `stages/studies/<study>/seeds.csv`: the headline numbers under `count` seeds, those at hand the first.

    Raises:
        UserError: no study is named, it has no numbers yet, fewer than two seeds are asked for or none is known, an
            experiment fails.
    """
    if not study:
        raise UserError("STUDY", "a study", "none", "name it")
    if count < 2:
        raise UserError("N", "a whole number >= 2", str(count), "correct it")
    metrics = Path("reports", study, "metrics.json")
    if not metrics.is_file():
        raise UserError(metrics, "the study's headline numbers", "none", f"make reproduce STUDY={study}")
    seeds = dict(of_training(parameters.section(study), f"{study}."))
    if not seeds:
        raise UserError(f"params.yaml: {study}", "a seed besides the corpora's", "none", "nothing to repeat")
    repeated = [repetition(study, seeds, metrics, number) for number in range(1, count)]
    table = spread([shown(metrics, None), *repeated])
    with (STUDIES / study / "seeds.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(table)
    for row in table:
        print(f"  {row['metric']:40}  {row['value']:8.3f}  sd {row['sd']:.3f}, {row['lowest']:g} to {row['highest']:g}")


def of_training(values: Any, above: str) -> Iterator[tuple[str, int]]:
    """The seeds at any depth of a study's section, with their whole names; not those of its corpora."""
    for key, value in values.items() if isinstance(values, dict) else ():
        if key == "seed":
            yield f"{above}{key}", value
        elif key not in OF_CORPORA:
            yield from of_training(value, f"{above}{key}.")


def repetition(study: str, seeds: dict[str, int], metrics: Path, number: int) -> Metrics:
    """The headline numbers where each seed is raised by `number`; the experiment of that name at this commit goes.

    With its option `--force` DVC would exchange that one too, but run all stages again, those in the cache among them.

    Raises:
        UserError: the experiment fails.
    """
    name = f"{study}-seed-{number}"
    changes = [word for seed, value in seeds.items() for word in ("-S", f"{seed}={value + number}")]
    target = f"{STUDIES}/{study}/dvc.yaml:report"
    if name in subprocess.run([*DVC, "list", "--name-only"], capture_output=True, text=True, check=True).stdout.split():
        subprocess.run([*DVC, "remove", "--quiet", name], check=True)
    if subprocess.run([*DVC, "run", "--temp", "--name", name, *changes, target], check=False).returncode:
        raise UserError(f"experiment {name}", "an end without errors", "what is printed above", "see there")
    return shown(metrics, name)


def shown(metrics: Path, experiment: str | None) -> Metrics:
    """The numbers of a metrics.json, as it is here or as an experiment made it."""
    from dvc.api import metrics_show

    return metrics_show(str(metrics), rev=experiment)


def spread(runs: list[Metrics]) -> list[dict[str, Any]]:
    """A row for each number that every run has: the first run's, and mean, standard deviation and range over runs."""
    rows = []
    for name in runs[0]:
        values = [run[name] for run in runs if name in run]
        if len(values) == len(runs):
            lowest, highest = min(values), max(values)
            told = {"value": values[0], "mean": statistics.mean(values), "sd": statistics.stdev(values)}
            told |= {"lowest": lowest, "highest": highest, "range": highest - lowest}
            rows.append({"metric": name, "seeds": len(runs)} | {key: round(one, 4) for key, one in told.items()})
    return rows


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("study", nargs="?", default="")
    arguments.add_argument("--seeds", type=int, default=3)
    given = arguments.parse_args()
    with told_in_one_line():
        main(given.study, given.seeds)
