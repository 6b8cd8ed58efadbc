"""The audit's page, written from tables of clips as its stages leave them."""

import json
from pathlib import Path

import pandas as pd
import pytest
import yaml
from guarded_rows import guarded
from test_audit_tables import audited

from stages import report

GRID = {"unlimited": 0.0}
VICTIMS = {"events": ("vgg13", "noise", "snr_db"), "emotion": ("cnn4", "single", "epsilon")}


def write(study, victim, defence, budget_in):
    rows = audited().assign(study=study, victim=victim, defence=defence, budget_in=budget_in)
    rows = rows.assign(label="a", shard="", key=[f"k{number}" for number in range(len(rows))])
    folder = Path("data/audit/classifiers", study, victim)
    folder.mkdir(parents=True)
    rows.drop(columns=["unlimited", "cluster"]).to_csv(folder / "clips.csv", index=False)
    write_cards(folder, {"victim": victim, "treatment": defence})
    corpus = Path("data", study, "audio")
    corpus.mkdir(parents=True)
    table = pd.DataFrame({"clip_id": ["c0", "bad"], "file": ["c0.wav", "bad.wav"], "problem": ["", "no audio"]})
    table.to_csv(corpus / "clips.csv", index=False)


def write_cards(folder, names):
    cards = [{"kind": kind, "name": name, "made_of": f"{name} (x 1)"} for kind, name in names.items()]
    (folder / "about.json").write_text(json.dumps({"cards": cards}))


def write_guarded():
    rows = guarded().drop(columns=["entry", "cluster"]).rename(columns={"guard": "detector"})
    rows = rows.assign(defence="none", speaker=rows.clip_id.str[-1].astype(int) % 4, shard="", forwards=1, backwards=1)
    folder = Path("data/audit/guarded/audiovisual/words")
    folder.mkdir(parents=True)
    rows.assign(key=[f"k{number}" for number in range(len(rows))]).to_csv(folder / "clips.csv", index=False)
    write_cards(folder, {"victim": "reader", "detector": "sync_clean"})
    corpus = Path("data/audiovisual/audio")
    corpus.mkdir(parents=True)
    pd.DataFrame({"clip_id": ["c0"], "file": ["c0.mp4"], "problem": [""]}).to_csv(corpus / "clips.csv", index=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The audit's report."""
    home = tmp_path_factory.mktemp("audit")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        _report()
    return home / "reports/audit"


def _report():
    corpora = {"corpora": {"audio": {"reader": "folder", "root": "data/embedded/x"}}}
    classifiers = {study: {victim: {"grid": "any"}} for study, (victim, _, _) in VICTIMS.items()}
    audit = {"grids": {"any": GRID}, "classifiers": classifiers, "guarded": {"audiovisual": {"words": {}}}}
    values = {"audit": audit} | dict.fromkeys([*VICTIMS, "audiovisual"], corpora)
    Path("params.yaml").write_text(yaml.safe_dump(values))
    for study, told in VICTIMS.items():
        write(study, *told)
    write_guarded()
    report.main("audit")


def test_headline_numbers_are_few_and_those_of_the_best_defence(folder):
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["defended_percent"] == 75
    assert metrics["attacked_percent"] == 12.5
    assert metrics["unreadable_clips"] == 2  # one in each audited study's corpus
    assert len(metrics) <= 12


def test_each_name_has_a_card_with_what_attacked_it_and_what_it_is_worth(folder):
    cards = pd.read_csv(folder / "table_cards.csv", keep_default_na=False).set_index(["kind", "name"])
    assert list(cards.index.get_level_values("kind")) == ["victim", "treatment"] * 2 + ["victim", "detector"]
    noise = cards.loc["treatment", "noise"]
    assert noise[["study", "entry", "made_of", "budget", "n"]].tolist() == [
        "events",
        "vgg13",
        "noise (x 1)",
        "20.0",
        "8",
    ]
    assert noise.attacked_by == "pgd (gradient), bursts (scores)"
    assert noise[["clean", "unaware", "aware"]].astype(float).tolist() == [1, 0.75, 0.125]
    # `single` is a control: what is left behind it is what the victim is worth.
    assert cards.loc["victim", "cnn4"].aware == "0.25" and cards.loc["victim", "vgg13"].aware == ""
    assert float(cards.loc["detector", "sync_clean"].unaware) == 0.75


def test_the_page_shows_pictures_and_tables(folder):
    page = (folder / "index.html").read_text()
    for study in VICTIMS:
        picture = (folder / "pictures" / f"figure_{study}.svg").read_text()
        assert "Against an attacker who knows of it" in picture
    assert "folder at data/embedded/x" in page
    assert "scores" in page
    cells = pd.read_csv(folder / "cells.csv")
    assert pd.read_csv(folder / "table_guards.csv").unaware.tolist() == [0.75]
    assert {"not run", "does not apply", "run", "run on clips that stood"} >= set(cells.state)
