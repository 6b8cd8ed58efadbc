"""Built-in corpora: English dialogs in IEMOCAP's layout by synthetic voices, speech without labels, and text.

What is said and how it is said each tell a part of a feeling: the voice mostly whether the speaker is aroused, the
words mostly whether it is pleasant. Half of the dialogs are scripts, whose lines are the same in every session.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.io import wavfile
from scipy.signal import resample_poly

from stages.corpora.embedded.cores import each
from stages.corpora.embedded.dialog_sentences import sentence
from stages.corpora.embedded.manners import breath, room_noise, treble, trembling, trimmed
from stages.corpora.embedded.voices import speak
from stages.frame.clip_table import stable_hash
from stages.frame.parameters import Count, NonNegative, NonNegativeInt, Positive

RATE_HZ = 16_000
SESSIONS = 5
DIALOGS = 8  # of a session; the second half are scripts
VOICES = {"F": ("f1", "f2", "f3", "f4", "Alicia"), "M": ("m1", "m2", "m3", "m4", "m6")}
OTHER_VOICES = ("f5", "belinda", "linda", "steph", "anika", "m5", "m7", "m8", "adam", "Michael", "victor", "quincy")


@dataclass(frozen=True)
class Manner:
    """How a feeling departs from a speaker's own way: pitch and its range in eSpeak's scales, rate in words a minute,
    treble in dB, breath as a share of the voice's level, tremor as a share of time.
    """

    pitch: float
    pitch_range: float
    rate_wpm: float
    treble_db: float
    breath: float
    tremor: float


NEUTRAL = Manner(0, 0, 0, 0, 0.05, 0.0)
# IEMOCAP's codes; those above the line are the four classes of the study, happiness in two.
MANNERS = {
    "neu": NEUTRAL,
    "hap": Manner(17, 26, 18, 3.5, 0.10, 0.1),
    "exc": Manner(22, 34, 28, 5.0, 0.08, 0.2),
    "sad": Manner(-7, -18, -22, -3.5, 0.24, 0.3),
    "ang": Manner(13, 26, 24, 8.0, 0.03, 0.0),
    # ---
    "fru": Manner(5, 12, 4, 4.0, 0.08, 0.0),
    "sur": Manner(24, 28, 0, 0.0, 0.15, 0.0),
    "xxx": NEUTRAL,
}
# How often a feeling occurs, and of which kind the words are then.
SHARES = {"neu": 0.27, "hap": 0.10, "exc": 0.16, "sad": 0.17, "ang": 0.17, "fru": 0.08, "sur": 0.02, "xxx": 0.03}
KINDS = ("plain", "pleasing", "saddening", "angering", "bitter")
KINDS_OF = {
    "neu": (0.78, 0.13, 0.02, 0.02, 0.05),
    "hap": (0.16, 0.80, 0.01, 0.01, 0.02),
    "sad": (0.12, 0.02, 0.48, 0.12, 0.26),
    "ang": (0.12, 0.02, 0.12, 0.48, 0.26),
    "fru": (0.3, 0.05, 0.1, 0.25, 0.3),
    "sur": (0.4, 0.4, 0.05, 0.05, 0.1),
    "xxx": (0.4, 0.2, 0.1, 0.1, 0.2),
}
KINDS_OF["exc"] = KINDS_OF["hap"]
ACTED_OTHERWISE = 0.2  # of the lines of a script
BACKGROUND_SNR_DB = (18, 32)
LEVEL_DB = (-30, -22)
PEAK = 0.99


def write(
    folder: Path,
    *,
    seed: NonNegativeInt,
    utterances: Count,
    unlabelled_minutes: Positive,
    sentences: Count,
    spread: NonNegative,
) -> None:
    """Writes `IEMOCAP` (five sessions of two speakers), `unlabelled` (speech of other voices) and `text.txt`.

    A session has about `utterances` utterances of neutral, happiness, excitement, sadness and anger and some of other
    feelings. Files of sound are mono 16-bit WAV at 16 kHz. An utterance depends on the seed, its dialog and its number
    alone. `spread` scales how much speakers and utterances vary about a feeling's manner.

    Args:
        folder: is made.
        seed: of everything.
        utterances: of the four classes, in a session, on average.
        unlabelled_minutes: at least so many of them.
        sentences: of the text, one a line.
        spread: see above.
    """
    folder = Path(folder)
    turns = _turns(seed, utterances)
    for dialog in {turn.dialog: turn for turn in turns}.values():
        (folder / dialog.wav).parent.mkdir(parents=True, exist_ok=True)
    (folder / "unlabelled").mkdir(parents=True, exist_ok=True)
    seconds = list(each(_write_turn, [(folder, turn, seed, spread) for turn in turns], at_once=16))
    _write_unlabelled(folder / "unlabelled", seed, unlabelled_minutes * 60, spread)
    _write_lists(folder, turns, seconds)
    rng = _rng(f"{seed}/text")
    lines = [
        " ".join(sentence(kind, rng) for kind in [rng.choice(KINDS)] * rng.integers(1, 3)) for _ in range(sentences)
    ]
    (folder / "text.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


@dataclass(frozen=True)
class Turn:
    """One utterance: what a speaker says in a dialog, and with which feeling."""

    session: int
    dialog: str
    speaker: str
    name: str
    feeling: str
    text: str

    @property
    def wav(self) -> Path:
        """Where its sound lies."""
        return Path(f"IEMOCAP/Session{self.session}/sentences/wav/{self.dialog}/{self.name}.wav")


def _turns(seed: int, utterances: int) -> list[Turn]:
    counted = sum(SHARES[feeling] for feeling in ("neu", "hap", "exc", "sad", "ang"))
    length = round(utterances / counted / DIALOGS)
    return [
        turn
        for session in range(1, SESSIONS + 1)
        for number in range(DIALOGS)
        for turn in _dialog(seed, session, number, length)
    ]


def _dialog(seed: int, session: int, number: int, length: int) -> list[Turn]:
    scripted = number >= DIALOGS // 2
    wearer, scene = "FM"[number % 2], number % (DIALOGS // 2) // 2 + 1
    dialog = f"Ses{session:02d}{wearer}_" + (f"script{scene:02d}_1" if scripted else f"impro{scene:02d}")
    rng = _rng(f"{seed}/{dialog}")
    script = _rng(f"{seed}/script{scene}{wearer}")
    turns, spoken = [], {"F": 0, "M": 0}
    for place in range(length):
        speaker = "FM"[place % 2]
        written = script.choice(list(SHARES), p=list(SHARES.values()))
        line = sentence(script.choice(KINDS, p=KINDS_OF[written]), script)
        feeling = (
            written
            if scripted and rng.random() > ACTED_OTHERWISE
            else rng.choice(list(SHARES), p=list(SHARES.values()))
        )
        if not scripted:
            line = sentence(rng.choice(KINDS, p=KINDS_OF[feeling]), rng)
        name = f"{dialog}_{speaker}{spoken[speaker]:03d}"
        spoken[speaker] += 1
        turns.append(Turn(session, dialog, f"Ses{session:02d}{speaker}", name, str(feeling), line))
    return turns


def _write_turn(folder: Path, turn: Turn, seed: int, spread: float) -> float:
    """Writes the sound of an utterance; its seconds."""
    voice = VOICES[turn.speaker[-1]][turn.session - 1]
    line = Line(turn.text, voice, turn.feeling, person=f"{seed}/{turn.speaker}", take=f"{seed}/{turn.name}")
    samples = _spoken(line, spread)
    wavfile.write(folder / turn.wav, RATE_HZ, samples)
    return len(samples) / RATE_HZ


def _write_unlabelled(folder: Path, seed: int, seconds: float, spread: float) -> None:
    """Utterances of other voices until there are so many seconds of them."""
    number, heard = 0, 0.0
    while heard < seconds:
        jobs = [(seed, number + offset, spread) for offset in range(64)]
        for (_, own, _), samples in zip(jobs, each(_unlabelled, jobs, at_once=8)):
            if heard < seconds:
                wavfile.write(folder / f"{own:05d}.wav", RATE_HZ, samples)
                heard += len(samples) / RATE_HZ
        number += len(jobs)


def _unlabelled(seed: int, number: int, spread: float) -> np.ndarray:
    rng = _rng(f"{seed}/unlabelled/{number}")
    voice = number % len(OTHER_VOICES)
    feeling = str(rng.choice(list(SHARES), p=list(SHARES.values())))
    text = sentence(rng.choice(KINDS, p=KINDS_OF[feeling]), rng)
    person, take = f"{seed}/other voice {voice}", f"{seed}/unlabelled/{number}"
    return _spoken(Line(text, OTHER_VOICES[voice], feeling, person, take), spread)


@dataclass(frozen=True)
class Line:
    """What is said with which feeling in which voice; `person` and `take` are the names that chance goes by."""

    text: str
    voice: str
    feeling: str
    person: str
    take: str


def _spoken(line: Line, spread: float) -> np.ndarray:
    """One utterance as int16 samples."""
    person, habit, rng = _rng(line.person), _rng(f"{line.person}/{line.feeling}"), _rng(f"{line.take}/sound")
    tract, own_pitch, own_rate = person.uniform((0.94, 38, 160), (1.06, 52, 190))
    manner = MANNERS[line.feeling]
    strength = habit.uniform(0.8, 1.2) * rng.uniform(0.6, 1.3)

    def about(value: float, scatter: float) -> float:
        return strength * value + spread * scatter * (0.5 * habit.standard_normal() + rng.standard_normal())

    waveform, rate_hz = speak(
        line.text,
        f"en+{line.voice}",
        rate_wpm=round(np.clip(own_rate + about(manner.rate_wpm, 12), 110, 320)),
        pitch=round(np.clip(own_pitch + about(manner.pitch, 6), 0, 99)),
        pitch_range=round(np.clip(50 + about(manner.pitch_range, 10), 0, 99)),
    )
    waveform = trimmed(resample_poly(waveform, RATE_HZ // 50, round(rate_hz / 50 * tract)))
    waveform = trembling(waveform, max(0.0, about(manner.tremor, 0.15)), rng, RATE_HZ)
    waveform = treble(waveform, about(manner.treble_db, 2.0), RATE_HZ)
    waveform = waveform / np.sqrt(np.mean(waveform**2))
    waveform = waveform + breath(waveform, max(0.0, about(manner.breath, 0.05)), rng, RATE_HZ)
    waveform = waveform + room_noise(len(waveform), rng) * 10 ** (-rng.uniform(*BACKGROUND_SNR_DB) / 20)
    gain = min(10 ** (rng.uniform(*LEVEL_DB) / 20), PEAK / np.abs(waveform).max())
    return np.round(gain * waveform * 32767).astype(np.int16)


def _write_lists(folder: Path, turns: list[Turn], seconds: list[float]) -> None:
    """The evaluations and transcriptions of all dialogs."""
    dialogs: dict[tuple[int, str], list[tuple[Turn, float]]] = {}
    for turn, length in zip(turns, seconds):
        dialogs.setdefault((turn.session, turn.dialog), []).append((turn, length))
    for (session, dialog), own in dialogs.items():
        evaluations, transcriptions = ["% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]", ""], []
        start = 1.0
        for turn, length in own:
            end = start + length
            evaluations += [f"[{start:.4f} - {end:.4f}]\t{turn.name}\t{turn.feeling}\t[2.5000, 2.5000, 2.5000]"]
            evaluations += [f"C-E1:\t{turn.feeling};\t()", "A-E1:\tval 2; act 3; dom  2;\t()", ""]
            transcriptions.append(f"{turn.name} [{start:08.4f}-{end:08.4f}]: {turn.text[0].upper()}{turn.text[1:]}.")
            start = end + 0.5
        for kind, lines in {"EmoEvaluation": evaluations, "transcriptions": transcriptions}.items():
            path = folder / f"IEMOCAP/Session{session}/dialog/{kind}/{dialog}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _rng(name: str) -> np.random.Generator:
    return np.random.default_rng(stable_hash(name))
