"""The page's cells: numbers told with as many digits as they are worth, words as they are."""

import pytest

from stages.reporting import page


@pytest.mark.parametrize(
    ("value", "low", "high", "paper", "told"),
    [
        ("0.6852", "0.5526", "0.7932", "0.9023", ("0.69", "0.55 – 0.79", "0.90")),
        ("36.0408", "33.8508", "38.2308", "", ("36.0", "33.9 – 38.2", "")),
        ("0.0005", "", "", "", ("0.00050", "", "")),
        ("0.0", "0.0", "0.0664", "0.2734", ("0.00", "0.00 – 0.07", "0.27")),
        ("-1.5249", "", "", "-1.52", ("-1.52", "", "-1.52")),
        ("54", "", "", "", ("54", "", "")),
        ("inf", "", "", "7.63", ("inf", "", "7.63")),
        ("St. John", "", "", "", ("St. John", "", "")),
        ("", "", "", "7.63", ("", "", "7.63")),
    ],
)
def test_a_cell_has_its_value_its_interval_and_the_papers_value(value, low, high, paper, told):
    row = {"x": value, "x_low": low, "x_high": high, "x_paper": paper}
    assert tuple(page._cell(row, "x").values()) == told


def test_headings_spell_units_and_measures(tmp_path):
    (tmp_path / "table.csv").write_text("snr_needed_db,snr_needed_db_low,wer_n_gram,duration_s\n1.25,1.0,0.5,2.0\n")
    heads, rows = page._table(tmp_path / "table.csv")
    assert heads == ["SNR needed dB", "WER n gram", "duration (s)"]
    assert [cell["value"] for cell in rows[0]] == ["1.25", "0.50", "2.00"]
