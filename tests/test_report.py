"""The verb report: all files of a study from what it reads, a page of it, and the list of the pages."""

import html
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import small_events
import yaml
from written import written

from stages import report
from stages.frame import parameters
from stages.frame.errors import UserError
from stages.reporting.study import beyond, on_the_papers, part
from stages.studies.events import findings
from stages.studies.events import tables as events

TOP = Path(__file__).parents[1]


@pytest.fixture
def home(tmp_path, monkeypatch, drawn_once):
    monkeypatch.chdir(tmp_path)
    small_events.make()
    return tmp_path


def test_a_report_has_every_file_and_tells_where_its_page_is(home, capsys):
    report.main("events")
    folder = home / "reports/events"
    assert capsys.readouterr().out.splitlines()[-1] == "reports/events/index.html"
    files = {path.name for path in folder.iterdir()}
    tables = {f"{name}.csv" for name in (*events.TABLES, "figure_1", "claims", "unreadable")}
    assert files >= tables | {"metrics.json", "summary.json", "index.html", "environment.json", "answer.png"}
    drawn = {path.stem for path in (folder / "pictures").iterdir()}
    assert drawn == set(events.FIGURES) | {name for name in events.TABLES if name in drawn} and "table_3" in drawn
    unreadable = pd.read_csv(folder / "unreadable.csv")
    assert unreadable.to_dict("records") == [{"clip_id": "c4", "file": "c4.wav", "problem": "no audio"}]
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["unreadable_clips"] == 1 and metrics["attacked_percent"] == 33.33
    page = html.unescape((folder / "index.html").read_text())
    assert events.TITLE in page and "data/embedded/sounds" in page and "built-in" in page
    assert all(title.partition(". ")[2] in page for title in events.FIGURES.values())
    assert "Noise at 20 dB is the best defence on average" in page and 'id="listen"' not in page
    assert "Measured on 3 clips" in page and findings.QUESTION in page
    assert 'src="http' not in page and 'href="http' not in page


def test_the_summary_and_the_pictures_are_all_that_the_index_needs(home, tmp_path_factory, monkeypatch, capsys):
    report.main("events")
    summary = home / "reports/events/summary.json"
    told = json.loads(summary.read_text())
    claims = pd.read_csv(home / "reports/events/claims.csv")
    assert told["verdicts"] == claims.verdict.value_counts(sort=False).to_dict()
    assert (told["title"], told["built_in"]) == (events.TITLE, True)
    assert told["corpus"] == "FSDKaggle2018 at data/embedded/sounds"
    alone = tmp_path_factory.mktemp("alone")
    for name in ("events", "other"):
        (alone / "reports" / name).mkdir(parents=True)
        shutil.copytree(summary.with_name("pictures"), alone / "reports" / name / "pictures")
        (alone / "reports" / name / "summary.json").write_text(summary.read_text().replace(events.TITLE, name))
    monkeypatch.chdir(alone)
    report.main("index", "other", "events")
    assert capsys.readouterr().out.splitlines()[-1] == "reports/index.html"
    page = (alone / "reports/index.html").read_text()
    assert 0 < page.index('<a href="other/index.html">other</a>') < page.index('<a href="events/index.html">events</a>')
    assert f"<b>{told['verdicts']['not testable here'] * 2}</b> not testable here" in page
    assert "<dt>33.33</dt><dd>attacked (%): attacked clips still decided rightly" in page


def _fools_nothing(home: Path) -> None:
    """One victim and its clean clips, and one attack that fools nothing."""
    path = home / "data/events/scores/vgg13-deepfool/clips.csv"
    scores = pd.read_csv(path, dtype=str, keep_default_na=False)
    told = {"success": "False", "found": "False", "decision": scores.label, "outcome": "GT"}
    scores.assign(**told).to_csv(path, index=False)
    clean = home / "data/events/scores/vgg13-clean"
    clean.mkdir()
    empty = dict.fromkeys(["attacked_at_db", "relative_loudness_db", "l2_audio"], "")
    scores.assign(**told | {"attack": "none"} | empty).to_csv(clean / "clips.csv", index=False)
    params = yaml.safe_load((home / "params.yaml").read_text())
    params["events"]["attacked"]["vgg13-clean"] = {"attacks": ["none"]}
    (home / "params.yaml").write_text(yaml.safe_dump(params))


def test_an_attack_that_fools_nothing_has_a_report_of_0_per_cent(home):
    _fools_nothing(home)
    report.main("events")
    folder = home / "reports/events"
    (row,) = pd.read_csv(folder / "table_attacks.csv").to_dict("records")
    assert (row["attack"], row["attacked"], row["fooled"], row["success"]) == ("deepfool", 3, 0, 0)
    # Of three clips that withstand nobody can say that 3 of 5 would.
    assert row["success_low"] == 0 and 60 < row["success_high"] < 100
    metrics = json.loads((folder / "metrics.json").read_text(), parse_constant=pytest.fail)
    assert metrics["attacked_percent"] == 100
    page = (folder / "index.html").read_text()
    assert page.count("Nothing was measured.") == 3  # Tables 3 to 5
    assert set(pd.read_csv(folder / "claims.csv").verdict) <= {"undecided", "not testable here"}


def _add_ones_own(home: Path) -> None:
    """A victim, a set of it by two attacks that fool two clips of three, and a treatment that brings all back.

    The set carries one of the attacks, and a finished model says by what it is attacked. Of the set's clean clips, one
    of three is decided wrongly behind the treatment.
    """
    scores = pd.read_csv(home / "data/events/scores/vgg13-deepfool/clips.csv", dtype=str, keep_default_na=False)
    half = scores[scores["treatment"] == "none"].assign(treatment="half", decision="Flute", outcome="GT")
    scores = pd.concat([scores, half])
    scores.to_csv(home / "data/events/scores/vgg13-deepfool/clips.csv", index=False)
    for victim, entry, attack in (("mine", "mine_pgd", "mine_pgd"), ("theirs", "theirs", "deepfool")):
        (home / "data/events/scores" / entry).mkdir()
        rows = scores.assign(victim=victim, attack=attack)
        if victim == "mine":
            lost = (rows.treatment == "half") & (rows.clip_id == "c1")
            told = {"outcome": lost.map({True: "Diff", False: "GT"}), "success": "False", "attacked_at_db": ""}
            rows = pd.concat([rows, rows.assign(attack="none", key="clean/" + rows.key, **told)])
        rows.to_csv(home / "data/events/scores" / entry / "clips.csv", index=False)
        shutil.copytree(home / "models/events/vgg13", home / "models/events" / victim)
    params = yaml.safe_load((home / "params.yaml").read_text())
    sections = params["events"]
    sections["treatments"]["half"] = {}
    own = {"attacks": ["none", "deepfool"], "attack": {"attack": "pgd"}}
    sections["own"] = {
        "victims": {"mine": {}},
        "finished": {"theirs": {"attacked": {"attacks": ["deepfool"]}}},
        "attacked": {"mine_pgd": own},
    }
    (home / "params.yaml").write_text(yaml.safe_dump(params))


def test_the_papers_tables_and_claims_have_the_same_bytes_with_entries_of_ones_own(home):
    folder = home / "reports/events"
    report.main("events")
    before = written(folder)
    assert len(pd.read_csv(folder / "table_yours.csv")) == 0
    assert study_page(folder).count('id="of-table_yours"') == 0
    _add_ones_own(home)
    report.main("events")
    after = {name: (folder / name).read_bytes() for name in before}
    assert {name for name in before if before[name] != after[name]} == {"table_yours.csv"}
    assert study_page(folder).count('id="of-table_yours"') == 1
    yours = pd.read_csv(folder / "table_yours.csv").set_index(["entry", "treatment"])
    of_own = [(entry, treatment) for entry in ("mine_pgd", "theirs") for treatment in ("none", "noise_20dB", "half")]
    assert list(yours.index) == [*of_own, ("vgg13-deepfool", "half")]
    for entry, model, attack in (("mine_pgd", "mine", "mine_pgd-untargeted"), ("theirs", "theirs", "deepfool")):
        row = yours.loc[entry, "half"]
        assert (row.model, row.attack, row.attacked, row.fooled, row.GT, row.n) == (model, attack, 3, 2, 100, 2)
        assert row.accuracy == 100 and row.GT_low < row.GT and yours.Adv[entry, "noise_20dB"] == 100
    assert yours.clean.loc["mine_pgd"][["none", "half"]].tolist() == [100, pytest.approx(200 / 3, abs=0.01)]
    assert yours.clean.loc[["theirs", "vgg13-deepfool"]].isna().all()


def test_an_attack_of_ones_own_in_a_papers_set_stands_apart_from_the_papers(home):
    folder = home / "reports/events"
    report.main("events")
    before = written(folder)
    path = home / "data/events/scores/vgg13-deepfool/clips.csv"
    scores = pd.read_csv(path, dtype=str, keep_default_na=False)
    mine = scores.assign(attack="pgd", success="True", found="True", key="pgd/" + scores.key)
    pd.concat([scores, mine]).to_csv(path, index=False)
    params = yaml.safe_load((home / "params.yaml").read_text())
    params["events"]["attacked"]["vgg13-deepfool"]["attacks"].append("sound.pgd")
    (home / "params.yaml").write_text(yaml.safe_dump(params))
    report.main("events")
    after = {name: (folder / name).read_bytes() for name in before}
    assert {name for name in before if before[name] != after[name]} == {"table_yours.csv"}
    yours = pd.read_csv(folder / "table_yours.csv")
    assert yours[["entry", "attack", "treatment", "attacked", "fooled"]].to_numpy().tolist() == [
        ["vgg13-deepfool", "pgd-untargeted", "none", 3, 3],
        ["vgg13-deepfool", "pgd-untargeted", "noise_20dB", 3, 3],
    ]


def test_what_was_made_of_entries_that_are_gone_is_not_read(home):
    report.main("events")
    folder = home / "reports/events"
    before = written(folder)
    params = (home / "params.yaml").read_text()
    _add_ones_own(home)
    (home / "data/events/scores/dead").mkdir()
    (home / "data/events/scores/dead/clips.csv").write_text("no table")
    (home / "params.yaml").write_text(params)
    report.main("events")
    assert {name: (folder / name).read_bytes() for name in before} == before


def test_a_victim_that_nobody_attacks_has_a_row_of_its_own(home):
    _add_ones_own(home)
    params = yaml.safe_load((home / "params.yaml").read_text())
    params["events"]["own"]["victims"]["other"] = {}
    (home / "params.yaml").write_text(yaml.safe_dump(params))
    shutil.copytree(home / "models/events/vgg13", home / "models/events/other")
    report.main("events")
    rows = pd.read_csv(home / "reports/events/table_yours.csv").set_index("model")
    assert rows.accuracy["other"] == 100 and pd.isna(rows.entry["other"])


def test_on_another_corpus_no_value_of_the_paper_and_no_claim_is_shown(home):
    (home / "params.yaml").write_text((home / "params.yaml").read_text().replace("fsdkaggle2018", "folder"))
    report.main("events")
    folder = home / "reports/events"
    for path in folder.glob("table_*.csv"):
        table = pd.read_csv(path)
        assert table.filter(regex="_paper$").isna().all(axis=None), path
    assert len(pd.read_csv(folder / "claims.csv")) == 0
    assert "The paper's claims" not in study_page(folder) and "80.9" not in study_page(folder)
    assert json.loads((folder / "summary.json").read_text())["verdicts"] == {}


def study_page(folder: Path) -> str:
    return (folder / "index.html").read_text()


def test_a_dollar_sign_in_a_label_begins_no_formula(home):
    path = home / "data/events/scores/vgg13-deepfool/clips.csv"
    path.write_text(path.read_text().replace("Flute", "Flute $x_{$ <b>"))
    report.main("events")
    assert set(pd.read_csv(home / "reports/events/figure_1.csv").label) == {"Flute $x_{$ <b>"}


def test_a_folder_that_cannot_be_written_is_named(home):
    (home / "reports").write_text("no folder")
    with pytest.raises(UserError, match="reports/events: expected a place to read and write"):
        report.main("events")


def test_a_corpus_of_ones_own_is_not_called_built_in(home):
    (home / "params.yaml").write_text((home / "params.yaml").read_text().replace("data/embedded/sounds", "data/mine"))
    report.main("events")
    page = (home / "reports/events/index.html").read_text()
    assert "data/mine" in page and "built-in" not in page


def test_a_report_loads_neither_torch_nor_sklearn(home):
    code = "import sys; from stages import report; report.main('events'); "
    code += "print(*({'torch', 'sklearn'} & set(sys.modules)), 'none')"
    command = (sys.executable, "-c", code)
    told = subprocess.run(command, env={"PYTHONPATH": str(TOP)}, capture_output=True, text=True, check=True)
    assert told.stdout.splitlines()[-1] == "none"


def test_an_unknown_study_and_a_missing_summary_are_the_users_errors(home):
    with pytest.raises(UserError, match=r"expected one of .*events.*; found 'event'"):
        report.main("event")
    (home / "params.yaml").write_text("events: {}\nmine: {}\n")
    with pytest.raises(UserError, match="mine"):
        report.main("mine")
    with pytest.raises(UserError, match=r"reports/emotion/summary\.json: expected a study's summary.*report emotion"):
        report.main("index", "emotion")


@pytest.mark.parametrize("study", sorted(path.parent.name for path in (TOP / "stages/studies").glob("*/dvc.yaml")))
def test_every_entry_that_is_in_git_is_the_papers_and_so_is_its_corpus(study):
    values = parameters.read(TOP / "params.yaml")[study]
    assert beyond(values, part(study, "tables", "PAPERS")) == set()
    assert on_the_papers(values.get("corpora", {}), part(study, "tables", "READERS"))
