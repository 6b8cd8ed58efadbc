"""A set of tones in noise, of two labels that lie close enough for attacks to have something to do."""

from pathlib import Path

import numpy as np
import pandas as pd

from stages.frame import shards
from stages.frame.devices import Worker


def write(
    table: pd.DataFrame,
    folder: Path,
    rng: np.random.Generator,
    *,
    pitches_hz: dict[str, float],
    spread: float,
    noise: float,
) -> None:
    """A tone for each row, as long as it says, whose pitch strays by a share `spread` from its label's.

    `noise` is the deviation of what is heard beside the tone of amplitude 0.1. Rows with a problem have nothing.
    """

    def compute(rows):
        arrays = []
        for row in rows.itertuples():
            time = np.arange(round(row.duration_s * 16000)) / 16000
            pitch_hz = pitches_hz[row.label] * rng.uniform(1 - spread, 1 + spread)
            wave = 0.1 * np.sin(2 * np.pi * pitch_hz * time) + noise * rng.standard_normal(len(time))
            arrays.append({} if row.problem else {"audio": wave.astype("f")})
        return rows, arrays

    shards.write_set(
        table,
        folder,
        compute,
        inputs=[],
        settings=0,
        worker=Worker(),
        description="t",
        about={
            "signal": {"sample_rate_hz": 16000},
            "bounds": {"audio": [-1.0, 1 - 2**-15]},
            "quantum": {"audio": 2**-15},
        },
    )
