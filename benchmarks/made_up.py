"""Benchmarks: sets of spoken texts in noise and of faces that speak, made up: `python -m benchmarks.made_up COUNT`.

They are for `benchmarks.memory`, and lie below the working directory as the verbs would have left them.
"""

import sys

import numpy as np
import pandas as pd

from stages.frame import shards
from stages.frame.devices import Worker

RATE_HZ, FRAMES_PER_S = 16000, 25
TONES_HZ = {"a": 500, "b": 1200}
TEXTS, NOISES = ("ab", "ba"), {"hiss": "train", "wind": "test"}
# Long enough for lip sync; of a text, for each of its letters.
FRAMES, CROP, LETTER_S = 16, 18, 0.15
BOUNDS = {"audio": [-1.0, 1 - 2**-15], "video": [0.0, 255.0]}
QUANTUM = {"audio": 2**-15, "video": 1.0}


def main(count: str) -> None:
    """Writes `data/spoken/audio` and `data/faces/words`, of so many clips each."""
    splits = [("train", "test", "train", "validation")[number % 4] for number in range(int(count))]
    table = pd.DataFrame({"key": [f"clip-{number:05d}" for number in range(len(splits))], "split": splits})
    table = table.assign(speaker="", problem="", fold="")
    spoken = table.assign(label="", text=[TEXTS[number // 4 % 2] for number in table.index])
    spoken = spoken.assign(duration_s=LETTER_S * spoken.text.str.len())
    noises = pd.DataFrame({"key": list(NOISES), "speaker": list(NOISES), "split": list(NOISES.values())})
    noises = noises.assign(label="", text="", problem="", fold="", duration_s=1.0)
    _write("spoken/audio", pd.concat([spoken, noises]), _sound, ["audio"])
    words = table.assign(label=["ab"[number // 4 % 2] for number in table.index], duration_s=FRAMES / FRAMES_PER_S)
    words = words.assign(text=words.label, word_times=words.label + f" 0 {FRAMES / FRAMES_PER_S}")
    _write("faces/words", words, _face, ["audio", "video"])


def _sound(text: str, duration_s: float, rng: np.random.Generator) -> shards.Arrays:
    """A tone for each letter, or noise where there is no text."""
    time = np.arange(round(duration_s * RATE_HZ)) / RATE_HZ
    tones = np.repeat([TONES_HZ[letter] for letter in text] or [0], len(time) // max(1, len(text)))
    wave = 0.1 * np.sin(2 * np.pi * tones * time) + 0.02 * rng.standard_normal(len(time))
    return {"audio": (np.rint(wave * 2**15) / 2**15).astype("f4")}


def _face(text: str, duration_s: float, rng: np.random.Generator) -> shards.Arrays:
    """The same, with pictures as bright as the tone is high."""
    video = TONES_HZ[text] / 10 + rng.integers(-20, 20, (FRAMES, CROP, CROP))
    return {"video": video.astype("u1"), **_sound(text, duration_s, rng)}


def _write(name: str, table: pd.DataFrame, make, names: list[str]) -> None:
    def compute(rows: pd.DataFrame) -> tuple[pd.DataFrame, list[shards.Arrays]]:
        made = [make(row.text, row.duration_s, np.random.default_rng(row.Index)) for row in rows.itertuples()]
        return rows, made

    signal = {"sample_rate_hz": RATE_HZ, "frames_per_s": FRAMES_PER_S, "crop": CROP}
    about = {"signal": signal if "video" in names else {"sample_rate_hz": RATE_HZ}}
    about |= {"bounds": {one: BOUNDS[one] for one in names}, "quantum": {one: QUANTUM[one] for one in names}}
    given = {"inputs": [], "settings": name, "worker": Worker(), "description": name, "about": about}
    shards.write_set(table.assign(clip_id=table.key), f"data/{name}", compute, **given)


if __name__ == "__main__":
    main(*sys.argv[1:])
