"""Built-in corpora: synthesises eight of FSDKaggle2018's kinds of sound event, in that corpus's layout."""

from pathlib import Path

import numpy as np
import pandas as pd
from scipy.io import wavfile

from stages.corpora.embedded import sound_models
from stages.corpora.embedded.cores import each
from stages.corpora.fsdkaggle2018 import TEST_AUDIO, TEST_LIST, TRAIN_AUDIO, TRAIN_LIST
from stages.frame.clip_table import stable_hash
from stages.frame.parameters import Count, NonNegativeInt, Share

MODELS = {
    "Acoustic_guitar": sound_models.plucked_string,
    "Bass_drum": sound_models.bass_drum,
    "Clarinet": sound_models.clarinet,
    "Flute": sound_models.flute,
    "Glockenspiel": sound_models.struck_bar,
    "Hi-hat": sound_models.hi_hat,
    "Snare_drum": sound_models.snare_drum,
    "Violin_or_fiddle": sound_models.bowed_string,
}
LABELS = tuple(MODELS)
LONG_LABELS = ("Glockenspiel", "Violin_or_fiddle")
VERIFIED_SHARE = 0.4
PUBLIC_SHARE = 301 / 1600  # of the real corpus's scored test clips
SNR_DB = (6, 32)
PEAK_DB = (-20, -1)


def write(
    folder: Path,
    *,
    seed: NonNegativeInt,
    train_clips_per_label: Count,
    test_clips_per_label: Count,
    mislabelled_share: Share,
) -> None:
    """Writes the corpus into `folder`: mono 16-bit WAV at 44.1 kHz of 0.5 to 2.6 s, and FSDKaggle2018's two lists.

    As in the real corpus, some two fifths of the training clips are verified, `mislabelled_share` of the others carry a
    wrong label, and the test list names clips that were never scored (`Ignored`) and whose files are absent: here as
    many as one label has test clips. A clip depends on the seed, its label, split and number alone, so that larger
    corpora hold the smaller ones.
    """
    folder = Path(folder)
    for name in (TRAIN_AUDIO, TEST_AUDIO, Path(TRAIN_LIST).parent):
        (folder / name).mkdir(parents=True, exist_ok=True)
    jobs = [
        (folder, seed, label, number, mislabelled_share) for label in LABELS for number in range(train_clips_per_label)
    ]
    train = list(each(_write_train_clip, jobs))
    jobs = [(folder, seed, label, number) for label in LABELS for number in range(test_clips_per_label)]
    test = list(each(_write_test_clip, jobs))
    ignored = [_ignored_row(seed, number) for number in range(test_clips_per_label)]
    _write_list(folder / TRAIN_LIST, train)
    _write_list(folder / TEST_LIST, test + ignored)


def clip(label: str, rng: np.random.Generator) -> np.ndarray:
    """One sound of this label in its surroundings at 44.1 kHz: float64 of shape (samples,) within -1 and 1."""
    longest_s = 2.6 if label in LONG_LABELS else 1.6
    length = round((0.5 + (longest_s - 0.5) * rng.beta(1.5, 2.6)) * sound_models.RATE_HZ)
    start = int(rng.uniform(0, 0.2) * length)
    sound = np.zeros(length)
    sound[start:] = sound_models.recorded(rng, MODELS[label](rng, length - start))
    noise_level = np.sqrt(np.mean(sound**2)) * 10 ** (-rng.uniform(*SNR_DB) / 20)
    sound += noise_level * sound_models.background(rng, length)
    return sound * 10 ** (rng.uniform(*PEAK_DB) / 20) / np.abs(sound).max()


def _write_train_clip(folder: Path, seed: int, label: str, number: int, mislabelled_share: float) -> dict:
    name = _write_clip(folder / TRAIN_AUDIO, seed, "train", label, number)
    # Draws apart from the sound's: the share of wrong labels changes no sound.
    rng = _rng(f"{seed}/list/train/{label}/{number}")
    verified, wrong = rng.uniform() < VERIFIED_SHARE, rng.uniform() < mislabelled_share
    other = rng.choice([another for another in LABELS if another != label])
    written = label if verified or not wrong else other
    return {"fname": name, "label": written, "manually_verified": int(verified)} | _origin(rng)


def _write_test_clip(folder: Path, seed: int, label: str, number: int) -> dict:
    name = _write_clip(folder / TEST_AUDIO, seed, "test", label, number)
    rng = _rng(f"{seed}/list/test/{label}/{number}")
    usage = "Public" if rng.uniform() < PUBLIC_SHARE else "Private"
    return {"fname": name, "label": label, "usage": usage} | _origin(rng)


def _ignored_row(seed: int, number: int) -> dict:
    row = {"fname": _file_name(seed, "ignored", LABELS[0], number), "label": "None", "usage": "Ignored"}
    return row | _origin(_rng(f"{seed}/list/ignored/{number}"))


def _origin(rng: np.random.Generator) -> dict:
    return {"freesound_id": int(rng.integers(1_000, 400_000)), "license": "Creative Commons 0"}


def _write_clip(folder: Path, seed: int, split: str, label: str, number: int) -> str:
    samples = clip(label, _rng(f"{seed}/{split}/{label}/{number}"))
    name = _file_name(seed, split, label, number)
    wavfile.write(folder / name, sound_models.RATE_HZ, np.round(samples * 32767).astype(np.int16))
    return name


def _file_name(seed: int, split: str, label: str, number: int) -> str:
    """Eight hexadecimal digits, different for each clip: an odd factor permutes the 32-bit numbers."""
    serial = (number * len(LABELS) + LABELS.index(label)) * 3 + ("train", "test", "ignored").index(split)
    return f"{(serial * 0x9E3779B1 + stable_hash(str(seed))) % 2**32:08x}.wav"


def _rng(name: str) -> np.random.Generator:
    return np.random.default_rng(stable_hash(name))


def _write_list(path: Path, rows: list[dict]) -> None:
    pd.DataFrame(rows).sort_values("fname").to_csv(path, index=False, lineterminator="\n")
