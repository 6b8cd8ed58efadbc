"""What the speech paper printed, against its text."""

import re
from pathlib import Path

import pytest
from speech_corpus import PLAIN

from stages.studies.speech.tables import printed_tables

PAPER_TEXT = Path(__file__).parents[4] / "shared" / "papers" / "speech-enhancement-self-attention-unet.txt"


def test_the_papers_tables_are_those_of_its_text():
    if not PAPER_TEXT.is_file():
        pytest.skip("the paper's text is not on this machine")
    text = PAPER_TEXT.read_text(encoding="utf-8")
    paper = printed_tables()
    found = re.findall(r"^(PESQ|STI|STOI|SNR)\t([-\d.\t]+)$", text, re.MULTILINE)
    columns = {"PESQ": "pesq_raw", "STI": "sti", "STOI": "stoi", "SNR": "snr_db"}
    assert len(found) == 3 * 4
    for place, (measure, values) in enumerate(found):
        own = paper[paper.table == f"table_{1 + place // 4}"]
        assert own[columns[measure]].tolist() == [float(value) for value in values.split("\t")]
    found = re.findall(r"^(RoSA|WER) _\{?DeepSpeech(\+AdvT)?\}?\t([\d.\t]+)$", text, re.MULTILINE)
    assert len(found) == 8
    for place, (measure, hardened, values) in enumerate(found):
        attack = "gradient" if place < 4 else "evolutionary"
        recogniser = "deepspeech_hardened" if hardened else "deepspeech"
        own = paper[(paper.table == "table_4") & (paper.attack == attack) & (paper.recogniser == recogniser)]
        told = (100 * own[measure.lower()]).round(2).tolist()
        assert told == [float(value) for value in values.split("\t")]
        assert own.enhancer.tolist() == ["none", *PLAIN]
    needed = paper[paper.table == "figure_3"].snr_needed_db.tolist()
    assert needed == [7.63, -2.23, 7.82, -3.21]
    assert all(f"{value:g}" in text for value in needed)
