"""The built-in noises: DEMAND's layout, levels, the same bytes twice, and places that can be told apart."""

from itertools import combinations, pairwise

import numpy as np
import pytest
from scipy.io import wavfile
from scipy.signal import welch

from stages.corpora.embedded import noises, spoken_sentences


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("noises") / "DEMAND"
    noises.write(folder, seed=1, seconds=8.0)
    return folder


def waveform(written, kind, channel="ch01"):
    rate_hz, samples = wavfile.read(written / kind / f"{channel}.wav")
    assert (rate_hz, samples.dtype, samples.shape) == (16_000, np.int16, (128_000,))
    return samples / 32768


def octave_levels_db(sound):
    frequency_hz, power = welch(sound, 16_000, nperseg=512)
    edges_hz = (0, 125, 250, 500, 1_000, 2_000, 4_000, 8_001)
    octaves = [power[(low <= frequency_hz) & (frequency_hz < high)].sum() for low, high in pairwise(edges_hz)]
    return 10 * np.log10(np.array(octaves) / power.sum() + 1e-6)


def quiet_to_loud_db(sound):
    """How far the level of 50 ms spreads, from the 10th to the 90th percentile."""
    low, high = np.percentile(20 * np.log10(sound.reshape(-1, 800).std(axis=1) + 1e-6), (10, 90))
    return high - low


def test_layout_and_levels(written):
    assert sorted(path.relative_to(written).as_posix() for path in written.rglob("*.wav")) == sorted(
        f"{kind}/{channel}.wav" for kind in noises.SCENES for channel in ("ch01", "ch02")
    )
    assert len(noises.SCENES) >= 15
    for kind in noises.SCENES:
        one, other = (waveform(written, kind, channel) for channel in ("ch01", "ch02"))
        for sound in (one, other):
            assert -35 < 20 * np.log10(sound.std()) < -25.9, kind
            assert np.abs(sound).max() < 0.901, kind
            assert abs(sound.mean()) < 1e-3, kind
        assert abs(np.corrcoef(one, other)[0, 1]) < 0.3, kind


def test_the_same_bytes_again_and_other_ones_of_another_seed(tmp_path):
    for name, seed in (("one", 1), ("again", 1), ("other", 2)):
        noises.write(tmp_path / name, seed=seed, seconds=0.5)
    for path in (tmp_path / "one").rglob("*.wav"):
        again, other = (tmp_path / name / path.relative_to(tmp_path / "one") for name in ("again", "other"))
        assert again.read_bytes() == path.read_bytes() != other.read_bytes()


def test_places_differ_in_colour_or_in_how_steady_they_are(written):
    sounds = {kind: waveform(written, kind) for kind in noises.SCENES}
    traits = {kind: np.append(octave_levels_db(sound), quiet_to_loud_db(sound)) for kind, sound in sounds.items()}
    for one, other in combinations(traits, 2):
        assert np.abs(traits[one] - traits[other]).max() > 3, (one, other)
    steadiness_db = {kind: trait[-1] for kind, trait in traits.items()}
    assert max(steadiness_db[kind] for kind in ("NRIVER", "OOFFICE", "TCAR")) < 7
    assert min(steadiness_db[kind] for kind in ("DKITCHEN", "DLIVING", "OMEETING")) > 10
    assert octave_levels_db(sounds["TCAR"])[:2].max() > -3 > -15 > octave_levels_db(sounds["NRIVER"])[:2].max()


def test_voices_in_the_background_say_no_word_of_the_corpus():
    babble = {word for sentence in noises.BABBLE for word in sentence.split()}
    templates = " ".join((*spoken_sentences.SENTENCES, *spoken_sentences.WORDS.values()))
    assert not babble & set(templates.replace("|", " ").split())


def test_any_length_will_do(tmp_path):
    noises.write(tmp_path, seed=3, seconds=0.3)
    for path in tmp_path.rglob("*.wav"):
        samples = wavfile.read(path)[1]
        assert len(samples) == 4_800 and samples.any(), path
