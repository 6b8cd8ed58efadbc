"""Numbers in a README: written and refreshed as the comments around them say, from the tables of reports."""

from pathlib import Path

import pytest

from stages.frame.errors import UserError
from stages.tools import readme


@pytest.fixture
def reports(tmp_path, monkeypatch) -> Path:
    """A report of a study, in the folder that is the current one."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "reports" / "mine"
    folder.mkdir(parents=True)
    rows = ["attack,epsilon,share,share_low,share_high,share_paper", "fgsm,0.1,0.256,0.2,0.3,0.5"]
    rows += ["fgsm,0.2,0.5,0.4,0.6,", 'bim,"1,5",-0.0004,-0.12,0.1,']
    (folder / "table_1.csv").write_text("\n".join(rows) + "\n")
    (folder / "metrics.json").write_text('{"gain_db": -3.14159, "nothing": null}\n')
    readme.read.cache_clear()
    yield folder
    readme.read.cache_clear()


OWN = Path("stages/studies/mine/README.md")


@pytest.mark.parametrize(
    ("address", "written"),
    [
        ("table_1 attack=fgsm epsilon=0.1 share:.0%", "26 %"),
        ("table_1 attack=fgsm epsilon=0.1 share:.1p", "25.6"),
        ("table_1 attack=fgsm epsilon=0.1 share", "0.256"),
        ("table_1 attack=bim share:.2f", "0.00"),
        ("table_1 attack=bim share_low:+.2f", "−0.12"),
        ("table_1 attack=bim share_paper:.1f", ""),
        ("table_1 'epsilon=1,5' attack", "bim"),
        ("table_1 attack~=^f count", "2"),
        ("table_1 count", "3"),
        ("table_1 attack=fgsm min(share):.2f", "0.26"),
        ("table_1 max(share):.1f", "0.5"),
        ("table_1 range(share_low):.1f", "−0.1 – 0.4"),
        ("table_1 attack=fgsm range(share_paper):.1f", "0.5"),
        ("metrics gain_db:.1f", "−3.1"),
    ],
)
def test_a_number_is_written_as_its_comment_says(reports, address, written):
    text = f"It is <!--= {address} -->old<!--/--> here."
    assert readme.refreshed(text, OWN) == f"It is <!--= {address} -->{written}<!--/--> here."


def test_tables_beside_the_studys_readme_are_read_as_those_of_its_report(reports):
    OWN.parent.mkdir(parents=True)
    (OWN.parent / "real.csv").write_text("corpus,measured,value,n\nEMOVO,uar,0.5,98\n")
    # Of one name, that of the report is meant.
    (OWN.parent / "table_1.csv").write_text("attack\nnone\n")
    text = "<!--= real corpus=EMOVO measured=uar value:.2f -->@<!--/-->; <!--= table_1 count -->@<!--/-->"
    told = "<!--= real corpus=EMOVO measured=uar value:.2f -->0.50<!--/-->; <!--= table_1 count -->3<!--/-->"
    assert readme.refreshed(text, OWN) == told
    assert readme.refreshed(text.replace("= ", "= mine/"), Path("README.md")) == told.replace("= ", "= mine/")


def test_the_readme_at_the_top_names_the_study(reports):
    text = "<!--= mine/metrics gain_db:.0f -->@<!--/-->"
    assert readme.refreshed(text, Path("README.md")) == "<!--= mine/metrics gain_db:.0f -->−3<!--/-->"


def test_a_table_is_written_row_by_row_below_its_head(reports):
    template = "<!--table table_1 attack=fgsm\n| {epsilon} | {share:.1f~} | {share_paper:.0p} |\n-->\n\n"
    head = template + "| ε | share | % |\n|---|--|--|\n"
    new = head + "| 0.1 | 0.3 (0.2 – 0.3) | 50 |\n| 0.2 | 0.5 (0.4 – 0.6) |  |\n\n<!--end-->\n"
    assert readme.refreshed(head + "| old | | |\n| older | | |\n\n<!--end-->\n", OWN) == new
    assert readme.refreshed(head + "\n<!--end-->\n", OWN) == new
    assert readme.refreshed(new, OWN) == new


@pytest.mark.parametrize(
    "text",
    [
        "<!--= table_9 share:.1f -->1<!--/-->",
        "<!--= table_1 attack=pgd share:.1f -->1<!--/-->",
        "<!--= table_1 attack=fgsm share:.1f -->1<!--/-->",
        "<!--= table_1 attack=bim shore:.1f -->1<!--/-->",
        "<!--= table_1 attacks=bim share:.1f -->1<!--/-->",
        "<!--table table_1\n| {shore} |\n-->\n\n| s |\n|--|\n\n<!--end-->",
        "<!--table table_1\n| {attack:.1f} |\n-->\n\n| s |\n|--|\n\n<!--end-->",
    ],
)
def test_a_comment_that_names_nothing_is_told(reports, text):
    with pytest.raises(UserError, match=r"mine/README.md"):
        readme.refreshed(text, OWN)


def test_the_tool_rewrites_what_is_stale_and_nothing_else(reports, capsys):
    OWN.parent.mkdir(parents=True)
    Path("README.md").write_text("<!--= mine/metrics gain_db:.0f -->−3<!--/-->\n")
    OWN.write_text("x <!--= metrics gain_db:.0f -->4<!--/-->\n")
    readme.main()
    assert OWN.read_text() == "x <!--= metrics gain_db:.0f -->−3<!--/-->\n"
    assert capsys.readouterr().out.count("README.md") == 1
