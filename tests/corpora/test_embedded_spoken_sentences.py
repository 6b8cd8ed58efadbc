"""The built-in sentences: LibriSpeech's layout, no target phrase, but each of its words, the same bytes twice."""

import re

import numpy as np
import pytest
import soundfile

from stages.corpora import noisy_speech
from stages.corpora.embedded import spoken_sentences
from stages.corpora.embedded.spoken_sentences import TARGETS, VOICES, sentences, speaker_of

SMALL = {"seed": 1, "speakers": 4, "utterances_per_speaker": 5, "noise_s": 1.0}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus") / "speech"
    spoken_sentences.write(folder, **SMALL)
    return folder


@pytest.fixture(scope="module")
def texts():
    """What the 24 speakers of the study say, one list each."""
    return [sentences(2015, speaker_of(2015, number), 26) for number in range(24)]


def test_the_real_reader_reads_it(written):
    table = noisy_speech.read(
        written, partition="by_speaker", validation_share=0.25, test_share=0.25, test_noises=5, noise_channels=2
    )
    speech = table[table.text != ""]
    assert speech.speaker.value_counts().tolist() == [5] * 4
    assert speech.text.str.fullmatch(r"[a-z' ]+").all()
    assert len(table) - len(speech) == 2 * 17


def test_layout_is_librispeechs(written):
    for path in (written / "LibriSpeech").rglob("*.trans.txt"):
        speaker, chapter = path.parts[-3:-1]
        assert path.relative_to(written).as_posix() == (
            f"LibriSpeech/train-clean-100/{speaker}/{chapter}/{speaker}-{chapter}.trans.txt"
        )
        names, lines = zip(*(line.split(" ", 1) for line in path.read_text().splitlines()), strict=True)
        assert names == tuple(f"{speaker}-{chapter}-{number:04d}" for number in range(5))
        assert sorted(path.parent.glob("*.flac")) == [path.parent / f"{name}.flac" for name in names]
        assert all(re.fullmatch("[A-Z' ]+", line) for line in lines)
    listed = (written / "LibriSpeech/SPEAKERS.TXT").read_text().splitlines()[1:]
    rows = [[cell.strip() for cell in line.split("|")] for line in listed]
    assert {row[0] for row in rows} == {path.name for path in (written / "LibriSpeech/train-clean-100").iterdir()}
    assert [row[1:3] for row in rows] == [["F", "train-clean-100"], ["M", "train-clean-100"]] * 2
    minutes = sum(soundfile.info(path).duration for path in written.rglob("*.flac")) / 60
    assert sum(float(row[3]) for row in rows) == pytest.approx(minutes, abs=0.03)


def test_format_length_and_level(written):
    for path in written.rglob("*.flac"):
        info = soundfile.info(path)
        assert (info.samplerate, info.channels, info.subtype) == (16_000, 1, "PCM_16")
        assert 1.3 <= info.duration <= 3
        samples, _ = soundfile.read(path)
        assert -32 < 20 * np.log10(samples.std()) < -21
        assert np.abs(samples).max() < 0.96
        quietest = min(piece.std() for piece in np.array_split(samples, len(samples) // 320))
        assert 0 < quietest < 0.1 * samples.std()


def test_no_sentence_holds_a_target_but_each_of_its_words_is_said_by_many(texts):
    for target in TARGETS:
        assert not any(f" {target} " in f" {text} " for said in texts for text in said)
        for word in target.split():
            assert sum(any(word in text.split() for text in said) for said in texts) >= 8, word


def test_every_phrase_is_spoken_with_nothing_before_or_after(written):
    files = sorted((written / "phrases").iterdir())
    assert {file.stem.replace("-", " ") for file in files} == set(TARGETS)
    for file in files:
        samples, rate_hz = soundfile.read(file)
        assert rate_hz == 16_000 and 0.5 <= len(samples) / rate_hz <= 1.5
        assert 0.94 < np.abs(samples).max() < 0.96
        edges = [samples[:320].std(), samples[-320:].std()]
        assert min(edges) > 1e-3 * samples.std()


def test_sentences_are_many_short_and_of_a_small_vocabulary(texts):
    assert all(len(set(said)) == 26 for said in texts)
    every = [text for said in texts for text in said]
    assert {len(text.split()) for text in every} == {3, 4, 5, 6}
    assert len(set(every)) > 0.5 * len(every)
    assert 30 <= len({word for text in every for word in text.split()}) <= 60


def test_speakers_are_different_people():
    people = [speaker_of(2015, number) for number in range(24)]
    names = [person.name for person in people]
    assert names == sorted(set(names)) and min(names) > 0
    assert len({(person.voice, person.tract, person.pitch) for person in people}) == 24
    assert len({person.voice for person in people}) == sum(len(voices) for voices in VOICES.values())


def test_it_comes_out_the_same_again_and_larger_ones_hold_the_same_speech(written, tmp_path):
    def files(folder, pattern):
        return {path.relative_to(folder): path.read_bytes() for path in folder.rglob(pattern) if path.is_file()}

    spoken_sentences.write(tmp_path / "again", **SMALL)
    assert files(tmp_path / "again", "*") == files(written, "*")
    spoken_sentences.write(tmp_path / "fewer", **SMALL | {"speakers": 2, "utterances_per_speaker": 3})
    fewer, more = (files(folder, "*.flac") for folder in (tmp_path / "fewer", written))
    assert len(fewer) == 6 and fewer.items() <= more.items()
