"""Room of studies: what the text of the emotion paper claims, set against what was measured here."""

import itertools
from collections.abc import Iterable

import pandas as pd

from stages.measures import testing
from stages.reporting.verdicts import Claim, judged
from stages.studies.emotion.compared import CLIP, above, decided, more, narrower, next_smaller, of_models, real_or_fake
from stages.studies.emotion.scores import BEST_NETWORK, BEST_REGIME, LIKE_FOR_LIKE, RIVALS

Made = dict[str, pd.DataFrame]
NAMES = {"cnn4": "CNN-4", "resnet50": "ResNet-50", "vgg16": "VGG-16"}
UNMEASURED = "not measured"
# The spread of the paper's own models.
LOWEST, HIGHEST = 0.7, 0.9
SAME = "UAR of the same clips"


def claims(made: Made, scores: pd.DataFrame, attacked: pd.DataFrame, paper: pd.DataFrame) -> pd.DataFrame:
    """One row a claim: the paper's figure, ours, and its verdict.

    A claim about many models is counted over the cells of Table 2, and tested by the mean difference of UAR over them;
    the column `paper` counts the paper's own cells in the same way, which do not always bear out its text.
    """
    ours, printed = _cells(scores), _printed(paper)
    given_back, models = made["table_given_back"], decided(attacked)
    trained = models[models.regime != "noise"]
    rows = [
        *_attack_lowers(made["figure_3"], trained),
        _around_eighty(ours, printed, trained),
        *(_improves(regime, given_back, printed, trained) for regime in ("vanilla", "similarity")),
        *(_protects(regime, given_back, trained) for regime in ("vanilla", "similarity")),
        _fake_below_real(given_back, printed, trained),
        _falls_with_epsilon(ours, printed, trained),
        _better(("vanilla", "similarity"), "real", ours, printed, trained),
        _better(("similarity", "vanilla"), "fake", ours, printed, trained),
        *_extremes(ours, printed, trained),
        _stable(ours, printed, trained),
        _robust(ours, printed, trained),
        _best_is_vgg_vanilla(ours, trained),
        *_significant(made["table_z"], models),
        *(_holds_against_bim(regime, made["table_robustness"], trained) for regime in ("vanilla", "similarity")),
    ]
    return judged(rows)


def _cells(scores: pd.DataFrame) -> pd.DataFrame:
    """The cells of Table 2: network, regime, variant, split, data and UAR."""
    shown = scores[(scores.regime != "noise") & scores.attack.isin(("none", "fgsm"))]
    shown = shown[(shown.attack == "none") | (shown.epsilon == shown.training_epsilon)]
    shown = shown.assign(data=shown.attack.map({"none": "real", "fgsm": "fake"}))
    return shown[["network", "regime", "variant", "split", "data", "uar"]]


def _printed(paper: pd.DataFrame) -> pd.DataFrame:
    """The same of the paper."""
    table = paper[paper.table == "table_2"].rename(columns={"column": "split", "value": "uar"})
    return table[["network", "regime", "variant", "split", "data", "uar"]]


def _differences(one: pd.DataFrame, other: pd.DataFrame, on: list[str]) -> pd.Series:
    """UAR of `one` less that of `other` in the cells that both have."""
    both = one.merge(other, on=on, suffixes=("", "_other"))
    return both.uar - both.uar_other


def _count(differences: pd.Series) -> str:
    return f"{(differences > 0).sum()} of {len(differences)} cells"


def _by(differences: pd.Series) -> str:
    return f", by {differences.mean():.3f} on average"


def _most(claim: Claim, here: pd.Series, tested: testing.Evidence | None, more_here: str = "") -> Claim:
    """A claim, of which there are words alone, that the difference is positive in most of the cells."""
    here = here.dropna()
    if here.empty:
        return Claim(claim.claim, claim.paper, UNMEASURED)
    told = _count(here) + more_here
    return Claim(claim.claim, claim.paper, told, f"{claim.compared}, mean over the cells", tested, stated=claim.stated)


def _attack_lowers(curves: pd.DataFrame, models: pd.DataFrame) -> Iterable[Claim]:
    """Down from each epsilon to the next, from real data on."""
    single = models[(models.regime == "single") & models.attack.isin(("none", "fgsm"))]
    for network, name in NAMES.items():
        claim = f"{name}, trained on real data: FGSM lowers the UAR, the more the larger epsilon"
        own = curves[(curves.network == network) & (curves.attack == "fgsm")]
        splits = [rows for _, rows in own.groupby("split", sort=False)]
        if not splits or own.epsilon.nunique() < 2:
            yield Claim(claim, "Figure 3, no numbers", UNMEASURED)
            continue
        here = "; ".join(f"{rows.split.iloc[0]} {', '.join(f'{uar:.3f}' for uar in rows.uar)}" for rows in splits)
        steps = [of_models(single, network=network, epsilon=epsilon) for epsilon in sorted(own.epsilon.unique())]
        falls = testing.all_of([more(first, second) for first, second in itertools.pairwise(steps)])
        yield Claim(claim, "Figure 3, no numbers", here, f"{SAME}, each epsilon less the next", falls)


def _around_eighty(ours: pd.DataFrame, printed: pd.DataFrame, models: pd.DataFrame) -> Claim:
    claim = (
        "All six models trained on real data have a UAR of around .8 on it (taken as .7 to .9, the paper's own spread)"
    )
    own, paper = ours[ours.regime == "single"], printed[printed.regime == "single"]
    own = own[(own.data == "real") & own.network.isin(NAMES)]
    span = f"{paper.uar.min():.3f} to {paper.uar.max():.3f}"
    if own.empty:
        return Claim(claim, span, UNMEASURED)
    inside = own.uar.between(LOWEST, HIGHEST)
    here = f"{own.uar.min():.3f} to {own.uar.max():.3f}, {inside.sum()} of {len(own)} models"
    single = of_models(models, regime="single", attack="none")
    single = single[single.network.isin(NAMES)]
    parts = []
    for _, rows in single.groupby(["network", "split"]):
        parts += [above(rows, rows.right - LOWEST), above(rows, HIGHEST - rows.right)]
    return Claim(claim, span, here, "UAR of each model and split less .7, and .9 less it", testing.all_of(parts))


def _improves(regime: str, given_back: pd.DataFrame, printed: pd.DataFrame, models: pd.DataFrame) -> Claim:
    text = f"{regime.capitalize()} adversarial training mostly improves the UAR on real data over single training"
    real = printed[printed.data == "real"]
    paper = _differences(real[real.regime == regime], real[real.regime == "single"], ["network", "split"])
    note = "" if (paper > 0).mean() > 0.5 else ": its table contradicts its text"
    here = given_back[given_back.regime == regime].real_gain
    trained, single = (of_models(models, regime=one, attack="none") for one in (regime, "single"))
    claim = Claim(text, f"{_count(paper)}{_by(paper)}{note}", "", f"{SAME}, of both trainings", stated=paper.mean())
    return _most(claim, here, more(trained, single, ("network",)), _by(here))


def _protects(regime: str, given_back: pd.DataFrame, models: pd.DataFrame) -> Claim:
    text = (
        f"{regime.capitalize()} adversarial training protects: more UAR on fake data than single training at the same "
        "epsilon"
    )
    here = given_back[given_back.regime == regime].given_back
    trained, single = models[(models.regime == regime) & models.fake], of_models(models, regime="single", attack="fgsm")
    claim = Claim(text, "no numbers for single training on fake data", "", f"{SAME}, of both trainings")
    return _most(claim, here, more(trained, single, ("network", "epsilon")), _by(here))


def _fake_below_real(given_back: pd.DataFrame, printed: pd.DataFrame, models: pd.DataFrame) -> Claim:
    defended = printed[printed.regime != "single"]
    on = ["network", "regime", "variant", "split"]
    paper = _differences(defended[defended.data == "real"], defended[defended.data == "fake"], on)
    here = given_back.still_taken
    real, fake = (real_or_fake(models[models.regime != "single"], data) for data in ("real", "fake"))
    claim = Claim(
        "Defended models are slightly worse on fake than on real data",
        f"{_count(paper)}{_by(paper)}, {paper.max():.3f} at most",
        "",
        f"{SAME}, real less fake",
        stated=paper.mean(),
    )
    return _most(claim, here, more(real, fake, tuple(on[:3])), _by(here))


def _falls_with_epsilon(ours: pd.DataFrame, printed: pd.DataFrame, models: pd.DataFrame) -> Claim:
    text = "The UAR of defended models on fake data falls as epsilon grows (from each epsilon to the next)"
    paper = _falls(printed)
    claim = Claim(text, _count(paper), "", f"{SAME}, each epsilon less the next", stated=paper.mean())
    fake = models[(models.regime != "single") & models.fake]
    return _most(claim, _falls(ours), next_smaller(fake))


def _falls(cells: pd.DataFrame) -> pd.Series:
    fake = cells[cells.data == "fake"]
    fake = fake.assign(epsilon=fake.variant.astype(float)).sort_values("epsilon")
    names = ["network", "regime", "split"]
    fake["place"] = fake.groupby(names).cumcount()
    return _differences(fake, fake.assign(place=fake.place - 1), [*names, "place"])


def _better(
    regimes: tuple[str, str], data: str, ours: pd.DataFrame, printed: pd.DataFrame, models: pd.DataFrame
) -> Claim:
    first, second = regimes
    here, paper = (
        _differences(own[own.regime == first], own[own.regime == second], ["network", "variant", "split"])
        for own in (cells[cells.data == data] for cells in (ours, printed))
    )
    text = f"{first.capitalize()} adversarial training is better on {data} data than {second} in most cases"
    claim = Claim(text, _count(paper), "", f"{SAME}, of both trainings at the same epsilon", stated=paper.mean())
    sides = (real_or_fake(of_models(models, regime=regime), data) for regime in regimes)
    return _most(claim, here, more(*sides, ("network", "variant")))


def _extremes(ours: pd.DataFrame, printed: pd.DataFrame, models: pd.DataFrame) -> Iterable[Claim]:
    """Cells are trainings and splits; a network has to be ahead of (behind) both others."""
    for network, word, sign in (("vgg16", "best", 1), ("resnet50", "worst", -1)):
        for data in ("real", "fake"):
            text = f"{NAMES[network]} is the {word} of the three networks on {data} data"
            here, paper = (_ahead(cells[cells.data == data], network, sign) for cells in (ours, printed))
            note = "; it is the worst of them for similarity at .08 on the test split" if network == "vgg16" else ""
            known = real_or_fake(models, data)
            known = known[(data == "real") | (known.regime != "single")]
            own = of_models(known, network=network)
            others = [of_models(known, network=name) for name in NAMES if name != network]
            parts = [more(own, other, ("regime", "variant")) for other in others]
            ahead = testing.all_of(parts if sign > 0 else [testing.negated(part) for part in parts])
            figures = _count(paper) + _means(printed, data) + note
            claim = Claim(text, figures, "", f"{SAME} and trainings, against each other network", stated=paper.mean())
            yield _most(claim, here, ahead, _means(ours, data))


def _ahead(cells: pd.DataFrame, network: str, sign: int) -> pd.Series:
    """By how much a network is ahead of (`sign` 1) or behind the nearer of both others, where all three are there."""
    if not set(NAMES) <= set(cells.network):
        return pd.Series(dtype=float)
    wide = cells.pivot(index=["regime", "variant", "split"], columns="network", values="uar")[list(NAMES)].dropna()
    nearest = (sign * wide.drop(columns=network)).max(axis=1)
    return sign * wide[network] - nearest


def _means(cells: pd.DataFrame, data: str) -> str:
    own = cells[(cells.data == data) & cells.network.isin(NAMES)]
    return "; means: " + ", ".join(
        f"{NAMES[name]} {uar:.3f}" for name, uar in own.groupby("network").uar.mean().items()
    )


def _stable(ours: pd.DataFrame, printed: pd.DataFrame, models: pd.DataFrame) -> Claim:
    text = (
        "VGG-16 is more stable than CNN-4 (its UAR differs less between the epsilons; real and fake data, both "
        "trainings)"
    )
    note = "; its similarity training at .08 is the exception, .653 and .550 on the test split"
    paper = _spread(printed)
    claim = Claim(text, _count(paper) + note, "", "mean range of UAR over epsilons", stated=paper.mean())
    return _most(claim, _spread(ours), narrower(models, "vgg16", "cnn4"))


def _spread(cells: pd.DataFrame) -> pd.Series:
    """The range of CNN-4's UAR over epsilon less that of VGG-16."""
    defended = cells[cells.regime != "single"].groupby(["network", "regime", "split", "data"]).uar
    spread = (defended.max() - defended.min())[defended.count() > 1].unstack("network")
    if not {"cnn4", "vgg16"} <= set(spread.columns):
        return pd.Series(dtype=float)
    return (spread.cnn4 - spread.vgg16).dropna()


def _robust(ours: pd.DataFrame, printed: pd.DataFrame, models: pd.DataFrame) -> Claim:
    here, paper = (
        _differences(own[own.network == "vgg16"], own[own.network == "cnn4"], ["regime", "variant", "split"])
        for own in (cells[cells.data == "fake"] for cells in (ours, printed))
    )
    fake = models[(models.regime != "single") & models.fake]
    sides = (of_models(fake, network=name) for name in ("vgg16", "cnn4"))
    text = "VGG-16 is more robust than CNN-4 (more UAR on fake data)"
    claim = Claim(text, _count(paper), "", f"{SAME} and trainings", stated=paper.mean())
    return _most(claim, here, more(*sides, ("regime", "variant")))


def _best_is_vgg_vanilla(ours: pd.DataFrame, models: pd.DataFrame) -> Claim:
    claim = "The best result on real data, chosen on the development split, is that of VGG-16 under vanilla training"
    paper = "dev .875, test .867; the best of the test split is CNN-4, vanilla at .10: .880"
    real = ours[ours.data == "real"]
    developed = real[real.split == "dev"].sort_values("uar", ascending=False, kind="stable")
    is_claimed = (developed.network == "vgg16") & (developed.regime == "vanilla")
    if is_claimed.all() or not is_claimed.any():
        return Claim(claim, paper, UNMEASURED)
    best = developed.iloc[0]
    chosen = ["network", "regime", "variant"]
    tested = real.loc[(real[chosen] == best[chosen]).all(axis=1) & (real.split == "test"), "uar"]
    strength = f" at {best.variant}" if best.variant else ""
    here = f"{NAMES.get(best.network, best.network)}, {best.regime}{strength}: dev {best.uar:.3f}"
    here += f", test {tested.iloc[0]:.3f}" if len(tested) else ""
    # What was chosen on the development split would be flattered there.
    sides = [
        of_models(models, attack="none", split="test", **developed[side].iloc[0][chosen].to_dict())
        for side in (is_claimed, ~is_claimed)
    ]
    compared = f"{SAME} of the test split, the best of VGG-16 under vanilla training less the best of the others"
    return Claim(claim, paper, here, compared, more(*sides))


def _significant(table: pd.DataFrame, models: pd.DataFrame) -> Iterable[Claim]:
    """On both splits together; the paper's z-tests, which take clips for independent, are told beside.

    Against single training the paper prints one test, so the claim is made once, of the network that it printed.
    """
    real = models[models.attack == "none"]
    for rival, own in table[table.rival != LIKE_FOR_LIKE].groupby("rival", sort=False):
        epsilon = own.epsilon.iloc[0]
        at = "" if pd.isna(epsilon) or epsilon == own.epsilon_paper.iloc[0] else f", here at {epsilon:g}"
        claim = (
            f"VGG-16, vanilla at {own.epsilon_paper.iloc[0]:g}{at}, is significantly better on real data than {rival}"
        )
        paper = "p < .001; recomputed: " + "; ".join(f"{row.split} p = {row.p_paper:.2g}" for row in own.itertuples())
        if own.uar.isna().any() or own.uar_of_rival.isna().any():
            yield Claim(claim, paper, UNMEASURED)
            continue
        here = "; ".join(
            f"{row.split} {row.uar:.3f} against {row.uar_of_rival:.3f}, z-test p = {row.p:.2g}"
            for row in own.itertuples()
        )
        ours = of_models(real, network=BEST_NETWORK, regime=BEST_REGIME, training_epsilon=epsilon)
        better = more(ours, of_models(real, **({"network": BEST_NETWORK} | RIVALS[rival][1])))
        stated = (own.uar_paper - own.uar_of_rival_paper).mean()
        yield Claim(claim, paper, here, f"{SAME} of both splits", better, stated=stated)


def _holds_against_bim(regime: str, table: pd.DataFrame, models: pd.DataFrame) -> Claim:
    """The check that the paper lacks: one step says little of an attack that takes several."""
    text = (
        f"{regime.capitalize()} adversarial training also holds against BIM (UAR above halfway from chance to real "
        "data)"
    )
    own = table[(table.regime == regime) & table.uar_bim.notna()]
    fall = (own.falls_to_bim == "yes").sum() if len(own) else 0
    trained = of_models(models, regime=regime)
    both = of_models(trained, attack="bim").merge(
        of_models(trained, attack="none"), on=[*CLIP, "network", "variant"], suffixes=("", "_real")
    )
    chance = 1 / both.label.nunique() if len(both) else 0.0
    holds = above(both, both.right - (both.right_real + chance) / 2)
    claim = Claim(text, "not looked at", "", f"{SAME} under BIM less halfway, over all networks and epsilons")
    above_halfway = own.uar_bim - own.halfway if len(own) else pd.Series(dtype=float)
    return _most(claim, above_halfway, holds, f"; {fall} hold against FGSM only")
