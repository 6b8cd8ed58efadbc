"""Each study's report of whatever its score tables hold: all failed, all succeeded, none, one clip, hostile names."""

import json
import shutil
from pathlib import Path

import any_scores
import numpy as np
import pandas as pd
import pytest
from markupsafe import Markup

from stages import report
from stages.frame import parameters
from stages.reporting.study import part
from stages.reporting.verdicts import CONTRADICTED, SUPPORTED, UNTESTABLE, VERDICTS

STUDIES = ("events", "emotion", "transfer", "audiovisual", "speech")
MADE = (*any_scores.ATTACKED, *any_scores.DECIDED)
# What is changed of the tables of which studies.
CHANGES = {
    "failed": (any_scores.ATTACKED, STUDIES),
    "succeeded": (any_scores.ATTACKED, STUDIES),
    "by_chance": (any_scores.ATTACKED, STUDIES),
    "impossible": (any_scores.ATTACKED, STUDIES),
    "empty": (any_scores.ATTACKED, STUDIES),
    "clean_alone": (any_scores.ATTACKED, STUDIES),
    "attacked_alone": (any_scores.ATTACKED, ("events", "transfer", "speech")),
    "one_clip": (MADE, STUDIES),
    "one_speaker": (any_scores.EVERYWHERE, STUDIES[1:]),
    "one_label": (any_scores.EVERYWHERE, STUDIES[:4]),
    "no_test": (any_scores.EVERYWHERE, ("events", "audiovisual", "speech")),
    "undefined": (MADE, STUDIES),
    "hostile": (any_scores.EVERYWHERE, STUDIES),
}
# Of these changes a whole report is written, with its pictures and its page; of the others its tables and findings.
WHOLE = ("failed", "empty", "undefined", "hostile")
# Of these the charts are made, but not drawn.
CHARTED = ("succeeded", "one_clip", "impossible")
# What tells in each study how many attacks succeeded: the table and its column of shares, and the whole.
SUCCESS = {
    "events": {"table_attacks": ("success", 100)},
    "emotion": {"table_robustness": ("flips_fgsm", 1)},
    "transfer": {"table_attacks": ("success", 1)},
    "audiovisual": {"table_2": ("success", 1), "table_3": ("success", 1)},
    "speech": {"table_attacks": ("success", 1)},
}
CASES = [(study, change) for change, (_, studies) in CHANGES.items() for study in studies]


@pytest.fixture(scope="module")
def homes(tmp_path_factory):
    """A folder for each study, which holds all that its report reads."""
    made = {}
    for study in STUDIES:
        made[study] = tmp_path_factory.mktemp(study)
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(made[study])
            patch.setenv("SCRATCH", str(made[study] / "scratch"))
            any_scores.write(study)
    return made


@pytest.mark.parametrize(("study", "change"), CASES)
def test_a_report_tells_of_any_scores(homes, tmp_path, monkeypatch, study, change):
    shutil.copytree(homes[study], tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    any_scores.change(CHANGES[change][0], getattr(any_scores, change), seed=STUDIES.index(study))
    tables = reported(study) if change in WHOLE else tabled(study, charted=change in CHARTED)
    for table in tables.values():
        check_intervals(table)
    check_verdicts(tables["claims"], alone=change == "one_clip")
    if change in ("failed", "succeeded"):
        check_success(study, tables, reached=change == "succeeded")
    if change == "impossible":
        check_left_out(tables)
    if change == "hostile":
        page = Path("reports", study, "index.html").read_text()
        assert any_scores.HOSTILE not in page and ":<b>" not in page
        # What the others tell of names is in their figures.
        assert study not in ("emotion", "audiovisual") or str(Markup.escape(any_scores.HOSTILE)) in page


def reported(study: str) -> dict[str, pd.DataFrame]:
    """The tables of a whole report."""
    report.main(study)
    folder = Path("reports", study)
    # Python's reader takes NaN, which is no JSON.
    json.loads((folder / "metrics.json").read_text(), parse_constant=pytest.fail)
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["findings"] and all(summary["findings"]) and "nan" not in " ".join(summary["findings"]).split()
    for stem in summary["pictures"]:
        assert "<title>" in (folder / "pictures" / f"{stem}.svg").read_text()
    assert (folder / "answer.png").stat().st_size > 1000
    return {name: pd.read_csv(folder / f"{name}.csv") for name in (*part(study, "tables", "TABLES"), "claims")}


def tabled(study: str, *, charted: bool) -> dict[str, pd.DataFrame]:
    """The tables, and what is told of them."""
    read, tables, metrics = (part(study, "tables", name) for name in ("read", "tables", "metrics"))
    made = tables(read(parameters.section(study)))
    json.dumps(metrics(made), allow_nan=False)
    assert all(part(study, "findings", "findings")(made))
    assert not charted or all(chart.to_dict() for chart in part(study, "figures", "charts")(made, None).values())
    return {name: made[name] for name in (*part(study, "tables", "TABLES"), "claims")}


def check_intervals(table: pd.DataFrame) -> None:
    """Each value lies in its interval, but for rounding; where it can't be told, neither can the interval."""
    for name in (name.removesuffix("_low") for name in table if name.endswith("_low")):
        value, low, high = (table[f"{name}{end}"].to_numpy(float) for end in ("", "_low", "_high"))
        known = ~np.isnan(low)
        assert not np.isnan(value[known]).any(), name
        assert (low[known] <= value[known] + 0.01).all() and (value[known] <= high[known] + 0.01).all(), name


def check_verdicts(claims: pd.DataFrame, *, alone: bool) -> None:
    """Each claim has a verdict, those that were tested a probability; one clip alone decides nothing."""
    assert set(claims.verdict) <= set(VERDICTS)
    tested = claims[claims.verdict != UNTESTABLE]
    assert tested.p.between(0, 1).all() and (tested.p_holm >= tested.p).all() and (tested.n > 0).all()
    assert tested.test.astype(str).str.endswith("two-sided").all()
    assert claims[claims.verdict == UNTESTABLE].p.isna().all()
    assert not alone or not claims.verdict.isin([SUPPORTED, CONTRADICTED]).any()


def check_left_out(tables: dict[str, pd.DataFrame]) -> None:
    """Attacks that nothing could make succeed are counted, and are in no share."""
    counted = [table[table.left_out > 0] for table in tables.values() if "left_out" in table]
    assert sum(map(len, counted))
    for table in counted:
        shares = table[[name for name in ("success", "accuracy", "ua", "uar_fgsm", "flips_fgsm") if name in table]]
        assert len(shares.columns) and shares.isna().all(axis=None)


def check_success(study: str, tables: dict[str, pd.DataFrame], *, reached: bool) -> None:
    for name, (column, whole) in SUCCESS[study].items():
        table = tables[name]
        attacked = table[table.attack != "none"] if "attack" in table else table
        shares = attacked[column].dropna()
        assert len(shares) and (shares == reached * whole).all()
        low, high = attacked[f"{column}_low"].dropna(), attacked[f"{column}_high"].dropna()
        # All or none of a few clips does not prove that it is so of all clips.
        assert ((low < whole) & (low > 0) & (high == whole) if reached else (high > 0) & (low == 0)).all()
