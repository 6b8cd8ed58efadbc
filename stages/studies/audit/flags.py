"""Room of studies: what makes the numbers of an audit's cell doubtful (after AutoAttack's checks; Croce and Hein 2020).

A defence that only hides its gradients looks strong to an attack by gradients; these are its signs.
"""

import pandas as pd

CLIPS = ["clip_id", "budget"]
# From which share of what the attack gains on noise gains as much.
HALF = 0.5


def flags(rows: pd.DataFrame) -> pd.DataFrame:
    """The column `flags` for each victim and defence: the names of those that hold, with a comma between them.

    *zero gradient*: an attack failed and met a gradient that is zero everywhere; *scores beat gradient*: on the same
    clips; *unlimited fails*: not every clip falls where the budget is no bound; *more gains less*: a louder budget
    leaves more; *more steps gain*: the last doubling of steps still found something, and not all; *noise gains*: noise
    as loud has half of the attack's success.

    Args:
        rows: as `crossed` makes them, with `study` and `unlimited`.
    """
    keys = ["study", "victim", "defence"]
    made = [dict(zip(keys, where)) | {"flags": ", ".join(_of(own))} for where, own in rows.groupby(keys, sort=False)]
    return pd.DataFrame(made, columns=[*keys, "flags"])


def _of(rows: pd.DataFrame) -> list[str]:
    aware = rows[rows.knowledge == "aware"]
    gradient = aware[(aware.access == "gradient") & (aware.times == 1)]
    limited = gradient[~gradient.unlimited]
    most = aware[(aware.access == "gradient") & ~aware.unlimited]
    held = {
        "zero gradient": bool(aware.zero_gradient.any()),
        "scores beat gradient": _gains(_best(most), aware[aware.access == "scores"]),
        "unlimited fails": bool((gradient[gradient.unlimited].right > 0).any()),
        "more gains less": _rises(limited),
        "more steps gain": _unfinished(aware[aware.access == "gradient"]),
        "noise gains": _noise(limited, rows[rows.knowledge == "none"]),
    }
    return [name for name, holds in held.items() if holds]


def _gains(first: pd.DataFrame, other: pd.DataFrame) -> bool:
    """Whether the other attack leaves less than the first on the clips and budgets that both have."""
    both = first.merge(other, on=CLIPS, suffixes=("", "_other"))
    return bool(len(both) and both.right_other.mean() < both.right.mean())


def _unfinished(rows: pd.DataFrame) -> bool:
    """Whether of the clips with the most steps some are left and some fell that fewer steps did not find."""
    most = rows.times.max()
    last, before = rows[rows.times == most], rows[rows.times < most]
    return bool(most > 1 and (last.right > 0).any() and _gains(_best(before), last))


def _best(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.groupby(CLIPS, as_index=False).right.min()


def _rises(rows: pd.DataFrame) -> bool:
    """Whether a louder budget leaves more."""
    # Of SNRs the louder one is the lower.
    left = rows.groupby("budget").right.mean().sort_index(ascending=not (rows.budget_in == "snr_db").any())
    return bool((left.diff().dropna() > 0).any())


def _noise(attacked: pd.DataFrame, noise: pd.DataFrame) -> bool:
    """Whether noise gains half as much as the attack, where that gains anything."""
    both = attacked.merge(noise, on=CLIPS, suffixes=("", "_noise"))
    by_attack, by_noise = ((both.right_clean - both[name]).mean() for name in ("right", "right_noise"))
    return bool(len(both) and by_attack > 0 and by_noise >= HALF * by_attack)
