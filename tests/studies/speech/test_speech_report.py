"""The speech study's files, page, clips to hear, and what it tells its user."""

import json
import re
from pathlib import Path

import pytest
from matplotlib import image
from speech_corpus import TARGET, TEXT, given

from stages import listen, report
from stages.frame.errors import UserError
from stages.studies.speech import sounds
from stages.studies.speech import tables as speech


def test_report_page_and_sounds(place, made):
    """All files of the study from what was written; names of someone's own are text on the page."""
    listen.main("speech")
    report.main("speech")
    folder = Path("reports/speech")
    tables = {f"{name}.csv" for name in (*speech.TABLES, "claims", "unreadable", "figure_3", "table_yours")}
    written = {path.name for path in folder.iterdir()} - {"listening", "environment.json"}
    assert written == tables | {"metrics.json", "summary.json", "index.html", "answer.png", "pictures", "plots"}
    assert json.loads((folder / "metrics.json").read_text())["unreadable_clips"] == 1
    # Six panels: loud noise (light), and half of it (darker) in the four that were attacked.
    assert image.imread(folder / "pictures/figure_2.png").std() > 0.1
    text = re.sub(r"\s+", " ", (folder / "index.html").read_text())
    assert "mine&lt;b&gt;" in text
    assert "mine<b>" not in text
    row = made["table_1"].query("enhancer == 'dnn'").iloc[0]
    interval = f'<span class="interval">{row.pesq_raw_low:.2f} – {row.pesq_raw_high:.2f}</span>'
    cell = next(part for part in text.split("<td") if interval in part and f">{row.pesq_raw:.2f} <" in part)
    assert re.search(r'<span class="hidden">paper: </span>[◆◇] 2.62</span>', cell)
    for title in (*speech.TABLES.values(), *speech.FIGURES.values()):
        assert all(part.split("'")[0] in text for part in title.split(". ", 1))
    assert text.count("<audio") == 2 * 6


def test_a_clip_to_hear_has_fallen_and_is_enhanced_when_played(place):
    clip = sounds.clip("over_the_air")
    assert (clip.clip_id, clip.label, clip.target, clip.sample_rate_hz) == ("test-0", TEXT, TARGET, 16000)
    assert clip.strength == "over_the_air at 10.1 dB SNR, succeeded on deepspeech"
    heard = {sound.name: sound.decision for sound in clip.sounds}
    after = {"played": TARGET, "played_dnn_hardened": TARGET, "played_u_net_attention_hardened": TEXT}
    assert heard == {"original": TEXT, "adversarial": TARGET, "difference": ""} | after
    original, adversarial, difference, *_ = clip.sounds
    assert adversarial.waveform == pytest.approx(original.waveform + difference.waveform)
    # Files hold integers, of half of the clean noise.
    assert adversarial.waveform == pytest.approx(original.waveform / 2, abs=2**-15)
    assert sounds.clip("nothing") is None


def test_what_params_yaml_lacks_is_the_users_error(place):
    for section in ("victims", "attacked"):
        with pytest.raises(UserError, match=rf"speech\.{section}: expected recognisers, enhancers and attacks"):
            speech.read(given() | {section: {}})
    no_enhancer = {name: one for name, one in given()["victims"].items() if one["method"] != "enhancement"}
    with pytest.raises(UserError, match=r"speech\.victims: expected recognisers, enhancers and attacks"):
        speech.read(given() | {"victims": no_enhancer})
    again = given()["scored"] | {"again": {"sets": ["noisy"]}}
    with pytest.raises(
        UserError, match=r"scored: expected one of mixtures and one of .*; found mixtures, attacked, ag"
    ):
        speech.read(given() | {"scored": again})
