"""The built-in sound events and the great hall: layout, counts, durations, determinism, spectra, decay."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from scipy.signal import butter, sosfilt

from stages.corpora import fsdkaggle2018
from stages.corpora.embedded import events, rooms, sound_models
from stages.features.audio import read_audio

COUNTS = {"train_clips_per_label": 8, "test_clips_per_label": 4}


def files(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("corpus")
    events.write(root, seed=3, **COUNTS, mislabelled_share=0.0)
    return root


@pytest.fixture(scope="module")
def hall(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("hall") / "great_hall.wav"
    rooms.write_great_hall(path, seed=5)
    return path


def test_the_real_reader_reads_it(corpus):
    table = fsdkaggle2018.read(corpus, validation_share=0.0)
    assert table.groupby(["split", "label"]).size().to_dict() == {
        (split, label): count for split, count in (("train", 8), ("test", 4)) for label in events.LABELS
    }
    assert set(table.file) == {name for name in files(corpus) if name.endswith(".wav")}
    assert table.clip_id.str.fullmatch("[0-9a-f]{8}").all()


def test_lists_have_the_real_columns_and_rows_of_absent_clips(corpus):
    train = pd.read_csv(corpus / fsdkaggle2018.TRAIN_LIST)
    test = pd.read_csv(corpus / fsdkaggle2018.TEST_LIST, keep_default_na=False)
    assert list(train.columns) == ["fname", "label", "manually_verified", "freesound_id", "license"]
    assert list(test.columns) == ["fname", "label", "usage", "freesound_id", "license"]
    ignored = test[test.usage == "Ignored"]
    assert len(ignored) == 4
    assert set(ignored.label) == {"None"}
    assert not any((corpus / fsdkaggle2018.TEST_AUDIO / name).exists() for name in ignored.fname)
    assert not set(ignored.fname) & set(train.fname)


def test_format_level_and_duration(corpus):
    durations_s = []
    for file in fsdkaggle2018.read(corpus, validation_share=0.0).file:
        info = soundfile.info(corpus / file)
        assert (info.samplerate, info.channels, info.subtype) == (44_100, 1, "PCM_16")
        samples = read_audio(corpus / file, sample_rate_hz=44_100, recorded_at_hz=44_100)
        assert 10 ** (-20.1 / 20) < np.abs(samples).max() < 10 ** (-0.9 / 20)
        durations_s.append(info.duration)
    assert min(durations_s) >= 0.5
    assert max(durations_s) <= 2.6
    assert 0.8 < np.mean(durations_s) < 1.15


def test_same_seed_same_bytes_other_seed_other_bytes(corpus, tmp_path):
    for seed in (3, 4):
        events.write(tmp_path / str(seed), seed=seed, **COUNTS, mislabelled_share=0.0)
    assert files(tmp_path / "3") == files(corpus)
    assert not set(files(tmp_path / "4").values()) & set(files(corpus).values())


def test_a_clip_depends_on_no_other(corpus, tmp_path):
    events.write(tmp_path, seed=3, train_clips_per_label=1, test_clips_per_label=1, mislabelled_share=1.0)
    fewer, more = files(tmp_path), files(corpus)
    sounds = [name for name in fewer if name.endswith(".wav")]
    assert len(sounds) == 2 * len(events.LABELS)
    assert all(fewer[name] == more[name] for name in sounds)


@pytest.mark.parametrize(("share", "tolerance"), [(0.5, 0.2), (1.0, 0.0)])
def test_wrong_labels_are_among_the_unverified_only(corpus, tmp_path, share, tolerance):
    events.write(tmp_path, seed=3, **COUNTS, mislabelled_share=share)
    right, wrong = (pd.read_csv(root / fsdkaggle2018.TRAIN_LIST) for root in (corpus, tmp_path))
    verified, differs = right.manually_verified == 1, right.label != wrong.label
    assert not differs[verified].any()
    assert differs[~verified].mean() == pytest.approx(share, abs=tolerance)
    assert verified.mean() == pytest.approx(0.4, abs=0.15)
    assert right.drop(columns="label").equals(wrong.drop(columns="label"))


def test_resampling_has_something_to_remove():
    def share_above_10_khz(label: str) -> float:
        shares = []
        for number in range(12):
            rng = np.random.default_rng(number)
            power = np.abs(np.fft.rfft(events.MODELS[label](rng, 44_100))) ** 2
            shares.append(power[10_000:].sum() / power.sum())
        return float(np.mean(shares))

    assert share_above_10_khz("Hi-hat") > 0.2
    assert share_above_10_khz("Bass_drum") < 1e-3
    assert share_above_10_khz("Clarinet") < 1e-2


@pytest.mark.parametrize("label", events.LABELS)
def test_models_fill_any_length_with_finite_sound(label):
    for length in (17_640, 44_100):
        sound = events.MODELS[label](np.random.default_rng(1), length)
        assert sound.shape == (length,)
        assert np.isfinite(sound).all()
        assert sound.std() > 0


@pytest.mark.parametrize("seed", range(4))
def test_string_sounds_at_its_pitch(seed):
    pitch_hz = 110 * 8 ** np.random.default_rng(seed).uniform()  # the model's first draw
    string = sound_models.plucked_string(np.random.default_rng(seed), 44_100)
    spectrum = np.abs(np.fft.rfft(string * np.hanning(len(string))))  # one bin a hertz
    second_hz = round(1.6 * pitch_hz) + np.argmax(spectrum[round(1.6 * pitch_hz) : round(2.4 * pitch_hz)])
    assert second_hz == pytest.approx(2 * pitch_hz, rel=0.02)


def test_hall_format_and_direct_sound(hall):
    info = soundfile.info(hall)
    assert (info.samplerate, info.channels, info.subtype, info.frames) == (96_000, 1, "PCM_24", 192_000)
    response, rate_hz = soundfile.read(hall)
    direct = int(np.argmax(np.abs(response)))
    assert direct / rate_hz == pytest.approx(0.03, abs=1e-4)
    assert not response[:direct].any()
    after = direct + round(0.0025 * rate_hz)
    ratio_db = 10 * np.log10(np.sum(response[:after] ** 2) / np.sum(response[after:] ** 2))
    assert ratio_db == pytest.approx(-1.2, abs=1.0)


@pytest.mark.parametrize(("octave_hz", "t30_s"), [(500, 2.6), (1_000, 2.5), (2_000, 2.35), (4_000, 1.9), (8_000, 1.2)])
def test_hall_decays_as_measured(hall, octave_hz, t30_s):
    response, rate_hz = soundfile.read(hall)
    band_hz = (octave_hz / 2**0.5, octave_hz * 2**0.5)
    band = sosfilt(butter(4, band_hz, "bandpass", fs=rate_hz, output="sos"), response[np.argmax(np.abs(response)) :])
    energy = np.cumsum(band[::-1] ** 2)[::-1]  # Schroeder's backward integral
    level_db = 10 * np.log10(energy / energy[0])
    fitted = np.flatnonzero((level_db <= -5) & (level_db >= -35))
    slope_db_s = np.polyfit(fitted / rate_hz, level_db[fitted], 1)[0]
    assert -60 / slope_db_s == pytest.approx(t30_s, rel=0.1)


def test_hall_same_seed_same_bytes(hall, tmp_path):
    rooms.write_great_hall(tmp_path / "same.wav", seed=5)
    rooms.write_great_hall(tmp_path / "other.wav", seed=6)
    assert (tmp_path / "same.wav").read_bytes() == hall.read_bytes()
    assert (tmp_path / "other.wav").read_bytes() != hall.read_bytes()
