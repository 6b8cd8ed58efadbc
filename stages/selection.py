"""Ground floor: which clips an item attacks, and what each is to become."""

from itertools import permutations

import pandas as pd

from stages.frame.clip_table import stable_hash
from stages.frame.errors import UserError
from stages.frame.parameters import Count


def untargeted(decisions: pd.DataFrame, *, clips_per_label: Count) -> pd.DataFrame:
    """`clips_per_label` test clips of every label that the victim decides correctly, fewer where there are not so many.

    Rows: `key`, `clip_id`, `label`, `target` (empty), `duration_s`; in an order that depends on the clip ids alone.
    """
    correct = _correct(decisions)
    chosen = pd.concat([own.head(clips_per_label) for _, own in correct.groupby("label")])
    return chosen.assign(clip_id=chosen.key, target="")[["key", "clip_id", "label", "target", "duration_s"]]


def targeted(decisions: pd.DataFrame, *, labels: Count, clips_per_pair: Count) -> pd.DataFrame:
    """`clips_per_pair` correctly decided test clips of each of `labels` labels against each of the others.

    The labels are those with most such clips (ties by a hash of the name); a label's clips are dealt to its targets in
    turn, so that they differ as far as there are enough.
    """
    correct = _correct(decisions)
    counts = correct.label.value_counts()
    chosen = sorted(counts.index, key=lambda label: (-counts[label], stable_hash(label)))[:labels]
    if len(chosen) < 2:
        what = {"expected": "test clips of at least two labels decided correctly", "found": ", ".join(chosen)}
        raise UserError("the victim's decisions", **what, do="train it longer, or select more labels")
    rows = []
    turns = dict.fromkeys(chosen, 0)
    for source, target in permutations(sorted(chosen), 2):
        own = correct[correct.label == source]
        for _ in range(min(clips_per_pair, len(own))):
            clip = own.iloc[turns[source] % len(own)]
            turns[source] += 1
            rows.append((f"{clip.key}~{target}", clip.key, source, target, clip.duration_s))
    table = pd.DataFrame(rows, columns=["key", "clip_id", "label", "target", "duration_s"])
    return table.drop_duplicates("key")


def _correct(decisions: pd.DataFrame) -> pd.DataFrame:
    correct = decisions[(decisions.split == "test") & (decisions.decision == decisions.label)]
    if correct.empty:
        raise UserError(
            "the victim's decisions", expected="a test clip decided correctly", found="none", do="train it longer"
        )
    return correct.iloc[correct.key.map(stable_hash).argsort(kind="stable")]
