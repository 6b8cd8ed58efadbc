"""Repetitions under other seeds: which are changed, in an experiment of a small study, and how numbers spread."""

import csv
import json
import os
import sys
from pathlib import Path

import clones
import pytest

from stages.frame.errors import UserError
from stages.tools import seeds

# Twice the seed of the recipe and the whole one of the corpus, as a study that learns would tell them.
REPORT = """
import json, pathlib, yaml
given = yaml.safe_load(open("params.yaml"))["mine"]
told = {"twice": 2 * given["recipes"]["first"]["seed"], "corpus": given["embedded"]["sounds"]["seed"]}
told |= {"odd": 1} if given["recipes"]["first"]["seed"] % 2 else {}
pathlib.Path("reports/mine").mkdir(parents=True, exist_ok=True)
json.dump(told, open("reports/mine/metrics.json", "w"))
"""
GRAPH = f"""
stages:
  corpus:
    wdir: ../../..
    cmd: echo made >> $MADE && echo clips > corpus.txt
    outs: [corpus.txt]
  report:
    wdir: ../../..
    cmd: {sys.executable} report.py
    deps: [report.py, corpus.txt]
    params: [mine]
    outs: [reports/mine/metrics.json: {{cache: false}}]
"""
PARAMS = {"mine": {"embedded": {"sounds": {"seed": 7}}, "recipes": {"first": {"seed": 3}, "second": {"seed": 1}}}}


@pytest.fixture
def study(tmp_path, monkeypatch) -> Path:
    """The working folder, with a study whose numbers are its seeds."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "stages/studies/mine"
    folder.mkdir(parents=True)
    (folder / "dvc.yaml").write_text(GRAPH)
    (tmp_path / "report.py").write_text(REPORT)
    (tmp_path / "params.yaml").write_text(json.dumps(PARAMS))
    return tmp_path


def test_the_seeds_of_corpora_stay():
    assert dict(seeds.of_training(PARAMS["mine"], "mine.")) == {
        "mine.recipes.first.seed": 3,
        "mine.recipes.second.seed": 1,
    }


def test_each_repetition_is_an_experiment_under_other_seeds(study, monkeypatch):
    monkeypatch.setenv("PATH", f"{clones.BIN}:{os.environ['PATH']}")
    monkeypatch.setenv("MADE", str(made := study.with_name("made.txt")))
    clones.repository(study)
    clones.repro(study, "stages/studies/mine/dvc.yaml")
    clones.commit(study)
    seeds.main("mine", 2)
    # The second time the experiment of that name is exchanged.
    seeds.main("mine", 2)
    assert made.read_text() == "made\n"
    with (study / "stages/studies/mine/seeds.csv").open() as stream:
        rows = {row["metric"]: row for row in csv.DictReader(stream)}
    assert {name: (row["value"], row["lowest"], row["highest"], row["seeds"]) for name, row in rows.items()} == {
        "twice": ("6", "6", "8", "2"),
        "corpus": ("7", "7", "7", "2"),
    }
    # What is here stays as it was.
    assert json.loads((study / "params.yaml").read_text()) == PARAMS
    assert json.loads((study / "reports/mine/metrics.json").read_text())["twice"] == 6


def test_spread_is_that_of_all_runs_and_of_what_all_have():
    table = seeds.spread([{"uar": 0.8, "gone": 1.0}, {"uar": 0.9}, {"uar": 0.7}])
    told = {"value": 0.8, "mean": 0.8, "sd": 0.1, "lowest": 0.7, "highest": 0.9, "range": 0.2}
    assert table == [{"metric": "uar", "seeds": 3} | told]


@pytest.mark.parametrize(
    ("name", "count", "message"),
    [
        ("", 2, "STUDY: expected a study; found none"),
        ("mine", 1, "N: expected a whole number >= 2; found 1"),
        ("yours", 2, r"reports/yours/metrics.json: expected the study's headline numbers; found none"),
        ("mine", 2, r"reports/mine/metrics.json: .*make reproduce STUDY=mine"),
    ],
)
def test_what_cannot_be_repeated_is_told(study, name, count, message):
    with pytest.raises(UserError, match=message):
        seeds.main(name, count)


def test_a_study_without_seeds_has_nothing_to_repeat(study):
    (study / "params.yaml").write_text("mine: {embedded: {sounds: {seed: 7}}}")
    (study / "reports/mine").mkdir(parents=True)
    (study / "reports/mine/metrics.json").write_text("{}")
    with pytest.raises(UserError, match="mine: expected a seed besides the corpora's; found none"):
        seeds.main("mine", 2)
