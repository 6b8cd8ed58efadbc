"""Room of studies: the tables of Boigne, Liyanage and Östrem, "Recognizing more emotions with less data using
self-supervised transfer learning".

UA, the paper's unweighted accuracy, is the mean recall of the four classes on the session that was left out, averaged
over all sessions; of several draws it is their mean. Intervals are at 95 % and take into account that clips share
speakers.
"""

import functools
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from stages.frame import clip_table
from stages.frame.columns import typed
from stages.frame.errors import UserError
from stages.measures.paired import mcnemar, sign_flips
from stages.measures.recall import uar, uar_interval
from stages.reporting.cells import PER_CENT, cell, cells, finite, published, table
from stages.reporting.study import of_named_attacks
from stages.reporting.yours import yours as of_yours
from stages.studies.transfer.attacks import recall, text_robustness, under_attack
from stages.studies.transfer.claims import claims
from stages.studies.transfer.recalls import by_speaker, change, chosen, draws, eight_times_as_many, ua

PAPER = Path(__file__).with_name("paper.csv")
READERS = ("iemocap",)
# The entries of params.yaml that are the paper's. Its tables and claims are of these alone.
PAPERS = {"victims": ("lld_heads", "wav2vec_heads", "bimodal"), "attacked": {"speech_heads": ("fgsm", "bim")}}
HEADS = ("mean", "mean_max", "attention", "mlp")
FEATURES = ("lld", "wav2vec")
BIMODAL = "the recurrent model, speech and text"
# The rows of Table 2 that are measured: what they are in the paper, and here.
MEASURED = {
    "MLP with mean pooling on low-level descriptors": ("low-level descriptors", "lld", "mlp"),
    "MLP with mean pooling": ("wav2vec", "wav2vec", "mlp"),
    "the recurrent model, speech alone": ("wav2vec", "wav2vec", "speech"),
    "the recurrent model, text alone": ("BERT", "wav2vec", "text"),
    # The paper's Bi-LSTM with attention alignment; which cell it has here, params.yaml says.
    BIMODAL: ("wav2vec and BERT", "wav2vec", "bimodal"),
    "the same, transcripts shuffled": ("wav2vec and BERT", "wav2vec", "bimodal-shuffled"),
}
COMPARED = (
    ("bimodal", "speech", "all"),
    ("bimodal", "text", "all"),
    ("bimodal", "bimodal-shuffled", "all"),
    ("bimodal", "mlp", "all"),
    ("speech", "bimodal-shuffled", "all"),
)

TITLE = "Speech emotion from few labels: wav2vec and BERT against hand-made descriptors"
NOTE = (
    "UA is the mean recall of the classes on the session left out, averaged over the sessions, in [0, 1]; of several "
    "draws it is their mean. Few examples hold equally many of each class. Models on all examples are attacked through "
    "wav2vec, each on clips of the session that it did not see; epsilon is in units of full scale."
)
TABLES = {
    "table_corpus": "The corpus. Utterances of each session and class, beside IEMOCAP's own; an empty cell: of all",
    "table_1": "Table 1. UA with few examples, by head and feature; improvement: wav2vec less low-level descriptors",
    "table_less_data": "Less data. wav2vec with few examples, low-level descriptors with eight times as many (MLP)",
    "table_2": "Table 2. UA with all examples; cited: as the paper cites it, not measured here",
    "table_paired": (
        "Paired tests on the same clips, first draw. McNemar's test compares accuracies and takes clips for "
        "independent, which those of one speaker are not; the other test flips the signs of whole speakers' "
        "differences in recall. Neither knows that the two speakers of a session are decided on by one and the same "
        "model"
    ),
    "table_folds": (
        "Sessions. UA on each one left out, all examples; a session has too few speakers: these intervals take clips "
        "for independent"
    ),
    "table_attacks": (
        "Under attack. Recall of all attacked clips before and after (UA), success among clips decided "
        "correctly before, and the SNR of the perturbation; left out: clips that no attack can turn, since their model "
        "knows one label alone; zero gradient: clips that the attack could not move, since their model has no gradient "
        "there"
    ),
    "table_text_robustness": (
        "Text under attack. Accuracy of the bimodal model less that of another one on the same clips, each "
        "the mean over speakers; attack none: what they differ by before"
    ),
}
HEADLINES = {
    "clean_percent": "UA of the recurrent model on speech and text",
    "attacked_percent": "UA of it under PGD at the smallest epsilon, on the attacked clips",
    "attack_snr_db": "signal to perturbation of this attack",
}
FIGURES = {
    "figure_2": (
        "Figure 2. UA of the MLP against the number of training examples: 95 % intervals, one deviation over draws as "
        "bands, and a line fitted to the logarithm, dashed"
    ),
    "figure_confusion": "Confusions. All examples, first draw: shares of each true class",
}


@dataclass(frozen=True)
class Measured:
    """What the study is told from: the clips, every model's decisions, the attacks, and how many examples are few."""

    clips: pd.DataFrame
    decisions: pd.DataFrame
    attacks: pd.DataFrame
    few: int


def read(parameters: dict[str, Any]) -> Measured:
    """The decisions and adversarial sets of what params.yaml names now, and nothing else.

    Raises:
        UserError: there is no victim, or none is trained on few examples.
    """
    victims = parameters["victims"]
    if not victims:
        raise UserError("params.yaml: transfer.victims", "a victim", "none", "see params.yaml in git")
    decided = [
        clip_table.read(Path("models/transfer", name, "decisions.csv")).assign(feature=one["inputs"])
        for name, one in victims.items()
    ]
    decisions = pd.concat(decided, ignore_index=True)
    decisions["size"] = decisions["size"].astype(str)
    clips = clip_table.read("data/transfer/audio/clips.csv")
    attacks = [
        of_named_attacks(clip_table.read(Path("data/transfer/adversarial", name, "clips.csv")), one)
        for name, one in parameters["attacked"].items()
    ]
    return Measured(clips, decisions, with_numbers(pd.concat(attacks, ignore_index=True)), _few(parameters))


def _few(parameters: dict[str, Any]) -> int:
    """How many examples are few, of the first victim that is trained on few at all."""
    for one in parameters["victims"].values():
        recipe = parameters["recipes"][one["recipe"]] | one.get("training", {})
        if recipe["few"] is not None:
            return recipe["few"]
    raise UserError("params.yaml: transfer.recipes", "few examples for a victim", "`few` null for all", "give a number")


def with_numbers(attacks: pd.DataFrame) -> pd.DataFrame:
    """Rows of an adversarial set whose numbers are numbers: epsilon 0 of none, and no SNR where nothing was added."""
    made = typed(attacks, ("epsilon", "snr_db", "clean_confidence"), ("success", "kept", "impossible", "zero_gradient"))
    return made.assign(epsilon=made.epsilon.fillna(0.0))


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
        "table_attacks": under_attack(measured.attacks),
        "table_text_robustness": text_robustness(measured.attacks),
        "figure_2": _curve(decisions, few, paper),
    }
    made["claims"] = claims(made, measured.decisions, measured.attacks, measured.few)
    return made


def yours(parameters: dict[str, Any], own: set[str]) -> pd.DataFrame:
    """The rows of entries of `own`, which are not the paper's, see `stages.reporting.yours`."""
    made = functools.partial(of_yours, "transfer", papers=PAPERS, also=recall)
    return made(parameters, own, lambda values: tables(read(values)))


def metrics(made: dict[str, pd.DataFrame]) -> dict[str, float]:
    """The headline numbers; attacks at the smallest epsilon, since few models are right at all at the largest."""
    attacked = made["table_attacks"].query("attack == 'PGD'")
    attacked = attacked[attacked.epsilon == attacked.epsilon.min()]
    values = {
        "clean_percent": PER_CENT * cell(made["table_2"], "ua", model=BIMODAL),
        "attacked_percent": PER_CENT * cell(attacked, "ua", model="bimodal"),
        "attack_snr_db": cell(attacked, "snr_db", model="bimodal"),
    }
    return finite(values)


def _corpus(clips: pd.DataFrame, paper: pd.DataFrame) -> pd.DataFrame:
    """A row for each session and label, "" for all: as columns labels could be called as other columns are."""
    readable, printed = clips[clips.problem == ""], paper[paper.table == "corpus"]
    made = []
    for session in (*sorted(readable.fold.unique()), ""):
        for label in (*sorted(readable.label.unique()), ""):
            own = _of(readable, {"fold": session, "label": label})
            counted = _of(printed, {"row": session, "column": label})["value"]
            row = {"session": session, "label": label, "n": len(own)}
            row |= {"n_paper": int(counted.sum()) if len(counted) else pd.NA, "speakers": own.speaker.nunique()}
            made.append(row | {"minutes": round(own.duration_s.sum() / 60, 1)})
    return pd.DataFrame(made).astype({"n_paper": "Int64"})


def _of(table: pd.DataFrame, wanted: dict[str, str]) -> pd.DataFrame:
    """The rows with these values in these columns, "" for any."""
    for column, value in wanted.items():
        table = table[table[column] == value] if value else table
    return table


def _few_examples(decisions: pd.DataFrame, few: str, paper: pd.DataFrame) -> pd.DataFrame:
    made = []
    for head in HEADS:
        row: dict[str, Any] = {"head": head}
        lld, wav2vec = (chosen(decisions, feature, head, few) for feature in FEATURES)
        for feature, own in zip(FEATURES, (lld, wav2vec)):
            row |= ua(own, feature)
            row[f"{feature}_paper"] = published(paper, table="table_1", row=head, column=feature)
            row[f"{feature}_deviation"] = float(np.std(draws(own), ddof=1)) if own.draw.nunique() > 1 else math.nan
        row |= change(lld, wav2vec, "improvement")
        row["improvement_paper"] = published(paper, table="table_1", row=head, column="improvement")
        made.append(row | {"examples": int(few), "draws": lld.draw.nunique(), "n": lld.clip_id.nunique()})
    return table(made)


def _less_data(decisions: pd.DataFrame, few: int) -> pd.DataFrame:
    """One row, none without descriptors."""
    ours, theirs = chosen(decisions, "wav2vec", "mlp", str(few)), eight_times_as_many(decisions, few)
    if theirs.empty:
        return table([], ["examples", "lld_examples", "wav2vec", "lld", "difference", "n"])
    row = {"examples": few, "lld_examples": round(theirs.examples.mean())} | ua(ours, "wav2vec") | ua(theirs, "lld")
    return table([row | change(theirs, ours, "difference") | {"n": ours.clip_id.nunique()}])


def _all_examples(decisions: pd.DataFrame, paper: pd.DataFrame) -> pd.DataFrame:
    printed = paper[paper.table == "table_2"]
    made = [
        {"model": row.row, "features": row.column, "cited": "yes", "ua_paper": row.value}
        for row in printed[printed.note == "cited"].itertuples()
    ]
    for name, (features, feature, model) in MEASURED.items():
        own = chosen(decisions, feature, model, "all")
        row = {"model": name, "features": features, "cited": "no"} | ua(own)
        row["ua_paper"] = published(paper, table="table_2", row=name, column=features)
        made.append(row | {"n": own.clip_id.nunique()})
    columns = ["model", "features", "cited", "ua", "ua_low", "ua_high", "ua_paper", "n"]
    return table(made)[columns].astype({"n": "Int64"})


def _paired(decisions: pd.DataFrame, few: str) -> pd.DataFrame:
    pairs = [(("wav2vec", first), ("wav2vec", second), size) for first, second, size in COMPARED]
    pairs += [(("wav2vec", "mlp"), ("lld", "mlp"), size) for size in (few, "all")]
    pairs += [(("wav2vec", head), ("lld", head), few) for head in HEADS[:-1]]
    made = []
    for first, second, size in pairs:
        one, other = (chosen(decisions, *which, size, 0) for which in (first, second))
        both = other.merge(one, on="clip_id", suffixes=("", "_first"))
        if both.empty:
            continue
        right = both.label == both.decision
        right_first = both.label == both.decision_first
        differences = (by_speaker(one) - by_speaker(other)).dropna()
        row = {"first": " ".join(first), "second": " ".join(second), "size": size} | change(other, one, "difference")
        only_first, only_second = int((right_first & ~right).sum()), int((right & ~right_first).sum())
        row |= {"only_first_right": only_first, "only_second_right": only_second, "n": len(both)}
        row |= {"p_mcnemar": float(f"{mcnemar(only_first, only_second):.2g}")}
        row |= {"p_speakers": sign_flips(differences.to_numpy())}
        made.append(row | {"speakers": len(differences)})
    told = table(made, ["first", "second", "size", "difference", "p_mcnemar", "p_speakers"])
    # It has two digits, and may be far below the places that others have.
    return told.assign(p_mcnemar=[row["p_mcnemar"] for row in made])


def _folds(decisions: pd.DataFrame) -> pd.DataFrame:
    made = []
    for name, (features, feature, model) in MEASURED.items():
        for fold, own in chosen(decisions, feature, model, "all").groupby("fold"):
            of_draws = [uar(part.label, part.decision) for _, part in own.groupby("draw")]
            row = {"model": name, "features": features, "session": fold}
            row |= cells("ua", float(np.mean(of_draws)), *uar_interval(own.label, own.decision, own.clip_id))
            made.append(row | {"n": own.clip_id.nunique()})
    return table(made, ["model", "features", "session", "ua", "n"])


def _confusion(decisions: pd.DataFrame) -> pd.DataFrame:
    made = []
    for name, (features, feature, model) in MEASURED.items():
        own = chosen(decisions, feature, model, "all", 0)
        counts = pd.crosstab(own.label, own.decision).reindex(columns=sorted(own.label.unique()), fill_value=0)
        for label, row in counts.iterrows():
            shares = row / row.sum()
            made += [
                {"model": name, "features": features, "label": label, "decision": decision, "count": row[decision]}
                | {"share": shares[decision]}
                for decision in counts.columns
            ]
    return table(made, ["model", "features", "label", "decision", "count", "share"])


def _curve(decisions: pd.DataFrame, few: str, paper: pd.DataFrame) -> pd.DataFrame:
    made = []
    for feature in FEATURES:
        own = decisions[(decisions.feature == feature) & (decisions.model == "mlp")]
        for size, part in own.groupby("size"):
            of_draws = draws(part)
            row = {"feature": feature, "size": size, "examples": round(part.examples.mean())} | ua(part)
            row["deviation"] = float(np.std(of_draws, ddof=1)) if len(of_draws) > 1 else math.nan
            printed_in = {few: "table_1", "all": "table_2"}.get(size, "")
            name = "mlp" if printed_in == "table_1" else "MLP with mean pooling"
            row["ua_paper"] = published(paper, table=printed_in, row=name, column=feature)
            made.append(row | {"draws": len(of_draws), "n": part.clip_id.nunique()})
    columns = ["feature", "size", "examples", "ua", "ua_low", "ua_high", "deviation", "ua_paper"]
    return table(made, columns).sort_values(["feature", "examples"], ignore_index=True)
