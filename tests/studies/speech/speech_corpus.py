"""Transcripts and qualities of the speech study that were made up so that every value of its tables is known."""

from pathlib import Path

import numpy as np
import pandas as pd

from stages.frame import shards
from stages.frame.devices import Worker

TEXT, TARGET = "find my money now", "open the door"
CLIPS = [f"test-{n}" for n in range(4)]
SPEAKER = dict(zip(CLIPS, "efef"))
PLAIN = ["dnn", "wave_u_net", "u_net_attention"]
HARDENED = [f"{name}_hardened" for name in PLAIN]
RECOGNISERS = ["deepspeech", "deepspeech_hardened"]
# wave_u_net_hardened was not asked to enhance anything: someone's own choice.
ASKED = ["none", *PLAIN, "dnn_hardened", "u_net_attention_hardened"]
# Nor need a treatment be called as its model.
CALLED = {name: name for name in ["none", *PLAIN, *HARDENED]}
ENTRIES = {
    "gradient": {
        "direct": 10.12,
        "over_the_air": 10.12,
        "noise": 10.12,
        "mine<b>": 10.12,
        "smallest": -10.0,
        "spoken": -10.0,
    },
    "evolutionary": {"evolutionary": 10.12, "evolutionary_smallest": -10.0},
    "gradient_hardened": {"over_the_air": 10.12},
    "evolutionary_hardened": {"evolutionary": 10.12},
    "adaptive": {"smallest": -10.0, "evolutionary_through": -10.0, "spoken": -10.0},
}
# The SNR at which each clip fell, None where it did not. Of the control none fell, nor of the last.
FELL = {
    ("gradient", "smallest"): [20.0, 12.0, 16.0, 30.0],
    ("evolutionary", "evolutionary_smallest"): [10.0, 8.0, 6.0, None],
    ("adaptive", "smallest"): [4.0, 0.0, 2.0, None],
    ("adaptive", "evolutionary_through"): [None] * 4,
    ("gradient", "spoken"): [8.0, 6.0, 7.0, None],
    ("adaptive", "spoken"): [0.0, -2.0, -3.0, None],
}
# What a failed attack left is as quiet as it happens to be; of the others it is as loud as it may.
LEFT_AT = {("adaptive", "smallest"): -4.0}
# How many of the eight trials are transcribed as the target, of the undefended recogniser under the gradient attack.
TRIALS = {"none": 7, "dnn": 4, "wave_u_net": 3, "u_net_attention": 0, "dnn_hardened": 2, "u_net_attention_hardened": 0}
GAINS = {"none": 0.0, **dict(zip(PLAIN, (0.5, 0.6, 0.7))), "dnn_hardened": 0.8, "u_net_attention_hardened": 0.9}
LEVELS = [15.0, 5.0]


def corpus() -> pd.DataFrame:
    speakers = {"train": "ab", "validation": "cd", "test": "ef"}
    rows = [(f"{split}-{n}", TEXT, speakers[split][n % 2], split) for split in speakers for n in range(4)]
    rows += [(f"{kind}-ch01", "", kind, split) for kind, split in (("TBUS", "train"), ("TCAR", "test"))]
    table = pd.DataFrame(rows, columns=["clip_id", "text", "speaker", "split"])
    table = table.assign(file="x.flac", label="", fold="", verified=True, word_times="", duration_s=1.5)
    return table.assign(problem=["broken" if clip == "train-3" else "" for clip in table.clip_id])


def mixtures() -> pd.DataFrame:
    table = corpus()
    table = table[(table.text != "") & (table.problem == "")].reset_index(drop=True)
    table = table.assign(key=table.clip_id + "/0", noise="TCAR", noise_clip_id="TCAR-ch01", gain_db=0.0)
    return table.assign(snr_db=[LEVELS[int(clip[-1]) % 2] for clip in table.clip_id])


def decided(recogniser: str) -> pd.DataFrame:
    """One of 16 words is wrong, by beam search none; the hardened one has not been asked to search."""
    table = corpus()
    table = table[(table.text != "") & (table.split != "train")].assign(key=table.clip_id, confidence=0.9)
    table["decision"] = table.text.where(table.clip_id != "test-0", "find my money")
    searched = {} if recogniser.endswith("hardened") else {"decision_beam": table.text, "decision_n_gram": ""}
    names = ["key", "clip_id", "split", "speaker", "text", "duration_s", "decision", "confidence"]
    return table[names].assign(**searched)


def ratios(enhancer: str) -> pd.DataFrame:
    """Each raises the SNR by ten of its gains and the clip's number; one mixture came out silent."""
    own = mixtures()[["key", "clip_id", "split", "noise", "snr_db"]]
    gains = 10 * GAINS.get(enhancer, 0.1) + own.clip_id.str[-1].astype(int)
    return own.assign(snr_in_db=own.snr_db, snr_out_db=(own.snr_db + gains).mask(own.clip_id == "validation-0", np.inf))


def attacked(entry: str) -> pd.DataFrame:
    rows = []
    for attack, bound in ENTRIES[entry].items():
        for number, clip in enumerate(CLIPS):
            fell = FELL.get((entry, attack), [bound] * 4)[number]
            left = LEFT_AT.get((entry, attack), bound)
            failed = fell is None or attack in ("noise", "mine<b>")
            key = f"{clip}/open-the-door/{attack.strip('<b>')}"
            row = {"clip_id": clip, "speaker": SPEAKER[clip], "split": "test", "text": TEXT, "duration_s": 1.5}
            row |= {"label": "", "fold": "", "target": TARGET, "attack": attack, "epsilon": "", "key": key}
            row |= {"victim": RECOGNISERS[entry.endswith("hardened")]}
            row |= {"through": "u_net_attention_hardened" if entry == "adaptive" else "", "clean_prediction": TEXT}
            row |= {"clean_confidence": 0.8, "adversarial_prediction": TEXT if failed else TARGET, "confidence": 0.7}
            row |= {"success": not failed, "found": not failed, "zero_gradient": failed}
            row |= {"iterations": 5, "forwards": 10 + number, "backwards": 5}
            # An attack that added nothing has no finite SNR, and of a silent clip nothing can be told.
            sizes = {0: "inf", 1: ""} if attack == "mine<b>" else {}
            rows.append(row | {"snr_db": sizes.get(number, left if fell is None else fell)})
    return pd.DataFrame(rows)


def quality(enhancer: str, number: int) -> dict:
    # Clips differ, in the mean they do not.
    gain = GAINS[enhancer] + (enhancer != "none") * (number - 1.5) / 1000
    values = {"pesq_nb": 2.0, "pesq_raw": 1 + number / 10 + gain, "pesq_wb": 1.5 + gain, "stoi": 0.7 + gain / 10}
    values |= {"sti": 0.6 + gain / 10, "snr_db": "inf" if (enhancer, number) == ("dnn", 3) else 5 + gain}
    if (enhancer, number) == ("none", 2):
        return values | {"stoi": "", "undefined": "STOI: shorter than 0.4 s"}
    return values | {"undefined": ""}


def of_mixtures() -> pd.DataFrame:
    """Clean speech is understood, after the DNN all but a word; of noisy speech two words are, enhanced three."""
    rows = []
    for mixture in mixtures().query("split == 'test'").to_dict("records"):
        for version, enhancer in ((version, enhancer) for version in ("clean", "noisy") for enhancer in ASKED):
            measured = quality(enhancer, int(mixture["clip_id"][-1])) if version == "noisy" else {}
            heard = {"noisy": "find my" if enhancer == "none" else "find my money", "clean": TEXT}[version]
            heard = "find my money" if (version, enhancer) == ("clean", "dnn") else heard
            row = {name: one for name, one in mixture.items() if name not in ("snr_db", "problem", "key")}
            row |= {"mixed_at_db": mixture["snr_db"], "set": "noisy", "source": mixture["key"], "version": version}
            row |= {"trial": 0, "treatment": CALLED[enhancer], "decision_confidence": 0.5, "decision": heard}
            rows += [row | measured | asked(row, one) for one in RECOGNISERS]
    return pd.DataFrame(rows).fillna("")


def of_attacks() -> pd.DataFrame:
    """Two trials of each clip; who is not deceived hears three of four words, after hardened enhancers all."""
    rows = []
    for entry in list(ENTRIES)[:4]:
        own = attacked(entry)
        for member in own[own.attack.isin(["over_the_air", "evolutionary", "noise"])].to_dict("records"):
            number = int(member["clip_id"][-1])
            hardened = entry.endswith("hardened")
            member |= {"set": f"adversarial/{entry}", "source": member.pop("key")}
            member |= {"attacked_at_db": member.pop("snr_db"), "decision_confidence": 0.5}
            for trial, enhancer in ((trial, enhancer) for trial in range(3) for enhancer in ASKED):
                hits = TRIALS[enhancer] if entry == "gradient" else 2 * (enhancer == "none" and not hardened)
                place = number + 4 * (trial - 1) if trial else 0
                hit = place < hits and member["attack"] != "noise"
                row = member | {"version": "played" if trial else "file", "trial": trial}
                row |= {"treatment": CALLED[enhancer]} | ({} if trial else quality(enhancer, number))
                for one in RECOGNISERS:
                    # Of those made on the other one the first clip's first trial deceives too, not enhanced.
                    deceived = hit and (one == row["victim"] or (place, enhancer) == (0, "none"))
                    heard = TARGET if deceived else TEXT if "hardened" in enhancer else "find my money"
                    rows.append(row | asked(row, one) | {"decision": heard})
    return pd.DataFrame(rows).fillna("")


def asked(row: dict, recogniser: str) -> dict:
    """Who hears a row, the row's key, and that of the row that has its sound."""
    parts = ("set", "source", "version", "trial", "treatment")
    keys = ["/".join(str(row[part]) for part in parts) + f"/{one}" for one in (recogniser, RECOGNISERS[0])]
    return {"heard_by": recogniser, "key": keys[0], "sound": keys[1]}


def given() -> dict:
    """The study's section of params.yaml."""

    def model(name: str) -> dict:
        own = {"method": "speech_recognition" if "deepspeech" in name else "enhancement"}
        return own | ({"starts_from": name.removesuffix("_hardened")} if name.endswith("_hardened") else {})

    bounds = {name: bound for entry in ENTRIES.values() for name, bound in entry.items()}
    # An attack may stand by itself or in a family, and need not say how loud it is.
    families = {name: "" if name == "noise" else "family." for name in bounds}
    family = {name: {"attack": "a", "parameters": {"snr_db": bounds[name]}} for name in bounds if families[name]}
    entries = {entry: {"attacks": [families[name] + name for name in own]} for entry, own in ENTRIES.items()}
    entries["adaptive"]["through"] = "u_net_attention_hardened"
    return {
        "corpora": {"audio": {"reader": "noisy_speech", "root": "data/embedded/speech"}},
        "victims": {name: model(name) for name in (*RECOGNISERS, *PLAIN, *HARDENED)},
        "attacks": {"noise": {"attack": "noise"}, "family": family},
        "attacked": entries,
        "treatments": {called: {"model": name} if name != "none" else {} for name, called in CALLED.items()},
        "scored": {
            "mixtures": {"sets": ["noisy"]},
            "attacked": {"sets": [f"adversarial/{entry}" for entry in list(ENTRIES)[:4]]},
        },
        "own": {"victims": {}, "attacked": {}},
        "listening": ["over_the_air", "evolutionary"],
    }


def write() -> None:
    """All that the study reads, below the working directory."""
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 24000).astype("f4")
    half = (noise * 2**14).astype("i2")
    _write_set(corpus().assign(key=corpus().clip_id), "audio", noise)
    _write_set(mixtures(), "noisy", noise)
    for entry in ENTRIES:
        _write_set(attacked(entry), f"adversarial/{entry}", half)
    _write_set(of_mixtures(), "scores/mixtures", half)
    _write_set(of_attacks(), "scores/attacked", half)
    for name in (*RECOGNISERS, *PLAIN, *HARDENED):
        folder = Path("models/speech", name)
        folder.mkdir(parents=True)
        (decided(name) if name in RECOGNISERS else ratios(name)).to_csv(folder / "decisions.csv", index=False)


def _write_set(table: pd.DataFrame, name: str, audio: np.ndarray) -> None:
    """Every row has this sound, of rows with a column `sound` those alone that it names."""

    def filled(rows):
        holds = rows.key == rows.sound if "sound" in rows else rows.key.notna()
        return rows, [{"audio": audio} if one else {} for one in holds]

    about = {"inputs": [], "settings": 0, "worker": Worker(), "description": "t", "clips_per_shard": 3000}
    shards.write_set(table, f"data/speech/{name}", filled, **about, about={"signal": {"sample_rate_hz": 16000}})


def cells(table: pd.DataFrame, where: dict, *names: str) -> list:
    """The values of these columns in the one row of which that is true."""
    own = table[(table[list(where)] == pd.Series(where)).all(axis=1)]
    assert len(own) == 1
    return own[list(names)].iloc[0].tolist()


def verdict(made: dict, part: str) -> pd.Series:
    """The one claim that contains these words."""
    own = made["claims"][made["claims"].claim.str.contains(part, regex=False)]
    assert len(own) == 1
    return own.iloc[0]
