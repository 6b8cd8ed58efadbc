"""Benchmarks: peak memory of every verb on a corpus and on one ten times its size: `python -m benchmarks.memory`.

What is run stands in `memory.yaml`. Pages are made besides of the smaller corpus's tables, repeated so many times.
"""

import csv
import shutil
import sys
import tempfile
import wave
from array import array
from collections.abc import Iterator
from math import pi, sin
from pathlib import Path
from random import Random

from benchmarks import run_alone, table

SIZES, TIMES = (200, 2000), (10, 100)
RATE_HZ, SAMPLES = 16000, 4000
# A low, a middle and a high tone: labels that a small network learns in a minute from few clips.
TONES_HZ = {"low": 300, "middle": 1200, "high": 5000}
SPLITS, FOLDS = ("train", "test"), ("first", "second", "third")
WORDS = ("bin", "lay", "place", "set", "blue", "green", "red", "white")
# What is measured, in the order in which each needs those before it.
VERBS = {
    "prepare": ("prepare", "events", "audio"),
    "mix": ("mix", "spoken", "noisy"),
    "featurise, descriptors": ("featurise", "learned", "lld"),
    "featurise, images": ("featurise", "learned", "log_mel"),
    "pretrain, wav2vec": ("pretrain", "learned", "context"),
    "pretrain, BERT": ("pretrain", "learned", "words"),
    "featurise, wav2vec": ("featurise", "learned", "heard"),
    "train, sounds": ("train", "events", "vgg13"),
    "train, images": ("train", "learned", "family"),
    "train, heads": ("train", "learned", "heads"),
    "train, recogniser": ("train", "spoken", "recogniser"),
    "train, enhancer": ("train", "spoken", "enhancer"),
    "train, lip reader": ("train", "faces", "reader"),
    "train, lip sync": ("train", "faces", "synchrony"),
    "attack, sounds": ("attack", "events", "vgg13-deepfool"),
    "attack, lip reader": ("attack", "faces", "words"),
    "score": ("score", "events", "every", "vgg13-deepfool"),
    "detect": ("detect", "faces", "words"),
    "audit, treatments": ("audit", "audit", "classifiers.events.vgg13"),
    "audit, detectors": ("audit", "audit", "guarded.faces.words"),
    "listen": ("listen", "events"),
    "report": ("report", "events"),
}
# What comes before, and is not measured.
BEFORE = ("prepare", "learned", "audio")
# Of what a report is made: tables whose rows are those of clips, by the columns that name these.
TABLES = {
    "data/events/audio/clips.csv": ("clip_id", "key"),
    "data/events/scores/vgg13-deepfool/clips.csv": ("clip_id", "key", "source"),
    "models/events/vgg13/decisions.csv": ("key",),
}


def main() -> None:
    """Prints each verb's peak at both sizes, in MiB, how many times the other one is, and what each clip more takes."""
    with tempfile.TemporaryDirectory() as name:
        homes = {size: Path(name, str(size)) for size in SIZES}
        peaks = {size: _peaks_mib(home, size) for size, home in homes.items()}
        by_verb = {verb: {size: peaks[size][verb] for size in SIZES} for verb in VERBS}
        tables = {SIZES[0] * times: _peak_of_page_mib(homes[SIZES[0]], times) for times in TIMES}
    print("\nclips of 0.25 to 0.64 s; each verb in a process of its own\n")
    for sizes, measured in ((SIZES, by_verb), (tuple(tables), {"report": tables})):
        heads = ["verb", *(f"peak MiB, {size} clips" for size in sizes), "times", "KiB a clip"]
        print(table(heads, [[verb, *_told(own)] for verb, own in measured.items()]), "\n")


def _told(peaks: dict[int, float]) -> Iterator[str]:
    (few, less), (many, more) = peaks.items()
    yield from (f"{less:.0f}", f"{more:.0f}", f"{more / less:.3f}", f"{1024 * (more - less) / (many - few):.1f}")


def _peaks_mib(folder: Path, size: int) -> dict[str, float]:
    """Peak memory of each verb on corpora of `size` clips, which are written into a folder."""
    folder.mkdir()
    shutil.copy(Path(__file__).with_suffix(".yaml"), folder / "params.yaml")
    _write_corpus(folder / "corpus", size)
    _write_texts(folder / "texts.txt", size)
    run_alone("benchmarks.made_up", str(size), folder=folder)
    run_alone(f"stages.{BEFORE[0]}", *BEFORE[1:], folder=folder)
    peaks = {}
    for verb, (stage, *names) in VERBS.items():
        _, peaks[verb] = run_alone(f"stages.{stage}", *names, folder=folder)
        print(f"{size} clips, {verb}: {peaks[verb]:.0f} MiB", file=sys.stderr, flush=True)
    return peaks


def _peak_of_page_mib(folder: Path, times: int) -> float:
    """Peak memory of the report on the tables in a folder, whose rows stand there so many times."""
    before = {file: (folder / file).read_text(encoding="utf-8") for file in TABLES}
    for file, names in TABLES.items():
        _repeat(folder / file, names, times)
    _, peak_mib = run_alone("stages.report", "events", folder=folder)
    for file, text in before.items():
        (folder / file).write_text(text, encoding="utf-8")
    return peak_mib


def _repeat(path: Path, names: tuple[str, ...], times: int) -> None:
    with path.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        for number in range(times):
            writer.writerows(row | {name: f"{number}-{row[name]}" for name in names} for row in rows)


def _write_corpus(root: Path, size: int) -> None:
    """Tones of random pitch about their label's, written without numpy: see `run_alone` on what a parent holds."""
    root.mkdir()
    random = Random(size)  # noqa: S311 (no secrets here)
    with (root / "clips.csv").open("w", encoding="utf-8", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(["file", "label", "split", "fold"])
        for number in range(size):
            label, file = list(TONES_HZ)[number % len(TONES_HZ)], f"clip-{number:05d}.wav"
            _write_tone(root / file, TONES_HZ[label] * random.uniform(0.8, 1.25))
            third = number // len(TONES_HZ)
            rows.writerow([file, label, SPLITS[third % len(SPLITS)], FOLDS[third % len(FOLDS)]])


def _write_tone(path: Path, pitch_hz: float) -> None:
    samples = array("h", (round(6000 * sin(2 * pi * pitch_hz / RATE_HZ * n)) for n in range(SAMPLES)))
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes(samples.tobytes())


def _write_texts(path: Path, size: int) -> None:
    """Different lines of words, one for each clip."""
    lines = (" ".join(WORDS[int(digit)] for digit in f"{number:05o}") for number in range(size))
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


if __name__ == "__main__":
    main()
