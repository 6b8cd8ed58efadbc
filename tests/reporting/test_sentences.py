"""Values of tables in sentences: as they are, with their intervals and the paper's."""

import math

import pandas as pd

from stages.reporting.sentences import beyond_papers, highest, in_paper, lowest, told

NAN = math.nan
TABLE = pd.DataFrame(
    {
        "name": ["a", "b", "c"],
        "x": [0.25, NAN, 0.75],
        "x_low": [0.125, NAN, NAN],
        "x_high": [0.5, NAN, NAN],
        "x_paper": [0.2, 0.3, 0.9],
    }
)


def test_a_value_is_told_with_its_interval_where_it_has_one():
    first, second, third = (row for _, row in TABLE.iterrows())
    assert told(first, "x", scale=100) == "25 % (13 to 50)"
    assert told(first, "x", form=".2f", unit="") == "0.25 (0.13 to 0.50)"
    assert told(second, "x") == "not measured" and told(third, "x", scale=100) == "75 %"


def test_the_papers_value_is_told_where_it_has_one():
    assert in_paper(TABLE.iloc[0], "x", scale=100) == ", the paper 20 %"
    assert in_paper(TABLE.drop(columns="x_paper").iloc[0], "x") == ""


def test_ends_of_a_table_are_of_what_was_measured():
    assert (highest(TABLE, "x")["name"], lowest(TABLE, "x")["name"]) == ("c", "a")
    assert highest(TABLE.head(0), "x")["name"] == "" and lowest(TABLE[1:2], "x")["name"] == ""


def test_how_many_of_the_papers_values_lie_outside_is_counted_where_both_are():
    table = pd.concat([TABLE, TABLE.head(1).assign(x_paper=0.6), TABLE.head(1).assign(x_paper=0.1)])
    assert beyond_papers(table, "x") == (2, 3)
