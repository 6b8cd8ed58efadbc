"""The audio-visual study's files, page, clips to see, and what it tells its user."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from audiovisual_corpus import TARGETS, given
from matplotlib import image

from stages import listen, report
from stages.frame.errors import UserError
from stages.studies.audiovisual import figures, sounds
from stages.studies.audiovisual import tables as audiovisual


def test_report_page_and_videos(place, measured, made, tmp_path):
    """All files of the study from what was written; a value, its interval and the paper's share a cell of the page."""
    listen.main("audiovisual")
    report.main("audiovisual")
    folder = Path("reports/audiovisual")
    tables = {f"{name}.csv" for name in (*audiovisual.TABLES, "claims", "unreadable", "figure_1d", "table_yours")}
    written = {path.name for path in folder.iterdir()} - {"listening", "environment.json"}
    assert written == tables | {"metrics.json", "summary.json", "index.html", "answer.png", "pictures", "plots"}
    assert json.loads((folder / "metrics.json").read_text())["unreadable_clips"] == 1
    figures.draw(made, measured, tmp_path)
    assert (tmp_path / "figure_2.png").read_bytes() == (folder / "pictures/figure_2.png").read_bytes()
    # The first test clip is 100 everywhere, attacked 99: the difference is shown as 128 - 64.
    pixels = np.rint(255 * image.imread(folder / "pictures/figure_2.png")[..., 0])
    assert all((pixels == shade).sum() > 10_000 for shade in (100, 99, 64))
    text = re.sub(r"\s+", " ", (folder / "index.html").read_text())
    header = text.split('<table id="table_1"')[1].split("</tr>")[0]
    assert re.findall("<th scope[^>]*>(.*?)</th>", header)[:7] == [
        *("attack", "epsilon", "accuracy", "L2 video", "L∞ video", "L∞ audio, dB", "AUC")
    ]
    row = pd.read_csv(folder / "table_1.csv").query("attack == 'fgsm' and epsilon == '256/4'").iloc[0]
    interval = f'<span class="interval">{row.auc_low:.2f} – {row.auc_high:.2f}</span>'
    cell = next(part for part in text.split("<td") if interval in part and f">{row.auc:.2f} <" in part)
    assert re.search(r'<span class="hidden">paper: </span>[◆◇] 0.83</span>', cell)
    for title in (*audiovisual.TABLES.values(), *audiovisual.FIGURES.values()):
        assert all(part.split("'")[0] in text for part in title.split(". ", 1))
    assert text.count("<video") == 6


def test_the_clip_to_see_was_right_and_is_turned(place):
    word = sounds.clip("words")
    assert (word.clip_id, word.label, word.target, word.sample_rate_hz) == ("test-5", "ABOUT", "", 16000)
    assert word.strength.startswith("basic_iterative at 1024/16, sound -30.1 dB")
    benign, attacked, added = word.sounds
    assert attacked.waveform == pytest.approx(benign.waveform + added.waveform)
    # The file holds the integers 8704.
    assert set(attacked.waveform) == {8704 / 32768}
    assert (attacked.video.max(), attacked.video.dtype) == (99, np.uint8)
    # This clip is 101 everywhere.
    assert set(np.unique(added.video)) == {128 - 2 * 64}
    sentence = sounds.clip("sentences")
    assert (sentence.clip_id, sentence.label) == ("test-5", "set white in p five now")
    assert sentence.target in TARGETS
    assert sentence.strength.startswith("full at 1024/8")
    assert sounds.clip("nothing") is None


def test_what_params_yaml_lacks_is_the_users_error(place):
    for section, kept in (("victims", "sync_clean"), ("victims", "word_reader"), ("detected", "")):
        values = given()
        values[section] = {name: one for name, one in values[section].items() if name == kept}
        with pytest.raises(UserError, match=rf"audiovisual\.{section}: expected recognisers, SyncNets and detections"):
            audiovisual.read(values)
    values = given()
    values["detected"]["again"] = values["detected"]["words"]
    with pytest.raises(UserError, match=r"detected: expected one of each corpus; found words, sentences, again"):
        audiovisual.read(values)
