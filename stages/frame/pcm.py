"""Ground floor: sound and pictures as the whole numbers that files hold."""

import numpy as np

from stages.frame import finite

# How files hold an input that has a quantum: 16-bit samples, grey levels.
INTEGERS = {"audio": np.int16, "video": np.uint8}


def to_pcm16(waveform: np.ndarray) -> np.ndarray:
    """int16 samples of a waveform in [-1, 1), rounded to the nearest and clipped to the range.

    Raises:
        UserError: it has samples that are not finite.
    """
    return _whole(waveform * 32768.0, np.int16)


def from_pcm16(samples: np.ndarray) -> np.ndarray:
    """float32 waveform in [-1, 1) of int16 samples."""
    return samples.astype(np.float32) / np.float32(32768)


def to_file(arrays: dict[str, np.ndarray], quantum: dict[str, float]) -> dict[str, np.ndarray]:
    """Named inputs as files hold them: those that have a quantum as whole numbers of it, the others as they are.

    Raises:
        UserError: one that has a quantum holds what is not finite.
    """
    return {
        name: _whole(array / quantum[name], INTEGERS[name]) if name in quantum else array
        for name, array in arrays.items()
    }


def from_file(arrays: dict[str, np.ndarray], quantum: dict[str, float]) -> dict[str, np.ndarray]:
    """What `to_file` made, in float32 and in the inputs' own scale again; floats stay as they are."""
    return {
        name: (array * np.float32(quantum[name])).astype(np.float32)
        if name in quantum and np.issubdtype(array.dtype, np.integer)
        else array
        for name, array in arrays.items()
    }


def _whole(values: np.ndarray, kind: type) -> np.ndarray:
    # As a whole number NaN would be zero, without a word.
    finite.check(values, "a signal to be kept as files hold it", "samples or grey levels", do="see what made it")
    limits = np.iinfo(kind)
    return np.clip(np.rint(values), limits.min, limits.max).astype(kind)
