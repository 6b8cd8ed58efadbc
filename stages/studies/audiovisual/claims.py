"""Room of studies: what the text of the audio-visual paper claims, set against what was measured here."""

import pandas as pd

from stages.reporting.verdicts import COLUMNS, Claim, difference_of, judged, untested

Made = dict[str, pd.DataFrame]
ATTACKS = {"fgsm": "FGSM", "basic_iterative": "BIM"}
OURS = "no figure: a control that it lacks"
# What is meant by nearly nothing: BIM is to leave so much accuracy at most.
NEARLY_NOTHING = 0.05
NEARLY_ALWAYS = 0.9


def claims(made: Made) -> pd.DataFrame:
    """One row a claim: the paper's figure, ours, and whether it holds.

    `certain` says whether the 95 % interval that decides stands clear of no difference, in the sense of the verdict. Of
    the tables the first row of an attack is that of the largest epsilons, the last that of the smallest.
    """
    words, partial, full = (made[table] for table in ("table_1", "table_2", "table_3"))
    rows = [
        _every_attack_is_seen([words, partial, full]),
        *(_grows(made["table_epsilon"], attack) for attack in ATTACKS),
        _falls(words),
        *_iterative_against_single(words),
        _zero(words),
        _often(partial),
        *_wholly_against_in_part(partial, full),
        *_targets(made["table_4"]),
        *_controls(made["table_controls"]),
        untested(
            "the perturbation of the video can't be seen, that of the sound is the more heard the larger epsilon is",
            "no figures",
            "nobody was asked; the page has the clips",
        ),
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def _percent(value: float) -> str:
    return f"{100 * value:.1f} %"


def _every_attack_is_seen(tables: list[pd.DataFrame]) -> Claim:
    claim = "under every attack the confidence of attacked clips is lower than that of benign ones (AUC above .5)"
    paper = "AUC .74 to .99"
    own = pd.concat([table[table.auc.notna()] for table in tables])
    if own.empty:
        return untested(claim, paper, "no attack that succeeded")
    least = own.sort_values("auc").iloc[0]
    here = f"AUC {own.auc.min():.2f} to {own.auc.max():.2f} over {len(own)} attacks"
    return difference_of(claim, paper, here, (least.auc - 0.5, least.auc_low - 0.5, least.auc_high - 0.5))


def _grows(epsilon: pd.DataFrame, attack: str) -> Claim:
    claim = (
        f"the larger epsilon, the easier words attacked by {ATTACKS[attack]} are to detect (AUC, largest less smallest)"
    )
    paper = {"fgsm": ".99 against .83", "basic_iterative": ".90 against .77"}[attack]
    own = epsilon[(epsilon.corpus == "words") & (epsilon.attack == attack) & (epsilon.detector == "sync_clean")]
    if own.empty:
        return untested(claim, paper)
    row = own.iloc[0]
    here = f"{row.auc_largest:.2f} against {row.auc_smallest:.2f}"
    return difference_of(claim, paper, here, (row.difference, row.difference_low, row.difference_high))


def _falls(words: pd.DataFrame) -> Claim:
    claim = "FGSM brings the accuracy of words below 40 % at every epsilon, and the further the larger epsilon is"
    paper = "38.3 % to 10.4 %, from 97.2 %"
    own = words[(words.attack == "fgsm") & words.accuracy.notna()]
    if len(own) < 2:
        return untested(claim, paper)
    largest, smallest, worst = own.iloc[0], own.iloc[-1], own.loc[own.accuracy.idxmax()]
    here = f"{_percent(smallest.accuracy)} to {_percent(largest.accuracy)}, from {_percent(words.accuracy.iloc[0])}"
    # Where nothing is left at either end nothing could fall further.
    falls = largest.accuracy < smallest.accuracy or largest.accuracy == 0
    holds = worst.accuracy < 0.4 and falls
    against = worst.accuracy_low > 0.4 or largest.accuracy_low > smallest.accuracy_high
    return judged(claim, paper, here, holds, worst.accuracy_high < 0.4 if holds else against)


def _iterative_against_single(words: pd.DataFrame) -> list[Claim]:
    both = words[words.attack == "fgsm"].merge(
        words[words.attack == "basic_iterative"], on="epsilon", suffixes=("", "_bim")
    )
    texts = {
        "accuracy": "at the same epsilon BIM fools more words than FGSM",
        "l2_video": "at the same epsilon BIM's perturbation of the video is smaller (L2)",
        "auc": "at the same epsilon BIM is harder to detect than FGSM",
    }
    paper = "at all 9 pairs"
    rows = []
    for name, claim in texts.items():
        pairs = both.dropna(subset=[name, f"{name}_bim"])
        # Where both leave nothing, neither fools more.
        pairs = pairs[(pairs[name] > 0) | (pairs[f"{name}_bim"] > 0)]
        single, iterative = pairs[name], pairs[f"{name}_bim"]
        if pairs.empty:
            rows.append(untested(claim, paper, "not measured, or both leave nothing"))
            continue
        smaller = iterative < single
        here = f"at {smaller.sum()} of {len(pairs)} pairs; mean {iterative.mean():.2f} against {single.mean():.2f}"
        rows.append(judged(claim, paper, here, bool(smaller.all())))
    return rows


def _zero(words: pd.DataFrame) -> Claim:
    claim = f"BIM brings the accuracy of words to nearly nothing ({100 * NEARLY_NOTHING:.0f} % at most)"
    paper = "0 % to .07 % in its Table 1; its text says 0 % to 7 %"
    own = words[(words.attack == "basic_iterative") & words.accuracy.notna()]
    if own.empty:
        return untested(claim, paper)
    here = f"{_percent(own.accuracy.min())} to {_percent(own.accuracy.max())}"
    holds = own.accuracy.max() <= NEARLY_NOTHING
    certain = own.accuracy_high.max() <= NEARLY_NOTHING if holds else own.accuracy_low.max() > NEARLY_NOTHING
    return judged(claim, paper, here, holds, certain)


def _often(partial: pd.DataFrame) -> Claim:
    claim = (
        "sentences are made into targets in part nearly always at the largest epsilon "
        f"({100 * NEARLY_ALWAYS:.0f} % and more), and less often at the smallest"
    )
    paper = "100 % against 42 %"
    own = partial[partial.success.notna()]
    if len(own) < 2:
        return untested(claim, paper)
    largest, smallest = own.iloc[0], own.iloc[-1]
    here = (
        f"{_percent(largest.success)} at {largest.epsilon} against {_percent(smallest.success)} at {smallest.epsilon}"
    )
    holds = largest.success >= NEARLY_ALWAYS and smallest.success < largest.success
    if holds:
        certain = largest.success_low >= NEARLY_ALWAYS and smallest.success_high < largest.success_low
    else:
        certain = largest.success_high < NEARLY_ALWAYS or smallest.success_low > largest.success_high
    return judged(claim, paper, here, holds, certain)


def _wholly_against_in_part(partial: pd.DataFrame, full: pd.DataFrame) -> list[Claim]:
    both = full.merge(partial, on="epsilon", suffixes=("", "_partial"))
    texts = {
        "auc": "are easier to detect than those that succeed in part (AUC)",
        "l2_video": "change the video more than those that succeed in part (L2)",
        "linf_audio_db": "are louder than those that succeed in part (dB)",
    }
    return [_wholly_is_rarer(both), *(_wholly_is_more(both, name, text) for name, text in texts.items())]


def _wholly_is_rarer(both: pd.DataFrame) -> Claim:
    claim = "to make a sentence into a target wholly succeeds less often than in part"
    paper = "77 % against 100 % at 1024/8"
    own = both.dropna(subset=["success", "success_partial"])
    if own.empty:
        return untested(claim, paper)
    row = own.iloc[0]
    here = f"{_percent(row.success)} against {_percent(row.success_partial)} at {row.epsilon}"
    holds = row.success < row.success_partial
    apart = row.success_high < row.success_low_partial if holds else row.success_low > row.success_high_partial
    return judged(claim, paper, here, holds, apart)


def _wholly_is_more(both: pd.DataFrame, name: str, text: str) -> Claim:
    claim, paper = f"attacks that succeed wholly {text}", "at all 6 pairs"
    own = both.dropna(subset=[name, f"{name}_partial"])
    if own.empty:
        return untested(claim, paper)
    here = "; ".join(
        f"{epsilon}: {wholly:.2f} against {in_part:.2f}"
        for epsilon, wholly, in_part in zip(own.epsilon, own[name], own[f"{name}_partial"])
    )
    return judged(claim, paper, here, bool((own[name] > own[f"{name}_partial"]).all()))


def _targets(targets: pd.DataFrame) -> list[Claim]:
    texts = {
        "success": (
            "how often an attack succeeds depends on the target (by 20 points and more)",
            "62 % to 91 % at 512/4",
        ),
        "auc": ("how well attacks are detected hardly depends on the target (AUCs within .03)", ".77 to .80 at 512/4"),
    }
    rows = []
    for name, (claim, paper) in texts.items():
        own = targets[targets[name].notna()]
        spans = own.groupby("epsilon", sort=False)[name].agg(["min", "max", "count"])
        spans = spans[spans["count"] > 1]
        if spans.empty:
            rows.append(untested(claim, paper))
            continue
        here = "; ".join(f"{epsilon}: {row['min']:.2f} to {row['max']:.2f}" for epsilon, row in spans.iterrows())
        width = (spans["max"] - spans["min"]).round(4)
        holds = (width >= 0.2).any() if name == "success" else (width <= 0.03).all()
        rows.append(judged(claim, paper, here, bool(holds)))
    return rows


def _controls(controls: pd.DataFrame) -> list[Claim]:
    return [
        row
        for detector, kind in (("sync_clean", "trained on clean clips"), ("sync_noise", "trained with noise"))
        for row in (
            _detects_attacks(controls, detector, kind, "noise", "equally loud noise"),
            _detects_attacks(controls, detector, kind, "transplant", "another clip's perturbation"),
            _better_than_trivial(controls, detector, kind),
        )
    ]


def _detects_attacks(controls: pd.DataFrame, detector: str, kind: str, control: str, name: str) -> Claim:
    claim = (
        f"a SyncNet {kind} takes attacked clips for less in time than clips under {name} (AUC above .5 at all epsilons)"
    )
    column = f"auc_{control}_against_attack"
    own = controls[(controls.detector == detector) & controls[column].notna()]
    if own.empty:
        return untested(claim, OURS)
    above, clear = own[column] > 0.5, own[f"{column}_low"] > 0.5
    here = f"{own[column].min():.2f} to {own[column].max():.2f}; "
    here += f"above .5 in {above.sum()}, clearly in {clear.sum()} of {len(own)}"
    holds = bool(above.all())
    return judged(claim, OURS, here, holds, bool(clear.all() if holds else (own[f"{column}_high"] < 0.5).any()))


def _better_than_trivial(controls: pd.DataFrame, detector: str, kind: str) -> Claim:
    claim = f"a SyncNet {kind} detects attacks better than detectors that know nothing of speech"
    wide = controls.pivot_table(index=["corpus", "attack", "epsilon"], columns="detector", values="auc_adversarial")
    trivial = [name for name in wide if not name.startswith("sync_")]
    if detector not in wide or not trivial:
        return untested(claim, OURS)
    wide = wide[wide[detector].notna()]
    best = wide[trivial].max(axis=1)
    better = (wide[detector] > best).sum()
    here = f"in {better} of {len(wide)} attacks; mean AUC {wide[detector].mean():.2f} against {best.mean():.2f}"
    return judged(claim, OURS, here, better == len(wide))
