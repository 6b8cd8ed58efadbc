"""Built-in corpora: drawn people who speak with eSpeak NG's voices, in the layouts of GRID and of LRW.

A person is one voice and one face, the same in both corpora; the lips follow the voice's phonemes.
"""

import csv
import functools
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from scipy.io import wavfile
from scipy.signal import resample_poly

from stages.corpora import grid, lrw
from stages.corpora.embedded import faces, looks, visemes
from stages.corpora.embedded.cores import each
from stages.corpora.embedded.manners import room_noise
from stages.corpora.embedded.voices import SpeechEvent, speak_with_events
from stages.frame import ffmpeg, progress
from stages.frame.clip_table import stable_hash
from stages.frame.parameters import Count, NonNegativeInt
from stages.frame.pcm import to_pcm16

RATE_HZ = 16_000
# GRID's speakers by their numbers; those voices of the library that can be told apart and understood.
WOMEN = {7: "f1", 16: "linda", 22: "Andrea", 24: "belinda", 20: "f3", 29: "grandma", 4: "f5", 11: "f2", 25: "Annie"}
MEN = {1: "m1", 3: "m4", 5: "m7", 6: "m8", 8: "Mike", 10: "Reed", 12: "Denis", 14: "Diogo", 17: "Mario", 26: "benjamin"}
MEN |= {28: "max", 32: "rob", 9: "m3", 23: "adam", 27: "Hugo", 30: "quincy", 34: "john", 2: "m6", 13: "Michael"}
MEN |= {15: "Nguyen", 18: "croak", 19: "pablo", 31: "sandro", 33: "victor"}
DIALECTS = ("en-us", "en", "en-029", "en-gb-scotland", "en-gb-x-rp", "en-gb-x-gbclan", "en-gb-x-gbcwmd")
NOISE_RMS = (30, 250)  # of the room, in units of 16-bit samples; real GRID's quietest moments have some 80 to 160
PEAK_DB = (-8, -1)
CAMERA_NOISE = (0.6, 1.8)
ALIGN_STEP = grid.UNITS_PER_S // 100
# Whole phrases, so that a word amid them is neither the first nor the last to be said within the clip.
BEFORE = (
    "people have told us that the",
    "this is what they call the",
    "later in the day we heard of the",
    "he would like to say something on",
    "we are going to talk with you on",
    "many of them had been asking for",
)
AFTER = (
    "in this part of the country",
    "because of all that has been said",
    "as far as anyone can tell today",
    "for more than a couple of years",
    "when we met them in the morning",
    "and then it was time to go home",
)


@dataclass(frozen=True)
class Form:
    """What the files of a corpus are like; from the decoder, their sound comes back `delay_s` too late."""

    frames: int
    height: int
    width: int
    encoders: tuple[str, ...]
    delay_s: float

    @property
    def length_s(self) -> float:
        """How long a clip lasts."""
        return self.frames / faces.FPS


# The instructions that every x86-64 processor has: with others the encoders round otherwise.
ANY_X86 = ("-cpuflags", "sse2")
MPEG1 = ("-c:v", "mpeg1video", "-b:v", "900k", "-c:a", "mp2", "-ar", "44100", "-ac", "2", "-b:a", "128k", "-f", "mpeg")
MPEG4 = ("-c:v", "mpeg4", "-q:v", "4", "-c:a", "aac", "-b:a", "64k", "-f", "mp4")
# MP2's encoder delays by 481 samples, and an .mpg can't say so; an .mp4 tells the decoder how much of AAC to skip.
GRID = Form(frames=75, height=288, width=360, encoders=MPEG1, delay_s=481 / 44_100)
LRW = Form(frames=29, height=256, width=256, encoders=MPEG4, delay_s=0.0)


def write_grid(
    folder: Path, *, seed: NonNegativeInt, train_clips_per_speaker: Count, other_clips_per_speaker: Count
) -> None:
    """Writes GRID's layout: `sN/video/CODE.mpg` of 3 s and `sN/align/CODE.align`; 33 speakers, its grammar.

    MPEG-1 video of 360 x 288 pixels, 75 frames at 25 per s, and MP2 sound at 44.1 kHz, stereo. No speaker says a
    sentence twice. A clip depends on the seed, its speaker and its sentence alone, so that larger corpora hold the
    smaller ones.

    Args:
        folder: is made.
        seed: of everything.
        train_clips_per_speaker: of the speakers that `grid.PAPER` trains on.
        other_clips_per_speaker: of the others.
    """
    jobs = []
    for split, numbers in grid.PAPER.items():
        clips = train_clips_per_speaker if split == "train" else other_clips_per_speaker
        for number in numbers:
            for kind in ("video", "align"):
                (folder / f"s{number}" / kind).mkdir(parents=True, exist_ok=True)
            jobs += [(folder, seed, number, sentence) for sentence in _sentences(seed, number, clips)]
    _run(_write_grid_clip, jobs, "GRID")


def write_lrw(
    folder: Path, *, seed: NonNegativeInt, words: list[str], train_clips_per_word: Count, other_clips_per_word: Count
) -> None:
    """Writes LRW's layout: `lipread_mp4/WORD/{train,val,test}/WORD_00001.mp4` and `.txt`, the word amid running speech.

    MPEG-4 video of 256 x 256 pixels, 29 frames at 25 per s, the word's middle in the clip's, and AAC sound at 16 kHz,
    mono. The people are GRID's, each in one split; `speakers.csv` (columns file, speaker) names them. A clip depends on
    the seed, its word, its split and its number alone.

    Args:
        folder: is made.
        seed: of everything.
        words: in capitals; none as short as `THE`, which the library runs together with its neighbours.
        train_clips_per_word: in the split train.
        other_clips_per_word: in val, and as many in test.
    """
    counts = {"train": train_clips_per_word, "val": other_clips_per_word, "test": other_clips_per_word}
    jobs = []
    for word in words:
        for split, count in counts.items():
            (folder / "lipread_mp4" / word / split).mkdir(parents=True, exist_ok=True)
            people = grid.PAPER[lrw.SPLITS[split]]
            first = stable_hash(f"{seed}/{word}/{split}")
            for place in range(count):
                file = f"lipread_mp4/{word}/{split}/{word}_{place + 1:05d}.mp4"
                jobs.append((folder, seed, people[(first + place) % len(people)], word, file))
    # One after the other, the clips of a person need no more than one drawing of the head.
    _run(_write_lrw_clip, sorted(jobs, key=lambda job: job[2]), "LRW")
    with (folder / "speakers.csv").open("w", newline="", encoding="utf-8") as table:
        rows = sorted((file, f"s{number}") for _, _, number, _, file in jobs)
        csv.writer(table, lineterminator="\n").writerows([("file", "speaker"), *rows])


@dataclass(frozen=True)
class Person:
    """A voice of eSpeak NG with its habits, in the library's scales, and a face."""

    voice: str
    rate_wpm: float
    pitch: float
    pitch_range: float
    smoothing_s: float
    face: looks.Face


@functools.cache
def person_of(seed: int, number: int) -> Person:
    """Who GRID's speaker of this number is."""
    rng = _rng(f"{seed}/s{number}")
    return Person(
        voice=f"{rng.choice(DIALECTS)}+{(WOMEN | MEN)[number]}",
        rate_wpm=rng.uniform(125, 150),
        pitch=rng.uniform(35, 65),
        pitch_range=rng.uniform(30, 70),
        smoothing_s=rng.uniform(0.03, 0.045),
        face=looks.face(rng, woman=number in WOMEN),
    )


def _sentences(seed: int, number: int, count: int) -> list[tuple[str, ...]]:
    """The first so many sentences of a speaker, none twice."""
    rng = _rng(f"{seed}/s{number}/sentences")
    sentences: dict[tuple[str, ...], None] = {}
    while len(sentences) < count:
        sentences[tuple(str(rng.choice(words)) for words in grid.SLOTS)] = None
    return list(sentences)


def _write_grid_clip(folder: Path, seed: int, number: int, sentence: tuple[str, ...]) -> None:
    # A digit's character is the figure, and z for zero.
    code = "".join({"zero": "z"}.get(w, str(grid.DIGITS.index(w))) if w in grid.DIGITS else w[0] for w in sentence)
    rng = _rng(f"{seed}/s{number}/{code}")
    # The library takes a small letter for a word, and "A" for the article; "eigh" sounds as the letter.
    text = " ".join({"a": "eigh"}.get(word, word.upper()) if len(word) == 1 else word for word in sentence)
    waveform, events = _spoken(person_of(seed, number), text, rng)
    room_s = GRID.length_s - len(waveform) / RATE_HZ
    start_s = rng.uniform(0.1, max(0.15, room_s - 0.1))
    video = folder / f"s{number}/video/{code}.mpg"
    write_video(video, GRID, Said(person_of(seed, number), waveform, events, start_s), rng)
    _write_align(folder / f"s{number}/align/{code}.align", sentence, events, start_s)


def _write_align(path: Path, sentence: tuple[str, ...], events: list[SpeechEvent], start_s: float) -> None:
    """GRID's times of the words, one after the other between two silences."""
    spans = [(start_s + from_s, start_s + to_s) for from_s, to_s in _word_spans(events)]
    if len(spans) != len(sentence):
        raise ValueError(f"{path}: eSpeak NG ran words of {' '.join(sentence)!r} together")
    bounds_s = [from_s for from_s, _ in spans] + [spans[-1][1]]
    edges = [0, *(ALIGN_STEP * round(100 * bound_s) for bound_s in bounds_s), round(GRID.length_s * grid.UNITS_PER_S)]
    lines = [f"{start} {end} {word}\n" for (start, end), word in zip(pairwise(edges), ("sil", *sentence, "sil"))]
    path.write_text("".join(lines), encoding="utf-8")


def _write_lrw_clip(folder: Path, seed: int, number: int, word: str, file: str) -> None:
    rng = _rng(f"{seed}/{file}")
    said = word.lower()
    before, after = ([phrase for phrase in side if said not in phrase.split()] for side in (BEFORE, AFTER))
    waveform, events = _spoken(person_of(seed, number), f"{rng.choice(before)} {said} {rng.choice(after)}", rng)
    heard = [event.name for event in events if event.kind == "word"]
    if said not in heard:
        raise ValueError(f"{file}: eSpeak NG runs {said!r} together with its neighbour; take another word")
    start_s, end_s = _word_spans(events)[heard.index(said)]
    shift_s = (LRW.length_s - start_s - end_s) / 2
    write_video(folder / file, LRW, Said(person_of(seed, number), waveform, events, shift_s), rng)
    lines = (f"Text:  {word}", "Conf:  5", "", "WORD START END", f"Duration: {end_s - start_s:.2f} seconds")
    (folder / file).with_suffix(".txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _spoken(person: Person, text: str, rng: np.random.Generator) -> tuple[np.ndarray, list[SpeechEvent]]:
    """The text in this person's voice at 16 kHz, (samples,), of peak 1, and its events."""
    waveform, rate_hz, events = speak_with_events(
        text,
        person.voice,
        rate_wpm=round(person.rate_wpm * rng.uniform(0.95, 1.05)),
        pitch=round(person.pitch + rng.uniform(-4, 4)),
        pitch_range=round(person.pitch_range),
    )
    waveform = resample_poly(waveform, RATE_HZ // 50, rate_hz // 50)
    return waveform / np.abs(waveform).max(), events


def _word_spans(events: list[SpeechEvent]) -> list[tuple[float, float]]:
    """Start and end of each word in seconds: it lasts until the next word, or a pause that is marked as such."""
    marks = [event for event in events if event.kind == "word" or event.name.startswith("_")]
    return [(mark.start_s, following.start_s) for mark, following in pairwise(marks) if mark.kind == "word"]


@dataclass(frozen=True)
class Said:
    """Who says what and when: the waveform (samples,) is at 16 kHz in [-1, 1], its events are for the lips.

    It begins `start_s` after the clip, before it where that is negative.
    """

    person: Person
    waveform: np.ndarray
    events: list[SpeechEvent]
    start_s: float


def write_video(path: Path, form: Form, said: Said, rng: np.random.Generator) -> None:
    """Writes a clip of the person who speaks, in a room that is not quiet.

    Args:
        path: of the file.
        form: of the corpus.
        said: by whom, what and when.
        rng: of the movements, the noises and the loudness.
    """
    times_s = (np.arange(form.frames) + 0.5) / faces.FPS - said.start_s
    lips = visemes.tracks(said.events, times_s, smoothing_s=said.person.smoothing_s)
    sound = _recorded(said.waveform, said.start_s - form.delay_s, round(form.length_s * RATE_HZ), rng)
    size, noise = {"height": form.height, "width": form.width}, rng.uniform(*CAMERA_NOISE)
    pictures = b"".join(frame.tobytes() for frame in faces.frames(said.person.face, lips, **size, noise=noise, rng=rng))
    with tempfile.NamedTemporaryFile(suffix=".wav") as wav:
        wavfile.write(wav.name, RATE_HZ, sound)
        raw = ("-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", f"{form.width}x{form.height}", "-r", str(faces.FPS))
        # The encoder sets its delay off against the time stamps: so both streams' begin at the same time.
        streams = (*raw, "-i", "-", "-itsoffset", f"{form.delay_s:.6f}", *ffmpeg.input_file(wav.name, "wav"))
        exact = ("-threads", "1", "-fflags", "+bitexact", "-flags:v", "+bitexact", "-flags:a", "+bitexact")
        program = ffmpeg.packaged() or ffmpeg.binary()
        command = (program, "-v", "error", "-y", *ANY_X86, *streams, *exact, *form.encoders, str(path))
        subprocess.run(command, input=pictures, check=True)


def _recorded(waveform: np.ndarray, shift_s: float, count: int, rng: np.random.Generator) -> np.ndarray:
    """`count` samples, int16, of a room in which the waveform begins at `shift_s`."""
    first = round(shift_s * RATE_HZ)
    heard = waveform[max(0, -first) :][: count - max(0, first)]
    sound = np.zeros(count)
    sound[max(0, first) :][: len(heard)] = heard * 10 ** (rng.uniform(*PEAK_DB) / 20)
    return to_pcm16(sound + np.exp(rng.uniform(*np.log(NOISE_RMS))) / 32768 * room_noise(count, rng))


def _run(write: Callable[..., None], jobs: list[tuple], description: str) -> None:
    with progress.bar(len(jobs), description, "clip") as bar:
        for _ in each(write, jobs):
            bar.update()


def _rng(name: str) -> np.random.Generator:
    return np.random.default_rng(stable_hash(name))
