"""Clips behind a guard of the audit whose shares and scores can be counted by hand."""

import pandas as pd

CLIPS, SPEAKERS = 8, 4


def version(knowledge, right, score, *, times=1):
    """A row for each clip; `right` and `score` are one value for all, or one each."""
    told = {"study": "audiovisual", "entry": "words", "victim": "reader", "guard": "sync_clean", "knowledge": knowledge}
    told |= {"attack": "none" if knowledge == "benign" else "bim", "access": "gradient"}
    made = pd.DataFrame(told | {"right": right, "score": score, "times": times, "reached": 20.0}, index=range(CLIPS))
    speakers = [f"s{n % SPEAKERS}" for n in range(CLIPS)]
    return made.assign(clip_id=[f"c{n}" for n in range(CLIPS)], cluster=speakers, speaker=speakers)


def guarded():
    """Benign scores of 0 to 7; unaware six attacks come to nothing, aware one, after longer tries."""
    scores = pd.Series(range(CLIPS), dtype=float)
    aware = version("aware", [1.0] * 4 + [0.0] * 4, scores).iloc[:CLIPS]
    longer = version("aware", 0.0, scores - 3.5, times=2).iloc[1:4]
    return pd.concat(
        [
            version("benign", [1.0] * 7 + [0.0], scores),
            version("none", 1.0, scores - 8),
            version("transplant", 1.0, scores),
            version("unaware", [1.0] * 6 + [0.0] * 2, scores - 8),
            aware,
            longer,
        ],
        ignore_index=True,
    )
