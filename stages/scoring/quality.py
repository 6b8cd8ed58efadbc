"""Room of scoring: how good what is heard is beside the clean speech."""

import numpy as np
import pandas as pd

from stages.frame.pcm import from_pcm16
from stages.frame.shards import ShardSet
from stages.measures.speech_quality import quality
from stages.scoring.versions import clean


def with_quality(
    table: pd.DataFrame, sounds: dict[str, np.ndarray], sets: dict[str, ShardSet], clips: ShardSet
) -> pd.DataFrame:
    """The table with the columns of `quality`, empty for what is played, clean or not attacked.

    A room is no fault of a treatment, so what was played in one is not measured.

    Args:
        table: with columns `set`, `source`, `version`, `clip_id`, `sound`, and of attacked clips `attack`.
        sounds: what was heard, int16, by `sound`.
        sets: the sets of the sources.
        clips: the clean speech of attacked clips.
    """
    measured = table.version.isin(["noisy", "file"])
    if "attack" in table:
        measured &= table.attack != "none"
    rows = table[measured].drop_duplicates("sound")
    made = quality(
        [clean(row, sets, clips) for row in rows.itertuples()],
        [from_pcm16(sounds[key]) for key in rows.sound],
        clips.about["signal"]["sample_rate_hz"],
        processes=None,
    )
    return table.merge(made.assign(sound=rows.sound.to_numpy()), on="sound", how="left")
