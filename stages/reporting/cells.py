"""Room of reporting: values with their 95 % intervals, and the paper's beside them, as cells of a study's tables.

A value comes as `name`, `name_low` and `name_high`, all NaN where there is nothing to tell it from; what the paper has
is `name_paper`. Rows that resemble each other have the same cluster, such as all that was made of one clip.
"""

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from stages.measures.intervals import clustered, clusters_of, effective_clusters, exact, wilson

Cells = dict[str, float]
PER_CENT = 100.0


def cells(name: str, value: float = math.nan, low: float = math.nan, high: float = math.nan) -> Cells:
    """A value and the ends of its interval."""
    return {name: float(value), f"{name}_low": float(low), f"{name}_high": float(high)}


def one(rows: pd.DataFrame, /, **where: object) -> pd.Series | None:
    """The one row with these values, None where there is none, or more."""
    for column, value in where.items():
        rows = rows[rows[column] == value]
    return rows.iloc[0] if len(rows) == 1 else None


def cell(rows: pd.DataFrame, column: str, /, **where: object) -> float:
    """The number in a column of the one row with these values, NaN where there is no such row."""
    row = one(rows, **where)
    return math.nan if row is None else float(row[column])


def published(paper: pd.DataFrame, value: str = "value", /, **where: object) -> float:
    """What the paper has in the column `value` of the one row with these values, NaN where there is no such row."""
    return cell(paper, value, **where)


def printed(paper: pd.DataFrame, names: Iterable[str], /, **where: object) -> Cells:
    """The paper's values of the one row with these values, as `<name>_paper`; NaN where there is no such row."""
    return {f"{name}_paper": published(paper, name, **where) for name in names}


def table(rows: list[dict[str, Any]], columns: Iterable[str] = (), *, places: int = 4, **others: int) -> pd.DataFrame:
    """The rows as a table, floats rounded to so many places, `others` saying of which columns to others.

    It has these `columns` also where no row has them, so that it can be asked for them.
    """
    made = pd.DataFrame(rows)
    made = made.reindex(columns=[*made.columns, *(name for name in columns if name not in made)])
    return made.round({column: others.get(column, places) for column in made.select_dtypes("float").columns})


def ordered(rows: list[dict[str, Any]], columns: Iterable[str]) -> pd.DataFrame:
    """A table of these columns alone, each followed by its interval's ends and the paper's value, where rows have them.

    Floats are rounded to four places.
    """
    columns = list(columns)
    given = set(columns).union(*rows)
    names = [f"{column}{end}" for column in columns for end in ("", "_low", "_high", "_paper")]
    return pd.DataFrame(rows, columns=[name for name in names if name in given]).round(4)


def finite(values: dict[str, float]) -> dict[str, float]:
    """Those of the values that are finite, rounded to four places: JSON knows no others."""
    return {name: round(float(value), 4) for name, value in values.items() if math.isfinite(value)}


def possible(attacked: pd.DataFrame) -> pd.DataFrame:
    """The attacked clips without those `impossible`: no decision of their victim is what the attack wants.

    They would count as robustness. Tables say in `left_out` how many they are; a set of before they were told has none.
    """
    return attacked[~attacked.impossible] if "impossible" in attacked else attacked


def with_clusters(clips: pd.DataFrame) -> pd.DataFrame:
    """With the column `cluster`: a clip's speaker; where the split has fewer than two, as LRW names none, the clip."""
    several = clips.groupby(["corpus", "split"]).speaker.transform("nunique") > 1
    return clips.assign(cluster=clips.speaker.where(several, clips.clip_id))


def share(hits: pd.Series, clusters: pd.Series | None, name: str, *, scale: float = 1.0) -> Cells:
    """The share of rows that are hits, times `scale`; without clusters rows are taken as independent (Wilson)."""
    if hits.empty:
        return cells(name)
    hits = hits.astype(float)
    if clusters is None:
        low, high = wilson(int(hits.sum()), len(hits))
    else:
        counts = hits.groupby(clusters).agg(["sum", "count"])
        low, high = clustered(counts["sum"].to_numpy(), counts["count"].to_numpy())
    return cells(name, scale * hits.mean(), scale * low, scale * high)


def error_rate(clips: pd.DataFrame, name: str) -> Cells:
    """The WER, >= 0, of decisions with so many `errors` in `errors_of` words; of labels the share that is wrong.

    The interval of a WER is linearised (Taylor) over clusters, with Student's t; where they do not differ it is the
    exact one of as many trials as there are clusters, and above 1 there is none.
    """
    from scipy import stats

    if (clips.label != "").any():
        return share(clips.errors > 0, clips.cluster, name)
    words = clips.errors_of.sum()
    if words == 0:
        return cells(name)
    value = clips.errors.sum() / words
    clusters = clusters_of(clips.cluster)
    sums = np.bincount(clusters, clips.errors - value * clips.errors_of)
    spread = math.sqrt(np.square(sums).sum()) / words
    if spread > 1e-10:
        half = stats.t.ppf(0.975, len(sums) - 1) * math.sqrt(len(sums) / (len(sums) - 1)) * spread
        return cells(name, value, max(0.0, value - half), value + half)
    return cells(name, value, *(exact(value, effective_clusters(clusters, clips.errors_of)) if value <= 1 else ()))


def mean(values: pd.Series, clusters: pd.Series, name: str) -> Cells:
    """The mean of those that are finite, and Student's interval over the clusters' sums."""
    from scipy import stats

    defined = np.isfinite(values)
    values, clusters = values[defined], clusters[defined]
    if values.empty:
        return cells(name)
    sums = (values - values.mean()).groupby(clusters).sum().to_numpy()
    if len(sums) < 2:
        return cells(name, values.mean())
    spread = math.sqrt(np.square(sums).sum() * len(sums) / (len(sums) - 1)) / len(values)
    half = stats.t.ppf(0.975, len(sums) - 1) * spread
    return cells(name, values.mean(), values.mean() - half, values.mean() + half)


def undefined(values: pd.Series, name: str) -> dict[str, int]:
    """How many of the values a mean leaves out, as `<name>_undefined`."""
    return {f"{name}_undefined": int((~np.isfinite(values)).sum())}
