"""Room of measures: how good degraded speech is beside the clean speech, by SNR, PESQ, STOI and STI."""

import multiprocessing
import os
import warnings
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import TYPE_CHECKING

import numpy as np

from stages.frame.parent import follow_parent
from stages.measures.perturbation import snr_db
from stages.measures.sti import SHORTEST_S, sti

if TYPE_CHECKING:
    import pandas as pd

SAMPLE_RATE_HZ = 16000
PAIRS_PER_CHUNK = 4
PAIRS_PER_PROCESS = 16  # fewer take less time than to start one
SILENT = 2**-16  # what lies below is zero in a file of 16 bits
STOI_SHORTEST_S = 0.4
PESQ_SHORTEST_S = 0.25
# The reference code has 50 places for utterances and writes beyond them unchecked: at 52 a value of 2.60 came out as
# 3.07, at 55 the process died. An utterance and its pause take 97 windows of 4 ms or more (50 of speech at least; of
# pause more than 50, of which four are counted as speech), so that 50 * .388 s never hold more.
PESQ_LONGEST_S = 19.4
COLUMNS = ("snr_db", "pesq_nb", "pesq_raw", "pesq_wb", "stoi", "sti")


def quality(
    clean: list[np.ndarray], degraded: list[np.ndarray], sample_rate_hz: int, *, processes: int | None
) -> "pd.DataFrame":
    """A row for each pair of waveforms (samples,), in their order; the same for any number of processes.

    `processes` None takes one for each core. They are started anew, so the caller's main module must be importable;
    none is started for fewer than 32 pairs.

    * `snr_db`: the clean clip's power over that of the difference; inf where there is none.
    * `pesq_nb`, `pesq_wb`: MOS-LQO of ITU-T P.862.1 (1 to 4.55) and P.862.2 (1 to 4.64). The narrow band is taken
      from the clips at 16 kHz, as P.862 allows: halving the rate first gave .06 to .10 more by a filter of one's own.
      None below .25 s or above 19.4 s, which the reference code can't take.
    * `pesq_raw`: the narrow band before P.862.1's mapping, 4.5 - .1 d_sym - .0309 d_asym, at most 4.5 (`raw_pesq`).
    * `stoi`: short-time objective intelligibility (Taal et al. 2011), at most 1. `sti`: see there, 0 to 1.
    * `undefined`: "", or which measures are NaN and why, such as "PESQ: the degraded clip is silent".

    A silent degraded clip has 0 dB, STOI 0 and STI 0, and no PESQ.

    Raises:
        ValueError: another rate than 16 kHz, or pairs that do not match in number or length.
    """
    # Not for the processes that are started, which import this module too.
    import pandas as pd

    if sample_rate_hz != SAMPLE_RATE_HZ:
        raise ValueError(f"wide-band PESQ needs {SAMPLE_RATE_HZ} Hz, not {sample_rate_hz}")
    pairs = list(zip(clean, degraded, strict=True))
    chunks = [pairs[start : start + PAIRS_PER_CHUNK] for start in range(0, len(pairs), PAIRS_PER_CHUNK)]
    processes = min(processes or os.cpu_count() or 1, len(pairs) // PAIRS_PER_PROCESS)
    if processes <= 1:
        made = [_measured(chunk) for chunk in chunks]
    else:
        # Started anew, as torch's threads survive no fork.
        start_anew = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(processes, start_anew, initializer=follow_parent) as pool:
            made = list(pool.map(_measured, chunks))
    table = pd.DataFrame([row for rows in made for row in rows], columns=[*COLUMNS, "undefined"])
    return table.astype(dict.fromkeys(COLUMNS, float))


def raw_pesq(mos_lqo: float) -> float:
    """The raw score of narrow-band PESQ, by the inverse of P.862.1's .999 + 4 / (1 + exp(-1.4945 raw + 4.6607))."""
    return (4.6607 - float(np.log(4 / (mos_lqo - 0.999) - 1))) / 1.4945


class _UndefinedError(Exception):
    """A measure has no value for a pair; says why."""


def _measured(pairs: list[tuple[np.ndarray, np.ndarray]]) -> list[dict[str, float | str]]:
    from threadpoolctl import threadpool_limits

    # One thread in each process, and in one alone too: sums come out the same.
    with threadpool_limits(1, user_api="blas"):
        return [_row(np.asarray(clean, float), np.asarray(degraded, float)) for clean, degraded in pairs]


def _row(clean: np.ndarray, degraded: np.ndarray) -> dict[str, float | str]:
    if clean.shape != degraded.shape:
        raise ValueError(f"{clean.shape} samples against {degraded.shape}")
    if _silent(degraded):
        degraded = np.zeros_like(degraded)  # STOI and STI take any gain
    row: dict[str, float | str] = dict.fromkeys(COLUMNS, np.nan)
    reasons: dict[str, list[str]] = {}
    for label, measure in MEASURES.items():
        try:
            _check(clean, degraded)
            row |= measure(clean, degraded)
        except _UndefinedError as error:
            reasons.setdefault(str(error), []).append(label)
    return row | {"undefined": "; ".join(f"{', '.join(labels)}: {reason}" for reason, labels in reasons.items())}


def _check(clean: np.ndarray, degraded: np.ndarray) -> None:
    """What every measure needs."""
    for name, waveform in (("clean", clean), ("degraded", degraded)):
        if not np.isfinite(waveform).all():
            raise _UndefinedError(f"the {name} clip is not finite")
    if _silent(clean):
        raise _UndefinedError("the clean clip is silent")


def _silent(waveform: np.ndarray) -> bool:
    return np.abs(waveform).max(initial=0) < SILENT


def _long_enough(waveform: np.ndarray, shortest_s: float) -> None:
    if len(waveform) < shortest_s * SAMPLE_RATE_HZ:
        raise _UndefinedError(f"shorter than {shortest_s:g} s")


def _snr(clean: np.ndarray, degraded: np.ndarray) -> dict[str, float]:
    return {"snr_db": snr_db(clean, degraded - clean)}


def _pesq(clean: np.ndarray, degraded: np.ndarray) -> dict[str, float]:
    from pesq import PesqError, pesq

    _long_enough(clean, PESQ_SHORTEST_S)
    if len(clean) > PESQ_LONGEST_S * SAMPLE_RATE_HZ:
        raise _UndefinedError(f"longer than {PESQ_LONGEST_S:g} s")
    if _silent(degraded):
        raise _UndefinedError("the degraded clip is silent")
    # Not raised, as a value that is NaN breaks what raises.
    narrow, wide = (
        pesq(SAMPLE_RATE_HZ, clean, degraded, mode, on_error=PesqError.RETURN_VALUES) for mode in ("nb", "wb")
    )
    if PesqError.NO_UTTERANCES_DETECTED in (narrow, wide):
        raise _UndefinedError("no speech found")
    if not (narrow > 0 and wide > 0):
        raise _UndefinedError("too little speech")
    return {"pesq_nb": narrow, "pesq_raw": raw_pesq(narrow), "pesq_wb": wide}


def _stoi(clean: np.ndarray, degraded: np.ndarray) -> dict[str, float]:
    from pystoi import stoi

    _long_enough(clean, STOI_SHORTEST_S)
    with warnings.catch_warnings():
        # It would return 1e-5.
        warnings.filterwarnings("error", message="Not enough STFT frames", category=RuntimeWarning)
        try:
            return {"stoi": float(stoi(clean, degraded, SAMPLE_RATE_HZ))}
        except RuntimeWarning:
            raise _UndefinedError("less than 0.4 s of speech") from None


def _sti(clean: np.ndarray, degraded: np.ndarray) -> dict[str, float]:
    _long_enough(clean, SHORTEST_S)
    return {"sti": sti(clean, degraded, SAMPLE_RATE_HZ)}


MEASURES: dict[str, Callable[[np.ndarray, np.ndarray], dict[str, float]]] = {
    "SNR": _snr,
    "PESQ": _pesq,
    "STOI": _stoi,
    "STI": _sti,
}
