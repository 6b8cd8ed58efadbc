"""Values and their intervals as cells, the paper's beside them, and tables of these; by hand."""

import math

import numpy as np
import pandas as pd
import pytest

from stages.measures.intervals import clustered, exact, mean_interval, wilson
from stages.reporting import cells as of
from stages.reporting.cells import cells, mean, one, ordered, printed, published, share, table
from stages.studies.audiovisual import judged

PAPER = pd.DataFrame({"table": [1, 1, 2, 2], "model": ["a", "b", "a", "a"], "value": [5.0, 6, 7, 8], "auc": 0.5})


def ends(told: dict, name: str) -> tuple[float, float]:
    return told[f"{name}_low"], told[f"{name}_high"]


def test_a_value_that_nothing_tells_of_is_nan_with_its_ends():
    assert all(math.isnan(value) for value in cells("x").values())
    assert cells("x", 1, 0, 2) == {"x": 1.0, "x_low": 0.0, "x_high": 2.0}


def test_one_row_is_one_alone():
    assert one(PAPER, table=1, model="b")["value"] == 6
    assert one(PAPER, table=2, model="a") is None  # two of them
    assert one(PAPER, table=3) is None


def test_the_papers_value_is_that_of_one_row_and_column():
    assert published(PAPER, table=1, model="a") == 5
    assert published(PAPER, "auc", table=1, model="a") == 0.5
    assert math.isnan(published(PAPER, table=2, model="a")) and math.isnan(published(PAPER, table=3))
    assert printed(PAPER, ("value", "auc"), table=1, model="b") == {"value_paper": 6, "auc_paper": 0.5}


def test_a_share_has_wilsons_interval_without_clusters_and_a_wider_one_with_them():
    hits = pd.Series([True, True, True, False, False, False])
    told = share(hits, None, "x")
    assert told["x"] == 0.5 and ends(told, "x") == wilson(3, 6)
    told = share(hits, pd.Series(list("aaabbb")), "x", scale=100)
    low, high = clustered(pd.Series([3.0, 0.0]).to_numpy(), pd.Series([3.0, 3.0]).to_numpy())
    assert told["x"] == 50 and ends(told, "x") == (100 * low, 100 * high)
    assert low < wilson(3, 6)[0]
    assert all(math.isnan(value) for value in share(hits.head(0), None, "x").values())


def test_a_mean_leaves_out_what_is_not_finite_and_that_is_counted():
    values = pd.Series([1, 2, 4, math.inf, math.nan])
    told = mean(values, pd.Series(range(5)), "x")
    assert told["x"] == pytest.approx(7 / 3) and of.undefined(values, "x") == {"x_undefined": 2}
    # Where each value is a cluster it is Student's interval.
    assert ends(told, "x") == pytest.approx(mean_interval(pd.Series([1.0, 2.0, 4.0]).to_numpy()))
    assert all(math.isnan(value) for value in mean(values[3:], pd.Series(range(5))[3:], "x").values())


def test_a_word_error_rate_of_nothing_wrong_is_known_from_speakers_not_from_clips():
    clips = pd.DataFrame({"label": "", "errors": 0, "errors_of": 4, "cluster": list("aaaabbbb")})
    assert of.error_rate(clips, "x") == pytest.approx(cells("x", 0, *exact(0, 2)))
    # A speaker of three times as many words counts as more, and both as less than two.
    uneven = clips.assign(errors=clips.errors_of, errors_of=[12] * 4 + [4] * 4).assign(errors=lambda own: own.errors_of)
    assert of.error_rate(uneven, "x") == pytest.approx(cells("x", 1, *exact(1, 1.6)))
    assert of.error_rate(clips.assign(cluster="a"), "x") == pytest.approx(cells("x", 0, *exact(0, 8)))
    assert np.isnan(of.error_rate(clips.assign(errors=8), "x")["x_low"])


def test_scores_that_are_not_finite_are_in_no_auc_and_no_f1():
    split = ["validation"] * 4 + ["test"] * 4
    benign = pd.DataFrame({"clip_id": range(8), "score": [1.0, 2, 3, 4] * 2, "split": split, "cluster": range(8)})
    attacked = benign.assign(score=benign.score - 1.5)
    told = [judged.auc(benign, attacked, "score", "x"), judged.f1(benign, attacked, "score", "x")]
    lost = [math.nan, math.inf, -math.inf]
    more = pd.DataFrame({"clip_id": range(8, 14), "score": lost * 2, "split": ["validation", "test"] * 3, "cluster": 9})
    more_benign, more_attacked = pd.concat([benign, more]), pd.concat([attacked, more.assign(score=1.0)])
    assert judged.f1(more_benign, more_attacked, "score", "x") == told[1]
    assert judged.auc(more_benign, attacked, "score", "x") == told[0]


def test_headlines_are_finite():
    assert of.finite({"a": 1.23456, "b": math.nan, "c": -math.inf, "d": 2}) == {"a": 1.2346, "d": 2.0}


def test_what_nothing_could_turn_is_no_attacked_clip():
    rows = pd.DataFrame({"clip_id": list("abc"), "impossible": [False, True, False]})
    assert list(of.possible(rows).clip_id) == ["a", "c"]
    assert len(of.possible(rows.drop(columns="impossible"))) == 3


def test_a_table_rounds_and_has_its_columns_also_without_rows():
    made = table([{"x": 0.123456, "y": 0.123456, "n": 3, "told": "0.123456"}], places=2, y=4)
    assert made.iloc[0].to_dict() == {"x": 0.12, "y": 0.1235, "n": 3, "told": "0.123456"}
    assert list(table([], ["x", "n"]).columns) == ["x", "n"]
    assert list(table([{"n": 1, "x": 2}], ["x", "n"]).columns) == ["n", "x"]
    assert list(table([{"n": 1}], ["x", "n"]).columns) == ["n", "x"]


def test_an_ordered_table_has_each_column_before_its_interval_and_the_papers_value():
    rows = [{"n": 1, "x_paper": 2.0, "hidden": 1} | cells("x", 0.12345, 0, 1)]
    made = ordered(rows, ("attack", "x", "n"))
    assert list(made.columns) == ["attack", "x", "x_low", "x_high", "x_paper", "n"]
    assert made.x.tolist() == [0.1234] and made.attack.isna().all()
