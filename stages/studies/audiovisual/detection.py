"""Room of studies: the audio-visual study's tables of attacks and their detection, Tables 1 to 4 and the controls."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from stages.frame import clip_table
from stages.frame.columns import typed
from stages.measures import detection
from stages.measures.transcripts import word_error_counts
from stages.reporting.cells import error_rate, ordered, possible, printed, share, with_clusters
from stages.studies.audiovisual.claims import ATTACKS
from stages.studies.audiovisual.judged import auc, f1
from stages.studies.audiovisual.shown import strength

# The SyncNets, and what the columns of their AUC and F1 end with.
SYNCNETS = {"sync_clean": "", "sync_noise": "_noise_trained"}
CONTROLS = ("noise", "transplant")
# Which attack on sentences a table shows.
RUNS = {"partial": "table_2", "full": "table_3"}
# The paper gives the L2 norm of a picture, without its size: .87 where each of its values moves by 1 of 255, as it
# would for 221 x 221 of them. SyncNet's pictures have 224 x 224.
L2_SIDE = 224
SIZES = ("l2_video", "linf_video", "relative_loudness_db", "video_values")
DETECTED = ("auc", "f1", "auc_noise_trained", "f1_noise_trained")
# How many attacks nothing could make succeed, and how many of the others failed and met a gradient that is zero.
COUNTED = ("left_out", "zero_gradient", "n")
WORD_COLUMNS = ("attack", "epsilon", "accuracy", "l2_video", "linf_video", "linf_audio_db", *DETECTED, *COUNTED)
SENTENCE_COLUMNS = (
    *("epsilon", "target", "success", "success_by_half", "l2_video", "linf_video", "linf_audio_db"),
    *(*DETECTED, "auc_all", *COUNTED),
)
CONTROL_COLUMNS = (
    *("corpus", "attack", "epsilon", "detector", "auc_adversarial", "auc_noise", "auc_transplant"),
    *("auc_noise_against_attack", "auc_transplant_against_attack"),
    *("error_benign", "error_adversarial", "error_noise", "error_transplant", "n"),
)


def prepared(detections: pd.DataFrame, detectors: list[str]) -> pd.DataFrame:
    """The detections with all that the tables ask for.

    Numbers are numbers, NaN where a cell is empty or nobody asked a detector. `errors` are the words of a decision that
    are wrong, of the `errors_of` words of the `truth`. `reached` says whether the decision is the target,
    `reached_in_part` whether under half of its words are wrong, `reached_by_half` half at most.
    """
    numbers = (*SYNCNETS, *detectors, *SIZES)
    lacking = {name: math.nan for name in numbers if name not in detections}
    truth = detections.text.where(detections.label == "", detections.label)
    made = with_clusters(typed(detections.assign(**lacking, truth=truth), numbers, ("impossible", "zero_gradient")))
    made[["errors", "errors_of"]] = word_error_counts(list(truth), list(made.decision))
    wrong, words = word_error_counts(list(made.target), list(made.decision)).T
    targeted = made.target != ""
    return made.assign(
        reached=targeted & (wrong == 0),
        reached_in_part=targeted & (2 * wrong < words),
        reached_by_half=targeted & (2 * wrong <= words),
    )


def words(detections: pd.DataFrame, paper: pd.DataFrame) -> pd.DataFrame:
    """Table 1: accuracy on test clips, sizes of the perturbations and their detection."""
    benign = detections[detections.version == "benign"]
    versions = [("none", "", benign), *_attacked(detections)]
    made = []
    for attack, epsilon, planned in versions:
        own = possible(planned)
        test = own[own.split == "test"]
        row = {"attack": attack, "epsilon": epsilon} | share(test.decision == test.truth, test.cluster, "accuracy")
        if attack != "none":
            row |= _sizes(test) | _detected(benign, own)
        made.append(row | _printed(paper, "table_1", attack, epsilon) | _counted(planned, test))
    return ordered(made, WORD_COLUMNS)


def sentences(detections: pd.DataFrame, run: str, paper: pd.DataFrame) -> pd.DataFrame:
    """Tables 2 and 3: how often sentences become targets, sizes of the perturbations and their detection."""
    benign = detections[detections.version == "benign"]
    made = [
        {"epsilon": epsilon} | _of_sentences(benign, own, run) | _printed(paper, RUNS[run], run, epsilon)
        for _, epsilon, own in _attacked(detections, run)
    ]
    return ordered(made, [name for name in SENTENCE_COLUMNS if name != "target"])


def by_target(detections: pd.DataFrame, paper: pd.DataFrame) -> pd.DataFrame:
    """Table 4: as Table 2, each target for itself."""
    benign = detections[detections.version == "benign"]
    made = [
        {"epsilon": epsilon, "target": target}
        | _of_sentences(benign, own, "partial")
        | _printed(paper, "table_4", "partial", epsilon, target)
        for _, epsilon, all_targets in _attacked(detections, "partial")
        for target, own in all_targets.groupby("target")
    ]
    return ordered(made, SENTENCE_COLUMNS)


def controls(detections: pd.DataFrame, detectors: list[str]) -> pd.DataFrame:
    """What detectors, and the recogniser, make of attacks and of disturbances as loud, on test clips."""
    test = detections[detections.split == "test"]
    made = []
    for corpus, of_corpus in test.groupby("corpus", sort=False):
        benign = of_corpus[of_corpus.version == "benign"]
        for attack, epsilon, attacked in _attacked(of_corpus):
            same = of_corpus[(of_corpus.attack == attack) & (of_corpus.epsilon == epsilon)]
            versions = {"adversarial": attacked} | {name: same[same.version == name] for name in CONTROLS}
            errors: dict[str, float] = {}
            for version, own in {"benign": benign, **versions}.items():
                errors |= error_rate(own, f"error_{version}")
            for detector in detectors:
                row = {"corpus": corpus, "attack": attack, "epsilon": epsilon, "detector": detector}
                for version, own in versions.items():
                    row |= auc(benign, own, detector, f"auc_{version}")
                for version in CONTROLS:
                    row |= auc(versions[version], attacked, detector, f"auc_{version}_against_attack")
                made.append(row | errors | {"n": len(attacked)})
    return ordered(made, CONTROL_COLUMNS)


def benign_halves(detections: pd.DataFrame, detectors: list[str]) -> pd.DataFrame:
    """The AUC of one half of the benign test clips against the other, .5 but for chance."""
    benign = detections[(detections.version == "benign") & (detections.split == "test")]
    made = []
    for corpus, own in benign.groupby("corpus", sort=False):
        in_first = own.clip_id.map(clip_table.stable_hash) % 2 == 0
        for detector in detectors:
            row = {"corpus": corpus, "detector": detector, "auc_expected": 0.5}
            made.append(row | auc(own[in_first], own[~in_first], detector, "auc") | {"n": len(own)})
    return ordered(made, ("corpus", "detector", "auc_expected", "auc", "n"))


def largest_less_smallest(detections: pd.DataFrame, detectors: list[str]) -> pd.DataFrame:
    """The AUC of clips at an attack's largest epsilons less that at its smallest, of the same clips and targets."""
    test = detections[detections.split == "test"]
    made = []
    for (corpus, attack), own in test[test.version == "adversarial"].groupby(["corpus", "attack"], sort=False):
        benign = test[(test.corpus == corpus) & (test.version == "benign")]
        epsilons = sorted(own.epsilon.unique(), key=strength)
        smallest, largest = (own[own.epsilon == epsilons[place]] for place in (0, -1))
        pairs = smallest.merge(largest, on=["clip_id", "target"], suffixes=("", "_largest"))
        pairs = pairs.merge(benign[["clip_id", *detectors]], on="clip_id", suffixes=("", "_benign"))
        for detector in detectors:
            columns = [f"{detector}_benign", detector, f"{detector}_largest"]
            scored = pairs[np.isfinite(pairs[columns]).all(axis=1)]
            if scored.empty or len(epsilons) < 2:
                continue
            benign_scores, at_smallest, at_largest = (scored[column].to_numpy() for column in columns)
            low, high = detection.auc_difference_interval(
                benign_scores, at_smallest, benign_scores, at_largest, scored.cluster.to_numpy()
            )
            aucs = [detection.auc(benign_scores, scores) for scores in (at_smallest, at_largest)]
            row = {"corpus": corpus, "attack": attack, "detector": detector}
            row |= {"smallest": epsilons[0], "largest": epsilons[-1], "auc_smallest": aucs[0], "auc_largest": aucs[1]}
            row |= {"difference": aucs[1] - aucs[0], "difference_low": low, "difference_high": high}
            made.append(row | {"n": len(scored)})
    columns = ("corpus", "attack", "detector", "smallest", "largest", "auc_smallest", "auc_largest", "difference", "n")
    return ordered(made, columns)


def distributions(sentences: pd.DataFrame, detectors: list[str]) -> pd.DataFrame:
    """For Figure 1d the scores of every test clip, benign and under one attack at the largest epsilons."""
    test = sentences[sentences.split == "test"]
    disturbed = test[test.version != "benign"]
    # Of the attacks it is the last by name: partial, not full.
    disturbed = disturbed[disturbed.attack == max(disturbed.attack, default="")]
    largest = max(disturbed.epsilon, key=strength, default="")
    chosen = pd.concat([test[test.version == "benign"], disturbed[disturbed.epsilon == largest]])
    return chosen[["clip_id", "version", "attack", "epsilon", "target", *detectors]].round(5)


def _attacked(detections: pd.DataFrame, only: str = "") -> Iterator[tuple[str, str, pd.DataFrame]]:
    """Attack, epsilon and clips attacked: FGSM and BIM first, each from the largest epsilons down, as in the paper.

    Of one attack alone where it is named.
    """
    own = detections[detections.version == "adversarial"]
    known = [*ATTACKS, *sorted(set(own.attack) - set(ATTACKS))]
    for attack in [only] if only else known:
        of_attack = own[own.attack == attack]
        for epsilon in sorted(of_attack.epsilon.unique(), key=strength, reverse=True):
            yield attack, epsilon, of_attack[of_attack.epsilon == epsilon]


def _of_sentences(benign: pd.DataFrame, own: pd.DataFrame, run: str) -> dict[str, Any]:
    """How often test clips became targets; sizes and detection of these; `auc_all` also of the others."""
    planned, own = own, possible(own)
    test = own[own.split == "test"]
    reached = "reached" if run == "full" else "reached_in_part"
    row = share(test[reached], test.cluster, "success")
    row |= share(test.reached_by_half, test.cluster, "success_by_half")
    row |= _sizes(test[test[reached]]) | _detected(benign, own[own[reached]])
    row |= auc(benign[benign.split == "test"], test, "sync_clean", "auc_all")
    return row | _counted(planned, test)


def _counted(planned: pd.DataFrame, test: pd.DataFrame) -> dict[str, int]:
    """Of the attacks planned on test clips those `test` that something could make succeed, and the others."""
    left_out = int((planned.split == "test").sum()) - len(test)
    return {"left_out": left_out, "zero_gradient": int(test.zero_gradient.sum()), "n": len(test)}


def _detected(benign: pd.DataFrame, attacked: pd.DataFrame) -> dict[str, float]:
    """AUC and F1 by both SyncNets, of test clips."""
    test = [one[one.split == "test"] for one in (benign, attacked)]
    row: dict[str, float] = {}
    for detector, suffix in SYNCNETS.items():
        row |= auc(*test, detector, f"auc{suffix}") | f1(benign, attacked, detector, f"f1{suffix}")
    return row


def _sizes(attacked: pd.DataFrame) -> dict[str, float]:
    """Mean sizes of perturbations in the paper's units, of clips that have a finite one.

    `l2_video` is the norm over all of a clip's `video_values`.
    """
    sizes = {
        "l2_video": L2_SIDE * attacked.l2_video / np.sqrt(attacked.video_values) / 255,
        "linf_video": attacked.linf_video / 255,
        "linf_audio_db": attacked.relative_loudness_db,
    }
    return {name: values.replace([-np.inf, np.inf], np.nan).mean() for name, values in sizes.items()}


def _printed(paper: pd.DataFrame, table: str, attack: str, epsilon: str, target: str = "") -> dict[str, float]:
    """The paper's values of a row, NaN where it has no such row."""
    names = ("accuracy", "success", "l2_video", "linf_video", "linf_audio_db", "auc", "f1")
    values = printed(paper, names, table=table, attack=attack, epsilon=epsilon, target=target)
    # In Table 1 in grey levels, in the other tables in [0, 1].
    return values | ({"linf_video_paper": values["linf_video_paper"] / 255} if table == "table_1" else {})
