"""The built-in emotional speech: DEMoS's layout through the real reader, the same bytes twice, cues that are heard."""

import hashlib

import numpy as np
import pytest
import soundfile

from stages.corpora import italian_emotion
from stages.corpora.embedded import emotional_speech


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus") / "DEMoS"
    emotional_speech.write(folder, seed=1, speakers=6, clips_per_emotion=4, spread=0.7)
    return folder


def samples(corpus, code):
    return [soundfile.read(path)[0] for path in sorted(corpus.glob(f"*_{code}*.wav"))]


def test_the_real_reader_reads_it(corpus):
    table = italian_emotion.read(corpus, partition="by_speaker", validation_share=0.2, test_share=0.3)
    assert len(table) == 6 * 7 * 4
    assert table.label.value_counts().eq(24).all() and "neutral" not in set(table.label)
    assert table.speaker.nunique() == 6 and table.groupby("speaker").split.nunique().eq(1).all()
    assert table.clip_id.str.startswith("PR_").sum() == 42
    assert len(list(corpus.glob("?_*_neu*.wav"))) == 12


def test_files_are_as_demos_has_them_and_no_longer_than_the_frame(corpus):
    for path in corpus.glob("*.wav"):
        info = soundfile.info(path)
        assert (info.samplerate, info.channels, info.subtype) == (44100, 1, "PCM_16")
        assert 0.4 < info.duration <= 2.0


def test_a_larger_corpus_holds_the_smaller_one_bit_by_bit(corpus, tmp_path):
    emotional_speech.write(tmp_path / "a", seed=1, speakers=2, clips_per_emotion=1, spread=0.7)
    for path in (tmp_path / "a").glob("*_*_*.wav"):
        twin = corpus / path.name
        assert hashlib.sha256(path.read_bytes()).digest() == hashlib.sha256(twin.read_bytes()).digest()


def test_emotions_differ_as_they_should_on_average(corpus):
    level = {code: np.mean([np.sqrt((x**2).mean()) for x in samples(corpus, code)]) for code in ("rab", "tri", "col")}
    assert level["rab"] > 3 * level["tri"]
    seconds = {code: np.mean([len(x) for x in samples(corpus, code)]) for code in ("pau", "dis")}
    assert seconds["dis"] > 1.2 * seconds["pau"]

    def treble(x):
        spectrum = np.abs(np.fft.rfft(x)) ** 2
        return 10 * np.log10(spectrum[len(spectrum) // 10 :].sum() / spectrum.sum())

    assert np.mean([treble(x) for x in samples(corpus, "rab")]) > np.mean([treble(x) for x in samples(corpus, "sor")])


def test_the_sentence_does_not_tell_the_emotion(monkeypatch):
    said = {}
    speak = emotional_speech.speak

    def listening(text, *args, **kwargs):
        said.setdefault(text, 0)
        said[text] += 1
        return speak(text, *args, **kwargs)

    monkeypatch.setattr(emotional_speech, "speak", listening)
    for number in range(24):
        emotional_speech.clip(1, 0, "rab", number, 0.7)
    assert len(said) >= 8
