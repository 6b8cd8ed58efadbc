"""Room of studies: what the text of the emotion paper claims, set against what was measured here."""

import itertools
from collections.abc import Iterable

import pandas as pd

from stages.reporting.verdicts import COLUMNS, judged

Made = dict[str, pd.DataFrame]
NAMES = {"cnn4": "CNN-4", "resnet50": "ResNet-50", "vgg16": "VGG-16"}
SIGNIFICANT = 0.001


def claims(made: Made, scores: pd.DataFrame, paper: pd.DataFrame) -> pd.DataFrame:
    """One row a claim: the paper's figure, ours, and whether it holds.

    A claim about many models is counted over the cells of Table 2 and holds where more than half of them agree; the
    column `paper` counts the paper's own cells in the same way, which do not always bear out its text. `certain` says
    whether the 95 % intervals that decide a claim stand apart, of counted cells whether those of more than half do, in
    the sense of the verdict.
    """
    ours, printed = _cells(scores), _printed(paper)
    given_back = made["table_given_back"]
    rows = [
        *_attack_lowers(made["figure_3"]),
        _around_eighty(ours, printed),
        *(_improves(regime, given_back, printed) for regime in ("vanilla", "similarity")),
        *(_protects(regime, given_back) for regime in ("vanilla", "similarity")),
        _fake_below_real(given_back, printed),
        _falls_with_epsilon(ours, printed),
        _better("vanilla", "similarity", "real", ours, printed),
        _better("similarity", "vanilla", "fake", ours, printed),
        *_extremes(ours, printed),
        _stable(ours, printed),
        _robust(ours, printed),
        _best_is_vgg_vanilla(ours),
        *_significant(made["table_z"]),
        *(_holds_against_bim(regime, made["table_robustness"]) for regime in ("vanilla", "similarity")),
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def _cells(scores: pd.DataFrame) -> pd.DataFrame:
    """The cells of Table 2: network, regime, variant, split, data, UAR and interval."""
    shown = scores[(scores.regime != "noise") & scores.attack.isin(("none", "fgsm"))]
    shown = shown[(shown.attack == "none") | (shown.epsilon == shown.training_epsilon)]
    shown = shown.assign(data=shown.attack.map({"none": "real", "fgsm": "fake"}))
    return shown[["network", "regime", "variant", "split", "data", "uar", "uar_low", "uar_high"]]


def _printed(paper: pd.DataFrame) -> pd.DataFrame:
    """The same of the paper, whose values have no interval."""
    table = paper[paper.table == "table_2"].rename(columns={"column": "split"})
    table = table.assign(uar=table["value"], uar_low=float("nan"), uar_high=float("nan"))
    return table[["network", "regime", "variant", "split", "data", "uar", "uar_low", "uar_high"]]


def _differences(one: pd.DataFrame, other: pd.DataFrame, on: list[str]) -> pd.DataFrame:
    """UAR of `one` less that of `other` in the cells that both have, with the bounds that disjoint intervals give."""
    both = one.merge(other, on=on, suffixes=("", "_other"))
    return pd.DataFrame(
        {
            "difference": both.uar - both.uar_other,
            "low": both.uar_low - both.uar_high_other,
            "high": both.uar_high - both.uar_low_other,
        }
    )


def _changes(given_back: pd.DataFrame, column: str) -> pd.DataFrame:
    """Differences that were measured on the same clips, with their own intervals."""
    names = {column: "difference", f"{column}_low": "low", f"{column}_high": "high"}
    return given_back.reindex(columns=list(names)).rename(columns=names).dropna()


def _count(cells: pd.DataFrame) -> str:
    return f"{(cells.difference > 0).sum()} of {len(cells)} cells"


def _most(claim: str, here: pd.DataFrame, paper: str | pd.DataFrame, more: str = "", more_paper: str = "") -> tuple:
    """A claim that holds where the difference is positive in more than half of the cells."""
    printed = paper if isinstance(paper, str) else _count(paper) + more_paper
    if here.empty:
        return judged(claim, printed, "", None)
    holds = bool((here.difference > 0).mean() > 0.5)
    apart = here.low > 0 if holds else here.high < 0
    certain = None if here.low.isna().all() else bool(apart.mean() > 0.5)
    return judged(claim, printed, _count(here) + more, holds, certain)


def _attack_lowers(curves: pd.DataFrame) -> Iterable[tuple]:
    """Never up from one epsilon to the next, and lower at the last than on real data, in both splits."""
    for network, name in NAMES.items():
        claim = f"{name}, trained on real data: FGSM lowers the UAR, the more the larger epsilon"
        own = curves[(curves.network == network) & (curves.attack == "fgsm")]
        splits = [rows for _, rows in own.groupby("split", sort=False)]
        if not splits:
            yield judged(claim, "Figure 3, no numbers", "", None)
            continue
        here = "; ".join(f"{rows.split.iloc[0]} {', '.join(f'{uar:.3f}' for uar in rows.uar)}" for rows in splits)
        falls = [
            rows.uar.iloc[-1] < rows.uar.iloc[0]
            and all(first >= second for first, second in itertools.pairwise(rows.uar))
            for rows in splits
        ]
        certain = all(rows.uar_high.iloc[-1] < rows.uar_low.iloc[0] for rows in splits)
        yield judged(claim, "Figure 3, no numbers", here, all(falls), certain)


def _around_eighty(ours: pd.DataFrame, printed: pd.DataFrame) -> tuple:
    claim = (
        "All six models trained on real data have a UAR of around .8 on it (taken as .7 to .9, the paper's own spread)"
    )
    own, paper = ours[ours.regime == "single"], printed[printed.regime == "single"]
    own = own[(own.data == "real") & own.network.isin(NAMES)]
    span = f"{paper.uar.min():.3f} to {paper.uar.max():.3f}"
    if own.empty:
        return judged(claim, span, "", None)
    inside = own.uar.between(0.7, 0.9)
    certain = bool(
        (own.uar_low.ge(0.7) & own.uar_high.le(0.9)).all() or (own.uar_high.lt(0.7) | own.uar_low.gt(0.9)).any()
    )
    here = f"{own.uar.min():.3f} to {own.uar.max():.3f}, {inside.sum()} of {len(own)} models"
    return judged(claim, span, here, bool(inside.all()), certain)


def _improves(regime: str, given_back: pd.DataFrame, printed: pd.DataFrame) -> tuple:
    claim = f"{regime.capitalize()} adversarial training mostly improves the UAR on real data over single training"
    real = printed[printed.data == "real"]
    paper = _differences(real[real.regime == regime], real[real.regime == "single"], ["network", "split"])
    note = "" if (paper.difference > 0).mean() > 0.5 else ": its table contradicts its text"
    here = _changes(given_back[given_back.regime == regime], "real_gain")
    mean = f", by {here.difference.mean():.3f} on average" if len(here) else ""
    return _most(claim, here, paper, mean, f", by {paper.difference.mean():.3f} on average{note}")


def _protects(regime: str, given_back: pd.DataFrame) -> tuple:
    claim = (
        f"{regime.capitalize()} adversarial training protects: more UAR on fake data than single training at the same "
        "epsilon"
    )
    here = _changes(given_back[given_back.regime == regime], "given_back")
    mean = f", by {here.difference.mean():.3f} on average" if len(here) else ""
    return _most(claim, here, "no numbers for single training on fake data", mean)


def _fake_below_real(given_back: pd.DataFrame, printed: pd.DataFrame) -> tuple:
    claim = "Defended models are slightly worse on fake than on real data"
    defended = printed[printed.regime != "single"]
    on = ["network", "regime", "variant", "split"]
    paper = _differences(defended[defended.data == "real"], defended[defended.data == "fake"], on)
    here = _changes(given_back, "still_taken")
    more = f", by {here.difference.mean():.3f} on average" if len(here) else ""
    return _most(
        claim, here, paper, more, f", by {paper.difference.mean():.3f} on average, {paper.difference.max():.3f} at most"
    )


def _falls_with_epsilon(ours: pd.DataFrame, printed: pd.DataFrame) -> tuple:
    claim = "The UAR of defended models on fake data falls as epsilon grows (from each epsilon to the next)"
    return _most(claim, _falls(ours), _falls(printed))


def _falls(cells: pd.DataFrame) -> pd.DataFrame:
    fake = cells[cells.data == "fake"]
    fake = fake.assign(epsilon=fake.variant.astype(float)).sort_values("epsilon")
    names = ["network", "regime", "split"]
    fake["place"] = fake.groupby(names).cumcount()
    return _differences(fake, fake.assign(place=fake.place - 1), [*names, "place"])


def _better(one: str, other: str, data: str, ours: pd.DataFrame, printed: pd.DataFrame) -> tuple:
    claim = f"{one.capitalize()} adversarial training is better on {data} data than {other} in most cases"
    here, paper = (
        _differences(own[own.regime == one], own[own.regime == other], ["network", "variant", "split"])
        for own in (cells[cells.data == data] for cells in (ours, printed))
    )
    return _most(claim, here, paper)


def _extremes(ours: pd.DataFrame, printed: pd.DataFrame) -> Iterable[tuple]:
    """Cells are trainings and splits; a network has to be ahead of (behind) both others."""
    for network, word, sign in (("vgg16", "best", 1), ("resnet50", "worst", -1)):
        for data in ("real", "fake"):
            claim = f"{NAMES[network]} is the {word} of the three networks on {data} data"
            here, paper = (_ahead(cells[cells.data == data], network, sign) for cells in (ours, printed))
            note = "; it is the worst of them for similarity at .08 on the test split" if network == "vgg16" else ""
            yield _most(claim, here, paper, _means(ours, data), _means(printed, data) + note)


def _ahead(cells: pd.DataFrame, network: str, sign: int) -> pd.DataFrame:
    """By how much a network is ahead of (`sign` 1) or behind the nearer of both others, where all three are there."""
    if not set(NAMES) <= set(cells.network):
        return pd.DataFrame(columns=["difference", "low", "high"])
    wide = cells.pivot(index=["regime", "variant", "split"], columns="network", values=["uar", "uar_low", "uar_high"])
    wide = wide[wide.uar[list(NAMES)].notna().all(axis=1)]
    nearest = {
        end: wide[end][[name for name in NAMES if name != network]].agg("max" if sign > 0 else "min", axis=1)
        for end in ("uar", "uar_low", "uar_high")
    }
    own = {end: wide[end][network] for end in nearest}
    ahead, behind = (own, nearest) if sign > 0 else (nearest, own)
    return pd.DataFrame(
        {
            "difference": ahead["uar"] - behind["uar"],
            "low": ahead["uar_low"] - behind["uar_high"],
            "high": ahead["uar_high"] - behind["uar_low"],
        }
    )


def _means(cells: pd.DataFrame, data: str) -> str:
    own = cells[(cells.data == data) & cells.network.isin(NAMES)]
    return "; means: " + ", ".join(
        f"{NAMES[name]} {uar:.3f}" for name, uar in own.groupby("network").uar.mean().items()
    )


def _stable(ours: pd.DataFrame, printed: pd.DataFrame) -> tuple:
    claim = (
        "VGG-16 is more stable than CNN-4 (its UAR differs less between the epsilons; real and fake data, both "
        "trainings)"
    )
    note = "; its similarity training at .08 is the exception, .653 and .550 on the test split"
    return _most(claim, _spread(ours), _spread(printed), "", note)


def _spread(cells: pd.DataFrame) -> pd.DataFrame:
    """The range of CNN-4's UAR over epsilon less that of VGG-16. The ranges' own intervals are not known."""
    defended = cells[cells.regime != "single"].groupby(["network", "regime", "split", "data"]).uar
    spread = (defended.max() - defended.min())[defended.count() > 1].unstack("network")
    if not {"cnn4", "vgg16"} <= set(spread.columns):
        return pd.DataFrame(columns=["difference", "low", "high"])
    difference = (spread.cnn4 - spread.vgg16).dropna()
    return pd.DataFrame({"difference": difference, "low": float("nan"), "high": float("nan")})


def _robust(ours: pd.DataFrame, printed: pd.DataFrame) -> tuple:
    claim = "VGG-16 is more robust than CNN-4 (more UAR on fake data)"
    here, paper = (
        _differences(own[own.network == "vgg16"], own[own.network == "cnn4"], ["regime", "variant", "split"])
        for own in (cells[cells.data == "fake"] for cells in (ours, printed))
    )
    return _most(claim, here, paper)


def _best_is_vgg_vanilla(ours: pd.DataFrame) -> tuple:
    claim = "The best result on real data, chosen on the development split, is that of VGG-16 under vanilla training"
    paper = "dev .875, test .867; the best of the test split is CNN-4, vanilla at .10: .880"
    real = ours[ours.data == "real"]
    developed = real[real.split == "dev"].sort_values("uar", ascending=False, kind="stable")
    families = set(zip(developed.network, developed.regime))
    if len(families) < 2 or ("vgg16", "vanilla") not in families:
        return judged(claim, paper, "", None)
    best = developed.iloc[0]
    tested = real[(real.split == "test") & (real.network == best.network) & (real.regime == best.regime)]
    tested = tested.uar[tested.variant == best.variant]
    strength = f" at {best.variant}" if best.variant else ""
    here = f"{NAMES.get(best.network, best.network)}, {best.regime}{strength}: dev {best.uar:.3f}"
    here += f", test {tested.iloc[0]:.3f}" if len(tested) else ""
    is_ours = (developed.network == best.network) & (developed.regime == best.regime)
    certain = bool(best.uar_low > developed.uar_high[~is_ours].max())
    return judged(claim, paper, here, (best.network, best.regime) == ("vgg16", "vanilla"), certain)


def _significant(table: pd.DataFrame) -> Iterable[tuple]:
    """Both splits have to be significant at the paper's level."""
    for rival, own in table.groupby("rival", sort=False):
        epsilon = own.epsilon.iloc[0]
        at = "" if pd.isna(epsilon) or epsilon == own.epsilon_paper.iloc[0] else f", here at {epsilon:g}"
        claim = (
            f"VGG-16, vanilla at {own.epsilon_paper.iloc[0]:g}{at}, is significantly better on real data than {rival}"
        )
        paper = "p < .001; recomputed: " + "; ".join(f"{row.split} p = {row.p_paper:.2g}" for row in own.itertuples())
        if own.uar.isna().any():
            yield judged(claim, paper, "", None)
            continue
        here = "; ".join(
            f"{row.split} {row.uar:.3f} against {row.uar_of_rival:.3f}, p = {row.p:.2g}" for row in own.itertuples()
        )
        apart = (own.uar_low > own.uar_of_rival_high) | (own.uar_high < own.uar_of_rival_low)
        yield judged(claim, paper, here, bool((own.p < SIGNIFICANT).all()), bool(apart.all()))


def _holds_against_bim(regime: str, table: pd.DataFrame) -> tuple:
    """The check that the paper lacks: one step says little of an attack that takes several."""
    claim = (
        f"{regime.capitalize()} adversarial training also holds against BIM (UAR above halfway from chance to real "
        "data)"
    )
    own = table[(table.regime == regime) & table.uar_bim.notna()]
    here = pd.DataFrame({"difference": own.uar_bim - own.halfway}) if len(own) else pd.DataFrame(columns=["difference"])
    if len(own):
        here = here.assign(low=own.uar_bim_low - own.halfway, high=own.uar_bim_high - own.halfway)
    fall = (own.falls_to_bim == "yes").sum() if len(own) else 0
    return _most(claim, here, "not looked at", f"; {fall} hold against FGSM only")
