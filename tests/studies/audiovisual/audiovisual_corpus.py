"""Scores and decisions of the audio-visual study that were made up so that every value of its tables is known."""

from pathlib import Path

import numpy as np
import pandas as pd

from stages.frame import shards
from stages.frame.devices import Worker
from stages.studies.audiovisual.tables import PAPERS

CORPORA = ("words", "sentences")
READERS = {"words": "lrw", "sentences": "grid"}
DETECTORS = ["sync_clean", "sync_noise", "frame_difference", "quietest_moment"]
FRAMES, SIDE = 29, 12
VALUES = FRAMES * SIDE**2
SPEAKERS = {"train": "ab", "validation": "cd", "test": "ef"}
TARGETS = ["bin blue at a zero please", "lay red at c eight soon"]
# How far each version of clip i, whose benign score is i, falls: then its AUC is known, see `auc_of`.
SHIFTS = {
    "fgsm": {"256/4": 2.5, "512/8": 4.5, "1024/16": 8.0},
    "basic_iterative": {"256/4": 0.5, "512/8": 2.5, "1024/16": 4.5},
    "partial": {"512/4": 2.5, "1024/8": 4.5},
    "full": {"512/4": 4.5, "1024/8": 8.0},
}


def auc_of(shift: float) -> float:
    """Of the scores 0 to 7 against -shift to 7 - shift: so many of the 64 pairs are in order."""
    return {0.0: 32, 0.5: 36, 2.5: 49, 4.5: 58, 8.0: 64}[shift] / 64


def corpus(name: str) -> pd.DataFrame:
    """Eight clips a split, of two speakers each; the eighth training sentence can't be read."""
    rows = [(f"{split}-{n}", split, SPEAKERS[split][n % 2]) for split in SPEAKERS for n in range(8)]
    table = pd.DataFrame(rows, columns=["clip_id", "split", "speaker"])
    words = name == "words"
    table = table.assign(file="x.mp4", label="ABOUT" if words else "", text="" if words else "set white in p five now")
    table = table.assign(fold="", verified=True, word_times="", duration_s=1.16, frames_without_face=0)
    table["frames_without_face"] = (table.clip_id == "test-3") * 2
    table = table.assign(frames_with_two_faces=0, frames_added=1, silent_samples_added=0, variable_frame_rate=False)
    table = table.assign(frames_lost=(table.clip_id == "test-2") * 3, samples_lost=0)
    return table.assign(problem=["no face" if not words and clip == "train-7" else "" for clip in table.clip_id])


def decided(name: str) -> pd.DataFrame:
    """One of eight wrong by both streams, two by sound, four by picture: of a sentence one word of six."""
    table = corpus(name).query("split != 'train'")[["clip_id", "split", "speaker", "label", "text"]]
    number = table.clip_id.str[-1].astype(int)
    right = table.label + table.text
    wrong = "MONEY" if name == "words" else "set white in p five"
    columns = {"decision": 1, "decision_audio_alone": 2, "decision_video_alone": 4}
    columns |= {"decision_0_db": 2, "decision_audio_alone_0_db": 4}
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
    large, partial = epsilon == "1024/8", row["attack"] == "partial"
    wrong = (2 if large else (0 if number < 4 else 3) if first else 4) if partial else (0 if large and first else 6)
    return " ".join([*target[: 6 - wrong], *["x"] * wrong])


def detected(name: str) -> pd.DataFrame:
    """Benign scores of the SyncNets are 0 to 7 in the order of clips, on validation clips two more.

    To sync_clean noise is as bad as the attack, to sync_noise it is benign and the attack half as bad.
    """
    rows = []
    clips = corpus(name).query("split != 'train'")[["clip_id", "split", "speaker", "label", "text"]]
    attacks = [attack for attack in SHIFTS if (attack in ("partial", "full")) == (name == "sentences")]
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
            | {"l2_video": 0.0, "linf_video": 0.0, "relative_loudness_db": loudness, "zero_gradient": ""}
            | same
        )
        for attack in attacks:
            for (epsilon, shift), target in (
                (one, target) for one in SHIFTS[attack].items() for target in (TARGETS if name == "sentences" else [""])
            ):
                audio, video = (float(part) for part in epsilon.split("/"))
                sizes = {"l2_video": video * VALUES**0.5, "linf_video": video}
                # The first clip is silent: how loud its perturbation is beside it can't be told.
                sizes["relative_loudness_db"] = "" if number == 0 else 20 * np.log10(audio / 32768)
                for version in ("adversarial", "noise", "transplant") if clip["split"] == "test" else ("adversarial",):
                    scores = {"sync_clean": score - shift, "sync_noise": score - (shift == 8.0) * 2.5}
                    if version == "noise":
                        scores["sync_noise"] = score
                    scores |= {"frame_difference": score - 8.0, "quietest_moment": score}
                    row = common | {"attack": attack, "epsilon": epsilon, "target": target, "version": version}
                    row["source"] = f"{key}/{target}/{attack}-{epsilon}"
                    # The last clip can be moved by none of the fast attacks.
                    row["zero_gradient"] = attack == "fgsm" and number == 7
                    rows.append(row | sizes | scores)
    for row in rows:
        row["decision"] = said(row, row["epsilon"], row["version"])
        row["key"] = f"{row['source']}/{row['version']}"
    return pd.DataFrame(rows)


def attacked(name: str) -> pd.DataFrame:
    """The adversarial set that the detections are of, all of it kept."""
    table = detected(name)
    table = table[table.version == "adversarial"].assign(kept=True, clean_confidence=0.5, confidence=0.6)
    table = table.assign(key=table.source, clean_prediction=table.label + table.text)
    # The surest clip was wrong before, the surest but one is not turned.
    table["clean_confidence"] += table.clip_id.map({"test-7": 0.4, "test-6": 0.3, "test-5": 0.2}).fillna(0)
    table["clean_prediction"] = table.clean_prediction.mask(table.clip_id == "test-7", "MONEY")
    return table.assign(adversarial_prediction=table.decision, success=table.clip_id != "test-6")


def alone() -> pd.DataFrame:
    """Words attacked at 256/4 in the sound, which fools all but the last two clips, or in the picture, all but five."""
    own = attacked("words").query("epsilon == '256/4'")
    number, parts = own.clip_id.str[-1].astype(int), []
    for stream, epsilon, fooled in (("sound", "256", 6), ("picture", "4", 3)):
        decision = own.label.where(number >= fooled, "MONEY")
        part = own.assign(attack=own.attack + f"_{stream}", epsilon=epsilon, adversarial_prediction=decision)
        parts.append(part.assign(key=part.key + stream))
    return pd.concat(parts)


def write() -> None:
    """All that the study reads, below the working directory."""
    for name in CORPORA:
        _write_sets(name)
        _write_table(decided(name), f"models/audiovisual/{name[:-1]}_reader/decisions.csv")
        _write_table(detected(name), f"data/audiovisual/detections/{name}/clips.csv")
    _write_table(alone(), "data/audiovisual/adversarial/streams/clips.csv")
    for detector in DETECTORS[:2]:
        _write_table(offsets(), f"models/audiovisual/{detector}/offsets.csv")


def _write_table(table: pd.DataFrame, path: str) -> None:
    Path(path).parent.mkdir(parents=True)
    table.to_csv(path, index=False)


def _write_sets(name: str) -> None:
    common = {"inputs": [], "settings": 0, "worker": Worker(), "description": "t", "clips_per_shard": 3000}
    about = {"signal": {"sample_rate_hz": 16000}}

    def cropped(rows):
        video = [np.full((FRAMES, SIDE, SIDE), 100 + n % 2, "u1") for n in range(len(rows))]
        sound = np.full(FRAMES * 640, 0.25, "f")
        return rows.assign(key=rows.clip_id), [{"video": one, "audio": sound} for one in video]

    def as_files(rows):
        made = {"video": np.full((FRAMES, SIDE, SIDE), 99, "u1"), "audio": np.full(FRAMES * 640, 8192 + 512, "i2")}
        return rows, [made] * len(rows)

    shards.write_set(corpus(name), f"data/audiovisual/{name}", cropped, **common, about=about)
    shards.write_set(attacked(name), f"data/audiovisual/adversarial/{name}", as_files, **common, about=about)


def given() -> dict:
    """The study's section of params.yaml."""
    return {
        "corpora": {name: {"reader": READERS[name], "root": f"data/embedded/{name}"} for name in CORPORA},
        "victims": {f"{name[:-1]}_reader": {"inputs": name, "method": "lip_reading"} for name in CORPORA}
        | {name: {"inputs": "sentences", "method": "synchronisation"} for name in DETECTORS[:2]},
        "attacked": {
            name: {"inputs": name if name in CORPORA else "words", "plan": name, "attacks": list(attacks)}
            for name, attacks in PAPERS["attacked"].items()
        },
        "detected": {name: {"set": f"adversarial/{name}", "clips": name, "detectors": DETECTORS} for name in CORPORA},
        "detectors": {name: {} for name in DETECTORS},
        "own": {"victims": {}, "attacked": {}},
        "listening": list(CORPORA),
    }


def cells(table: pd.DataFrame, where: dict, *names: str) -> list:
    """The values of these columns in the one row of which that is true."""
    own = table[(table[list(where)] == pd.Series(where)).all(axis=1)]
    assert len(own) == 1
    return own[list(names)].iloc[0].tolist()


def verdicts(made: dict, part: str) -> pd.Series:
    """The one claim that contains these words."""
    (row,) = [row for _, row in made["claims"].iterrows() if part in row.claim]
    return row
