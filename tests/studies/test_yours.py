"""Attacks, treatments and sets of one's own in the reports of studies: apart from what is their paper's."""

import shutil
from pathlib import Path

import any_scores
import pandas as pd
import pytest
import yaml
from written import written

from stages import report
from stages.reporting import yours
from stages.reporting.study import on_the_papers, part, without_paper

# Of each study an adversarial set, one of its attacks, and what its report shows of such a set.
ATTACKED = {
    "emotion": ("cnn4", "fgsm", "uar"),
    "transfer": ("speech_heads", "bim", "ua"),
    "audiovisual": ("words", "fgsm", "right_after"),
    "speech": ("gradient", "over_the_air", "wer_target"),
}


# Of a set that is the paper's under another name, a row of the table, and of the paper's the row that it equals.
MET = {
    "audiovisual": (
        {"entry": "my_set", "epsilon": "512/8", "detector": "sync_noise"},
        "table_controls",
        {"attack": "fgsm", "epsilon": "512/8", "detector": "sync_noise"},
        ["auc_noise_against_attack", "auc_noise_against_attack_low", "auc_noise_against_attack_high"],
    ),
    "speech": (
        {"entry": "my_set", "treatment": "none", "heard_by": "deepspeech"},
        "table_4",
        {"attack": "gradient", "recogniser": "deepspeech", "enhancer": "none"},
        ["rosa", "rosa_low", "rosa_high", "wer", "wer_target"],
    ),
}
# What every adversarial set has and the made-up ones lack.
COLUMNS = {"label": "", "text": "", "speaker": "", "split": "test", "fold": "", "zero_gradient": "False"}
COLUMNS |= {"forwards": "1", "backwards": "1"}


def _of_my_set(study: str, entry: str, attack: str) -> None:
    """What is heard of the set `my_set`, and what detectors say of it, where somebody is asked: as of the paper's."""
    made = {"speech": ("scores/attacked", "scores/my_set"), "audiovisual": ("detections/words", "detections/my_set")}
    if study in made:
        theirs, mine = (Path("data", study, one) for one in made[study])
        rows = pd.read_csv(theirs / "clips.csv", dtype=str, keep_default_na=False)
        rows = rows[rows.attack.isin([attack, "none"])].assign(attack=rows.attack.replace(attack, "mine"))
        rows = rows[rows.set == f"adversarial/{entry}"].assign(set="adversarial/my_set") if "set" in rows else rows
        mine.mkdir()
        rows.to_csv(mine / "clips.csv", index=False)


def _whole(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.assign(**{name: value for name, value in COLUMNS.items() if name not in rows})


@pytest.mark.parametrize("study", ATTACKED)
def test_an_attack_of_ones_own_has_rows_apart_in_every_study(tmp_path, monkeypatch, drawn_once, study):
    """In a set of the paper's, and in one of its own; the paper's tables and claims have the same bytes."""
    monkeypatch.chdir(tmp_path)
    any_scores.write(study)
    report.main(study)
    folder = Path("reports", study)
    before = written(folder)
    entry, attack, measure = ATTACKED[study]
    params = Path("params.yaml").read_text()
    values = yaml.safe_load(params)
    sets = Path("data", study, "adversarial")
    own = pd.read_csv(sets / entry / "clips.csv", dtype=str, keep_default_na=False)
    own = _whole(own[own.attack == attack].assign(attack="mine"))
    shutil.copytree(sets / entry, sets / "my_set")
    own.assign(key="my/" + own.key).to_csv(sets / "my_set/clips.csv", index=False)
    _of_my_set(study, entry, attack)
    for path in sorted(Path("data", study).glob("*/*/clips.csv")):
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
        of_set = path.parent.name == entry or ("set" in table and table.set == f"adversarial/{entry}")
        more = _whole(table[of_set & (table.attack == attack)]) if "attack" in table else table.head(0)
        pd.concat([table, more.assign(attack="mine", key="mine/" + more.key)]).to_csv(path, index=False)
    of_own = values[study]["own"] if "own" in values[study] else values[study]
    of_own["attacked"]["my_set"] = values[study]["attacked"][entry] | {"attacks": ["mine"]}
    values[study]["attacked"][entry]["attacks"] = [*values[study]["attacked"][entry]["attacks"], "mine"]
    values[study].setdefault("attacks", {})["mine"] = {"attack": "my_attack"}
    if study == "audiovisual":
        words = values[study]["detected"]["words"]
        values[study]["detected"]["my_set"] = words | {"set": "adversarial/my_set", "detectors": ["sync_noise"]}
    Path("params.yaml").write_text(yaml.safe_dump(values))
    report.main(study)
    after = {name: (folder / name).read_bytes() for name in before}
    assert {name for name in before if before[name] != after[name]} == {"table_yours.csv"}
    yours = pd.read_csv(folder / "table_yours.csv")
    assert set(yours.attack) == {"mine"} | ({"mine<b>"} if study == "speech" else set())
    for name in ("my_set", entry):
        rows = yours[(yours.entry == name) & (yours.attack == "mine") & yours.attacked.notna()]
        assert rows.attacked.sum() + rows.left_out.sum() == len(own)
        assert rows.fooled.sum() == (own.success == "True").sum() > 0
        assert (rows.success_low <= rows.success).all() and rows[measure].notna().any()
    if study in MET:
        where, table, same, columns = MET[study]
        (told,) = yours[(yours[list(where)] == pd.Series(where)).all(axis=1)][columns].to_numpy().tolist()
        paper = pd.read_csv(folder / f"{table}.csv")
        (known,) = paper[(paper[list(same)] == pd.Series(same)).all(axis=1)][columns].to_numpy().tolist()
        assert told == known and 0 < told[0] < 1
    assert 'id="of-table_yours"' in (folder / "index.html").read_text()
    # What was made of entries that are gone by now is read by nobody.
    Path("params.yaml").write_text(params)
    report.main(study)
    assert {name: (folder / name).read_bytes() for name in before} == before


@pytest.mark.parametrize("study", ATTACKED)
def test_on_another_corpus_no_value_of_the_paper_and_no_claim_is_shown(tmp_path, monkeypatch, study):
    """The reader says which corpus it is; one of several is enough."""
    monkeypatch.chdir(tmp_path)
    any_scores.write(study)
    values = yaml.safe_load(Path("params.yaml").read_text())
    corpora = {(study, name): corpus for name, corpus in values[study]["corpora"].items()}
    readers = part(study, "tables", "READERS")
    assert on_the_papers(corpora, readers)
    next(iter(corpora.values()))["reader"] = "folder"
    assert not on_the_papers(corpora, readers)
    made = part(study, "tables", "tables")(part(study, "tables", "read")(values[study]))
    assert any(table.filter(regex="_paper$").notna().any(axis=None) for table in made.values())
    emptied = without_paper(made)
    assert emptied.keys() == made.keys() and emptied["claims"].empty and len(made["claims"])
    for table in emptied.values():
        assert table.filter(regex="_paper$").isna().all(axis=None)
        assert "cited" not in table or set(table.cited) == {"no"}


def test_a_treatment_of_ones_own_is_heard_apart_in_speech(tmp_path, monkeypatch, drawn_once):
    monkeypatch.chdir(tmp_path)
    any_scores.write("speech")
    report.main("speech")
    folder = Path("reports/speech")
    before = written(folder)
    path = Path("data/speech/scores/attacked/clips.csv")
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    own = table[(table.treatment == "none") & (table.attack == "over_the_air")]
    pd.concat([table, own.assign(treatment="half", key="half/" + own.key)]).to_csv(path, index=False)
    values = yaml.safe_load(Path("params.yaml").read_text())
    values["speech"]["treatments"]["half"] = {}
    Path("params.yaml").write_text(yaml.safe_dump(values))
    report.main("speech")
    after = {name: (folder / name).read_bytes() for name in before}
    assert {name for name in before if before[name] != after[name]} == {"table_yours.csv"}
    yours = pd.read_csv(folder / "table_yours.csv")
    yours = yours[yours.treatment == "half"].set_index(["entry", "heard_by"])
    # Seven of eight trials of the undefended recogniser, as without it.
    assert yours.rosa["gradient", "deepspeech"] == 7 / 8 and yours.n["gradient", "deepspeech"] == 8


def test_snr_is_the_mean_of_those_that_fell():
    rows = pd.DataFrame({"success": [True, True, False], "snr_db": [20.0, 31.0, 90.0], "cluster": ["a", "b", "c"]})
    rows = rows.assign(
        **dict.fromkeys(yours.KEYS, "x"), label="l", text="", clean_prediction="l", adversarial_prediction="m"
    )
    rows = rows.assign(forwards=3, backwards=1, zero_gradient=False)
    assert yours._told(rows, lambda rows: {})["snr_db"] == 25.5
