"""Room of studies: what the text of the audio-visual paper claims, set against what was measured here."""

import dataclasses
import math

import pandas as pd

from stages.measures import testing
from stages.reporting.verdicts import Claim, judged, unit_of
from stages.studies.audiovisual import compared as tests
from stages.studies.audiovisual.compared import Compared, by_attack

Made = dict[str, pd.DataFrame]
ATTACKS = {"fgsm": "FGSM", "basic_iterative": "BIM"}
OURS = "no figure: a control that it lacks"
# What is meant by nearly nothing: BIM is to leave so much accuracy at most.
NEARLY_NOTHING = 0.05
NEARLY_ALWAYS = 0.9
BELOW = 0.4
HARDLY = 0.03
SAME_WORDS = "the same words at the same epsilon"
SAME_SENTENCES = "the same sentences, targets and epsilons"


def claims(made: Made, detections: pd.DataFrame, of_streams: list[Claim]) -> pd.DataFrame:
    """One row a claim: the paper's figure, ours, and its verdict; `of_streams` among them.

    `detections` has no attack that nothing could make succeed. Of the tables the first row of an attack is that of the
    largest epsilons, the last that of the smallest.
    """
    words, partial, full = (made[table] for table in ("table_1", "table_2", "table_3"))
    test = detections[detections.split == "test"]
    compared, unit = by_attack(test), unit_of(test)
    rows = [
        _every_attack_is_seen([words, partial, full], compared),
        *(_grows(made["table_epsilon"], attack, compared) for attack in ATTACKS),
        _falls(words, compared),
        *_iterative_against_single(words, compared),
        _zero(words, compared),
        _often(partial, compared),
        *_wholly_against_in_part(partial, full, compared),
        *_targets(made["table_4"], compared),
        *_controls(made["table_controls"], compared),
        *of_streams,
        Claim(
            "the perturbation of the video can't be seen, that of the sound is the more heard the larger epsilon is",
            "no figures",
            "nobody was asked; the page has the clips",
        ),
    ]
    return judged([dataclasses.replace(row, unit=unit) for row in rows])


def _percent(value: float) -> str:
    return f"{100 * value:.1f} %"


def _every_attack_is_seen(tables: list[pd.DataFrame], compared: Compared) -> Claim:
    claim = "under every attack the confidence of attacked clips is lower than that of benign ones (AUC above .5)"
    paper = "AUC .74 to .99"
    own = pd.concat([table[table.auc.notna()] for table in tables])
    if own.empty:
        return Claim(claim, paper, "no attack that succeeded")
    here = f"AUC {own.auc.min():.2f} to {own.auc.max():.2f} over {len(own)} attacks"
    lower = tests.lower_confidence(compared)
    return Claim(
        claim, paper, here, "AUC of benign and attacked test clips less .5, of each attack", lower, stated=0.24
    )


def _grows(epsilon: pd.DataFrame, attack: str, compared: Compared) -> Claim:
    claim = (
        f"the larger epsilon, the easier words attacked by {ATTACKS[attack]} are to detect (AUC, largest less smallest)"
    )
    paper, stated = {"fgsm": (".99 against .83", 0.16), "basic_iterative": (".90 against .77", 0.13)}[attack]
    own = epsilon[(epsilon.corpus == "words") & (epsilon.attack == attack) & (epsilon.detector == "sync_clean")]
    if own.empty:
        return Claim(claim, paper, "not measured")
    row = own.iloc[0]
    here = f"{row.auc_largest:.2f} against {row.auc_smallest:.2f}"
    attacked = compared.of("words", attack)
    largest, smallest = (attacked[attacked.epsilon == one] for one in (row.largest, row.smallest))
    benign = compared.of("words", version="benign")
    easier = tests.easier(benign, largest, smallest, ("sync_clean", "sync_clean"))
    return Claim(claim, paper, here, "AUCs of the same words", easier, stated=stated)


def _falls(words: pd.DataFrame, compared: Compared) -> Claim:
    claim = "FGSM brings the accuracy of words below 40 % at every epsilon, and the further the larger epsilon is"
    paper = "38.3 % to 10.4 %, from 97.2 %"
    own = words[(words.attack == "fgsm") & words.accuracy.notna()]
    if len(own) < 2:
        return Claim(claim, paper, "not measured")
    largest, smallest = own.iloc[0], own.iloc[-1]
    here = f"{_percent(smallest.accuracy)} to {_percent(largest.accuracy)}, from {_percent(words.accuracy.iloc[0])}"
    attacked = _with_right(compared.of("words", "fgsm"))
    parts = _wrong(attacked, 1 - BELOW)
    # Where nothing is left at either end nothing could fall further.
    if smallest.accuracy > 0 or largest.accuracy > 0:
        ends = (attacked[attacked.epsilon == row.epsilon] for row in (smallest, largest))
        parts.append(tests.more(tests.pairs(*ends, on=["clip_id"]), "right"))
    compares = "share of words decided wrongly less 60 %, and accuracy at the smallest less at the largest epsilon"
    return Claim(claim, paper, here, compares, testing.all_of(parts))


def _with_right(attacked: pd.DataFrame) -> pd.DataFrame:
    return attacked.assign(right=(attacked.decision == attacked.truth).astype(float))


def _wrong(attacked: pd.DataFrame, share: float) -> list[testing.Evidence | None]:
    """Whether at each epsilon more than this share of words is decided wrongly."""
    epsilons = (own for _, own in attacked.groupby("epsilon"))
    return [testing.share_above(1 - own.right.to_numpy(), own.cluster.to_numpy(), share) for own in epsilons]


def _iterative_against_single(words: pd.DataFrame, compared: Compared) -> list[Claim]:
    table = words[words.attack == "fgsm"].merge(
        words[words.attack == "basic_iterative"], on="epsilon", suffixes=("", "_bim")
    )
    single, iterative = (_with_right(compared.of("words", attack)) for attack in ATTACKS)
    benign = compared.of("words", version="benign")
    texts = {
        "accuracy": "at the same epsilon BIM fools more words than FGSM",
        "l2_video": "at the same epsilon BIM's perturbation of the video is smaller (L2)",
        "auc": "at the same epsilon BIM is harder to detect than FGSM",
    }
    compares = {
        "accuracy": f"accuracy of {SAME_WORDS}",
        "l2_video": f"log L2 of {SAME_WORDS}",
        "auc": "AUCs of the same words, all epsilons together",
    }
    paper = "at all 9 pairs"
    rows = []
    for name, claim in texts.items():
        own = table.dropna(subset=[name, f"{name}_bim"])
        # Where both leave nothing, neither fools more.
        own = own[(own[name] > 0) | (own[f"{name}_bim"] > 0)]
        if own.empty:
            rows.append(Claim(claim, paper, "not measured, or both leave nothing"))
            continue
        smaller = own[f"{name}_bim"] < own[name]
        means = f"mean {own[f'{name}_bim'].mean():.2f} against {own[name].mean():.2f}"
        here = f"at {smaller.sum()} of {len(own)} pairs; {means}"
        sides = [one[one.epsilon.isin(own.epsilon)] for one in (single, iterative)]
        evidence = {
            "accuracy": lambda sides=sides: tests.more(tests.pairs(*sides), "right"),
            "l2_video": lambda sides=sides: tests.farther(tests.pairs(*sides), "l2_video"),
            "auc": lambda sides=sides: tests.easier(benign, *sides, ("sync_clean", "sync_clean")),
        }
        rows.append(Claim(claim, paper, here, compares[name], evidence[name]()))
    return rows


def _zero(words: pd.DataFrame, compared: Compared) -> Claim:
    claim = f"BIM brings the accuracy of words to nearly nothing ({100 * NEARLY_NOTHING:.0f} % at most)"
    paper = "0 % to .07 % in its Table 1; its text says 0 % to 7 %"
    own = words[(words.attack == "basic_iterative") & words.accuracy.notna()]
    if own.empty:
        return Claim(claim, paper, "not measured")
    here = f"{_percent(own.accuracy.min())} to {_percent(own.accuracy.max())}"
    nothing = testing.all_of(_wrong(_with_right(compared.of("words", "basic_iterative")), 1 - NEARLY_NOTHING))
    compares = f"share of words decided wrongly less {100 - 100 * NEARLY_NOTHING:.0f} %, at each epsilon"
    return Claim(claim, paper, here, compares, nothing, stated=NEARLY_NOTHING)


def _often(partial: pd.DataFrame, compared: Compared) -> Claim:
    claim = (
        "sentences are made into targets in part nearly always at the largest epsilon "
        f"({100 * NEARLY_ALWAYS:.0f} % and more), and less often at the smallest"
    )
    paper = "100 % against 42 %"
    own = partial[partial.success.notna()]
    if len(own) < 2:
        return Claim(claim, paper, "not measured")
    largest, smallest = own.iloc[0], own.iloc[-1]
    here = (
        f"{_percent(largest.success)} at {largest.epsilon} against {_percent(smallest.success)} at {smallest.epsilon}"
    )
    attacked = compared.of("sentences", "partial")
    at_largest, at_smallest = (attacked[attacked.epsilon == row.epsilon] for row in (largest, smallest))
    parts = [
        testing.share_above(at_largest.reached_in_part.to_numpy(), at_largest.cluster.to_numpy(), NEARLY_ALWAYS),
        tests.more(tests.pairs(at_largest, at_smallest, on=["clip_id", "target"]), "reached_in_part"),
    ]
    compares = (
        "success at the largest epsilon less 90 %, and less that at the smallest on the same sentences and targets"
    )
    return Claim(claim, paper, here, compares, testing.all_of(parts))


def _wholly_against_in_part(partial: pd.DataFrame, full: pd.DataFrame, compared: Compared) -> list[Claim]:
    table = full.merge(partial, on="epsilon", suffixes=("", "_partial"))
    wholly, in_part = (compared.of("sentences", attack) for attack in ("full", "partial"))
    reached = [tests.succeeded(one) for one in (wholly, in_part)]
    both, benign = tests.pairs(*reached), compared.of("sentences", version="benign")
    texts = {
        "auc": "are easier to detect than those that succeed in part (AUC)",
        "l2_video": "change the video more than those that succeed in part (L2)",
        "linf_audio_db": "are louder than those that succeed in part (dB)",
    }
    evidence = {
        "auc": lambda: tests.easier(benign, *reached, ("sync_clean", "sync_clean")),
        "l2_video": lambda: tests.farther(both, "l2_video"),
        "linf_audio_db": lambda: tests.farther(both, "relative_loudness_db"),
    }
    compares = {
        "auc": "AUCs, all epsilons together",
        "l2_video": f"log L2 of {SAME_SENTENCES} that succeed in both",
        "linf_audio_db": f"dB of {SAME_SENTENCES} that succeed in both",
    }
    rows = [_wholly_is_rarer(table, wholly, in_part)]
    for name, text in texts.items():
        claim, paper = f"attacks that succeed wholly {text}", "at all 6 pairs"
        own = table.dropna(subset=[name, f"{name}_partial"])
        here = "; ".join(
            f"{epsilon}: {one:.2f} against {other:.2f}"
            for epsilon, one, other in zip(own.epsilon, own[name], own[f"{name}_partial"])
        )
        tested = evidence[name]() if len(own) else None
        rows.append(Claim(claim, paper, here or "not measured", compares[name], tested))
    return rows


def _wholly_is_rarer(table: pd.DataFrame, wholly: pd.DataFrame, in_part: pd.DataFrame) -> Claim:
    claim = "to make a sentence into a target wholly succeeds less often than in part"
    paper = "77 % against 100 % at 1024/8"
    own = table.dropna(subset=["success", "success_partial"])
    if own.empty:
        return Claim(claim, paper, "not measured")
    row = own.iloc[0]
    here = f"{_percent(row.success)} against {_percent(row.success_partial)} at {row.epsilon}"
    both = tests.pairs(in_part[in_part.epsilon == row.epsilon], wholly)
    both = both.assign(hit=both.reached_in_part, hit_other=both.reached_other)
    return Claim(claim, paper, here, f"success on {SAME_SENTENCES}", tests.more(both, "hit"), stated=0.23)


def _targets(targets: pd.DataFrame, compared: Compared) -> list[Claim]:
    attacked = compared.of("sentences", "partial")
    texts = {
        "success": ("how often an attack succeeds depends on the target", "62 % to 91 % at 512/4"),
        "auc": ("how well attacks are detected hardly depends on the target (AUCs within .03)", ".77 to .80 at 512/4"),
    }
    rows = []
    for name, (claim, paper) in texts.items():
        own = targets[targets[name].notna()]
        spans = own.groupby("epsilon", sort=False)[name].agg(["min", "max", "count"])
        spans = spans[spans["count"] > 1]
        if spans.empty:
            rows.append(Claim(claim, paper, "not measured"))
            continue
        here = "; ".join(f"{epsilon}: {row['min']:.2f} to {row['max']:.2f}" for epsilon, row in spans.iterrows())
        if name == "success":
            compares, tested, stated = "success by target, all epsilons together", tests.by_target(attacked), 0.29
        else:
            benign = compared.of("sentences", version="benign")
            tested, stated = tests.within(benign, tests.succeeded(attacked), HARDLY), math.nan
            compares = "AUCs of each two targets, their difference against .03"
        rows.append(Claim(claim, paper, here, compares, tested, stated=stated))
    return rows


def _controls(controls: pd.DataFrame, compared: Compared) -> list[Claim]:
    return [
        row
        for detector, kind in (("sync_clean", "trained on clean clips"), ("sync_noise", "trained with noise"))
        for row in (
            _detects_attacks(controls, detector, kind, ("noise", "equally loud noise"), compared),
            _detects_attacks(controls, detector, kind, ("transplant", "another clip's perturbation"), compared),
            _better_than_trivial(controls, detector, kind, compared),
        )
    ]


def _detects_attacks(
    controls: pd.DataFrame, detector: str, kind: str, control: tuple[str, str], compared: Compared
) -> Claim:
    version, name = control
    claim = (
        f"a SyncNet {kind} takes attacked clips for less in time than clips under {name} (AUC above .5 at all epsilons)"
    )
    column = f"auc_{version}_against_attack"
    own = controls[(controls.detector == detector) & controls[column].notna()]
    if own.empty:
        return Claim(claim, OURS, "not measured")
    above, clear = own[column] > 0.5, own[f"{column}_low"] > 0.5
    here = f"{own[column].min():.2f} to {own[column].max():.2f}; "
    here += f"above .5 in {above.sum()}, clearly in {clear.sum()} of {len(own)}"
    beyond = tests.beyond_control(compared, detector, version)
    return Claim(claim, OURS, here, "AUC of the same clips under both less .5, of each attack", beyond)


def _better_than_trivial(controls: pd.DataFrame, detector: str, kind: str, compared: Compared) -> Claim:
    claim = f"a SyncNet {kind} detects attacks better than detectors that know nothing of speech"
    wide = controls.pivot_table(index=["corpus", "attack", "epsilon"], columns="detector", values="auc_adversarial")
    trivial = [name for name in wide if not name.startswith("sync_")]
    if detector not in wide or not trivial:
        return Claim(claim, OURS, "not measured")
    wide = wide[wide[detector].notna()]
    best = wide[trivial].max(axis=1)
    superior = (wide[detector] > best).sum()
    here = f"in {superior} of {len(wide)} attacks; mean AUC {wide[detector].mean():.2f} against {best.mean():.2f}"
    better = tests.better(compared, detector, trivial)
    return Claim(claim, OURS, here, "AUCs of the same clips, of each attack and each trivial detector", better)
