"""Adversarial sets of the emotion study, of models whose recalls are known, as its report reads them."""

import numpy as np
import pandas as pd

from stages.frame import shards
from stages.frame.clip_table import stable_hash
from stages.frame.devices import Worker

NETWORKS = ("cnn4", "resnet50", "vgg16")
SPLITS = {"train": "", "validation": "development", "test": "test"}
LABELS = {"anger": 20, "fear": 20, "neutral": 10}  # clips a split, of five speakers
EPSILONS = (0.04, 0.08)
# Recall of anger and fear by CNN-4; that of neutral is lower by .2.
RECALLS = {
    "single": {"none": 0.8, "fgsm": (0.4, 0.2), "bim": (0.2, 0.0)},
    "vanilla": {"none": 0.9, "fgsm": (0.7, 0.4), "bim": (0.1, 0.0)},
    "similarity": {"none": 0.7, "fgsm": (0.7, 0.6), "bim": (0.5, 0.4)},
    "noise": {"audio": 0.8, "log_mel": 0.6},
}
BETTER = {"cnn4": 0.0, "resnet50": -0.1, "vgg16": 0.1}
KEPT = (3, 10)  # of anger and fear the ranks that FGSM never fools of CNN-4, and always


FAMILIES = dict.fromkeys(NETWORKS, tuple(RECALLS)[:3]) | {"vgg16": tuple(RECALLS)}


def recall(network: str, regime: str, variant: str, attack: str, epsilon: float) -> float:
    """The recall of anger and fear, a multiple of .1."""
    known = RECALLS[regime]
    value = known[variant] if regime == "noise" else known[attack]
    value = value[EPSILONS.index(epsilon)] if isinstance(value, tuple) else value
    return min(1.0, max(0.0, value + BETTER[network]))


def uar(*model) -> float:
    """The UAR over the three labels, to the tables' four places."""
    return round((2 * recall(*model) + max(0.0, recall(*model) - 0.2)) / 3, 4)


def clip_list() -> pd.DataFrame:
    """Each label's clips of each split in a row; `rank` is which of them falls first as the recall goes down."""
    rows = []
    for part, split in enumerate(SPLITS):
        for label, count in LABELS.items():
            for number in range(count):
                speaker = 10 * part + number // (count // 5)
                rows.append(
                    (f"{split}-{label}{number}", label, f"{'fm'[speaker % 2]}{speaker:02d}", split, number * 7 % count)
                )
    table = pd.DataFrame(rows, columns=["clip_id", "label", "speaker", "split", "rank"])
    return table.assign(file=table.clip_id + ".wav", duration_s=2.0, problem="")


def decisions(clips: pd.DataFrame, share: float) -> pd.Series:
    count = clips.label.map(LABELS)
    share = np.where(clips.label == "neutral", max(0.0, share - 0.2), share)
    wrong = clips.label.map({"anger": "fear", "fear": "neutral", "neutral": "anger"})
    return clips.label.where(clips["rank"] < np.round(share * count), wrong)


def attacked(network: str, regimes: tuple[str, ...]) -> pd.DataFrame:
    """All rows of one adversarial set; `kept` are two test clips of each label."""
    variants = {"single": [""], "noise": ["audio", "log_mel"]}
    made = []
    for regime in regimes:
        for split, purpose in list(SPLITS.items())[1:]:
            for variant in variants.get(regime, [f"{epsilon:g}" for epsilon in EPSILONS]):
                trained_with = float(variant) if regime in ("vanilla", "similarity") else 0.0
                epsilons = {"single": EPSILONS, "noise": ()}.get(regime, (trained_with,))
                runs = [("none", "")] + [(attack, epsilon) for attack in ("fgsm", "bim") for epsilon in epsilons]
                clips = clip_list().query("split == @split")
                clean = decisions(clips, recall(network, regime, variant, "none", 0.0))
                for attack, epsilon in runs:
                    adversarial = decisions(clips, recall(network, regime, variant, attack, epsilon or 0.0))
                    member = f"{purpose}-{variant}" if variant else purpose
                    rows = clips.assign(victim=f"{network}/{regime}", regime=regime, variant=variant)
                    made.append(
                        rows.assign(
                            key=clips.clip_id + f"/{network}/{regime}/{member}/{attack}-{epsilon}",
                            purpose=purpose,
                            attack=attack,
                            epsilon=epsilon,
                            clean_prediction=clean,
                            clean_confidence=0.9 - clips["rank"] / 100,
                            adversarial_prediction=adversarial,
                            confidence=0.6,
                            success=adversarial != clips.label,
                            zero_gradient=False,
                            kept=(split == "test") & (regime == "single") & clips["rank"].isin(KEPT),
                        )
                    )
    return pd.concat(made, ignore_index=True)


def image(row) -> np.ndarray:
    """A standardised log-mel image (frames, mels) of ramps, with random signs of the row's epsilon on it."""
    frame, mel = np.mgrid[:40, :16]
    signs = np.sign(np.random.default_rng(stable_hash(row.key) % 2**32).standard_normal(frame.shape))
    return (np.sin(frame / 5 + mel / 4) - mel / 10 + (row.epsilon or 0.0) * signs).astype("f")


def write(items: dict[str, tuple[str, ...]]) -> dict:
    """Writes what the study reads below the working directory, and returns the parameters that name it.

    Sound leaves anger as it was, loses fear always, and brings neutral back.
    """

    def compute(rows):
        return rows, [{"log_mel": image(row)} if row.kept else {} for row in rows.itertuples()]

    def as_sound(rows):
        levels = rows["rank"] / 100 + rows.attack.map({"none": 0, "fgsm": 0.2, "bim": 0.4})
        return rows, [{"audio": np.full(64, 32768 * level, "i2")} for level in levels]

    def recorded(rows):
        return rows.assign(key=rows.clip_id), [{"audio": np.full(64, rank / 100, "f")} for rank in rows["rank"]]

    about = {"inputs": [], "settings": 0, "worker": Worker(), "description": "t", "clips_per_shard": 3000}
    kept = []
    for network, regimes in items.items():
        table = attacked(network, regimes)
        shards.write_set(table, f"data/emotion/adversarial/{network}", compute, **about)
        kept.append(table[table.kept].assign(set=f"adversarial/{network}"))
    inverted = pd.concat(kept)
    inverted = inverted.assign(source=inverted.key, key=inverted.key + "/through_sound", decision_confidence=0.7)
    inverted["sound"] = inverted.key
    inverted["decision"] = inverted.adversarial_prediction.where(inverted.label == "anger", "neutral")
    shards.write_set(inverted, "data/emotion/scores/inverted", as_sound, **about)
    signal = {"signal": {"sample_rate_hz": 16000}}
    shards.write_set(clip_list(), "data/emotion/audio", recorded, **about, about=signal)
    return {"attacked": {name: {"attacks": ["fgsm", "bim", "pgd"]} for name in items}}
