"""Built-in corpora: Italian sentences in seven emotions by synthetic voices, in DEMoS's layout."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.io import wavfile
from scipy.signal import resample_poly

from stages.corpora.embedded.cores import each
from stages.corpora.embedded.manners import breath, room_noise, treble, trembling, trimmed
from stages.corpora.embedded.voices import speak
from stages.frame.clip_table import stable_hash
from stages.frame.parameters import Count, NonNegative, NonNegativeInt

RATE_HZ = 44_100
LONGEST_S = 2.0
VARIANTS = {
    "f": ("f1", "f2", "f3", "f4", "f5", "Alicia"),
    "m": ("m1", "m2", "m3", "m4", "m5", "m6"),
}
SENTENCES = (
    "il treno parte domani",
    "la porta della casa",
    "metti il libro qui",
    "oggi mangiamo il pane",
    "la luce è accesa",
    "torno verso sera",
    "il cane dorme fuori",
    "ho visto tuo fratello",
    "la strada è lunga",
    "prendi la tua borsa",
    "il caffè è pronto",
    "domani vado al mare",
)


@dataclass(frozen=True)
class Manner:
    """How an emotion departs from a speaker's own way: pitch and its range in eSpeak's scales, rate in words a minute,
    level and treble in dB, breath as a share of the voice's level, tremor as a share of time, gaps in 10 ms.
    """

    pitch: float
    pitch_range: float
    rate_wpm: float
    level_db: float
    treble_db: float
    breath: float
    tremor: float
    word_gap_10ms: float


# DEMoS's codes. Anger is loud and sharp, sadness slow, flat and soft, and so on: what textbooks of phonetics say.
MANNERS = {
    "rab": Manner(2, 20, 25, 8, 9, 0.02, 0.0, 0),
    "dis": Manner(-14, 15, -40, 1, 4, 0.15, 0.0, 5),
    "pau": Manner(24, -20, 50, -3, 3, 0.20, 1.2, 0),
    "col": Manner(-6, -25, -5, -7, -9, 0.45, 0.3, 6),
    "gio": Manner(20, 35, 20, 4, 3, 0.05, 0.0, 0),
    "tri": Manner(-18, -40, -45, -8, -5, 0.10, 0.5, 2),
    "sor": Manner(36, 49, -15, 0, -3, 0.25, 0.0, 2),
}
NEUTRAL = Manner(0, 0, 0, 0, 0, 0.05, 0.0, 0)
NEUTRAL_CLIPS = 2
BACKGROUND_SNR_DB = (18, 35)
PEAK = 0.99
FADE_S = 0.02


def write(
    folder: Path, *, seed: NonNegativeInt, speakers: Count, clips_per_emotion: Count, spread: NonNegative
) -> None:
    """Writes the corpus into `folder`: mono 16-bit WAV at 44.1 kHz of at most 2 s, named as DEMoS names them.

    Women and men in turn, each with a voice, a vocal tract length and a habit of expressing each emotion of their own;
    `spread` scales how much speakers and clips vary about an emotion's manner. Every fourth clip is prototypical
    (`PR`). A few neutral clips are there as in DEMoS. A clip depends on the seed, its speaker, emotion and number
    alone, so that larger corpora hold the smaller ones.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    jobs = []
    for number in range(speakers):
        name = f"{'fm'[number % 2]}_{number + 1:02d}"
        for code, count in (dict.fromkeys(MANNERS, clips_per_emotion) | {"neu": NEUTRAL_CLIPS}).items():
            for clip_number in range(count):
                kind = "" if code == "neu" else "PR_" if clip_number % 4 == 3 else "NP_"
                path = folder / f"{kind}{name}_{code}{clip_number + 1:02d}b.wav"
                jobs.append((path, (seed, number, code, clip_number, spread)))
    for _ in each(_write_clip, jobs):
        pass


def _write_clip(path: Path, arguments: tuple[int, int, str, int, float]) -> None:
    wavfile.write(path, RATE_HZ, clip(*arguments))


def clip(seed: int, speaker: int, code: str, number: int, spread: float) -> np.ndarray:
    """One clip as int16 samples at 44.1 kHz."""
    rng = _rng(f"{seed}/{speaker}/{code}/{number}")
    person, habit = _rng(f"{seed}/{speaker}"), _rng(f"{seed}/{speaker}/{code}")
    gender = "fm"[speaker % 2]
    voice = f"it+{VARIANTS[gender][speaker // 2 % len(VARIANTS[gender])]}"
    tract, own_pitch, own_rate, own_level = person.uniform((0.94, 38, 155, -1.5), (1.06, 52, 180, 1.5))
    manner = MANNERS.get(code, NEUTRAL)
    strength = habit.uniform(0.75, 1.2) * rng.uniform(0.8, 1.2)

    def about(value: float, scatter: float) -> float:
        return strength * value + spread * scatter * (habit.standard_normal() + rng.standard_normal()) / np.sqrt(2)

    waveform, rate_hz = speak(
        SENTENCES[rng.integers(len(SENTENCES))],
        voice,
        rate_wpm=round(np.clip(own_rate + about(manner.rate_wpm, 12), 90, 300)),
        pitch=round(np.clip(own_pitch + about(manner.pitch, 7), 0, 99)),
        pitch_range=round(np.clip(50 + about(manner.pitch_range, 12), 0, 99)),
        word_gap_10ms=max(0, round(about(manner.word_gap_10ms, 1.5))),
    )
    waveform = resample_poly(waveform, RATE_HZ // 100, round(rate_hz / 100 * tract))
    waveform = trimmed(waveform)[: round(LONGEST_S * RATE_HZ)]
    waveform = trembling(waveform, max(0.0, about(manner.tremor, 0.15)), rng, RATE_HZ)
    waveform = treble(waveform, about(manner.treble_db, 2.5), RATE_HZ)
    waveform = waveform / np.sqrt(np.mean(waveform**2))
    waveform = waveform + breath(waveform, max(0.0, about(manner.breath, 0.05)), rng, RATE_HZ)
    waveform = waveform + room_noise(len(waveform), rng) * 10 ** (-rng.uniform(*BACKGROUND_SNR_DB) / 20)
    level_db = -27 + own_level + about(manner.level_db, 2.5)
    gain = min(10 ** (level_db / 20), PEAK / np.abs(waveform).max())
    return np.round(_faded(gain * waveform) * 32767).astype(np.int16)


def _faded(waveform: np.ndarray) -> np.ndarray:
    """Without a click where the longest clips are cut."""
    return waveform * np.clip((len(waveform) - np.arange(len(waveform))) / (FADE_S * RATE_HZ), 0, 1)


def _rng(name: str) -> np.random.Generator:
    return np.random.default_rng(stable_hash(name))
