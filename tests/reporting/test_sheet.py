"""Tables as they are shown: numbers with as many digits as they are worth, words by their names, intervals as bars."""

import pytest

from stages.reporting.names import head
from stages.reporting.sheet import cell, sheet


@pytest.mark.parametrize(
    ("value", "low", "high", "paper", "told"),
    [
        ("0.6852", "0.5526", "0.7932", "0.9023", ("0.69", "0.55 – 0.79", "0.90", False)),
        ("0.6852", "0.5526", "0.7932", "0.7932", ("0.69", "0.55 – 0.79", "0.79", True)),
        ("36.0408", "33.8508", "38.2308", "", ("36.0", "33.9 – 38.2", "", False)),
        ("0.0005", "", "", "", ("0.00050", "", "", False)),
        ("1.9e-13", "", "", "", ("1.9e−13", "", "", False)),
        ("0.00000024", "", "", "", ("2.4e−07", "", "", False)),
        ("0.0", "0.0", "0.0664", "0.2734", ("0.00", "0.00 – 0.07", "0.27", False)),
        ("-1.5249", "", "", "-1.52", ("−1.52", "", "−1.52", False)),
        ("0.99", "", "", "4.6e-08", ("0.99", "", "4.6e−08", False)),
        ("54", "", "", "", ("54", "", "", False)),
        ("inf", "", "", "7.63", ("inf", "", "7.63", False)),
        ("St. John", "", "", "", ("St. John", "", "", False)),
        ("lbfgs", "", "", "", ("L-BFGS", "", "", False)),
        ("", "", "", "7.63", ("", "", "7.63", False)),
    ],
)
def test_a_cell_has_its_value_its_interval_and_the_papers_value(value, low, high, paper, told):
    row = {"x": value, "x_low": low, "x_high": high, "x_paper": paper}
    made = cell(row, "x", (0, 1))
    assert tuple(made[key] for key in ("value", "interval", "paper", "within")) == told
    assert made["order"] == value


def test_headings_spell_units_and_measures():
    told = {
        "snr_needed_db": "SNR needed, dB",
        "wer_n_gram": "WER, n-gram",
        "at_15_db": "at 15 dB",
        "duration_s": "duration, s",
        "s": "s",
        "p_holm": "p after Holm",
        "my_column": "my column",
    }
    assert {column: head(column) for column in told} == told


def _bars(path, rows):
    path.write_text("\n".join(["x,x_low,x_high,x_paper", *rows]) + "\n")
    return [row[0]["bar"] for row in sheet(path)["rows"]]


def test_bars_of_a_column_share_one_scale_that_holds_all_of_it(tmp_path):
    path = tmp_path / "table.csv"
    shares = _bars(path, ["0.5,0.25,0.75,0.9", "0.1,0,0.2,"])
    assert shares == ["--at:50.0%;--low:25.0%;--high:75.0%;--paper:90.0%", "--at:10.0%;--low:0.0%;--high:20.0%"]
    decibels = _bars(path, ["10,5,20,40", "inf,5,20,"])
    assert decibels == ["--at:25.0%;--low:12.5%;--high:50.0%;--paper:100.0%", "--low:12.5%;--high:50.0%"]
    differences = _bars(path, ["-0.5,-1,0,"])
    assert differences == ["--at:25.0%;--low:0.0%;--high:50.0%;--zero:50.0%"]
    assert _bars(path, ["3,,,4"]) == [""]


def test_columns_of_numbers_are_told_from_those_of_words(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("attack,epsilon,snr_db,snr_db_low,snr_db_high,rank,rank_paper\ncw,256/4,,,,1,2\ncw,4,3.5,3,4,2,\n")
    made = sheet(path)
    assert [(one["text"], one["number"]) for one in made["heads"]] == [
        *(("attack", False), ("epsilon", False), ("SNR, dB", True)),
        *(("rank", True), ("rank in the paper", True)),
    ]
    assert [one["value"] for one in made["rows"][1]] == ["cw", "4", "3.50", "2", ""]
    assert sheet(tmp_path / "absent.csv") == {"heads": [], "rows": []}
