"""What the audio-visual paper printed, against itself and its text."""

import re
from pathlib import Path

import numpy as np
import pytest

from stages.studies.audiovisual.detection import RUNS
from stages.studies.audiovisual.tables import printed_tables

PAPER_TEXT = Path(__file__).parents[4] / "shared" / "papers" / "audiovisual-sync-detection.txt"


def test_the_papers_tables_are_whole_and_agree_with_themselves():
    table = printed_tables()
    assert table.groupby("table").size().to_dict() == {"table_1": 19, "table_2": 6, "table_3": 6, "table_4": 10}
    assert not table.duplicated(["table", "attack", "epsilon", "target"]).any()
    assert table.iloc[0].accuracy == 0.972
    assert table.iloc[1:][["l2_video", "linf_video", "linf_audio_db", "auc", "f1"]].notna().all(axis=None)
    words = table[(table.table == "table_1") & (table.attack != "none")]
    sound, video = (words.epsilon.str.split("/").str[part].astype(float) for part in (0, 1))
    assert words.linf_video.tolist() == (video / 4).tolist()
    # BIM takes 5, 10 or 20 steps of 64, so that the bound of the sound is not always reached.
    reached = np.minimum(sound, (words.attack == "fgsm") * sound + video.map({4: 320, 8: 640, 16: 1280}))
    assert words.linf_audio_db.tolist() == pytest.approx((-19.26 + 20 * np.log10(reached / 1024)).tolist(), abs=0.03)
    single = words[words.attack == "fgsm"]
    assert (single.l2_video / single.linf_video).tolist() == pytest.approx([0.865] * 9, abs=0.01)
    by_target = table[table.table == "table_4"]
    assert set(by_target.epsilon) == {"512/4"}
    means = by_target[["success", "auc", "f1", "linf_video"]].mean().tolist()
    assert means == pytest.approx([0.781, 0.783, 0.71, 0.011], abs=5e-4)


def test_the_papers_tables_are_those_of_its_text():
    if not PAPER_TEXT.is_file():
        pytest.skip("the paper's text is not on this machine")
    text = PAPER_TEXT.read_text(encoding="utf-8")
    phrases = dict(re.findall(r"([a-z]{6})[:;] ([a-z ]+)[,.]", text[text.index("bbaazp: ") :]))
    parts = dict(zip("1234", re.split(r"\nTable \d\. ", text)[1:]))
    names = {"FGSM": "fgsm", "BIM": "basic_iterative"}
    found = [
        ("table_1", names[attack], f"{sound}/{video}", "", values)
        for attack, sound, video, values in re.findall(r"(FGSM|BIM) \(ϵ\^A =(\d+), ϵ\^V =(\d+)\)\t(.*)", parts["1"])
    ]
    for number, run in (("2", "partial"), ("3", "full")):
        rows = re.findall(r"^(\d+)\t(\d+)\t(.*)$", parts[number], re.MULTILINE)
        found += [(f"table_{number}", run, f"{sound}/{video}", "", values) for sound, video, values in rows]
    rows = re.findall(r"^([a-z]{6})\t(.*)$", parts["4"], re.MULTILINE)
    found += [("table_4", "partial", "512/4", phrases[code], values) for code, values in rows]
    table = printed_tables().iloc[1:]
    assert list(zip(table.table, table.attack, table.epsilon, table.target)) == [row[:4] for row in found]
    for row, (*_, values) in zip(table.itertuples(), found):
        share, *others = values.split("\t")
        printed = row.accuracy if row.table == "table_1" else row.success
        assert f"{100 * printed:.2f}" == f"{float(share.rstrip('%')):.2f}"
        sizes = ("l2_video", "linf_audio_db", "auc", "f1") if row.table == "table_1" else ("l2_video", "linf_video")
        measures = () if row.table == "table_1" else ("linf_audio_db", "auc", "f1")
        assert [getattr(row, name) for name in (*sizes, *measures)] == [float(value) for value in others]
    assert RUNS == {"partial": "table_2", "full": "table_3"}
