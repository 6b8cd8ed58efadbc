"""Room of studies: what the text of the transfer paper claims, set against what was measured here."""

import numpy as np
import pandas as pd

from stages.measures import testing
from stages.reporting.verdicts import Claim, judged
from stages.studies.transfer.attacks import hardier
from stages.studies.transfer.recalls import by_speaker, chosen, eight_times_as_many, tested

Made = dict[str, pd.DataFrame]
SAME_CLIPS = "recall on the same clips"
# What is meant by no gain: half of what the paper's text gains.
NO_GAIN = 0.05


def claims(made: Made, decisions: pd.DataFrame, attacks: pd.DataFrame, few: int) -> pd.DataFrame:
    """One row a claim: the paper's figure, ours, and its verdict. Speakers are the clusters, with all their draws."""
    rows = [
        _less_data(made["table_less_data"], decisions, few),
        *_heads(made["table_1"], decisions, few),
        _best_head(made["table_1"], decisions, few),
        _logarithmic(made["figure_2"], decisions),
        *_against_text(made["table_paired"], decisions),
        *_shuffled(made["table_paired"], decisions),
        _robust(made["table_text_robustness"], attacks),
        _full_data(made["table_paired"], decisions),
        _from_some_size_on(made["figure_2"], made["table_2"], decisions),
        *_untested(made["table_2"]),
    ]
    return judged(rows)


def _points(value: float) -> str:
    return f"{100 * value:+.1f} points"


def _less_data(table: pd.DataFrame, decisions: pd.DataFrame, few: int) -> Claim:
    claim = (
        "wav2vec with few examples is more accurate than the same model on hand-made descriptors with 8 times as many"
    )
    paper = "58.5 % with 500 examples; the other figure is not given"
    if table.empty:
        return Claim(claim, paper, "not measured")
    row = table.iloc[0]
    here = (
        f"{100 * row.wav2vec:.1f} % with {few} against {100 * row.lld:.1f} % with {row.lld_examples:.0f}: "
        f"{_points(row.difference)}"
    )
    better = tested(eight_times_as_many(decisions, few), chosen(decisions, "wav2vec", "mlp", str(few)))
    return Claim(claim, paper, here, f"{SAME_CLIPS} and draws", better)


def _heads(table: pd.DataFrame, decisions: pd.DataFrame, few: int) -> list[Claim]:
    names = {
        "mean": "mean pooling",
        "mean_max": "mean and max pooling",
        "attention": "attention pooling",
        "mlp": "the MLP",
    }
    # 51.6 %, 5.2 points less, is what its Table 1 has for the MLP on descriptors.
    notes = {"mean": "; its text gives 56.7 % where its Table 1 has 54.9 %"}
    return [
        Claim(
            f"with few examples wav2vec is better than hand-made descriptors under {names[row.head]}",
            _points(row.improvement_paper) + notes.get(row.head, ""),
            _points(row.improvement) if np.isfinite(row.improvement) else "not measured",
            f"{SAME_CLIPS} and draws",
            tested(*(chosen(decisions, feature, row.head, str(few)) for feature in ("lld", "wav2vec"))),
            stated=row.improvement_paper,
        )
        for row in table.itertuples()
    ]


def _best_head(table: pd.DataFrame, decisions: pd.DataFrame, few: int) -> Claim:
    claim, paper = "the MLP is the best head on wav2vec with few examples", "58.5 %, the next 57.4 %"
    own = table[table.wav2vec.notna()].sort_values("wav2vec", ascending=False)
    if len(own) < 2 or "mlp" not in set(own["head"]):
        return Claim(claim, paper, "not measured")
    here = "; ".join(f"{row['head']} {100 * row.wav2vec:.1f} %" for _, row in own.head(2).iterrows())
    heads = ["mlp", *(name for name in own["head"] if name != "mlp")]
    recalls = pd.concat([by_speaker(chosen(decisions, "wav2vec", head, str(few))) for head in heads], axis=1).dropna()
    ranked = testing.ranked_above(recalls.to_numpy(), 0, range(1, len(heads)))
    return Claim(claim, paper, here, "its rank by speakers' recall against that of the next head", ranked)


def _logarithmic(curve: pd.DataFrame, decisions: pd.DataFrame) -> Claim:
    claim = (
        "UA grows with the logarithm of the number of training examples (taken as: it rises, and a line in the "
        "logarithm leaves less unexplained than one in the number itself)"
    )
    own = curve[(curve.feature == "wav2vec") & curve.ua.notna()]
    if len(own) < 3:
        return Claim(claim, "Figure 2", "fewer than three sizes")
    examples = own.examples.to_numpy(float)
    (slope, left), (_, plain) = (_fit(x, own.ua.to_numpy()[:, None]) for x in (np.log10(examples), examples))
    spread = np.square(own.ua - own.ua.mean()).sum() or 1.0
    here = (
        f"{_points(slope[0])} for ten times as many, R² {1 - left[0] / spread:.2f} (in the number itself "
        f"{1 - plain[0] / spread:.2f}) over {len(own)} sizes"
    )
    recalls = [by_speaker(chosen(decisions, "wav2vec", "mlp", size)) for size in own["size"]]
    of_speakers = pd.concat(recalls, axis=1).dropna()
    (slopes, left), (_, plain) = (_fit(x, of_speakers.to_numpy().T) for x in (np.log10(examples), examples))
    both = testing.all_of([testing.mean(values, of_speakers.index) for values in (slopes, plain - left)])
    return Claim(claim, "Figure 2", here, "slopes of speakers' recalls, and squared residuals of both lines", both)


def _fit(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Slopes of lines of least squares, and what they leave of the squares, of each column of y (points, columns)."""
    slope, offset = np.polyfit(x, y, 1)
    return slope, np.square(y - x[:, None] * slope - offset).sum(axis=0)


def _pair(
    table: pd.DataFrame,
    decisions: pd.DataFrame,
    claim: Claim,
    second: tuple[str, str],
    first: tuple[str, str] = ("wav2vec", "bimodal"),
) -> Claim:
    """That the first of two models on all examples is better than the second, on the first draw."""
    own = table[(table["first"] == " ".join(first)) & (table.second == " ".join(second)) & (table["size"] == "all")]
    if own.empty:
        return claim
    row = own.iloc[0]
    here = (
        f"{_points(row.difference)}, p {row.p_speakers:.3f} over {row.speakers} speakers, McNemar {row.p_mcnemar:.2g}"
    )
    better = tested(*(chosen(decisions, *which, "all", 0) for which in (second, first)))
    return Claim(claim.claim, claim.paper, here, SAME_CLIPS, better, stated=claim.stated)


def _against_text(table: pd.DataFrame, decisions: pd.DataFrame) -> list[Claim]:
    texts = {
        "mlp": ("adding text improves on the acoustic MLP", "+9.6 points", 0.096),
        "speech": ("two modalities are better than speech alone (same model)", "not measured", np.nan),
        "text": ("two modalities are better than text alone (same model)", "not measured", np.nan),
    }
    return [
        _pair(table, decisions, Claim(claim, paper, "not measured", stated=stated), ("wav2vec", second))
        for second, (claim, paper, stated) in texts.items()
    ]


def _shuffled(table: pd.DataFrame, decisions: pd.DataFrame) -> list[Claim]:
    """The control that the paper lacks: is it the words, or only the larger model?"""
    words = "it is the words that help: its own transcript is better than another clip's"
    own = Claim(words, "not measured", "not measured")
    return [_pair(table, decisions, own, ("wav2vec", "bimodal-shuffled")), _no_gain(table, decisions)]


def _no_gain(table: pd.DataFrame, decisions: pd.DataFrame) -> Claim:
    claim = (
        "with another clip's transcript no gain over speech alone is left (taken as: less than "
        f"{100 * NO_GAIN:.0f} points)"
    )
    own = Claim(claim, "not measured", "not measured")
    told = _pair(table, decisions, own, ("wav2vec", "bimodal-shuffled"), ("wav2vec", "speech"))
    compared = f"{told.compared}, against {100 * NO_GAIN:.0f} points"
    return Claim(told.claim, told.paper, told.here, compared, testing.shifted(told.tested, -NO_GAIN))


def _robust(table: pd.DataFrame, attacks: pd.DataFrame) -> Claim:
    """At the smallest epsilon, since few models are right at all at the largest."""
    claim = (
        "text makes the model harder to fool through the sound (accuracy under PGD at the smallest epsilon, both "
        "modalities less speech alone)"
    )
    own = table[(table.attack == "PGD") & (table.against == "speech")].sort_values("epsilon")
    before = table[(table.attack == "none") & (table.against == "speech")]
    if own.empty:
        return Claim(claim, "not looked at", "not measured")
    here = ", ".join(f"{_points(one.difference)} at {one.epsilon:g}" for one in own.itertuples())
    here += "".join(f"; {_points(one.difference)} without an attack" for one in before.itertuples())
    here += f"; {own.n.iloc[0]} clips"
    return Claim(claim, "not looked at", here, "accuracy on the same attacked clips", hardier(attacks))


def _full_data(table: pd.DataFrame, decisions: pd.DataFrame) -> Claim:
    claim = Claim(
        "wav2vec is better than hand-made descriptors with all examples too (MLP)", "Figure 2", "not measured"
    )
    return _pair(table, decisions, claim, ("lld", "mlp"), ("wav2vec", "mlp"))


def _from_some_size_on(curve: pd.DataFrame, table: pd.DataFrame, decisions: pd.DataFrame) -> Claim:
    """The paper compares with published systems; here it is the best of the models on descriptors, at any size."""
    claim = (
        "from some number of examples on wav2vec outperforms acoustic models trained on all (taken as: with the most "
        "examples the best of the same MLP on descriptors, at any number)"
    )
    cited = table[(table.cited == "yes") & ~table.features.str.contains("GloVe|recognition")].ua_paper.max()
    paper = f"from 2,000 of some 4,400, against {100 * cited:.1f} % of cited systems"
    descriptors = curve[curve.feature == "lld"].sort_values("ua")
    own = curve[curve.feature == "wav2vec"].sort_values("examples")
    if descriptors.empty or own.empty:
        return Claim(claim, paper, "not measured")
    best, most = descriptors.iloc[-1], own.iloc[-1]
    above = own[(own.ua > best.ua)[::-1].cummin()[::-1]]
    where = f"from {above.examples.iloc[0]} examples" if len(above) else "at no number"
    here = f"{where}, against {100 * best.ua:.1f} % with {best.examples}"
    sides = chosen(decisions, "lld", "mlp", best["size"]), chosen(decisions, "wav2vec", "mlp", most["size"])
    return Claim(claim, paper, here, f"{SAME_CLIPS} and draws", tested(*sides))


def _untested(table: pd.DataFrame) -> list[Claim]:
    """Claims against systems that are not built here, on a corpus that need not be IEMOCAP, or that nobody measured."""
    cited = table[table.cited == "yes"]
    acoustic = cited[~cited.features.str.contains("GloVe|recognition")].ua_paper.max()
    reasons = {
        "the bimodal model is better than all published ones": (
            f"73.9 %; others up to {100 * cited.ua_paper.max():.1f} %",
            "the others are cited, not built",
        ),
        "the acoustic MLP on wav2vec with all examples is better than published acoustic models": (
            f"64.3 %; others up to {100 * acoustic:.1f} %",
            "the others are cited, not built",
        ),
        "wav2vec with few examples almost matches a bidirectional recurrent model trained on all": (
            f"58.5 % against {100 * cited.ua_paper.iloc[0]:.1f} %",
            "the other is cited, not built",
        ),
        "the bimodal model's performance scales with the amount of data": (
            "no figures; trained on all examples only",
            "trained on all examples only, as there",
        ),
        "8 times less data are needed than by training from scratch": (
            "no model of its own learns from scratch",
            "neither does one here: the comparison is with hand-made descriptors",
        ),
    }
    return [Claim(claim, paper, here) for claim, (paper, here) in reasons.items()]
