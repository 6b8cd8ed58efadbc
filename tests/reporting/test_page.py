"""The pages as text: labels and names are text in them, and their own scripts are all that runs."""

import base64
import hashlib
import html
import json
import re

import pytest

from stages.frame.errors import UserError
from stages.reporting import page

MARKUP = "<img src=x onerror=alert(1)>"
SUMMARY = {"title": MARKUP, "corpus": MARKUP, "built_in": False, "metrics": {"unreadable_clips": 0}, "audit": False}
SUMMARY |= {"verdicts": {"supported": 1}, "question": MARKUP, "findings": [MARKUP, MARKUP], "pictures": ["answer"]}
SUMMARY |= {"clips_measured": 3, "meanings": {"unreadable_clips": MARKUP}}


@pytest.fixture
def written(tmp_path):
    """The path of the page of a study, all of whose words are markup."""
    folder = tmp_path / "study"
    (folder / "pictures").mkdir(parents=True)
    (folder / "pictures/answer.svg").write_text("<svg><title>drawn</title></svg>")
    (folder / "table.csv").write_text(f"label,n,{MARKUP}\n{MARKUP},3,{MARKUP}\n")
    claim = dict.fromkeys(["claim", "paper", "here", "test", "unit", "p", "p_holm"], MARKUP)
    claim |= {"verdict": "supported", "difference": "0.1", "difference_low": "0", "difference_high": "1"}
    claim |= {"n": "2", "n_to_decide": "4"}
    (folder / "claims.csv").write_text(f"{','.join(claim)}\n{','.join(claim.values())}\n")
    (folder / "listening").mkdir()
    clip = dict.fromkeys(["entry", "label", "target", "clip_id", "sound", "decision"], MARKUP)
    clip |= {"strength": "", "gain_db": "0", "confidence": "0.5", "stem": "a", "video": ""}
    clip |= {"sample_rate_hz": "8000", "duration_s": "1.0", "matched_db": "0", "width_px": "", "height_px": ""}
    (folder / "listening/listening.csv").write_text(f"{','.join(clip)}\n{','.join(clip.values())}\n")
    (folder / "summary.json").write_text(json.dumps(SUMMARY))
    return page.write_study(folder, SUMMARY, note=MARKUP, tables={"table": MARKUP}, figures={"figure": MARKUP})


def test_markup_in_labels_and_titles_is_shown_as_it_is_written(written):
    index = page.write_index(written.parents[1], ["study"])
    for path, times in ((written, 25), (index, 5)):
        text = path.read_text()
        assert "<img src=x" not in text
        assert text.count("&lt;img src=x") >= times
        assert text.count("<svg><title>drawn</title></svg>") == 1


def test_a_page_runs_the_scripts_whose_hashes_its_policy_names_and_loads_nothing_from_a_network(written):
    text = written.read_text()
    policy = html.unescape(re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)[1])
    scripts = re.findall(r"<script>(.*?)</script>", text, re.S)
    hashes = {base64.b64encode(hashlib.sha256(one.encode()).digest()).decode() for one in scripts}
    assert set(re.findall(r"'sha256-([^']*)'", policy)) == hashes and len(scripts) >= 2
    assert policy.startswith("default-src 'none'; ") and "script-src 'unsafe" not in policy and "http" not in policy
    assert "Permission is hereby granted" in text  # The licence of what is inlined asks for it.


def test_a_page_of_the_same_inputs_has_the_same_bytes(written):
    before = written.read_bytes()
    page.write_study(written.parent, SUMMARY, note=MARKUP, tables={"table": MARKUP}, figures={"figure": MARKUP})
    assert written.read_bytes() == before


@pytest.mark.parametrize(("rows", "columns", "classes"), [(100, 10, "part"), (101, 11, "part wide tall")])
def test_a_table_of_many_rows_or_columns_is_known_on_paper(written, rows, columns, classes):
    lines = [",".join(f"c{place}" for place in range(columns)), *["1" + ",1" * (columns - 1)] * rows]
    (written.parent / "table.csv").write_text("\n".join(lines) + "\n")
    page.write_study(written.parent, SUMMARY, note="", tables={"table": "t"}, figures={})
    text = written.read_text()
    assert f'<section class="{classes}" id="of-table">' in text
    assert f'<p class="on-paper">Its {rows} rows: table.csv.</p>' in text


def test_a_picture_stands_by_the_table_that_it_is_named_after():
    tables = ("table_4", "table_4_hardened")
    stems = ("table_4", "table_4_hardened", "table_4_auc", "table_4_hardened_auc", "table_41", "figure_1")
    assert [page._place(stem, tables) for stem in stems] == [*tables, *tables, "", ""]


def test_a_study_without_a_report_is_told(tmp_path):
    with pytest.raises(UserError, match=r"python -m stages\.report other"):
        page.write_index(tmp_path, ["other"])
