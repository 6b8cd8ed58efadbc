"""The built-in dialogs: IEMOCAP's layout through its reader, the same bytes every time, other voices without labels."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from scipy.io import wavfile

from stages.corpora import iemocap
from stages.corpora.embedded import emotional_dialogs
from stages.corpora.embedded.dialog_sentences import SENTENCES, sentence

SMALL = {"seed": 3, "utterances": 16, "unlabelled_minutes": 0.2, "sentences": 30, "spread": 0.8}


def digest(folder: Path) -> str:
    total = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            total.update(str(path.relative_to(folder)).encode() + path.read_bytes())
    return total.hexdigest()


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    emotional_dialogs.write(folder, **SMALL)
    return folder


def test_the_reader_of_the_real_corpus_reads_it(written):
    table = iemocap.read(written / "IEMOCAP", expected_counts=None)
    assert set(table.label) == {"angry", "happy", "neutral", "sad"}
    assert sorted(table.speaker.unique()) == [f"Ses0{n}{gender}" for n in range(1, 6) for gender in "FM"]
    assert table.text.str.fullmatch(r"[A-Z][\w ]+\.").all()
    kinds = table.clip_id.str.extract(r"Ses\d\d[FM]_(impro|script)", expand=False)
    assert set(kinds) == {"impro", "script"}
    evaluated = "".join(path.read_text() for path in written.rglob("EmoEvaluation/*.txt"))
    assert len(table) < evaluated.count("\t[2.5000")  # other feelings are there and left out


def test_scripts_are_the_same_in_every_session(written):
    def lines(session):
        path = next((written / "IEMOCAP" / session / "dialog" / "transcriptions").glob("*F_script01_1.txt"))
        return [line.split("]: ")[1] for line in path.read_text().splitlines()]

    assert lines("Session1") == lines("Session4")


def test_sound_is_16_bit_at_16_khz_not_clipped_and_of_the_length_that_is_written(written):
    path = written / "IEMOCAP/Session1/dialog/EmoEvaluation/Ses01F_impro01.txt"
    line = next(line for line in path.read_text().splitlines() if line.startswith("["))
    start, end = (float(part) for part in line.split("]")[0].strip("[").split(" - "))
    name = line.split("\t")[1]
    rate, samples = wavfile.read(written / f"IEMOCAP/Session1/sentences/wav/Ses01F_impro01/{name}.wav")
    assert (rate, samples.dtype) == (16000, np.int16)
    assert len(samples) / rate == pytest.approx(end - start, abs=1e-3)
    for wav in written.rglob("*.wav"):
        samples = wavfile.read(wav)[1].astype(float)
        assert 300 < np.abs(samples).max() < 32700, wav
        assert 0.5 < len(samples) / 16000 < 6, wav


def test_unlabelled_speech_is_as_long_as_asked_and_of_other_voices(written):
    seconds = sum(len(wavfile.read(wav)[1]) / 16000 for wav in (written / "unlabelled").glob("*.wav"))
    assert 12 <= seconds < 18
    own = {voice for voices in emotional_dialogs.VOICES.values() for voice in voices}
    assert not own & set(emotional_dialogs.OTHER_VOICES)
    assert len((written / "text.txt").read_text().splitlines()) == 30


def test_all_voices_exist():
    import espeakng_loader

    voices = [*emotional_dialogs.OTHER_VOICES, *(v for own in emotional_dialogs.VOICES.values() for v in own)]
    folder = Path(espeakng_loader.get_data_path()) / "voices" / "!v"
    assert all((folder / voice).is_file() for voice in voices)


def test_it_comes_out_the_same_again_and_larger_ones_hold_the_same_speech(written, tmp_path):
    emotional_dialogs.write(tmp_path / "again", **SMALL)
    assert digest(tmp_path / "again") == digest(written)
    emotional_dialogs.write(tmp_path / "more", **SMALL | {"unlabelled_minutes": 0.3})
    assert digest(tmp_path / "more" / "IEMOCAP") == digest(written / "IEMOCAP")


def test_sentences_leave_no_slot_open():
    rng = np.random.default_rng(0)
    for kind in SENTENCES:
        for _ in range(50):
            text = sentence(kind, rng)
            assert "{" not in text and "|" not in text
            assert 4 <= len(text.split()) <= 20
