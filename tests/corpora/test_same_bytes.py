"""Every built-in corpus has the same bytes on every x86 processor, whatever that has beyond the least.

Run as a program it writes each corpus, small, and prints a digest of each of its files.
"""

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
import yaml

from stages.corpora import grid
from stages.corpora.embedded import (
    emotional_dialogs,
    emotional_speech,
    events,
    rooms,
    simulated_rooms,
    spoken_sentences,
    talking_faces,
)
from stages.frame import ffmpeg

TOP = Path(__file__).parents[2]
PEOPLE = {"train": (7, 10), "validation": (24,), "test": (16,)}
WRITERS = {
    "events.write": lambda folder: events.write(
        folder, seed=2018, train_clips_per_label=2, test_clips_per_label=1, mislabelled_share=0.1
    ),
    "rooms.write_great_hall": lambda folder: rooms.write_great_hall(folder / "hall.wav", seed=1),
    "emotional_speech.write": lambda folder: emotional_speech.write(
        folder, seed=2020, speakers=2, clips_per_emotion=1, spread=0.7
    ),
    "emotional_dialogs.write": lambda folder: emotional_dialogs.write(
        folder, seed=2008, utterances=8, unlabelled_minutes=0.1, sentences=20, spread=0.8
    ),
    "talking_faces.write_lrw": lambda folder: talking_faces.write_lrw(
        folder, seed=2016, words=["BUSINESS"], train_clips_per_word=1, other_clips_per_word=1
    ),
    "talking_faces.write_grid": lambda folder: talking_faces.write_grid(
        folder, seed=2006, train_clips_per_speaker=1, other_clips_per_speaker=1
    ),
    "spoken_sentences.write": lambda folder: spoken_sentences.write(
        folder, seed=2015, speakers=2, utterances_per_speaker=1, noise_s=1.0
    ),
    "simulated_rooms.write": lambda folder: simulated_rooms.write(folder, seed=2019, rooms=2),
}


def digests() -> dict[str, dict[str, str]]:
    """Of the files of each corpus; and of what numpy makes of some numbers, to see that anything was switched off."""
    grid.PAPER = PEOPLE
    found = {"numpy": {"exp": hashlib.sha256(np.exp(np.linspace(-9, 9, 9999, dtype=np.float32)).tobytes()).hexdigest()}}
    for writer, write in WRITERS.items():
        with tempfile.TemporaryDirectory() as folder:
            write(Path(folder))
            files = sorted(path for path in Path(folder).rglob("*") if path.is_file())
            found[writer] = {
                path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files
            }
    return found


def plainest(folder: Path) -> dict[str, str]:
    """An environment in which numpy, glibc, OpenBLAS, OpenCV and ffmpeg use what every x86-64 processor has."""
    from numpy.core._multiarray_umath import __cpu_dispatch__, __cpu_features__

    program = folder / "ffmpeg"
    program.write_text(f'#!/bin/sh\nexec "{ffmpeg.packaged()}" -cpuflags 0 "$@"\n')
    program.chmod(0o755)
    return {
        "NPY_DISABLE_CPU_FEATURES": " ".join(name for name in __cpu_dispatch__ if __cpu_features__[name]),
        "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-FMA,-FMA4",
        "OPENBLAS_CORETYPE": "Prescott",
        "OPENCV_CPU_DISABLE": "AVX512-SKX,AVX2,FMA3,FP16,AVX",
        "OPENCV_IPP": "disabled",
        "IMAGEIO_FFMPEG_EXE": str(program),
    }


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The digests on a plain processor and on this one."""
    environments = [plainest(tmp_path_factory.mktemp("programs")), {}]
    started = [
        subprocess.Popen(
            [sys.executable, __file__],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=os.environ | {"PYTHONPATH": str(TOP)} | environment,
        )
        for environment in environments
    ]
    return [json.loads(one.communicate()[0]) for one in started]


def test_every_corpus_of_the_studies_is_looked_at():
    studies = yaml.safe_load((TOP / "params.yaml").read_text(encoding="utf-8"))
    entries = [entry for study in studies.values() for entry in study.get("embedded", {}).values()]
    assert {entry["writer"] for entry in entries} == set(WRITERS)


def test_something_was_switched_off(written):
    plain, here = written
    assert plain["numpy"] != here["numpy"]


@pytest.mark.parametrize("writer", WRITERS)
def test_the_same_bytes(written, writer):
    plain, here = (one[writer] for one in written)
    assert plain == here and here


if __name__ == "__main__":
    json.dump(digests(), sys.stdout)
