"""Attacks, treatments and sets of one's own in the reports of studies: apart from what is their paper's."""

import shutil
from pathlib import Path

import any_scores
import pandas as pd
import pytest
import yaml
from written import written

from stages import report

# Of each study an adversarial set, one of its attacks, and what its report shows of such a set.
ATTACKED = {
    "emotion": ("cnn4", "fgsm", "uar"),
    "transfer": ("speech_heads", "bim", "ua"),
    "audiovisual": ("words", "fgsm", "right_after"),
    "speech": ("gradient", "over_the_air", "wer_target"),
}


# What every adversarial set has and the made-up ones lack.
COLUMNS = {"label": "", "text": "", "speaker": "", "split": "test", "fold": "", "zero_gradient": "False"}
COLUMNS |= {"forwards": "1", "backwards": "1"}


def _whole(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.assign(**{name: value for name, value in COLUMNS.items() if name not in rows})


@pytest.mark.parametrize("study", ATTACKED)
def test_an_attack_of_ones_own_has_rows_apart_in_every_study(tmp_path, monkeypatch, study):
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
    for path in Path("data", study).glob("*/*/clips.csv"):
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
        of_set = path.parent.name == entry or ("set" in table and table.set == f"adversarial/{entry}")
        more = _whole(table[of_set & (table.attack == attack)]) if "attack" in table else table.head(0)
        pd.concat([table, more.assign(attack="mine", key="mine/" + more.key)]).to_csv(path, index=False)
    values[study]["attacked"]["my_set"] = values[study]["attacked"][entry] | {"attacks": ["mine"]}
    values[study]["attacked"][entry]["attacks"] = [*values[study]["attacked"][entry]["attacks"], "mine"]
    values[study].setdefault("attacks", {})["mine"] = {"attack": "my_attack"}
    Path("params.yaml").write_text(yaml.safe_dump(values))
    report.main(study)
    after = {name: (folder / name).read_bytes() for name in before}
    assert {name for name in before if before[name] != after[name]} == {"table_yours.csv"}
    yours = pd.read_csv(folder / "table_yours.csv")
    assert set(yours.attack) == {"mine"} | ({"mine<b>"} if study == "speech" else set())
    for name in ("my_set", entry):
        rows = yours[(yours.entry == name) & (yours.attack == "mine")]
        assert rows.attacked.sum() + rows.left_out.sum() == len(own)
        assert rows.fooled.sum() == (own.success == "True").sum() > 0
        assert (rows.success_low <= rows.success).all() and rows[measure].notna().any()
    assert 'id="of-table_yours"' in (folder / "index.html").read_text()
    # What was made of entries that are gone by now is read by nobody.
    Path("params.yaml").write_text(params)
    report.main(study)
    assert {name: (folder / name).read_bytes() for name in before} == before


def test_a_treatment_of_ones_own_is_heard_apart_in_speech(tmp_path, monkeypatch):
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
