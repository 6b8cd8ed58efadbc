"""Measures of speech quality: values by hand, and what has none."""

import math

import numpy as np
import pandas as pd
import pytest

from stages.corpora.embedded.voices import speak
from stages.measures import speech_quality
from stages.measures.speech_quality import COLUMNS, quality, raw_pesq

RATE_HZ = 16000


@pytest.fixture(scope="module")
def speech() -> np.ndarray:
    from scipy.signal import resample_poly

    spoken, _ = speak("open the door and water the plants", "en+f2", rate_wpm=160, pitch=50, pitch_range=50)
    return resample_poly(spoken, 320, 441).astype(np.float32)[: int(1.5 * RATE_HZ)]


def noisy(clean: np.ndarray, snr_db: float, seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).standard_normal(len(clean))
    return (clean + noise * np.sqrt(np.sum(clean**2) / np.sum(noise**2)) * 10 ** (-snr_db / 20)).astype(np.float32)


def one(clean: np.ndarray, degraded: np.ndarray) -> pd.Series:
    return quality([clean], [degraded], RATE_HZ, processes=1).iloc[0]


def test_a_clip_and_itself_are_perfect(speech):
    row = one(speech, speech)
    assert row.snr_db == math.inf and row.sti == 1 and row.undefined == ""
    assert row.stoi == pytest.approx(1) and row.pesq_raw == pytest.approx(4.5, abs=1e-4)
    # The ends of P.862.1's and P.862.2's scales.
    assert (row.pesq_nb, row.pesq_wb) == pytest.approx((4.5486, 4.6439), abs=1e-4)


def test_mapping_of_p862_1_goes_back():
    """The recommendation's Table 1 has 4.55 for 4.5 and 1.02 for -.5."""
    for raw in (-0.5, 0, 1.97, 4.5):
        assert raw_pesq(0.999 + 4 / (1 + math.exp(-1.4945 * raw + 4.6607))) == pytest.approx(raw)
    assert raw_pesq(4.5486) == pytest.approx(4.5, abs=1e-3) and raw_pesq(1.0170) == pytest.approx(-0.5, abs=0.01)


def test_every_measure_falls_with_the_signal_to_noise_ratio(speech):
    levels = [30, 15, 5, -5]
    table = quality([speech] * 4, [noisy(speech, level) for level in levels], RATE_HZ, processes=1)
    assert table.snr_db.to_numpy() == pytest.approx(levels, abs=1e-3)
    assert (table[list(COLUMNS)].diff().iloc[1:] < 0).all(axis=None)
    assert (table.undefined == "").all()


def test_clipping_is_measured(speech):
    limit = 0.05 * np.abs(speech).max()
    row = one(speech, speech.clip(-limit, limit))
    excess = np.maximum(np.abs(speech.astype(float)) - limit, 0)
    assert row.snr_db == pytest.approx(10 * math.log10(np.sum(speech.astype(float) ** 2) / np.sum(excess**2)), abs=1e-3)
    assert row.undefined == "" and row.pesq_wb < 4 and row.stoi < 0.99 and row.sti < 0.9


def test_silence(speech):
    row = one(np.zeros_like(speech), speech)
    assert row.undefined == "SNR, PESQ, STOI, STI: the clean clip is silent" and row[list(COLUMNS)].isna().all()
    row = one(speech, 1e-6 * speech)  # nothing of it is left in 16 bits
    assert row.undefined == "PESQ: the degraded clip is silent"
    assert (row.snr_db, row.stoi, row.sti) == (0, 0, 0) and math.isnan(row.pesq_raw)
    row = one(np.zeros(0), np.zeros(0))
    assert row.undefined == "SNR, PESQ, STOI, STI: the clean clip is silent"


def test_short_clips_and_little_speech(speech):
    middle = speech[8000:]
    for seconds, expected in (
        (0.01, "PESQ: shorter than 0.25 s; STOI: shorter than 0.4 s; STI: shorter than 0.3 s"),
        (0.28, "STOI: shorter than 0.4 s; STI: shorter than 0.3 s"),
        (0.35, "STOI: shorter than 0.4 s"),
        (0.6, ""),
    ):
        clip = middle[: int(seconds * RATE_HZ)]
        assert one(clip, noisy(clip, 10)).undefined == expected
    little = np.zeros_like(speech)
    little[10000:12000] = middle[:2000]
    assert "STOI: less than 0.4 s of speech" in one(little, noisy(little, 10)).undefined


def bursts(seconds: float) -> np.ndarray:
    """Noise that is loud for .19 of every .4 s: about as many utterances as PESQ can take for such."""
    rng, times_s = np.random.default_rng(0), np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    return 0.1 * rng.standard_normal(len(times_s)) * np.where(times_s % 0.4 < 0.192, 1, 1e-4)


def test_what_pesqs_code_has_no_room_for_is_told():
    """From 52 utterances on, such as 130 s of speech, it gives wrong values, and then takes the process with it."""
    longest = bursts(19.4)
    row = one(longest, noisy(longest, 10))
    assert row.undefined == "" and 1 < row.pesq_wb < row.pesq_nb < 2
    for seconds in (19.5, 26, 130):
        clip = bursts(seconds)
        row = one(clip, noisy(clip, 10))
        assert row.undefined == "PESQ: longer than 19.4 s"
        assert row[["pesq_nb", "pesq_raw", "pesq_wb"]].isna().all() and row.snr_db == pytest.approx(10, abs=1e-3)


def test_a_click_in_silence_has_no_pesq():
    """Its code leaves out half of the clip from either end as silent, has no frame left and divides by none."""
    click = np.zeros(5000)
    click[2875:2915] = 0.08 * np.random.default_rng(1).standard_normal(40)
    row = one(click, click)
    assert row.undefined.startswith("PESQ: too little speech")
    assert row[["pesq_nb", "pesq_raw", "pesq_wb"]].isna().all()


def test_what_is_no_number_is_told(speech):
    broken = speech.copy()
    broken[7] = np.nan
    assert one(speech, broken).undefined == "SNR, PESQ, STOI, STI: the degraded clip is not finite"


def test_pairs_must_match(speech):
    with pytest.raises(ValueError, match="samples against"):
        one(speech, speech[1:])
    with pytest.raises(ValueError, match="argument 2 is shorter"):
        quality([speech], [], RATE_HZ, processes=1)
    with pytest.raises(ValueError, match="16000 Hz"):
        quality([speech], [speech], 8000, processes=1)
    nothing = quality([], [], RATE_HZ, processes=None)
    assert nothing.empty and set(nothing.dtypes[list(COLUMNS)]) == {np.dtype("float64")}


def test_any_number_of_processes_gives_the_same(speech, monkeypatch):
    monkeypatch.setattr(speech_quality, "PAIRS_PER_PROCESS", 1)
    monkeypatch.setattr(speech_quality, "PAIRS_PER_CHUNK", 2)
    clips = [speech[start : start + 12000] for start in range(0, 7000, 1000)]
    clips[3] = np.zeros(12000, np.float32)
    degraded = [noisy(clip, 10, seed) if clip.any() else clip for seed, clip in enumerate(clips)]
    alone, together = (quality(clips, degraded, RATE_HZ, processes=processes) for processes in (1, 2))
    pd.testing.assert_frame_equal(alone, together, check_exact=True)
    # Nor does a pair's row depend on those before it.
    pd.testing.assert_series_equal(alone.iloc[5], one(clips[5], degraded[5]), check_names=False, check_exact=True)
    assert alone.undefined[3].endswith("the clean clip is silent") and alone.stoi.notna().sum() == len(clips) - 1
