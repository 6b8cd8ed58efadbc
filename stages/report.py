"""Verb: a study's scores to its tables, figures, claims and headline numbers: `python -m stages.report STUDY`."""

import json
import sys
from pathlib import Path

import pandas as pd

from stages.frame import clip_table, parameters
from stages.frame.errors import told_in_one_line
from stages.frame.modules import find


def main(study: str) -> None:
    """Writes `reports/<study>`, from the items and victims that params.yaml names now and from nothing else."""
    items = {name: item for name, item in parameters.section("attack_items").items() if item["study"] == study}
    victims = [name for name, victim in parameters.section("victims").items() if victim["study"] == study]
    scores = pd.concat([_scores(study, name, item) for name, item in items.items()], ignore_index=True)
    decisions = {name: clip_table.read(Path("models", study, name, "decisions.csv")) for name in victims}
    clips = clip_table.read(Path("data", study, "audio", "clips.csv"))
    unreadable = clips.loc[clips.problem != "", ["clip_id", "file", "problem"]]
    made = find("studies", study, "tables", where="study")(scores, decisions)
    folder = Path("reports", study)
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in {**made, "unreadable": unreadable}.items():
        table.to_csv(folder / f"{name}.csv", index=False)
    find("studies", study, "figures", where="study")(made, folder)
    metrics = find("studies", study, "metrics", where="study")(made, len(unreadable))
    (folder / "metrics.json").write_text(json.dumps(metrics, indent=1) + "\n", encoding="utf-8")


def _scores(study: str, name: str, item: dict) -> pd.DataFrame:
    """An item's scores; `kind` is its name without the victim's, `attack` likewise where there is an attack."""
    table = clip_table.read(Path("data", study, "scores", name, "clips.csv"))
    kind = name.removeprefix(f"{item['victim']}-")
    return table.assign(model=item["victim"], kind=kind, attack=kind)


if __name__ == "__main__":
    with told_in_one_line():
        main(*sys.argv[1:])
