"""The audio-visual study's tables from scores and decisions that were made up so that every value is known."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from matplotlib import image

from stages import listen, page, report
from stages.frame import parameters, shards
from stages.frame.devices import Worker
from stages.frame.errors import UserError
from stages.measures import detection
from stages.measures.intervals import clustered, wilson
from stages.studies import audiovisual, audiovisual_claims, audiovisual_detection, audiovisual_sounds
from stages.studies.verdicts import UNTESTABLE

PAPER_TEXT = Path(__file__).parents[3] / "shared" / "papers" / "audiovisual-sync-detection.txt"
DETECTORS = ["sync_clean", "sync_noise", "frame_difference", "quietest_moment"]
FRAMES, SIDE = 29, 12
VALUES = FRAMES * SIDE**2
SPEAKERS = {"train": "ab", "validation": "cd", "test": "ef"}
TARGETS = ["bin blue at a zero please", "lay red at c eight soon"]
# How far each version of clip i, whose benign score is i, falls: then its AUC is known, see `auc_of`.
SHIFTS = {
    "fgsm": {"256/4": 2.5, "512/8": 4.5, "1024/16": 8.0},
    "basic_iterative": {"256/4": 0.5, "512/8": 2.5, "1024/16": 4.5},
    "targeted_transcription-partial": {"512/4": 2.5, "1024/8": 4.5},
    "targeted_transcription-full": {"512/4": 4.5, "1024/8": 8.0},
}


def auc_of(shift: float) -> float:
    """Of the scores 0 to 7 against -shift to 7 - shift: so many of the 64 pairs are in order."""
    return {0.0: 32, 0.5: 36, 2.5: 49, 4.5: 58, 8.0: 64}[shift] / 64


def corpus(name: str) -> pd.DataFrame:
    """Eight clips a split, of two speakers each; the eighth training sentence can't be read."""
    rows = [(f"{split}-{n}", split, SPEAKERS[split][n % 2]) for split in SPEAKERS for n in range(8)]
    table = pd.DataFrame(rows, columns=["clip_id", "split", "speaker"])
    words = name == "audiovisual_words"
    table = table.assign(file="x.mp4", label="ABOUT" if words else "", text="" if words else "set white in p five now")
    table = table.assign(fold="", verified=True, word_times="", duration_s=1.16, frames_without_face=0)
    table["frames_without_face"] = (table.clip_id == "test-3") * 2
    table = table.assign(frames_with_two_faces=0, frames_added=1, silent_samples_added=0, variable_frame_rate=False)
    return table.assign(problem=["no face" if not words and clip == "train-7" else "" for clip in table.clip_id])


def decided(name: str) -> pd.DataFrame:
    """One of eight wrong by both streams, two by sound, four by picture: of a sentence one word of six."""
    table = corpus(name).query("split != 'train'")[["clip_id", "split", "speaker", "label", "text"]]
    number = table.clip_id.str[-1].astype(int)
    right = table.label + table.text
    wrong = "MONEY" if name == "audiovisual_words" else "set white in p five"
    columns = {"decision": 1, "decision_audio_alone": 2, "decision_video_alone": 4}
    table = table.assign(**{column: right.where(number >= count, wrong) for column, count in columns.items()})
    return table.assign(key=table.clip_id, confidence=0.9)


def offsets() -> pd.DataFrame:
    """Of eight clips the first is found a frame off at every shift and the second two, the others exactly."""
    rows = [
        (f"{split}-{n}", "" if late is None else late, (late or 0) + {0: 1, 1: -2}.get(n, 0), n - (late is None) * 4.5)
        for split in ("validation", "test")
        for n in range(8)
        for late in (*range(-10, 11), None)
    ]
    table = pd.DataFrame(rows, columns=["key", "true_offset", "offset", "confidence"])
    return table.assign(split=table.key.str.rsplit("-", n=1).str[0], audio_of=table.key, distance=1.0)


def said(row: dict, epsilon: str, version: str) -> str:
    """The recogniser's decision."""
    number = int(row["clip_id"][-1])
    if version != "adversarial":
        return row["label"] or row["text"]
    if row["label"]:
        return "MONEY" if row["attack"] == "basic_iterative" or number >= 2 else row["label"]
    target, first = row["target"].split(), row["target"] == TARGETS[0]
    large, partial = epsilon == "1024/8", row["attack"].endswith("partial")
    wrong = (2 if large else (0 if number < 4 else 3) if first else 4) if partial else (0 if large and first else 6)
    return " ".join([*target[: 6 - wrong], *["x"] * wrong])


def detected(name: str) -> pd.DataFrame:
    """Benign scores of the SyncNets are 0 to 7 in the order of clips, on validation clips two more.

    To sync_clean noise is as bad as the attack, to sync_noise it is benign and the attack half as bad.
    """
    rows = []
    clips = corpus(name).query("split != 'train'")[["clip_id", "split", "speaker", "label", "text"]]
    attacks = [attack for attack in SHIFTS if attack.startswith("targeted") == (name == "audiovisual_sentences")]
    for clip in clips.to_dict("records"):
        number, victim = int(clip["clip_id"][-1]), "reader"
        score = number + 2.0 * (clip["split"] == "validation")
        key = f"{clip['clip_id']}/{victim}"
        loudness = "" if number == 0 else "-inf"
        common = clip | {"victim": victim, "video_values": VALUES}
        same = {"sync_clean": score, "sync_noise": score, "frame_difference": score, "quietest_moment": score}
        rows.append(
            common
            | {"attack": "none", "epsilon": 0.0, "target": "", "version": "benign", "source": f"{key}/none"}
            | {"l2_video": 0.0, "linf_video": 0.0, "relative_loudness_db_audio": loudness}
            | same
        )
        for attack in attacks:
            for (epsilon, shift), target in (
                (one, target)
                for one in SHIFTS[attack].items()
                for target in (TARGETS if "targeted" in attack else [""])
            ):
                audio, video = (float(part) for part in epsilon.split("/"))
                sizes = {"l2_video": video * VALUES**0.5, "linf_video": video}
                # The first clip is silent: how loud its perturbation is beside it can't be told.
                sizes["relative_loudness_db_audio"] = "" if number == 0 else 20 * np.log10(audio / 32768)
                for version in ("adversarial", "noise", "transplant") if clip["split"] == "test" else ("adversarial",):
                    scores = {"sync_clean": score - shift, "sync_noise": score - (shift == 8.0) * 2.5}
                    if version == "noise":
                        scores["sync_noise"] = score
                    scores |= {"frame_difference": score - 8.0, "quietest_moment": score}
                    row = common | {"attack": attack, "epsilon": epsilon, "target": target, "version": version}
                    row["source"] = f"{key}/{target}/{attack}-{epsilon}"
                    rows.append(row | sizes | scores)
    for row in rows:
        row["decision"] = said(row, row["epsilon"], row["version"])
        row["key"] = f"{row['source']}/{row['version']}"
    return pd.DataFrame(rows)


def write(name: str, item: str) -> None:
    """The corpus's sets and models below the working directory."""
    about = {"inputs": [], "settings": 0, "worker": Worker(), "description": "t", "clips_per_shard": 3000}
    mouths = {"signal": {"sample_rate_hz": 16000}}

    def cropped(rows):
        video = [np.full((FRAMES, SIDE, SIDE), 100 + n % 2, "u1") for n in range(len(rows))]
        sound = np.full(FRAMES * 640, 0.25, "f")
        return rows.assign(key=rows.clip_id), [{"video": one, "audio": sound} for one in video]

    def swept(rows):
        made = {"video": np.full((FRAMES, SIDE, SIDE), 99, "u1"), "audio": np.full(FRAMES * 640, 8192 + 512, "i2")}
        return rows, [made] * len(rows)

    shards.write_set(corpus(name), f"data/{name}/mouths", cropped, **about, about=mouths)
    detections = detected(name)
    attacked = detections[detections.version == "adversarial"].assign(kept=True, clean_confidence=0.5, confidence=0.6)
    attacked = attacked.assign(key=attacked.source, clean_prediction=attacked.label + attacked.text)
    # The surest clip was wrong before, the surest but one is not turned.
    attacked["clean_confidence"] += attacked.clip_id.map({"test-7": 0.4, "test-6": 0.3, "test-5": 0.2}).fillna(0)
    attacked["clean_prediction"] = attacked.clean_prediction.mask(attacked.clip_id == "test-7", "MONEY")
    attacked = attacked.assign(adversarial_prediction=attacked.decision, success=attacked.clip_id != "test-6")
    shards.write_set(attacked, f"data/{name}/sweeps/{item}_reader", swept, **about)
    Path(f"data/{name}/sweeps/.gitignore").write_text("")
    for folder, file, table in (
        (f"models/{name}/lip_reader/{item}_reader", "decisions.csv", decided(name)),
        (f"data/{name}/detections/{item}", "clips.csv", detections),
    ):
        Path(folder).mkdir(parents=True)
        table.to_csv(Path(folder, file), index=False)


def given() -> dict:
    reader = {"network": "lip_reader", "method": "lip_reading"}
    syncnet = {"study": "audiovisual_sentences", "network": "syncnet_mouth", "method": "synchronisation"}
    studies = {"word": "audiovisual_words", "sentence": "audiovisual_sentences"}
    return {
        "victims": {"other": {"study": "events"}}
        | {f"{item}_reader": {"study": study} | reader for item, study in studies.items()}
        | {"sync_clean": syncnet, "sync_noise": syncnet},
        "detect_items": {item: {"study": study, "detectors": DETECTORS} for item, study in studies.items()},
        "sweep_items": {f"{item}_reader": {"study": study, "inputs": "mouths"} for item, study in studies.items()},
        "listening": {"audiovisual": ["word_reader", "sentence_reader"]},
        "corpora": {study: {"reader": "r", "root": f"data/embedded/{item}"} for item, study in studies.items()},
    }


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A working directory that holds all that the study reads."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("study")
        patch.chdir(folder)
        for name, item in {"audiovisual_words": "word", "audiovisual_sentences": "sentence"}.items():
            write(name, item)
        for detector in ("sync_clean", "sync_noise"):
            own = Path("models/audiovisual_sentences/syncnet_mouth", detector)
            own.mkdir(parents=True)
            offsets().to_csv(own / "offsets.csv", index=False)
        Path("params.yaml").write_text(yaml.safe_dump(given(), sort_keys=False))
        yield folder


@pytest.fixture(scope="module")
def measured(place):
    return audiovisual.read(parameters.read())


@pytest.fixture(scope="module")
def made(measured):
    return audiovisual.tables(measured)


def cells(table: pd.DataFrame, where: dict, *names: str) -> list:
    """The values of these columns in the one row of which that is true."""
    own = table[(table[list(where)] == pd.Series(where)).all(axis=1)]
    assert len(own) == 1
    return own[list(names)].iloc[0].tolist()


def test_table_1_has_accuracy_sizes_and_detection_beside_the_papers(made):
    table = made["table_1"]
    order = [("none", ""), *((a, e) for a in ("fgsm", "basic_iterative") for e in ("1024/16", "512/8", "256/4"))]
    assert list(zip(table.attack, table.epsilon)) == order
    assert cells(table, {"attack": "none"}, "accuracy", "accuracy_paper", "n") == [1.0, 0.972, 8]
    smallest = {"attack": "fgsm", "epsilon": "256/4"}
    assert cells(table, smallest, "accuracy", "accuracy_paper", "auc_paper", "f1_paper") == [0.25, 0.3827, 0.83, 0.76]
    for attack, shifts in list(SHIFTS.items())[:2]:
        for epsilon, shift in shifts.items():
            (auc,) = cells(table, {"attack": attack, "epsilon": epsilon}, "auc")
            assert auc == pytest.approx(auc_of(shift), abs=1e-4)
    assert cells(table, {"attack": "fgsm", "epsilon": "1024/16"}, "auc_noise_trained") == [round(49 / 64, 4)]
    assert cells(table, smallest, "auc_noise_trained") == [0.5]
    sizes = cells(table, smallest, "l2_video", "linf_video", "linf_audio_db", "linf_video_paper")
    assert sizes == pytest.approx([224 * 4 / 255, 4 / 255, 20 * np.log10(256 / 32768), 1 / 255], abs=1e-4)
    clean = cells(table, {"attack": "basic_iterative", "epsilon": "512/8"}, "accuracy", "accuracy_low")
    assert clean == [0, 0]


def test_f1_takes_the_threshold_of_validation_clips(made):
    """Their scores are two higher: the threshold is 3.75 where 1.75 would be best, see the scores."""
    (f1,) = cells(made["table_1"], {"attack": "fgsm", "epsilon": "256/4"}, "f1")
    kept, passed, refused, missed = 4, 1, 7, 4
    assert f1 == pytest.approx((2 * kept / (8 + kept + passed) + 2 * refused / (8 + refused + missed)) / 2, abs=1e-4)


def test_sentences_count_as_made_into_targets_below_half_of_their_words(made):
    in_part, wholly = made["table_2"], made["table_3"]
    assert in_part.epsilon.tolist() == wholly.epsilon.tolist() == ["1024/8", "512/4"]
    assert cells(in_part, {"epsilon": "1024/8"}, "success", "success_paper", "n") == [1, 1, 16]
    # Of the first target four clips wholly and four with three of six words wrong, of the second none.
    assert cells(in_part, {"epsilon": "512/4"}, "success", "success_by_half", "success_paper") == [0.25, 0.5, 0.78]
    assert cells(wholly, {"epsilon": "1024/8"}, "success", "success_paper", "auc_paper") == [0.5, 0.77, 0.9]
    assert cells(wholly, {"epsilon": "512/4"}, "success", "success_low", "n") == [0, 0, 16]
    by_target = made["table_4"]
    first = {"epsilon": "512/4", "target": TARGETS[0]}
    assert cells(by_target, first, "success", "success_paper", "linf_audio_db_paper", "n") == [0.5, 0.81, -41.56, 8]
    assert cells(by_target, first | {"target": TARGETS[1]}, "success", "success_paper") == [0, 0.78]
    assert by_target.auc_paper.notna().sum() == 2


def test_detection_is_of_attacks_that_succeeded_and_of_all_besides(made):
    """At 512/4 the first four clips fell: 0 to 7 against -2.5 to .5."""
    auc, all_of_them = cells(made["table_2"], {"epsilon": "512/4"}, "auc", "auc_all")
    assert auc == pytest.approx((8 + 8 + 8 + 7) / 32, abs=1e-4)
    assert all_of_them == pytest.approx(auc_of(2.5), abs=1e-4)
    row = made["table_3"].query("epsilon == '512/4'").iloc[0]
    assert row[["auc", "auc_low", "f1", "l2_video", "linf_audio_db"]].isna().all()
    assert row.auc_all == pytest.approx(auc_of(4.5), abs=1e-4)


def test_f1_sets_each_attacked_clip_against_itself(made):
    """At 1024/8 in part both targets of all clips: 16 against 16, though there are but eight benign clips."""
    (f1,) = cells(made["table_2"], {"epsilon": "1024/8"}, "f1")
    benign, attacked = np.repeat(np.arange(8.0), 2), np.repeat(np.arange(8.0) - 4.5, 2)
    threshold = detection.best_threshold(benign + 2, attacked + 2)
    assert f1 == pytest.approx(detection.mean_f1(benign, attacked, threshold), abs=1e-4)
    assert f1 != pytest.approx(detection.mean_f1(benign[::2], attacked, threshold), abs=1e-2)


def test_controls_stand_beside_each_attack(made):
    table = made["table_controls"]
    assert table.groupby(["corpus", "attack", "epsilon"], sort=False).size().eq(len(DETECTORS)).all()
    assert table.corpus.drop_duplicates().tolist() == ["words", "sentences"]
    largest = {"corpus": "words", "attack": "fgsm", "epsilon": "1024/16"}
    names = [f"auc_{name}" for name in ("adversarial", "noise", "transplant", "noise_against_attack")]
    assert cells(table, largest | {"detector": "sync_clean"}, *names) == [1, 1, 1, 0.5]
    known = [auc_of(2.5), 0.5, auc_of(2.5), auc_of(2.5)]
    assert cells(table, largest | {"detector": "sync_noise"}, *names) == pytest.approx(known, abs=1e-4)
    assert cells(table, largest | {"detector": "quietest_moment"}, *names) == [0.5] * 4
    assert cells(table, largest | {"detector": "frame_difference"}, *names) == [1, 1, 1, 0.5]
    errors = [f"error_{name}" for name in ("benign", "adversarial", "noise")]
    assert cells(table, largest | {"detector": "sync_clean"}, *errors) == [0, 0.75, 0]
    # The targets share the word "at" with no truth, in its place; all six words of the truth are lost.
    sentence = {"corpus": "sentences", "attack": "targeted_transcription-full", "epsilon": "1024/8"}
    assert cells(table, sentence | {"detector": "sync_clean"}, *errors, "n") == [0, 1, 0, 16]
    halves = made["table_benign"]
    assert halves.n.eq(8).all()
    assert halves.groupby("corpus").auc.nunique().eq(1).all()


def test_the_largest_epsilons_are_compared_with_the_smallest_on_the_same_clips(made):
    table = made["table_epsilon"]
    row = table[(table.attack == "fgsm") & (table.detector == "sync_clean")].iloc[0]
    assert (row.smallest, row.largest, row.n) == ("256/4", "1024/16", 8)
    assert [row.auc_smallest, row.auc_largest, row.difference] == pytest.approx([49 / 64, 1, 15 / 64], abs=1e-4)
    scores, speakers = np.arange(8.0), [SPEAKERS["test"][n % 2] for n in range(8)]
    known = detection.auc_difference_interval(scores, scores - 2.5, scores, scores - 8, np.array(speakers))
    assert (row.difference_low, row.difference_high) == pytest.approx(known, abs=1e-4)
    trivial = table[(table.attack == "fgsm") & (table.detector == "quietest_moment")].iloc[0]
    assert (trivial.difference, trivial.difference_low, trivial.difference_high) == (0, 0, 0)
    assert set(table[table.corpus == "sentences"].n) == {16}


def test_intervals_take_speakers_for_clusters(made):
    row = made["table_1"].query("attack == 'fgsm' and epsilon == '256/4'").iloc[0]
    scores, speakers = np.arange(8.0), np.array([SPEAKERS["test"][n % 2] for n in range(8)])
    known = detection.auc_interval(scores, scores - 2.5, speakers, speakers)
    assert (row.auc_low, row.auc_high) == pytest.approx(known, abs=1e-4)
    # Clips 0 and 1 are right, one of each speaker.
    assert (row.accuracy_low, row.accuracy_high) == pytest.approx(clustered(np.ones(2), np.full(2, 4)), abs=1e-4)
    # One word in 48 is wrong, of the first speaker: the residuals of speakers are +- half a word.
    wer = made["table_recognisers"].query("corpus == 'audiovisual_sentences'").iloc[0]
    half = 12.7062 * np.sqrt(2 * (0.5**2 + 0.5**2)) / 48
    assert (wer.error_low, wer.error_high) == pytest.approx((0, 1 / 48 + half), abs=1e-4)


@pytest.mark.parametrize("names", [{"e": "", "f": ""}, {"e": "e", "f": "e"}])
def test_without_two_speakers_clips_are_the_clusters(measured, names):
    tables = {
        name: getattr(measured, name).replace({"speaker": names}) for name in ("clips", "decisions", "detections")
    }
    made = audiovisual.tables(replace(measured, **tables))
    row = made["table_1"].query("attack == 'fgsm' and epsilon == '256/4'").iloc[0]
    scores, clips = np.arange(8.0), np.arange(8)
    assert (row.auc_low, row.auc_high) == pytest.approx(
        detection.auc_interval(scores, scores - 2.5, clips, clips), abs=1e-4
    )
    # Both targets of a sentence are of one clip.
    row = made["table_2"].query("epsilon == '1024/8'").iloc[0]
    benign, attacked, twice = np.arange(8.0), np.repeat(np.arange(8.0) - 4.5, 2), np.repeat(np.arange(8), 2)
    assert (row.auc_low, row.auc_high) == pytest.approx(
        detection.auc_interval(benign, attacked, clips, twice), abs=1e-4
    )
    assert set(made["table_recognisers"].speakers) == {len(set(names.values()) - {""})}
    wrong = made["table_recognisers"].query("corpus == 'audiovisual_sentences'").iloc[0]
    assert 1 / 48 < wrong.error_high < 0.2


def test_offsets_are_counted_over_all_shifts_and_confidence_at_none(made):
    table = made["table_synchrony"].set_index("detector")
    assert list(table.index) == ["sync_clean", "sync_noise"]
    row = table.loc["sync_clean"]
    assert (row.within_one_frame, row.exact, row.n) == (0.875, 0.75, 8)
    assert (row.confidence, row.confidence_of_others, row.auc) == (3.5, -1, round(auc_of(4.5), 4))
    counts = np.array([4, 3]) * 21
    assert (row.within_one_frame_low, row.within_one_frame_high) == pytest.approx(
        clustered(counts, np.full(2, 84)), abs=1e-4
    )


def test_recognisers_and_corpora_are_counted(made):
    table = made["table_recognisers"].set_index("corpus")
    errors = ["error", "error_audio_alone", "error_video_alone"]
    assert table.loc["audiovisual_words", [*errors, "error_paper"]].tolist() == [0.125, 0.25, 0.5, 0.028]
    sentences = table.loc["audiovisual_sentences"]
    assert sentences[errors].tolist() == pytest.approx([1 / 48, 2 / 48, 4 / 48], abs=1e-4)
    assert np.isnan(sentences.error_paper)
    corpora = made["table_corpora"]
    assert corpora.split.tolist() == ["train", "validation", "test"] * 2
    train = {"corpus": "audiovisual_sentences", "split": "train"}
    assert cells(corpora, train, "n", "unreadable", "speakers", "frames", "frames_added") == [8, 1, 2, 203, 7]
    assert cells(corpora, train | {"split": "test"}, "frames_without_face", "unreadable") == [2, 0]


def verdicts(made: dict, part: str) -> pd.Series:
    (row,) = [row for _, row in made["claims"].iterrows() if part in row.claim]
    return row


def test_claims_hold_or_not_by_what_was_measured(made):
    claims = made["claims"]
    assert set(claims.certain) <= {"yes", "no", ""}
    assert claims.claim.is_unique
    known = {
        "under every attack": "holds",
        "easier words attacked by FGSM": "holds",
        "easier words attacked by BIM": "holds",
        "brings the accuracy of words below 40 %": "does not hold",  # 25 % at each epsilon
        "BIM fools more words than FGSM": "holds",
        "BIM's perturbation of the video is smaller": "does not hold",
        "BIM is harder to detect": "holds",
        "to nearly nothing": "holds",
        "nearly always at the largest": "holds",
        "wholly succeeds less often": "holds",
        "wholly are easier to detect": "holds",
        "wholly change the video more": "does not hold",
        "wholly are louder": "does not hold",
        "often an attack succeeds depends on the target": "holds",
        "attacks are detected hardly depends": "holds",
        "trained on clean clips takes attacked clips for less in time than clips under noise": "does not hold",
        "can't be seen": UNTESTABLE,
    }
    known = {part.replace("under noise", "under equally loud noise"): verdict for part, verdict in known.items()}
    assert {part: verdicts(made, part).verdict for part in known} == known
    assert verdicts(made, "BIM fools more words").here == "at 3 of 3 pairs; mean 0.00 against 0.25"
    assert verdicts(made, "to nearly nothing").certain == "no"  # none of eight is no proof of under 5 %
    assert verdicts(made, "under every attack").here == "AUC 0.56 to 1.00 over 9 attacks"
    better = verdicts(made, "trained on clean clips detects attacks better")
    assert (better.verdict, better.here[:15]) == ("does not hold", "in 0 of 10 atta")


def test_what_is_zero_for_both_is_no_evidence(measured, made):
    """Where FGSM leaves no word either, BIM does not fool more; where BIM leaves some, it fools fewer."""
    words = measured.detections[measured.detections.corpus == "audiovisual_words"]
    words = words.assign(decision=words.decision.mask(words.attack == "fgsm", "MONEY"))

    def judged(words: pd.DataFrame) -> dict:
        table = audiovisual_detection.words(audiovisual_detection.prepared(words, DETECTORS), paper())
        return {"claims": audiovisual_claims.claims(made | {"table_1": table})}

    none = judged(words)
    assert verdicts(none, "BIM fools more words").verdict == UNTESTABLE
    assert verdicts(none, "brings the accuracy of words below 40 %").verdict == "holds"
    left = (words.attack == "basic_iterative") & (words.clip_id == "test-0")
    some = judged(words.assign(decision=words.decision.mask(left, "ABOUT")))
    assert verdicts(some, "BIM fools more words").here == "at 0 of 3 pairs; mean 0.12 against 0.00"
    assert verdicts(some, "BIM fools more words").verdict == "does not hold"
    assert verdicts(some, "to nearly nothing").verdict == "does not hold"


def test_metrics_are_plain_numbers_of_the_largest_and_smallest_epsilons(made):
    metrics = audiovisual.metrics(made)
    assert 15 <= len(metrics) <= 25
    assert json.loads(json.dumps(metrics)) == metrics
    assert (metrics["auc_fgsm_smallest"], metrics["auc_fgsm_largest"]) == (round(49 / 64, 4), 1)
    assert (metrics["error_words"], metrics["within_one_frame_sync_clean"]) == (0.125, 0.875)
    assert (metrics["success_partial"], metrics["success_full"]) == (1, 0.5)
    assert isinstance(metrics["claims_that_hold"], int)


def parts() -> dict:
    """What may be missing, as a choice of rows of the detections."""
    return {
        "no sentences": lambda own: own.corpus == "audiovisual_words",
        "no words": lambda own: own.corpus == "audiovisual_sentences",
        "no validation clips": lambda own: own.split == "test",
        "no test clips": lambda own: own.split == "validation",
        "no success": lambda own: (
            (own.version == "benign") | ~own.attack.str.startswith("targeted") | own.reached_never
        ),
        "one epsilon": lambda own: own.epsilon.isin(["0.0", "256/4", "512/4"]),
        "one target": lambda own: own.target.isin(["", TARGETS[0]]),
        "one clip": lambda own: own.clip_id == "test-0",
        "no attacks": lambda own: own.version == "benign",
        "no controls": lambda own: own.version.isin(["benign", "adversarial"]),
        "one run": lambda own: ~own.attack.str.endswith("-full"),
    }


@pytest.mark.parametrize("name", parts())
def test_what_was_not_measured_leaves_tables_smaller_and_claims_untested(measured, made, tmp_path, place, name):
    own = measured.detections
    own = own.assign(reached_never=own.target.eq(TARGETS[1]) & own.epsilon.eq("512/4"))
    part = replace(measured, detections=own[parts()[name](own)], detectors=["sync_clean", "quietest_moment"])
    smaller = audiovisual.tables(part)
    if name in ("no words", "no test clips", "no attacks", "one epsilon"):
        audiovisual.figures(smaller, part, tmp_path)
        assert {path.name for path in tmp_path.iterdir()} == set(audiovisual.FIGURES)
    assert not any(np.isnan(value) for value in audiovisual.metrics(smaller).values())
    assert smaller["claims"].claim.tolist() == made["claims"].claim.tolist()
    untested = smaller["claims"].query("verdict == 'not testable here'").claim
    expected = {
        "no sentences": "sentences are made into targets",
        "no words": "BIM fools more words",
        "no test clips": "under every attack",
        "no success": "wholly are easier to detect",
        "one epsilon": "the larger epsilon, the easier words attacked by FGSM",
        "one target": "often an attack succeeds depends",
        "no attacks": "under every attack",
        "no controls": "than clips under another clip's",
        "one run": "wholly succeeds less often",
    }
    assert name not in expected or any(expected[name] in claim for claim in untested)
    for table in ("table_1", "table_2", "table_3", "table_4", "table_controls", "table_benign", "table_epsilon"):
        assert set(smaller[table]) <= set(made[table])
    if name == "no validation clips":
        assert smaller["table_1"].f1.isna().all()
        assert smaller["table_1"].auc.tolist()[1:] == made["table_1"].auc.tolist()[1:]
    if name == "no success":
        assert smaller["table_2"].success.tolist() == [0]
        assert smaller["table_2"].auc_all.notna().all()


def test_a_detector_that_was_not_asked_leaves_its_cells_empty(measured):
    asked = replace(measured, detections=measured.detections.drop(columns="sync_noise"), detectors=["sync_clean"])
    made = audiovisual.tables(asked)
    assert made["table_1"].auc_noise_trained.isna().all()
    assert set(made["table_controls"].detector) == {"sync_clean"}
    assert verdicts(made, "trained with noise detects attacks better").verdict == UNTESTABLE
    # Of one corpus alone: what joined tables lack is NaN.
    own = measured.detections
    half = own.assign(sync_noise=own.sync_noise.where(own.corpus == "audiovisual_words"))
    table = audiovisual.tables(replace(measured, detections=half))["table_controls"]
    of_noise = table[table.detector == "sync_noise"].groupby("corpus").auc_adversarial
    assert of_noise.count().to_dict() == {"words": 6, "sentences": 0}


def test_wer_of_no_errors_has_an_interval(measured):
    own = measured.decisions
    perfect = own.assign(decision=own.label + own.text)
    table = audiovisual.tables(replace(measured, decisions=perfect))["table_recognisers"]
    assert table.error.tolist() == [0, 0]
    assert table.error_high.tolist() == pytest.approx([wilson(0, 8)[1]] * 2, abs=1e-4)


def test_report_page_and_videos(place, measured, made, tmp_path):
    """All files of the study from what was written; a value, its interval and the paper's share a cell of the page."""
    report.main("audiovisual")
    folder = Path("reports/audiovisual")
    tables = {f"{name}.csv" for name in (*audiovisual.TABLES, "claims", "unreadable", "figure_1d")}
    assert {path.name for path in folder.iterdir()} == tables | set(audiovisual.FIGURES) | {"metrics.json"}
    assert json.loads((folder / "metrics.json").read_text())["unreadable_clips"] == 1
    audiovisual.figures(made, measured, tmp_path)
    for name in audiovisual.FIGURES:
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()
    # The first test clip is 100 everywhere, attacked 99: the difference is shown as 128 - 64.
    pixels = np.rint(255 * image.imread(folder / "figure_2.png")[..., 0])
    assert all((pixels == shade).sum() > 10_000 for shade in (100, 99, 64))
    listen.main("audiovisual")
    page.main("audiovisual")
    text = re.sub(r"\s+", " ", (folder / "index.html").read_text())
    header = text.split("Table 1. Attacks")[1].split("</tr>")[0]
    assert re.findall("<th>(.*?)</th>", header)[:7] == [
        *("attack", "epsilon", "accuracy", "L2 video", "L∞ video", "L∞ audio dB", "AUC")
    ]
    row = pd.read_csv(folder / "table_1.csv").query("attack == 'fgsm' and epsilon == '256/4'").iloc[0]
    interval = f'<span class="interval">{row.auc_low:.2f} – {row.auc_high:.2f}</span>'
    assert f'<td>{row.auc:.2f}{interval}<span class="paper">0.83</span></td>' in text
    for title in (*audiovisual.TABLES.values(), *audiovisual.FIGURES.values()):
        assert title.split("'")[0] in text
    assert text.count("<video") == 6


def test_the_clip_to_see_was_right_and_is_turned(place):
    word = audiovisual_sounds.clip("word_reader")
    assert (word.clip_id, word.label, word.target, word.sample_rate_hz) == ("test-5", "ABOUT", "", 16000)
    assert word.strength.startswith("basic_iterative at 1024/16, sound -30.1 dB")
    benign, attacked, added = word.sounds
    assert attacked.waveform == pytest.approx(benign.waveform + added.waveform)
    assert (attacked.video.max(), attacked.video.dtype) == (99, np.uint8)
    # This clip is 101 everywhere.
    assert set(np.unique(added.video)) == {128 - 2 * 64}
    sentence = audiovisual_sounds.clip("sentence_reader")
    assert (sentence.clip_id, sentence.label) == ("test-5", "set white in p five now")
    assert sentence.target in TARGETS
    assert sentence.strength.startswith("targeted_transcription-full at 1024/8")
    with pytest.raises(UserError, match=r"listening\.audiovisual: expected names from sweep_items; found nothing"):
        audiovisual_sounds.clip("nothing")


def test_what_params_yaml_lacks_is_the_users_error(place):
    for what, kept in (("victims", "sync_clean"), ("victims", "word_reader"), ("detect_items", "")):
        values = given()
        values[what] = {name: one for name, one in values[what].items() if name == kept}
        with pytest.raises(UserError, match=f"params.yaml: {what}: expected recognisers, SyncNets and detections"):
            audiovisual.read(values)
    values = given()
    values["detect_items"]["again"] = values["detect_items"]["word"]
    with pytest.raises(UserError, match="detect_items: expected one of each corpus; found word, sentence, again"):
        audiovisual.read(values)


def paper() -> pd.DataFrame:
    return pd.read_csv(audiovisual.PAPER, keep_default_na=False, na_values=[""]).fillna({"epsilon": "", "target": ""})


def test_the_papers_tables_are_whole_and_agree_with_themselves():
    table = paper()
    assert table.groupby("table").size().to_dict() == {"table_1": 19, "table_2": 6, "table_3": 6, "table_4": 10}
    assert not table.duplicated(["table", "attack", "epsilon", "target"]).any()
    assert table.iloc[0].accuracy == 0.972
    assert table.iloc[1:][["l2_video", "linf_video", "linf_audio_db", "auc", "f1"]].notna().all(axis=None)
    words = table[(table.table == "table_1") & (table.attack != "none")]
    sound, video = (words.epsilon.str.split("/").str[part].astype(float) for part in (0, 1))
    assert words.linf_video.tolist() == (video / 4).tolist()
    # BIM takes 5, 10 or 20 steps of 64, so that the bound of the sound is not always reached.
    reached = np.minimum(sound, (words.attack == "fgsm") * sound + video.map({4: 320, 8: 640, 16: 1280}))
    assert words.linf_audio_db.tolist() == pytest.approx((-19.26 + 20 * np.log10(reached / 1024)).tolist(), abs=0.03)
    single = words[words.attack == "fgsm"]
    assert (single.l2_video / single.linf_video).tolist() == pytest.approx([0.865] * 9, abs=0.01)
    by_target = table[table.table == "table_4"]
    assert set(by_target.epsilon) == {"512/4"}
    means = by_target[["success", "auc", "f1", "linf_video"]].mean().tolist()
    assert means == pytest.approx([0.781, 0.783, 0.71, 0.011], abs=5e-4)


def test_the_papers_tables_are_those_of_its_text():
    if not PAPER_TEXT.is_file():
        pytest.skip("the paper's text is not on this machine")
    text = PAPER_TEXT.read_text(encoding="utf-8")
    phrases = dict(re.findall(r"([a-z]{6})[:;] ([a-z ]+)[,.]", text[text.index("bbaazp: ") :]))
    parts = dict(zip("1234", re.split(r"\nTable \d\. ", text)[1:]))
    names = {"FGSM": "fgsm", "BIM": "basic_iterative"}
    found = [
        ("table_1", names[attack], f"{sound}/{video}", "", values)
        for attack, sound, video, values in re.findall(r"(FGSM|BIM) \(ϵ\^A =(\d+), ϵ\^V =(\d+)\)\t(.*)", parts["1"])
    ]
    for number, run in (("2", "partial"), ("3", "full")):
        rows = re.findall(r"^(\d+)\t(\d+)\t(.*)$", parts[number], re.MULTILINE)
        found += [(f"table_{number}", run, f"{sound}/{video}", "", values) for sound, video, values in rows]
    rows = re.findall(r"^([a-z]{6})\t(.*)$", parts["4"], re.MULTILINE)
    found += [("table_4", "partial", "512/4", phrases[code], values) for code, values in rows]
    table = paper().iloc[1:]
    assert list(zip(table.table, table.attack, table.epsilon, table.target)) == [row[:4] for row in found]
    for row, (*_, values) in zip(table.itertuples(), found):
        share, *others = values.split("\t")
        printed = row.accuracy if row.table == "table_1" else row.success
        assert f"{100 * printed:.2f}" == f"{float(share.rstrip('%')):.2f}"
        sizes = ("l2_video", "linf_audio_db", "auc", "f1") if row.table == "table_1" else ("l2_video", "linf_video")
        measures = () if row.table == "table_1" else ("linf_audio_db", "auc", "f1")
        assert [getattr(row, name) for name in (*sizes, *measures)] == [float(value) for value in others]
    assert audiovisual_detection.RUNS == {"partial": "table_2", "full": "table_3"}
