"""Verb: a study's scores to its tables, figures, claims and headline numbers: `python -m stages.report STUDY`."""

import json
import sys
from functools import partial
from pathlib import Path

import pandas as pd

from stages.frame import clip_table, parameters
from stages.frame.errors import told_in_one_line
from stages.frame.modules import find


def main(study: str) -> None:
    """Writes `reports/<study>`: what the file `stages/studies/<study>.py` makes of the scores that it reads."""
    of_study = partial(find, "studies", study, where="study")
    sets = [Path("data", corpus, kind) for corpus, kind in of_study("CORPORA").items()]
    clips = pd.concat([clip_table.read(folder / "clips.csv") for folder in sets])
    unreadable = clips.loc[clips.problem != "", ["clip_id", "file", "problem"]]
    measured = of_study("read")(parameters.read())
    made = of_study("tables")(measured)
    folder = Path("reports", study)
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in {**made, "unreadable": unreadable}.items():
        table.to_csv(folder / f"{name}.csv", index=False)
    of_study("figures")(made, measured, folder)
    metrics = {"unreadable_clips": len(unreadable)} | of_study("metrics")(made)
    (folder / "metrics.json").write_text(json.dumps(metrics, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    with told_in_one_line():
        main(*sys.argv[1:])
