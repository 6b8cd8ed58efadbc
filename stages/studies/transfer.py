"""Room of studies: the tables of Boigne, Liyanage and Östrem, "Recognizing more emotions with less data using self-supervised transfer learning".

UA, the paper's unweighted accuracy, is the mean recall of the four classes on the session that was left out, averaged over
all sessions; of several draws it is their mean. Intervals are at 95 % and take into account that clips share speakers.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from stages.frame import clip_table
from stages.frame.errors import UserError
from stages.measures.intervals import clustered, mean_interval
from stages.measures.paired import mcnemar, sign_flips
from stages.measures.recall import uar, uar_change, uar_interval
from stages.studies import transfer_claims, transfer_figures

PAPER = Path(__file__).with_name("transfer_paper.csv")
HEADS = ("mean", "mean_max", "attention", "mlp")
FEATURES = ("lld", "wav2vec")
# The rows of Table 2 that are measured: what they are in the paper, and here.
MEASURED = {
    "MLP with mean pooling on low-level descriptors": ("low-level descriptors", "lld", "mlp"),
    "MLP with mean pooling": ("wav2vec", "wav2vec", "mlp"),
    "the recurrent model, speech alone": ("wav2vec", "wav2vec", "speech"),
    "the recurrent model, text alone": ("BERT", "wav2vec", "text"),
    # The paper's Bi-LSTM with attention alignment; which cell it has here, params.yaml says.
    "the recurrent model, speech and text": ("wav2vec and BERT", "wav2vec", "bimodal"),
    "the same, transcripts shuffled": ("wav2vec and BERT", "wav2vec", "bimodal-shuffled"),
}
COMPARED = (
    ("bimodal", "speech", "all"),
    ("bimodal", "text", "all"),
    ("bimodal", "bimodal-shuffled", "all"),
    ("bimodal", "mlp", "all"),
    ("speech", "bimodal-shuffled", "all"),
)
ATTACK_NAMES = {"none": "none", "fgsm": "FGSM", "bim": "PGD"}

# Each corpus, and the set that holds its clips.
CORPORA = {"transfer": "audio"}
TITLE = "Speech emotion from few labels: wav2vec and BERT against hand-made descriptors"
NOTE = (
    "UA is the mean recall of the classes on the session left out, averaged over the sessions, in [0, 1]; of several draws "
    "it is their mean. Few examples hold equally many of each class. Models on all examples are attacked through wav2vec, each "
    "on clips of the session that it did not see; epsilon is in units of full scale."
)
TABLES = {
    "table_corpus": "The corpus. Utterances of each class and session, beside IEMOCAP's own",
    "table_1": "Table 1. UA with few examples, by head and feature; improvement: wav2vec less low-level descriptors",
    "table_less_data": "Few examples with wav2vec against eight times as many with low-level descriptors (MLP)",
    "table_2": "Table 2. UA with all examples; cited: as the paper cites it, not measured here",
    "table_paired": (
        "Paired tests on the same clips, first draw. McNemar's test compares accuracies and takes clips for independent, "
        "which those of one speaker are not; the other test flips the signs of whole speakers' differences in recall. "
        "Neither knows that the two speakers of a session are decided on by one and the same model"
    ),
    "table_folds": "UA on each session left out, all examples; a session has too few speakers: these intervals take clips for independent",
    "table_attacks": (
        "Under attack. Recall of all attacked clips before (ua clean) and after (ua), success among clips decided correctly "
        "before, and the SNR of the perturbation"
    ),
    "table_text_robustness": (
        "Does text help? Accuracy under attack of the bimodal model less that of another one on the same clips, each the "
        "mean over speakers; attack none: what they differ by before"
    ),
}
FIGURES = {
    "figure_2.png": (
        "Figure 2. UA of the MLP against the number of training examples: 95 % intervals, one deviation over draws as bands, "
        "and a line fitted to the logarithm, dashed"
    ),
    "figure_confusion.png": "Confusion matrices, all examples, first draw: shares of each true class",
}


@dataclass(frozen=True)
class Measured:
    """What the study is told from: the clips, every model's decisions, the attacks, and how many examples are few."""

    clips: pd.DataFrame
    decisions: pd.DataFrame
    attacks: pd.DataFrame
    few: int


def read(parameters: dict[str, Any]) -> Measured:
    """The decisions and sweeps of what params.yaml names now, and nothing else.

    Raises:
        UserError: there is no such victim.
    """
    own = {name: one for name, one in parameters["victims"].items() if one["study"] == "transfer"}
    if not own:
        raise UserError(
            "params.yaml: victims", expected="one of the study transfer", found="none", do="see params.yaml in git"
        )
    tables = [
        clip_table.read(Path("models/transfer", one["network"], name, "decisions.csv")).assign(feature=one["inputs"])
        for name, one in own.items()
    ]
    decisions = pd.concat(tables, ignore_index=True)
    decisions["size"] = decisions["size"].astype(str)
    clips = clip_table.read("data/transfer/audio/clips.csv")
    items = [name for name, item in parameters["sweep_items"].items() if item["study"] == "transfer"]
    attacks = [clip_table.read(Path("data/transfer/sweeps", name, "clips.csv")) for name in items]
    return Measured(clips, decisions, pd.concat(attacks, ignore_index=True), parameters["recipes"]["transfer"]["few"])


def tables(measured: Measured) -> dict[str, pd.DataFrame]:
    """The paper's tables, those it lacks, the data of the figures and the claims, by file name without suffix."""
    paper = pd.read_csv(PAPER, keep_default_na=False)
    decisions, few = measured.decisions, str(measured.few)
    made = {
        "table_corpus": _corpus(measured.clips, paper),
        "table_1": _few_examples(decisions, few, paper),
        "table_less_data": _less_data(decisions, measured.few),
        "table_2": _all_examples(decisions, paper),
        "table_paired": _paired(decisions, few),
        "table_folds": _folds(decisions),
        "table_confusion": _confusion(decisions),
        "table_attacks": _attacks(measured.attacks),
        "table_text_robustness": _text_robustness(measured.attacks),
        "figure_2": _curve(decisions, few, paper),
    }
    made["claims"] = transfer_claims.claims(made, measured.few)
    return made


def metrics(made: dict[str, pd.DataFrame]) -> dict[str, float]:
    """The headline numbers; attacks at the smallest epsilon, since few models are right at all at the largest."""
    values: dict[str, float] = {}
    for row in made["table_1"].itertuples():
        values |= {f"ua_few_{row.head}_{feature}": getattr(row, feature) for feature in FEATURES}
    names = ("mlp_lld", "mlp_wav2vec", "speech", "text", "bimodal", "bimodal_shuffled")
    values |= {f"ua_all_{name}": ua for name, ua in zip(names, made["table_2"].ua[made["table_2"].cited == "no"])}
    attacks = made["table_attacks"]
    attacks = attacks[attacks.attack == "PGD"]
    attacks = attacks[attacks.epsilon == attacks.epsilon.min()]
    values |= {f"ua_pgd_smallest_{row.model}": row.ua for row in attacks.itertuples()}
    helps = made["table_text_robustness"]
    helps = helps[(helps.attack == "PGD") & (helps.against == "speech")]
    if len(helps):
        values["pgd_smallest_bimodal_less_speech"] = helps.sort_values("epsilon").difference.iloc[0]
    values["claims_that_hold"] = int((made["claims"].verdict == "holds").sum())
    return {name: round(value, 4) for name, value in values.items() if not math.isnan(value)}


def figures(made: dict[str, pd.DataFrame], measured: Measured, folder: Path) -> None:
    """Draws Figure 2 and the confusion matrices."""
    transfer_figures.draw(made, folder)


def _chosen(decisions: pd.DataFrame, feature: str, model: str, size: str, draw: int | None = None) -> pd.DataFrame:
    """The decisions of one kind of model, of all draws or one."""
    own = decisions[(decisions.feature == feature) & (decisions.model == model) & (decisions["size"] == size)]
    return own if draw is None else own[own.draw == draw]


def _draws(own: pd.DataFrame) -> np.ndarray:
    """UA of each draw."""
    folds = own.groupby(["draw", "fold"]).apply(lambda part: uar(part.label, part.decision))
    return folds.groupby("draw").mean().to_numpy()


def _by_speaker(own: pd.DataFrame) -> pd.Series:
    """Each speaker's mean recall."""
    return own.groupby("speaker").apply(lambda part: uar(part.label, part.decision))


def _ua(own: pd.DataFrame, name: str = "ua") -> dict[str, float]:
    """UA with its interval: that of the pooled recall, moved to the mean over sessions and draws."""
    if own.empty:
        return dict.fromkeys((name, f"{name}_low", f"{name}_high"), math.nan)
    value, pooled = float(_draws(own).mean()), uar(own.label, own.decision)
    low, high = uar_interval(own.label, own.decision, own.speaker)
    ends = max(0.0, value + low - pooled), min(1.0, value + high - pooled)
    return {name: value, f"{name}_low": ends[0], f"{name}_high": ends[1]}


def _change(before: pd.DataFrame, after: pd.DataFrame, name: str) -> dict[str, float]:
    """UA of `after` less that of `before` on the same clips and draws, and its interval."""
    both = before.merge(after, on=["draw", "clip_id"], suffixes=("", "_after"))
    if both.empty:
        return dict.fromkeys((name, f"{name}_low", f"{name}_high"), math.nan)
    pooled, low, high = uar_change(both.label, both.decision, both.decision_after, both.speaker)
    value = float(_draws(after).mean() - _draws(before).mean())
    return {name: value, f"{name}_low": value + low - pooled, f"{name}_high": value + high - pooled}


def _published(paper: pd.DataFrame, table: str, row: str, column: str) -> float:
    own = paper[(paper.table == table) & (paper.row == row) & (paper.column == column)]
    return float(own["value"].iloc[0]) if len(own) else math.nan


def _corpus(clips: pd.DataFrame, paper: pd.DataFrame) -> pd.DataFrame:
    readable = clips[clips.problem == ""]
    labels = sorted(readable.label.unique())
    made = []
    for session, own in [*readable.groupby("fold"), ("all", readable)]:
        row: dict[str, Any] = {"session": session}
        for label in labels:
            row[label] = int((own.label == label).sum())
            printed = paper[(paper.table == "corpus") & (paper.column == label)]
            printed = printed if session == "all" else printed[printed.row == session]
            row[f"{label}_paper"] = int(printed["value"].sum()) if len(printed) else pd.NA
        printed = paper[(paper.table == "corpus") & ((paper.row == session) | (session == "all"))]["value"]
        row |= {"n": len(own), "n_paper": int(printed.sum()) if len(printed) else pd.NA}
        row |= {"speakers": own.speaker.nunique(), "minutes": round(own.duration_s.sum() / 60, 1)}
        made.append(row)
    return pd.DataFrame(made)


def _few_examples(decisions: pd.DataFrame, few: str, paper: pd.DataFrame) -> pd.DataFrame:
    made = []
    for head in HEADS:
        row: dict[str, Any] = {"head": head}
        lld, wav2vec = (_chosen(decisions, feature, head, few) for feature in FEATURES)
        for feature, own in zip(FEATURES, (lld, wav2vec)):
            row |= _ua(own, feature) | {f"{feature}_paper": _published(paper, "table_1", head, feature)}
            row[f"{feature}_deviation"] = float(np.std(_draws(own), ddof=1)) if own.draw.nunique() > 1 else math.nan
        row |= _change(lld, wav2vec, "improvement")
        row["improvement_paper"] = _published(paper, "table_1", head, "improvement")
        made.append(row | {"examples": int(few), "draws": lld.draw.nunique(), "n": lld.clip_id.nunique()})
    return pd.DataFrame(made).round(4)


def _less_data(decisions: pd.DataFrame, few: int) -> pd.DataFrame:
    """One row, none without descriptors: the size nearest to eight times as many is what there is to compare with."""
    ours = _chosen(decisions, "wav2vec", "mlp", str(few))
    sizes = decisions[(decisions.feature == "lld") & (decisions.model == "mlp")].groupby("size").examples.mean()
    if sizes.empty:
        return pd.DataFrame(columns=["examples", "lld_examples", "wav2vec", "lld", "difference", "n"])
    theirs = _chosen(decisions, "lld", "mlp", (sizes / (8 * few)).map(math.log).abs().idxmin())
    row = {"examples": few, "lld_examples": round(theirs.examples.mean())} | _ua(ours, "wav2vec") | _ua(theirs, "lld")
    return pd.DataFrame([row | _change(theirs, ours, "difference") | {"n": ours.clip_id.nunique()}]).round(4)


def _all_examples(decisions: pd.DataFrame, paper: pd.DataFrame) -> pd.DataFrame:
    printed = paper[paper.table == "table_2"]
    made = [
        {"model": row.row, "features": row.column, "cited": "yes", "ua_paper": row.value}
        for row in printed[printed.note == "cited"].itertuples()
    ]
    for name, (features, feature, model) in MEASURED.items():
        own = _chosen(decisions, feature, model, "all")
        row = {"model": name, "features": features, "cited": "no"} | _ua(own)
        made.append(row | {"ua_paper": _published(paper, "table_2", name, features), "n": own.clip_id.nunique()})
    columns = ["model", "features", "cited", "ua", "ua_low", "ua_high", "ua_paper", "n"]
    return pd.DataFrame(made)[columns].astype({"n": "Int64"}).round(4)


def _paired(decisions: pd.DataFrame, few: str) -> pd.DataFrame:
    pairs = [(("wav2vec", first), ("wav2vec", second), size) for first, second, size in COMPARED]
    pairs += [(("wav2vec", "mlp"), ("lld", "mlp"), size) for size in (few, "all")]
    pairs += [(("wav2vec", head), ("lld", head), few) for head in HEADS[:-1]]
    made = []
    for first, second, size in pairs:
        one, other = (_chosen(decisions, *which, size, 0) for which in (first, second))
        both = other.merge(one, on="clip_id", suffixes=("", "_first"))
        if both.empty:
            continue
        right = both.label == both.decision
        right_first = both.label == both.decision_first
        by_speaker = (_by_speaker(one) - _by_speaker(other)).dropna()
        row = {"first": " ".join(first), "second": " ".join(second), "size": size} | _change(other, one, "difference")
        only_first, only_second = int((right_first & ~right).sum()), int((right & ~right_first).sum())
        row |= {"only_first_right": only_first, "only_second_right": only_second, "n": len(both)}
        row |= {"p_mcnemar": float(f"{mcnemar(only_first, only_second):.2g}")}
        row |= {"p_speakers": sign_flips(by_speaker.to_numpy())}
        made.append(row | {"speakers": len(by_speaker)})
    rounded = dict.fromkeys(("difference", "difference_low", "difference_high", "p_speakers"), 4)
    return _table(made, ["first", "second", "size", "difference", "p_mcnemar", "p_speakers"]).round(rounded)


def _folds(decisions: pd.DataFrame) -> pd.DataFrame:
    made = []
    for name, (_, feature, model) in MEASURED.items():
        for fold, own in _chosen(decisions, feature, model, "all").groupby("fold"):
            low, high = uar_interval(own.label, own.decision, own.clip_id)
            ua = float(np.mean([uar(part.label, part.decision) for _, part in own.groupby("draw")]))
            row = {"model": name, "features": MEASURED[name][0], "session": fold, "ua": ua}
            made.append(row | {"ua_low": low, "ua_high": high, "n": own.clip_id.nunique()})
    return _table(made, ["model", "features", "session", "ua", "n"]).round(4)


def _confusion(decisions: pd.DataFrame) -> pd.DataFrame:
    made = []
    for name, (features, feature, model) in MEASURED.items():
        own = _chosen(decisions, feature, model, "all", 0)
        counts = pd.crosstab(own.label, own.decision).reindex(columns=sorted(own.label.unique()), fill_value=0)
        for label, row in counts.iterrows():
            shares = row / row.sum()
            made += [
                {"model": name, "features": features, "label": label, "decision": decision, "count": row[decision]}
                | {"share": shares[decision]}
                for decision in counts.columns
            ]
    return _table(made, ["model", "features", "label", "decision", "count", "share"]).round(4)


def _curve(decisions: pd.DataFrame, few: str, paper: pd.DataFrame) -> pd.DataFrame:
    made = []
    for feature in FEATURES:
        own = decisions[(decisions.feature == feature) & (decisions.model == "mlp")]
        for size, part in own.groupby("size"):
            draws = _draws(part)
            row = {"feature": feature, "size": size, "examples": round(part.examples.mean())} | _ua(part)
            row["deviation"] = float(np.std(draws, ddof=1)) if len(draws) > 1 else math.nan
            table = {few: "table_1", "all": "table_2"}.get(size, "")
            name = "mlp" if table == "table_1" else "MLP with mean pooling"
            row |= {"ua_paper": _published(paper, table, name, feature), "draws": len(draws)}
            made.append(row | {"n": part.clip_id.nunique()})
    columns = ["feature", "size", "examples", "ua", "ua_low", "ua_high", "deviation", "ua_paper"]
    return _table(made, columns).sort_values(["feature", "examples"], ignore_index=True).round(4)


def _attacks(attacks: pd.DataFrame) -> pd.DataFrame:
    made = []
    clean = attacks[attacks.attack == "none"]
    for (victim, model, attack, epsilon), own in attacks.groupby(
        ["victim", "variant", "attack", "epsilon"], sort=False
    ):
        before = clean[(clean.victim == victim) & (clean.variant == model)]
        clean_ends = uar_interval(before.label, before.clean_prediction, before.speaker)
        low, high = uar_interval(own.label, own.adversarial_prediction, own.speaker)
        right = own[own.clean_prediction == own.label]
        flipped = right.success.astype(float).groupby(right.speaker).agg(["sum", "count"])
        ends = clustered(flipped["sum"].to_numpy(), flipped["count"].to_numpy())
        row = {"model": model, "attack": ATTACK_NAMES[attack], "epsilon": epsilon}
        row |= {"ua_clean": uar(before.label, before.clean_prediction)}
        row |= {"ua_clean_low": clean_ends[0], "ua_clean_high": clean_ends[1]}
        row |= {"ua": uar(own.label, own.adversarial_prediction), "ua_low": low, "ua_high": high, "n": len(own)}
        row |= {"success": right.success.mean() if len(right) else math.nan, "success_low": ends[0]}
        row |= {"success_high": ends[1], "right_before": len(right)}
        made.append(row | {"snr_db": own.snr_db_audio.replace(math.inf, math.nan).mean()})
    return _table(made, ["model", "attack", "epsilon", "ua_clean", "ua", "n", "success", "snr_db"]).round(4)


def _text_robustness(attacks: pd.DataFrame) -> pd.DataFrame:
    made = []
    for (attack, epsilon), own in attacks.groupby(["attack", "epsilon"], sort=False):
        right = own.assign(right=(own.adversarial_prediction == own.label).astype(float))
        wide = right.pivot_table(index=["clip_id", "speaker"], columns="variant", values="right")
        for other in ("speech", "mlp"):
            if not {"bimodal", other} <= set(wide.columns):
                continue
            both = wide[["bimodal", other]].dropna()
            by_speaker = both.groupby("speaker").mean()
            differences = (by_speaker.bimodal - by_speaker[other]).to_numpy()
            low, high = mean_interval(differences)
            row = {"attack": ATTACK_NAMES[attack], "epsilon": epsilon, "against": other}
            row |= {"bimodal": by_speaker.bimodal.mean(), "other": by_speaker[other].mean()}
            row |= {"difference": differences.mean(), "difference_low": low, "difference_high": high}
            made.append(row | {"p_speakers": sign_flips(differences), "n": len(both)})
    columns = ["attack", "epsilon", "against", "bimodal", "other", "difference", "p_speakers", "n"]
    return _table(made, columns).round(4)


def _table(rows: list[dict[str, Any]], columns: list[str]) -> pd.DataFrame:
    """A table of these rows; without any it still has columns to be asked for."""
    return pd.DataFrame(rows) if rows else pd.DataFrame(columns=columns)
