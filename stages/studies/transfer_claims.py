"""Room of studies: what the text of the transfer paper claims, set against what was measured here."""

import math

import numpy as np
import pandas as pd

Made = dict[str, pd.DataFrame]
UNTESTABLE = "not testable here"


def claims(made: Made, few: int) -> pd.DataFrame:
    """One row a claim: the paper's figure, ours, and whether it holds.

    `certain` says whether the 95 % interval that decides stands clear of no difference, in the sense of the verdict.
    """
    rows = [
        _less_data(made["table_less_data"], few),
        *_heads(made["table_1"]),
        _best_head(made["table_1"]),
        _logarithmic(made["figure_2"]),
        *_against_text(made["table_paired"]),
        _shuffled(made["table_paired"]),
        _full_data(made["table_paired"]),
        _from_some_size_on(made["figure_2"], made["table_2"]),
        _published(made["table_2"]),
    ]
    return pd.DataFrame(rows, columns=["claim", "paper", "here", "verdict", "certain"])


def _row(claim: str, paper: str, here: str, difference: float, low: float, high: float) -> tuple:
    """A claim that a difference is positive."""
    if math.isnan(difference):
        return claim, paper, here, UNTESTABLE, ""
    holds = difference > 0
    return (
        claim,
        paper,
        here,
        "holds" if holds else "does not hold",
        "yes" if (low > 0 if holds else high < 0) else "no",
    )


def _points(value: float) -> str:
    return f"{100 * value:+.1f} points"


def _less_data(table: pd.DataFrame, few: int) -> tuple:
    row = table.iloc[0]
    return _row(
        "wav2vec with few examples is more accurate than the same model on hand-made descriptors with 8 times as many",
        "58.5 % with 500 examples",
        f"{100 * row.wav2vec:.1f} % with {few} against {100 * row.lld:.1f} % with {row.lld_examples:.0f}: {_points(row.difference)}",
        *(row.difference, row.difference_low, row.difference_high),
    )


def _heads(table: pd.DataFrame) -> list[tuple]:
    names = {
        "mean": "mean pooling",
        "mean_max": "mean and max pooling",
        "attention": "attention pooling",
        "mlp": "the MLP",
    }
    return [
        _row(
            f"with few examples wav2vec is better than hand-made descriptors under {names[row.head]}",
            _points(row.improvement_paper),
            _points(row.improvement),
            *(row.improvement, row.improvement_low, row.improvement_high),
        )
        for row in table.itertuples()
    ]


def _best_head(table: pd.DataFrame) -> tuple:
    scores = table.set_index("head").wav2vec
    best, second = scores.sort_values(ascending=False).index[:2]
    here = f"{best} {100 * scores[best]:.1f} %, {second} {100 * scores[second]:.1f} %"
    claim = "the MLP is the best head on wav2vec with few examples"
    return claim, "58.5 %, the next 57.4 %", here, "holds" if best == "mlp" else "does not hold", ""


def _logarithmic(curve: pd.DataFrame) -> tuple:
    """Growth counts as logarithmic where a line in the logarithm rises and explains nine tenths of the variance."""
    claim = "UA grows with the logarithm of the number of training examples"
    own = curve[curve.feature == "wav2vec"]
    if len(own) < 3:
        return claim, "Figure 2", "fewer than three sizes", UNTESTABLE, ""
    x = np.log10(own.examples.to_numpy(float))
    slope, offset = np.polyfit(x, own.ua, 1)
    explained = 1 - np.square(own.ua - slope * x - offset).sum() / np.square(own.ua - own.ua.mean()).sum()
    here = f"{_points(slope)} for ten times as many, R² {explained:.2f} over {len(own)} sizes"
    return claim, "Figure 2", here, "holds" if slope > 0 and explained >= 0.9 else "does not hold", ""


def _pair(table: pd.DataFrame, second: str, size: str = "all", first: str = "wav2vec bimodal") -> pd.Series | None:
    own = table[(table["first"] == first) & (table.second == second) & (table["size"] == size)]
    return own.iloc[0] if len(own) else None


def _of_pair(claim: str, paper: str, row: pd.Series | None) -> tuple:
    if row is None:
        return claim, paper, "not measured", UNTESTABLE, ""
    here = (
        f"{_points(row.difference)}, p {row.p_speakers:.3f} over {row.speakers} speakers, McNemar {row.p_mcnemar:.2g}"
    )
    return _row(claim, paper, here, row.difference, row.difference_low, row.difference_high)


def _against_text(table: pd.DataFrame) -> list[tuple]:
    return [
        _of_pair("adding text improves on the acoustic MLP", "+9.6 points", _pair(table, "wav2vec mlp")),
        _of_pair(
            "two modalities are better than speech alone (same model)", "not measured", _pair(table, "wav2vec speech")
        ),
        _of_pair(
            "two modalities are better than text alone (same model)", "not measured", _pair(table, "wav2vec text")
        ),
    ]


def _shuffled(table: pd.DataFrame) -> tuple:
    claim = "it is the words that help: with another clip's transcript the gain is lost"
    return _of_pair(claim, "not measured", _pair(table, "wav2vec bimodal-shuffled"))


def _full_data(table: pd.DataFrame) -> tuple:
    claim = "wav2vec is better than hand-made descriptors with all examples too (MLP)"
    return _of_pair(claim, "Figure 2", _pair(table, "lld mlp", "all", "wav2vec mlp"))


def _from_some_size_on(curve: pd.DataFrame, table: pd.DataFrame) -> tuple:
    """The paper compares with published systems; here it is the best of the models on descriptors, at any size."""
    claim = "from some number of examples on wav2vec outperforms acoustic models trained on all"
    cited = table[(table.cited == "yes") & ~table.features.str.contains("GloVe|recognition")].ua_paper.max()
    best = curve[curve.feature == "lld"].ua.max()
    own = curve[curve.feature == "wav2vec"].sort_values("examples")
    above = own[(own.ua > best)[::-1].cummin()[::-1]]
    where = f"from {above.examples.iloc[0]} examples" if len(above) else "at no number"
    here = f"{where}, against {100 * best:.1f} % of the same MLP on descriptors"
    verdict = "holds" if len(above) else "does not hold"
    return claim, f"from 2,000 of some 4,400, against {100 * cited:.1f} % of cited systems", here, verdict, ""


def _published(table: pd.DataFrame) -> tuple:
    """A claim against systems that are not built here, on a corpus that need not be IEMOCAP."""
    best = table[table.cited == "yes"].ua_paper.max()
    claim = "the bimodal model is better than all published ones"
    return claim, f"73.9 %; others up to {100 * best:.1f} %", "the others are cited, not built", UNTESTABLE, ""
