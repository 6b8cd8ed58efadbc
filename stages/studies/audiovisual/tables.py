"""Room of studies: the tables of Ma et al., "Detecting adversarial attacks on audiovisual speech recognition".

Intervals are at 95 % and take into account that clips share speakers. A detector's score is higher for benign clips;
its threshold for F1 is the best one on validation clips under the same attack.
"""

import functools
import itertools
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from stages.frame import clip_table
from stages.frame.columns import typed
from stages.frame.errors import UserError
from stages.measures.transcripts import word_error_counts
from stages.reporting.cells import PER_CENT, cell, error_rate, finite, possible, published, share, table, with_clusters
from stages.reporting.study import of_named_attacks, papers_alone
from stages.reporting.yours import yours as of_yours
from stages.studies.audiovisual import detection, streams
from stages.studies.audiovisual.claims import claims
from stages.studies.audiovisual.judged import auc

PAPER = Path(__file__).with_name("paper.csv")
READERS = ("lrw", "grid")
# The entries of params.yaml that are the paper's. Its tables and claims are of these alone.
PAPERS = {
    "victims": ("word_reader", "sentence_reader", "sync_clean", "sync_noise"),
    "attacked": {
        "words": ("fgsm", "basic_iterative"),
        "sentences": ("partial", "full"),
        "streams": ("fgsm_sound", "fgsm_picture", "basic_iterative_sound", "basic_iterative_picture"),
    },
    "detected": ("words", "sentences"),
    "detectors": ("sync_clean", "sync_noise", "frame_difference", "quietest_moment"),
}
OF_DETECTORS = {section: PAPERS[section] for section in ("detected", "detectors")}
DATA, MODELS = Path("data/audiovisual"), Path("models/audiovisual")
ALONE = "adversarial/streams"
WORDS, SENTENCES = CORPORA = ("words", "sentences")
FRAMES_PER_S = 25
# What had to be mended in clips when their mouths were cut out.
MENDED = (
    *("frames_without_face", "frames_with_two_faces", "frames_added", "silent_samples_added"),
    *("frames_lost", "samples_lost"),
    "variable_frame_rate",
)

# Decisions on sentences by beam search, see the method `lip_reading`.
SEARCHED = ("_beam", "_grammar", "_video_alone_grammar")

TITLE = "Audio-visual speech recognition: attacks on sound and lips, caught by lip sync"
NOTE = (
    "Epsilon is sound / video, in steps of 16 bits and in grey levels; Table 1 of the paper has a quarter of the "
    "latter, and linf video says whether ours has. Accuracy and word error rate (WER) are the recogniser's; AUC is the "
    "probability that the detector scores a benign clip higher than an attacked one; F1 is the mean of both classes at "
    "the best threshold on validation clips under the same attack, each attacked clip beside itself unattacked. Of "
    "sentences both are, as the sizes, of the attacks that succeeded; auc all is of all. The detectors: lip sync, a "
    "SyncNet trained on clean clips, as the paper's was; noise-trained, the same with random noise; and two that "
    "know nothing of speech, the mean difference of neighbouring pictures and the loudness of the quietest 25 ms. "
    "l2 video is that of a picture of 224 x 224 values in [0, 1] (the paper does not say of how many), linf video in "
    "[0, 1], linf audio relative to the clip's peak. Left out are attacks that nothing could make succeed, such as on "
    "a clip too short for its target."
)
TABLES = {
    "table_corpora": "The corpora. Clips, and what had to be mended when mouths were cut out",
    "table_recognisers": (
        "The recognisers. On clean test clips of speakers never seen in training, by both streams and by one, and "
        "under white noise as loud as the sound (0 dB); of sentences also by beam search in place of the best path, "
        "and by one that keeps to GRID's grammar"
    ),
    "table_synchrony": (
        "The SyncNets. On clean test sentences, brought out of time by -10 to 10 frames: offsets found within one "
        "frame and exactly; confidence of a clip and of its picture with another clip's sound, and the AUC of one "
        "against the other"
    ),
    "table_1": "Table 1. Attacks on words, and their detection by lip sync; with the noise-trained one beside",
    "table_2": (
        "Table 2. Sentences made into targets in part (WER below one half; by half: or one half), all targets together"
    ),
    "table_3": "Table 3. Sentences made into targets wholly (WER 0), all targets together",
    "table_4": "Table 4. Sentences made into targets in part, by target",
    "table_controls": (
        "What the detectors detect. AUC of benign clips against attacked ones, against the same perturbation's values "
        "shuffled with random signs (noise), against another clip's perturbation; and of each of these two against the "
        "attacked clips: .5 where a detector takes them for the same. Error: what the disturbance does to the "
        "recogniser. Attacks that failed are among them"
    ),
    "table_streams": (
        "Which stream carries the attack. The word reader's accuracy under FGSM and BIM on both streams, on the sound "
        "alone and on the picture alone, at the same epsilons"
    ),
    "table_benign": "Negative control. AUC of one half of the benign test clips against the other",
    "table_epsilon": (
        "Epsilon. AUC at the largest epsilons less that at the smallest, of the same clips, failed attacks among them"
    ),
}
HEADLINES = {
    "clean_percent": "test words read rightly from sound and picture",
    "attacked_percent": "test words read rightly under FGSM at the largest epsilon",
    "detection_auc": "lip sync's AUC for this attack against the clean clips",
}
FIGURES = {
    "figure_1d": "Figure 1d. Confidence of benign and attacked test clips",
    "figure_2.png": (
        "Figure 2. A clip, what the attack added, and the attacked clip: pictures (differences x 64), waveform, log "
        "spectrum"
    ),
}


@dataclass(frozen=True)
class Measured:
    """What the study is told from: both corpora's clips, decisions, offsets, what attacks did and detectors said.

    The column `corpus` says of which corpus a row is; `set` of detections which adversarial set has its `source`.
    `alone` are the clips attacked in one stream, which no detector is asked of.
    """

    clips: pd.DataFrame
    decisions: pd.DataFrame
    offsets: pd.DataFrame
    detections: pd.DataFrame
    alone: pd.DataFrame
    detectors: list[str]


def read(parameters: dict[str, Any]) -> Measured:
    """What the study's section of params.yaml names now, and nothing else.

    Raises:
        UserError: there is no recogniser, no SyncNet or no detection, or a corpus has several of the last.
    """
    victims, detected = parameters["victims"], parameters["detected"]
    readers, synchronisers = (_trained_by(method, victims) for method in ("lip_reading", "synchronisation"))
    for section, found in (("victims", readers and synchronisers), ("detected", detected)):
        if not found:
            expected = "recognisers, SyncNets and detections of the study audiovisual"
            raise UserError(f"params.yaml: audiovisual.{section}", expected, "none", "see params.yaml in git")
    if len({one["clips"] for one in detected.values()}) < len(detected):
        where = "params.yaml: audiovisual.detected"
        raise UserError(where, "one of each corpus", ", ".join(detected), "leave one out")
    sets = {f"adversarial/{name}": one for name, one in parameters["attacked"].items()}
    detections = _joined(
        _of_set(DATA / "detections" / name, one["set"], sets).assign(corpus=one["clips"], set=one["set"])
        for name, one in detected.items()
    )
    return Measured(
        _joined(clip_table.read(DATA / corpus / "clips.csv").assign(corpus=corpus) for corpus in CORPORA),
        _of_models(readers, "decisions.csv", "victim"),
        _of_models(synchronisers, "offsets.csv", "detector"),
        # Epsilons of a single input look like numbers.
        detections.assign(epsilon=detections.epsilon.astype(str)),
        _of_set(DATA / ALONE, ALONE, sets).assign(corpus=WORDS),
        [
            name
            for name in dict.fromkeys(name for one in detected.values() for name in one["detectors"])
            if name in parameters["detectors"]
        ],
    )


def _of_set(folder: Path, name: str, sets: dict[str, dict]) -> pd.DataFrame:
    """The table in a folder, of the attacks that the adversarial set of this name has now."""
    return of_named_attacks(clip_table.read(folder / "clips.csv"), sets.get(name, {"attacks": ()}))


def _trained_by(method: str, victims: dict[str, dict]) -> dict[str, dict]:
    return {name: one for name, one in victims.items() if one["method"] == method}


def _of_models(models: dict[str, dict], file: str, column: str) -> pd.DataFrame:
    """A table of each model, with the corpus that it takes in, and its name in `column`."""
    return _joined(
        clip_table.read(MODELS / name / file).assign(corpus=one["inputs"], **{column: name})
        for name, one in models.items()
    )


def _joined(tables: Iterable[pd.DataFrame]) -> pd.DataFrame:
    return pd.concat(tables, ignore_index=True)


def tables(measured: Measured) -> dict[str, pd.DataFrame]:
    """The paper's tables, those it lacks, the data of the figures and the claims, by file name without suffix."""
    paper = printed_tables()
    detectors = measured.detectors
    detections = detection.prepared(measured.detections, detectors)
    words, sentences = (detections[detections.corpus == corpus] for corpus in CORPORA)
    could_succeed = possible(detections)
    by_stream = streams.attacked_words(detections, measured.alone)
    made = {
        "table_corpora": _corpora(measured.clips),
        "table_recognisers": _recognisers(measured.decisions, paper),
        "table_synchrony": _synchrony(measured.offsets, measured.clips),
        "table_1": detection.words(words, paper),
        "table_2": detection.sentences(sentences, "partial", paper),
        "table_3": detection.sentences(sentences, "full", paper),
        "table_4": detection.by_target(sentences, paper),
        "table_controls": detection.controls(could_succeed, detectors),
        "table_streams": streams.table(by_stream),
        "table_benign": detection.benign_halves(detections, detectors),
        "table_epsilon": detection.largest_less_smallest(could_succeed, detectors),
        "figure_1d": detection.distributions(possible(sentences), detectors),
    }
    made["claims"] = claims(made, could_succeed, streams.claims(by_stream))
    return made


def yours(parameters: dict[str, Any], own: set[str]) -> pd.DataFrame:
    """The rows of entries of `own`, which are not the paper's, see `stages.reporting.yours`.

    Of sets, attacks and detectors also what the detectors say, as in the table of controls.
    """
    # An entry of `detected` may be called as its set.
    asked = (parameters["detected"].keys() | parameters["detectors"].keys()) - parameters["attacked"].keys()
    made = functools.partial(of_yours, "audiovisual", papers=PAPERS)
    rows = made(parameters, own - asked, lambda values: tables(read(papers_alone(values, OF_DETECTORS))))
    judged = [_judged(name, one, parameters, own) for name, one in parameters["detected"].items()]
    return pd.concat([rows, *judged], ignore_index=True)


def _judged(name: str, entry: dict[str, Any], parameters: dict[str, Any], own: set[str]) -> pd.DataFrame:
    """The controls of an entry of `detected`: of detectors and attacks of `own`, of all where it or its set is."""
    called = entry["set"].rpartition("/")[2]
    sets = {entry["set"]: parameters["attacked"].get(called, {"attacks": ()})}
    rows = _of_set(DATA / "detections" / name, entry["set"], sets).assign(corpus=entry["clips"], set=entry["set"])
    whole = {name, called} & own
    detectors = [one for one in entry["detectors"] if one in parameters["detectors"]]
    asked = detectors if whole or set(rows.attack) & own else [one for one in detectors if one in own]
    made = possible(detection.prepared(rows.assign(epsilon=rows.epsilon.astype(str)), asked))
    told = detection.controls(made, asked).drop(columns="corpus").assign(entry=called)
    return told if whole else told[told[["attack", "detector"]].isin(own).any(axis=1)]


def metrics(made: dict[str, pd.DataFrame]) -> dict[str, float]:
    """The headline numbers."""
    at_largest_epsilon = made["table_1"].drop_duplicates("attack")
    values = {
        "clean_percent": PER_CENT * (1 - cell(made["table_recognisers"], "error", corpus="words")),
        "attacked_percent": PER_CENT * cell(at_largest_epsilon, "accuracy", attack="fgsm"),
        "detection_auc": cell(at_largest_epsilon, "auc", attack="fgsm"),
    }
    return finite(values)


def printed_tables() -> pd.DataFrame:
    """The paper's values, NaN where a cell is empty; what names a row is text."""
    return pd.read_csv(PAPER, keep_default_na=False, na_values=[""]).fillna({"epsilon": "", "target": ""})


def _corpora(clips: pd.DataFrame) -> pd.DataFrame:
    made = []
    for corpus, split in itertools.product(CORPORA, clip_table.SPLITS):
        own = clips[(clips.corpus == corpus) & (clips.split == split)]
        readable = own[own.problem == ""]
        row = {"corpus": corpus, "split": split, "n": len(own), "unreadable": len(own) - len(readable)}
        row |= {"speakers": _speakers(readable), "minutes": round(readable.duration_s.sum() / 60, 1)}
        row["frames"] = round(FRAMES_PER_S * readable.duration_s.sum())
        made.append(row | {name: int(readable[name].sum()) for name in MENDED})
    return pd.DataFrame(made)


def _speakers(clips: pd.DataFrame) -> int:
    """How many speakers are named."""
    return clips.speaker[clips.speaker != ""].nunique()


def _recognisers(decisions: pd.DataFrame, paper: pd.DataFrame) -> pd.DataFrame:
    """Errors on test clips: by both streams, by each alone, at 0 dB, of sentences also by beam search."""
    accuracy = published(paper, "accuracy", table="table_1", attack="none")
    judged = with_clusters(decisions[decisions.split == "test"])
    made = []
    for (corpus, victim), own in judged.groupby(["corpus", "victim"], sort=False):
        of_words = corpus == WORDS
        row: dict[str, Any] = {"corpus": corpus, "victim": victim}
        row["measure"] = "share of words wrong" if of_words else "WER"
        searched = () if of_words else tuple(name for name in SEARCHED if f"decision{name}" in own)
        for way in ("", "_audio_alone", "_video_alone", "_0_db", "_audio_alone_0_db", *searched):
            counts = word_error_counts(list(own.label if of_words else own.text), list(own[f"decision{way}"]))
            row |= error_rate(own.assign(errors=counts[:, 0], errors_of=counts[:, 1]), f"error{way}")
        row["error_paper"] = 1 - accuracy if of_words else math.nan
        made.append(row | {"speakers": _speakers(own), "n": len(own)})
    return table(made, ["corpus", "victim", "measure", "error", "n"])


def _synchrony(offsets: pd.DataFrame, clips: pd.DataFrame) -> pd.DataFrame:
    """Offsets found in clips brought out of time; a row without a true offset has the sound of another clip."""
    test = offsets[offsets.split == "test"].rename(columns={"key": "clip_id"})
    test = with_clusters(test.merge(clips[["corpus", "clip_id", "speaker"]], on=["corpus", "clip_id"]))
    test = typed(test, ("true_offset", "offset", "confidence"))
    made = []
    for detector, own in test.groupby("detector", sort=False):
        shifted, others = own[own.true_offset.notna()], own[own.true_offset.isna()]
        matched = shifted[shifted.true_offset == 0]
        error = (shifted.offset - shifted.true_offset).abs()
        row: dict[str, Any] = {"detector": detector} | share(error <= 1, shifted.cluster, "within_one_frame")
        row |= share(error == 0, shifted.cluster, "exact")
        row |= {"confidence": matched.confidence.mean(), "confidence_of_others": others.confidence.mean()}
        made.append(row | auc(matched, others, "confidence", "auc") | {"n": own.clip_id.nunique()})
    return table(made, ["detector", "within_one_frame", "exact", "auc", "n"])
