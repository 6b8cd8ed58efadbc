"""What score tables may hold: ways to change the tables that a study's report reads, and the made-up studies."""

from collections.abc import Callable
from pathlib import Path

import audiovisual_corpus
import emotion_sets
import numpy as np
import pandas as pd
import small_events
import speech_corpus
import transfer_sets
import yaml

from stages.studies.transfer import tables as transfer

Change = Callable[[pd.DataFrame, np.random.Generator], pd.DataFrame]
# Each study's tables of what attacks made, what models decided, and the clips.
ATTACKED = ("data/*/adversarial/*/clips.csv", "data/*/scores/*/clips.csv", "data/*/detections/*/clips.csv")
DECIDED = ("models/*/*/decisions.csv", "models/*/*/offsets.csv")
CLIPS = ("data/*/*/clips.csv",)
EVERYWHERE = (*ATTACKED, *DECIDED, *CLIPS)
HOSTILE = "/../:<b>&\"'\n$x_{$ %41#?,é\\"
NAMES = ("label", "text", "target", "decision", "clean_prediction", "adversarial_prediction", "speaker")
NAMES += tuple(f"decision_{way}" for way in ("beam", "n_gram", "grammar", "audio_alone", "video_alone"))
# Which of a table's numbers count something: they are not what a measure may fail to tell.
COUNTED = ("examples", "size", "draw", "trial", "iterations", "forwards", "backwards", "video_values", "epsilon")
COUNTED += ("offset", "true_offset", "rank", "variant", "mixed_at_db", "snr_in_db")


def write(study: str) -> None:
    """Writes what the study's report reads below the working directory, and params.yaml."""
    reader = {"emotion": "italian_emotion", "transfer": "iemocap"}.get(study)
    corpora = {"corpora": {"audio": {"reader": reader, "root": "data/mine"}}}
    if study == "events":
        small_events.make()
        _write_more_events()
        return
    if study == "emotion":
        given = emotion_sets.write({"cnn4": ("single", "vanilla"), "vgg16": ("single", "noise")}) | corpora
    elif study == "transfer":
        decisions = transfer_sets.decisions()
        decisions = decisions[~decisions.model.isin(["mean", "mean_max", "attention"])]
        measured = transfer.Measured(transfer_sets.clips(), decisions, transfer_sets.attacks(), 100)
        given = transfer_sets.write(measured) | corpora
    else:
        corpus = {"audiovisual": audiovisual_corpus, "speech": speech_corpus}[study]
        corpus.write()
        given = corpus.given()
    Path("params.yaml").write_text(yaml.safe_dump({study: given}), encoding="utf-8")


def _write_more_events() -> None:
    """Two victims, clean clips and four attacks, of which one is nobody's but someone's own."""
    given = yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))["events"]
    of_one = pd.read_csv("data/events/scores/vgg13-deepfool/clips.csv", keep_default_na=False, dtype=str)
    treatments = {"none": "none", "noise_20dB": "live_reverb"}
    of_one = pd.concat([of_one, of_one.assign(treatment=of_one.treatment.map(treatments))]).drop_duplicates(
        ["source", "treatment"]
    )
    given["attacked"] = {}
    given["treatments"]["live_reverb"] = {}
    called = {"none": "clean", "cw_normalised": "cw-untargeted"}
    for victim in ("vgg13", "dense_mel"):
        given["victims"][victim] = {}
        for attack in ("none", "lbfgs", "deepfool", "cw_normalised", "my_attack"):
            own = of_one.assign(victim=victim, attack=attack, target="Gong" if attack == "lbfgs" else "")
            if attack == "none":
                own = own.assign(decision=own.label, success="False", attacked_at_db="", l2_audio="", outcome="GT")
            folder = Path("data/events/scores", f"{victim}-{called.get(attack, attack)}")
            folder.mkdir(parents=True, exist_ok=True)
            own.to_csv(folder / "clips.csv", index=False)
            given["attacked"][folder.name] = {"attacks": [attack]}
    decisions = Path("models/events/vgg13/decisions.csv")
    Path("models/events/dense_mel").mkdir()
    Path("models/events/dense_mel/decisions.csv").write_text(decisions.read_text(encoding="utf-8"), encoding="utf-8")
    Path("params.yaml").write_text(yaml.safe_dump({"events": given}), encoding="utf-8")


def change(paths: tuple[str, ...], how: Change, seed: int) -> None:
    """Changes every table below the working directory that one of the paths names."""
    for path in sorted({path for pattern in paths for path in Path().glob(pattern)}):
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
        how(table, np.random.default_rng(seed)).to_csv(path, index=False)


def failed(table: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Every attack failed: what was decided on clean clips, which is right, is decided on attacked ones."""
    return _fallen(table, np.zeros(len(table), bool))


def succeeded(table: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Every attack reached what it was to reach, whatever was done to its clips after."""
    return _fallen(table, np.ones(len(table), bool))


def by_chance(table: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Each attack succeeded or did not, and some rows are missing."""
    kept = table[rng.random(len(table)) < 0.7]
    return _fallen(kept, rng.random(len(kept)) < rng.random())


def impossible(table: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """No victim can decide what was to be decided, and no attack was made."""
    return failed(table, rng).assign(impossible=(_column(table, "attack", "none") != "none").astype(str))


def empty(table: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """No clip was attacked."""
    return table.head(0)


def clean_alone(table: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Nobody attacked."""
    return table[_column(table, "attack", "none") == "none"]


def attacked_alone(table: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """No clip is there as it is."""
    return table[_column(table, "attack", "") != "none"]


def one_clip(table: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """One clip of all."""
    names = _column(table, "clip_id", "") if "clip_id" in table else table.key
    return table[names == names.min()] if len(table) else table


def one_speaker(table: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """One speaker of all clips."""
    return table.assign(speaker="m01") if "speaker" in table else table


def one_label(table: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """All clips have one label, and all of them are decided so."""
    if "label" not in table or (table.label == "").all():
        return table
    decided = [name for name in table if "decision" in name or "prediction" in name]
    decided = [name for name in decided if "confidence" not in name]
    return table.assign(label="only", **dict.fromkeys(decided, "only"))


def no_test(table: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """No clip is in the test split."""
    return table[table.split != "test"] if "split" in table else table


def undefined(table: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Half of the measures tell nothing, the others of half of the rows nothing, or nothing finite."""
    told = _told(table)
    lost = pd.DataFrame(rng.choice(["", "inf", "-inf"], table.shape), table.index, table.columns)
    some = {name: table[name].mask(rng.random(len(table)) < 0.5, lost[name]) for name in told}
    return table.assign(**some | dict.fromkeys(rng.permutation(told)[::2], ""))


def hostile(table: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Names and texts as nobody would give them."""
    named = [name for name in NAMES if name in table]
    return table.assign(**{name: table[name].mask(table[name] != "", table[name] + HOSTILE) for name in named})


def _told(table: pd.DataFrame) -> list[str]:
    """The columns of measures."""
    return [name for name in table if name not in COUNTED and pd.to_numeric(table[name], "coerce").notna().any()]


def _fallen(table: pd.DataFrame, fallen: np.ndarray) -> pd.DataFrame:
    attacked = _column(table, "attack", "none") != "none"
    fallen = attacked & fallen
    truth = _column(table, "label", "").where(_column(table, "label", "") != "", _column(table, "text", ""))
    target = _column(table, "target", "")
    wanted = target.where(target != "", "something else").where(fallen, truth)
    told, outcome = fallen.astype(str), pd.Series("GT", table.index).mask(fallen, "Adv")
    values = {"success": told, "found": told, "outcome": outcome}
    values |= {"clean_prediction": truth, "adversarial_prediction": wanted, "decision": wanted}
    return table.assign(**{name: value for name, value in values.items() if name in table})


def _column(table: pd.DataFrame, name: str, otherwise: str) -> pd.Series:
    return table[name] if name in table else pd.Series(otherwise, table.index)
