"""Numbers are rounded in one way, wherever they stand."""

import math

import pandas as pd
import pytest

from stages.reporting import charts
from stages.reporting.rounding import rounded
from stages.reporting.sentences import in_paper, told
from stages.reporting.sheet import cell
from stages.tools.readme import Value


@pytest.mark.parametrize(
    ("value", "form", "written"),
    [
        (12.5, ".0f", "13"),
        (13.5, ".0f", "14"),
        (12.499, ".0f", "12"),
        (100 * 0.145, ".0f", "15"),
        (0.125, ".2f", "0.13"),
        (-12.5, ".0f", "−13"),
        (-0.04, ".1f", "0.0"),
        (0.0, ".0f", "0"),
        (2.5e-7, ".0e", "3e−07"),
        (0.25, "+.1f", "+0.3"),
        (math.inf, ".0f", "inf"),
    ],
)
def test_halves_are_rounded_away_from_zero(value, form, written):
    assert rounded(value, form) == written


def test_a_sentence_a_table_a_picture_and_a_readme_tell_a_number_alike():
    """Of a number that Python would write as 12.2, and Vega-Lite as 12.3."""
    table = pd.DataFrame({"a": ["b"], "x": [12.25], "x_low": [10.75], "x_high": [14.25], "x_paper": [12.75]})
    row = table.iloc[0]
    assert told(row, "x", form=".1f") == "12.3 % (10.8 to 14.3)"
    assert in_paper(row, "x", form=".1f") == ", the paper 12.8 %"
    shown = cell(row.astype(str).to_dict(), "x", (0.0, 20.0))
    assert (shown["value"], shown["interval"], shown["paper"]) == ("12.3", "10.8 – 14.3", "12.8")
    chart = charts.values(charts.long(table, {"x": ""}, row="a"), title="t", axis="x", format=".1f")
    assert chart.data.number.tolist() == ["12.3"]
    assert chart.to_dict()["description"] == "t. x: 12.3, interval 10.8 to 14.3, the paper 12.8 (b)."
    assert f"{Value('12.25'):.1f}" == "12.3"
