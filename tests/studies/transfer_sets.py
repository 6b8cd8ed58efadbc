"""Decisions and attacks of the transfer study, made up so that every value is known, as its report reads them."""

from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from stages.frame import shards
from stages.frame.devices import Worker
from stages.studies.transfer import tables as transfer

LABELS = ("angry", "happy", "neutral", "sad")
SESSIONS = [f"Session{n}" for n in range(1, 6)]


def clips() -> pd.DataFrame:
    rows = [
        (f"{session}-{label}-{n}", label, f"{session}{'FM'[n % 2]}", session)
        for session in SESSIONS
        for label in LABELS
        for n in range(10)
    ]
    table = pd.DataFrame(rows, columns=["clip_id", "label", "speaker", "fold"])
    return table.assign(file=table.clip_id + ".wav", duration_s=3.0, problem="", split="train")


def decided(recall: float, seed: int) -> pd.DataFrame:
    """Decisions of which exactly this share of each session's and class's clips is right."""
    rng = np.random.default_rng(seed)
    table = clips().drop(columns=["file", "duration_s", "problem", "split"])
    table["decision"] = table.label.map(dict(zip(LABELS, LABELS[1:] + LABELS[:1])))
    for rows in table.groupby(["fold", "label"]).indices.values():
        right = rng.choice(rows, round(recall * len(rows)), replace=False)
        table.loc[right, "decision"] = table.label[right]
    return table.assign(confidence=0.9)


def decisions() -> pd.DataFrame:
    recalls = {("lld", "mlp", "40"): 0.3, ("lld", "mlp", "100"): 0.5, ("lld", "mlp", "all"): 0.6}
    recalls |= {("wav2vec", "mlp", "40"): 0.4, ("wav2vec", "mlp", "100"): 0.7, ("wav2vec", "mlp", "all"): 0.9}
    recalls |= {("lld", head, "100"): 0.5 for head in ("mean", "mean_max", "attention")}
    recalls |= {
        ("wav2vec", "mean", "100"): 0.6,
        ("wav2vec", "mean_max", "100"): 0.4,
        ("wav2vec", "attention", "100"): 0.5,
    }
    single = {"bimodal": 1.0, "speech": 0.8, "text": 0.7, "bimodal-shuffled": 0.6}
    recalls |= {("wav2vec", model, "all"): recall for model, recall in single.items()}
    examples = {"40": 40, "100": 100, "all": 800}
    tables = [
        decided(recall, draw).assign(feature=feature, model=model, size=size, examples=examples[size], draw=draw)
        for (feature, model, size), recall in recalls.items()
        for draw in range(1 if model in single else 2)
    ]
    return pd.concat(tables, ignore_index=True)


def attacks() -> pd.DataFrame:
    """PGD turns every decision of speech alone and half of those of the bimodal model."""
    rows = []
    for model in ("speech", "bimodal"):
        for place, clip in enumerate(clips().itertuples()):
            for attack, epsilon in (("none", 0.0), ("bim", 0.001), ("bim", 0.01)):
                fooled = attack == "bim" and (model == "speech" or place % 2 == 0 or epsilon == 0.01)
                decision = "nothing" if fooled else clip.label
                rows.append(
                    {"clip_id": clip.clip_id, "label": clip.label, "speaker": clip.speaker, "fold": clip.fold}
                    | {"victim": "bimodal", "variant": model, "attack": attack, "epsilon": epsilon}
                    | {
                        "clean_prediction": clip.label,
                        "adversarial_prediction": decision,
                        "success": fooled,
                        "zero_gradient": False,
                    }
                    | {"snr_db": np.inf if attack == "none" else 30.0}
                )
    return pd.DataFrame(rows)


def write(measured: transfer.Measured) -> dict:
    """Writes what the study reads below the working directory, and returns the parameters that name it."""
    victims = {"lld_heads": "lld", "wav2vec_heads": "wav2vec"}
    for name, feature in victims.items():
        folder = Path("models/transfer", name)
        folder.mkdir(parents=True)
        table = measured.decisions[measured.decisions.feature == feature].drop(columns="feature")
        table.to_csv(folder / "decisions.csv", index=False)

    def audio(rows):
        waves = [np.full(160, number / 100, "f") for number in range(len(rows))]
        return rows.assign(key=rows.clip_id), [{"audio": wave} for wave in waves]

    def attacked(rows):
        return rows, [{"audio": np.full(160, 16384, "i2")} if row.kept else {} for row in rows.itertuples()]

    attacks = measured.attacks.copy()
    attacks["key"] = attacks.clip_id + "/" + attacks.variant + "/" + attacks.attack + attacks.epsilon.astype(str)
    attacks["kept"] = attacks.clip_id.str.endswith(("-2", "-3"))
    attacks["clean_confidence"] = attacks.clip_id.map({"Session1-sad-2": 0.95, "Session2-happy-3": 0.9}).fillna(0.8)
    attacks["confidence"] = 0.6
    attacks["epsilon"] = attacks.epsilon.astype(str).where(attacks.attack != "none", "")
    about = {"inputs": [], "settings": 0, "worker": Worker(), "description": "t", "clips_per_shard": 3000}
    signal = {"signal": {"sample_rate_hz": 16000}}
    shards.write_set(measured.clips, "data/transfer/audio", audio, **about, about=signal)
    shards.write_set(attacks, "data/transfer/adversarial/speech_heads", attacked, **about)
    section = {
        "victims": {name: {"inputs": feature, "recipe": "own"} for name, feature in victims.items()},
        "attacked": {"speech_heads": {"attacks": ["fgsm", "bim"]}},
        "recipes": {"own": {"few": 100}},
    }
    section["victims"]["lld_heads"]["training"] = {"few": None}
    Path("params.yaml").write_text(yaml.safe_dump({"transfer": section}))
    return section
