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


def test_markup_in_labels_and_titles_is_shown_as_it_is_written(tmp_path):
    markup = "<img src=x onerror=alert(1)>"
    (tmp_path / "table.csv").write_text(f"label,n\n{markup},3\n")
    (tmp_path / "listening").mkdir()
    clip = dict.fromkeys(["entry", "label", "target", "clip_id", "sound", "decision"], markup)
    clip |= {"strength": "", "gain_db": "0", "confidence": "0.5", "stem": "a", "video": ""}
    (tmp_path / "listening/listening.csv").write_text(f"{','.join(clip)}\n{','.join(clip.values())}\n")
    summary = {"title": markup, "corpus": markup, "built_in": False, "metrics": {"unreadable_clips": 0}}
    written = page.write_study(
        tmp_path, summary, note=markup, tables={"table": markup}, figures={"figure.png": markup}
    ).read_text()
    assert "<img src=x" not in written
    assert written.count("&lt;img src=x") >= 12
