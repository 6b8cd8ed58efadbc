"""Built-in corpora: short English sentences by synthetic voices in LibriSpeech's layout, and noises in DEMAND's."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import soundfile
from scipy.signal import resample_poly

from stages.corpora.embedded import noises
from stages.corpora.embedded.cores import each
from stages.corpora.embedded.manners import breath, room_noise, treble, trimmed
from stages.corpora.embedded.voices import speak
from stages.frame.clip_table import stable_hash
from stages.frame.parameters import Count, NonNegativeInt, Positive, Range
from stages.frame.pcm import to_pcm16

RATE_HZ = 16_000
SUBSET = "train-clean-100"
# Voices of the library that can be told apart and understood; with more speakers they come again, as other people.
VOICES = {"F": ("f1", "f2", "f3", "f4", "f5", "linda"), "M": ("m1", "m2", "m3", "m4", "m7", "m6")}
# What attackers want to have heard. Each of the words is somewhere in the sentences, no phrase as a whole is in any.
TARGETS = ("open the door", "call the bank now", "turn off the light", "send my money today")
# What a slot in braces may hold, "|" between.
WORDS = {
    "thing": "door|light|window|kitchen|car|letter|money|garden",
    "switched": "light|music|radio",
    "sent": "money|letter",
    "place": "kitchen|garden|bank|car",
    "person": "doctor|mother|bank",
    "whose": "the|my",
    "when": "now|today|tonight",
    "do": "open|close|find",
}
SENTENCES = (
    "{do} {whose} {thing} {when}",
    "{do} {whose} {thing}",
    "please {do} {whose} {thing}",
    "turn on {whose} {switched} {when}",
    "turn off {whose} {switched}",
    "please turn off {whose} {switched} {when}",
    "call {whose} {person} {when}",
    "please call {whose} {person}",
    "send {whose} {sent} {when}",
    "send {whose} {sent} to {whose} {person}",
    "where is {whose} {thing} {when}",
    "{whose} {thing} is in {whose} {place}",
    "{whose} {person} will {do} {whose} {thing}",
    "don't {do} {whose} {thing} {when}",
)
# The number of the speaker of the phrases, larger than that of any other.
NOBODY_ELSE = 1000
SHORTEST_S = 1.3
PAUSES_S = (0.08, 0.25)
BACKGROUND_SNR_DB = (30, 45)
LEVEL_DB = (-29, -22)
PEAK = 0.95


def write(
    output: Path,
    *,
    seed: NonNegativeInt,
    speakers: Count,
    utterances_per_speaker: Annotated[int, Range(1, 200)],
    noise_s: Positive,
) -> None:
    """Writes `LibriSpeech` (a chapter a speaker, its transcript, SPEAKERS.TXT), `DEMAND` (see `noises`), `phrases`.

    The phrases are `TARGETS`, `open-the-door.wav` and so on, said by somebody who says nothing else; speech is mono
    16-bit FLAC at 16 kHz. Women and men in turn. No speaker says a sentence twice, and no sentence holds one of
    `TARGETS`. An utterance depends on the seed, its speaker and its number alone, so that larger corpora hold the
    smaller ones.

    Args:
        output: is made.
        seed: of everything.
        speakers: how many.
        utterances_per_speaker: of 1.3 to 3 s, at most 200, as there are not that many more sentences.
        noise_s: how long each recording of noise lasts.
    """
    people = [speaker_of(seed, number) for number in range(speakers)]
    jobs = [(output / "LibriSpeech" / SUBSET, seed, speaker, utterances_per_speaker) for speaker in people]
    minutes = dict(zip(people, each(_write_chapter, jobs, at_once=1)))
    _write_speakers(output / "LibriSpeech" / "SPEAKERS.TXT", minutes)
    noises.write(output / "DEMAND", seed=seed, seconds=noise_s)
    _write_phrases(output / "phrases", seed)


@dataclass(frozen=True)
class Speaker:
    """Names as LibriSpeech has them; a voice with its habits in eSpeak's scales; its tract's length, 1 its own."""

    name: int
    chapter: int
    sex: str
    voice: str
    rate_wpm: float
    pitch: float
    pitch_range: float
    tract: float
    treble_db: float
    breath: float


def speaker_of(seed: int, number: int) -> Speaker:
    """Who the speaker of this number is."""
    rng = _rng(f"{seed}/speaker/{number}")
    sex = "FM"[number % 2]
    return Speaker(
        name=19 + 13 * number + int(rng.integers(13)),
        chapter=int(rng.integers(100_000, 200_000)),
        sex=sex,
        voice=f"en-us+{VOICES[sex][number // 2 % len(VOICES[sex])]}",
        rate_wpm=rng.uniform(140, 160),
        pitch=rng.uniform(40, 60),
        pitch_range=rng.uniform(30, 70),
        tract=rng.uniform(0.98, 1.02),
        treble_db=rng.uniform(-3, 3),
        breath=rng.uniform(0, 0.05),
    )


def sentences(seed: int, speaker: Speaker, count: int) -> list[str]:
    """The first so many sentences of a speaker, none twice and none with a whole target in it."""
    rng = _rng(f"{seed}/{speaker.name}/sentences")
    said: dict[str, None] = {}
    while len(said) < count:
        text = _filled(str(rng.choice(SENTENCES)), rng)
        if not any(f" {target} " in f" {text} " for target in TARGETS):
            said[text] = None
    return list(said)


def _filled(text: str, rng: np.random.Generator) -> str:
    """A template with a word in each slot."""
    while "{" in text:
        before, _, rest = text.partition("{")
        slot, _, after = rest.partition("}")
        text = before + str(rng.choice(WORDS[slot].split("|"))) + after
    return text


def _write_chapter(folder: Path, seed: int, speaker: Speaker, count: int) -> float:
    """Writes what a speaker says, and tells how many minutes it lasts."""
    folder = folder / str(speaker.name) / str(speaker.chapter)
    folder.mkdir(parents=True, exist_ok=True)
    lines, samples = [], 0
    for number, text in enumerate(sentences(seed, speaker, count)):
        name = f"{speaker.name}-{speaker.chapter}-{number:04d}"
        waveform = _spoken(speaker, text, _rng(f"{seed}/{name}"))
        # At level 0 the encoder has nothing to estimate in floating point, which processors do differently.
        soundfile.write(folder / f"{name}.flac", to_pcm16(waveform), RATE_HZ, "PCM_16", compression_level=0)
        lines.append(f"{name} {text.upper()}\n")
        samples += len(waveform)
    (folder / f"{speaker.name}-{speaker.chapter}.trans.txt").write_text("".join(lines), encoding="utf-8")
    return samples / RATE_HZ / 60


def _spoken(speaker: Speaker, text: str, rng: np.random.Generator) -> np.ndarray:
    """The recording (samples,) at 16 kHz."""
    waveform = _voiced(speaker, text, rng)
    before, after = np.round(rng.uniform(*PAUSES_S, 2) * RATE_HZ).astype(int)
    after = max(after, round(SHORTEST_S * RATE_HZ) - before - len(waveform))
    waveform = np.pad(waveform, (before, after))
    waveform = waveform + room_noise(len(waveform), rng) * 10 ** (-rng.uniform(*BACKGROUND_SNR_DB) / 20)
    return waveform * min(10 ** (rng.uniform(*LEVEL_DB) / 20), PEAK / np.abs(waveform).max())


def _voiced(speaker: Speaker, text: str, rng: np.random.Generator) -> np.ndarray:
    """The speech alone (samples,) at 16 kHz, of unit power."""
    waveform, rate_hz = speak(
        text,
        speaker.voice,
        rate_wpm=round(speaker.rate_wpm * rng.uniform(0.94, 1.06)),
        pitch=round(speaker.pitch + rng.uniform(-5, 5)),
        pitch_range=round(speaker.pitch_range),
    )
    waveform = trimmed(resample_poly(waveform, RATE_HZ // 100, round(rate_hz / 100 * speaker.tract)))
    waveform = treble(waveform, speaker.treble_db, RATE_HZ)
    waveform = waveform + breath(waveform, speaker.breath, rng, RATE_HZ)
    return waveform / np.sqrt(np.mean(waveform**2))


def _write_phrases(folder: Path, seed: int) -> None:
    """Writes what attackers want to have heard, with nothing before or after it."""
    folder.mkdir(parents=True, exist_ok=True)
    speaker = speaker_of(seed, NOBODY_ELSE)
    for phrase in TARGETS:
        waveform = _voiced(speaker, phrase, _rng(f"{seed}/{phrase}"))
        waveform = waveform * PEAK / np.abs(waveform).max()
        soundfile.write(folder / f"{phrase.replace(' ', '-')}.wav", to_pcm16(waveform), RATE_HZ, "PCM_16")


def _write_speakers(path: Path, minutes: dict[Speaker, float]) -> None:
    """The list of speakers as LibriSpeech has it."""
    lines = [";ID  |SEX| SUBSET           |MINUTES| NAME\n"]
    lines += [f"{s.name:<4} | {s.sex} | {SUBSET:<16} | {m:<5.2f} | eSpeak NG {s.voice}\n" for s, m in minutes.items()]
    path.write_text("".join(lines), encoding="utf-8")


def _rng(name: str) -> np.random.Generator:
    return np.random.default_rng(stable_hash(name))
