"""The kinds of picture: values stand where the table has them, with their intervals and the paper's, and are told."""

import re
from xml.etree import ElementTree

import pandas as pd
import pytest

from stages.reporting import charts, pictures

TABLE = pd.DataFrame(
    {
        "treatment": ["noise_20dB", "mine<b>"],
        "GT": [0.5, 0.25],
        "GT_low": [0.4, 0.125],
        "GT_high": [0.75, 0.5],
        "GT_paper": [1.0, float("nan")],
    }
)
TITLE = "One is higher than the other"


@pytest.fixture
def data():
    return charts.long(TABLE, {"GT": ""}, row="treatment", scale=100)


@pytest.fixture
def chart(data):
    return charts.values(data, title=TITLE, axis="% right", **charts.PER_CENT)


def test_the_long_form_has_scaled_values_and_names(data):
    assert data.value.tolist() == [50, 25] and data.low.tolist() == [40, 12.5] and data.high.tolist() == [75, 50]
    assert data.paper.iloc[0] == 100 and pd.isna(data.paper.iloc[1])
    assert data.row.iloc[1] == "mine<b>" and data.row.iloc[0] != "noise_20dB"


def test_what_has_neither_a_value_nor_the_papers_is_left_out():
    table = TABLE.assign(GT=[float("nan"), 0.25], GT_paper=float("nan"))
    assert charts.long(table, {"GT": ""}, row="treatment").value.tolist() == [0.25]


def test_rows_of_several_keys_are_told_apart_by_all_that_are_not_empty():
    table = pd.DataFrame({"attack": ["a", "b"], "epsilon": ["", 0.0], "x": [1, 2]})
    assert charts.long(table, {"x": ""}, row=("attack", "epsilon")).row.tolist() == ["a", "b, 0.0"]


def marks(chart, tmp_path, kind):
    """The marks of a kind in the drawn picture, with their distance from the plot's left edge."""
    pictures.write(chart, tmp_path / "events/pictures", "x")
    root = ElementTree.fromstring((tmp_path / "events/pictures/x.svg").read_text())  # noqa: S314 (our own)
    groups = [one for one in root.iter() if one.get("class", "").startswith(f"mark-{kind} role-mark")]
    shapes = [shape for group in groups for shape in group]
    return [(float(re.match(r"translate\(([^,]+),", one.get("transform"))[1]), one) for one in shapes]


def test_values_intervals_and_the_papers_stand_at_their_place(chart, tmp_path):
    width = chart.to_dict()["width"]
    rules = marks(chart, tmp_path, "rule")
    ends = {frozenset((round(x / width, 3), round((x + float(one.get("x2"))) / width, 3))) for x, one in rules}
    assert ends == {frozenset((0.4, 0.75)), frozenset((0.125, 0.5))}
    points = marks(chart, tmp_path, "symbol")
    assert sorted(round(x / width, 3) for x, one in points if one.get("fill") != "currentColor") == [0.25, 0.5]
    hollow = [round(x / width, 3) for x, one in points if one.get("fill") == "currentColor"]
    assert hollow == [1.0]
    assert [one.text for _, one in marks(chart, tmp_path, "text")] == ["50", "25"]


@pytest.mark.parametrize(
    ("columns", "legend"),
    [
        ([], None),
        (["GT_paper"], ["here", "the paper"]),
        (["GT_low", "GT_high"], ["here, with its 95 % interval"]),
        (["GT_low", "GT_high", "GT_paper"], ["here, with its 95 % interval", "the paper"]),
    ],
)
def test_the_legend_tells_what_is_drawn(columns, legend):
    data = charts.long(TABLE[["treatment", "GT", *columns]], {"GT": ""}, row="treatment")
    layers = charts.values(data, title=TITLE, axis="x").to_dict()["layer"]
    (shape,) = [layer["encoding"]["shape"] for layer in layers if "shape" in layer["encoding"]][:1]
    assert (shape["legend"] and shape["scale"]["domain"]) == legend


def test_the_description_tells_the_title_and_the_lowest_and_highest_value(chart):
    told = chart.to_dict()["description"]
    assert told.startswith(
        f"{TITLE}. % right: 25, interval 13 to 50 (mine<b>) to 50, interval 40 to 75, the paper 100 ("
    )


def test_titles_begin_with_a_capital_and_are_cut_into_lines():
    data = charts.long(TABLE, {"GT": ""}, row="treatment")
    lines = charts.values(data, title="word " * 30, axis="x").to_dict()["title"]["text"]
    assert lines[0].startswith("Word") and max(map(len, lines)) <= charts.LINE_LETTERS and len(lines) == 3


@pytest.mark.parametrize("kind", ["values", "curves", "decisions"])
def test_an_empty_table_is_a_picture_that_says_so(kind, tmp_path):
    data = charts.long(TABLE.head(0), {"GT": ""}, row="treatment", panel="treatment", x="GT")
    axes = {"values": {"axis": "x"}, "curves": {"x_axis": "x", "y_axis": "y"}, "decisions": {"labels": []}}[kind]
    chart = getattr(charts, kind)(data, title=TITLE, **axes)
    pictures.write(chart, tmp_path / "events/pictures", "x")
    assert "Nothing was measured" in (tmp_path / "events/pictures/x.svg").read_text()
    assert "nothing was measured" in chart.to_dict()["description"]


def test_curves_have_the_papers_values_off_their_line(tmp_path):
    line = pd.DataFrame({"x": [1, 2], "y": [10, 20], "y_low": [5, 15], "y_high": [15, 30]})
    data = charts.long(line, {"y": "here"}, x="x")
    data = pd.concat([data, data.head(1).assign(x=4, value=None, low=None, high=None, paper=40.0)])
    chart = charts.curves(data, title=TITLE, x_axis="x", y_axis="y", domain=[0, 100])
    width = chart.to_dict()["width"]
    places = [round(x / width, 2) for x, _ in marks(chart, tmp_path, "symbol")]
    assert places[:2] == [0, pytest.approx(1 / 3, abs=0.01)] and places[2] == 1
    assert ", interval 5 to 15 (at 1) to 20, interval 15 to 30 (at 2)" in chart.to_dict()["description"]


def test_shares_of_decisions_are_told_of_the_right_ones():
    table = pd.DataFrame({"label": ["a", "a", "b"], "share": [75, 25, 100]})
    data = charts.long(table, {"share": ""}, row="label").assign(series=["a", "b", "b"])
    told = charts.decisions(data, title=TITLE, labels=["a", "b"]).to_dict()["description"]
    assert told == f"{TITLE}. % of a class: right 75 (a) to 100 (b)."
