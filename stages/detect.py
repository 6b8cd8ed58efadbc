"""Verb: what detectors say of a sweep's adversarial clips, and of clips as loudly disturbed: `python -m stages.detect ITEM`."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from stages.frame import devices, parameters, shards
from stages.frame.clip_table import stable_hash
from stages.frame.errors import told_in_one_line
from stages.frame.modules import find
from stages.frame.parameters import Count

GROUP = ["victim", "split", "attack", "epsilon", "target"]


def main(item: str) -> None:
    """Writes `data/<study>/detections/<item>`: rows of clips in these versions.

    `benign` is a clip as it is, of all but those trained on; `adversarial` what an attack of the sweep made of it. Test
    clips have two controls besides: `noise` lays the attack's own perturbation over the clip with its values shuffled
    and their signs drawn, `transplant` another clip's perturbation by the same attack. Each row has every detector's
    score, which is higher for benign clips, and what the victim decides.
    """
    worker = devices.launch()
    where = f"detect_items.{item}"
    values = parameters.bind(_item, where, parameters.section(where))()
    study = values["study"]
    source, model = Path("data", study, "sweeps", values["sweep"]), Path("models", study, values["network"])
    clips, attacked = shards.ShardSet(Path("data", study, values["inputs"])), shards.ShardSet(source)
    given = {name: parameters.section(f"detectors.{name}") for name in values["detectors"]}
    victims: dict[str, Any] = {}
    detectors: dict[str, Callable] = {}

    def compute(rows: pd.DataFrame) -> tuple[pd.DataFrame, list[shards.Arrays]]:
        from stages import victim

        if not detectors:
            detectors.update({name: _open(name, one, worker.device) for name, one in given.items()})
        made = []
        for name, own in rows.groupby("victim", sort=False):
            if name not in victims:
                victims[name] = victim.load(model / name / "model", network=values["network"], device=worker.device)
            versions = _versions(own, clips, attacked, worker.device)
            made += [_scored(*version, victims[name], detectors) for version in versions]
        table = pd.concat(made, ignore_index=True)
        return table, [{}] * len(table)

    shards.write_set(
        _plan(attacked.table, clips.table),
        Path("data", study, "detections", item),
        compute,
        inputs=[clips.folder, source, model, *(one["model"] for one in given.values() if "model" in one)],
        settings=[values, given, worker.device.split(":")[0]],
        worker=worker,
        description=f"detect {item}",
        clips_per_shard=values["batch_size"],
    )


def _item(
    *, study: str, inputs: str, sweep: str, network: str, synchronisers: str, detectors: list[str], batch_size: Count
) -> dict:
    """The checked entry of `detect_items`."""
    return locals()


def _open(name: str, given: dict, device: str) -> Callable:
    where = f"detectors.{name}"
    make = find("detection", given["detection"], "detector", where=f"{where}.detection")
    own = {key: value for key, value in given.items() if key != "detection"}
    return parameters.bind(make, where, own)(device)


def _plan(attacked: pd.DataFrame, clips: pd.DataFrame) -> pd.DataFrame:
    """All unattacked clips but those trained on, then what was kept of the sweep; each test clip's row with its lender's.

    A lender is a row of the same attack, epsilon and target, whose perturbation is laid over the clip as a control.
    """
    judged = clips.loc[
        (clips.problem == "") & (clips.split != "train"), ["clip_id", "label", "text", "speaker", "split", "duration_s"]
    ]
    clean = judged.merge(attacked.victim.drop_duplicates(), how="cross").assign(attack="none", epsilon="0", target="")
    clean["key"] = clean.clip_id + "/" + clean.victim
    # Sizes of what was added are those that the sweep gives of its own unattacked clips.
    sizes = [name for name in attacked if name.startswith(("l2_", "linf_", "snr_db_", "relative_loudness_db_"))]
    clean = clean.assign(**attacked.loc[attacked.attack == "none", sizes].iloc[0])
    kept = attacked[attacked.kept & (attacked.attack != "none")].drop(columns="shard")
    order = kept.clip_id.map(stable_hash)
    kept = kept.assign(order=order).sort_values([*GROUP, "order"], ignore_index=True).drop(columns="order")
    lender = kept.groupby(GROUP).key.transform(lambda keys: np.roll(keys, 1))
    controlled = (kept.split == "test") & (lender != kept.key)
    return pd.concat([clean.assign(lender=""), kept.assign(lender=lender.where(controlled, ""))], ignore_index=True)


def _versions(rows: pd.DataFrame, clips: shards.ShardSet, attacked: shards.ShardSet, device: str) -> Iterator[tuple]:
    """Table and inputs of each version of the clips, in turn."""
    from stages.victim import padded_batch

    clip_of = dict(zip(attacked.table.key, attacked.table.clip_id))

    def made(version: str, row: Any) -> shards.Arrays:
        clean = clips.load(row.clip_id)
        if version == "benign":
            return clean
        if version == "transplant":
            return _disturbed(clean, _delta(attacked.load(row.lender), clips.load(clip_of[row.lender])))
        delta = _delta(attacked.load(row.key), clean)
        return _disturbed(clean, _shuffled(delta, row.key) if version == "noise" else delta)

    clean, controlled = rows.attack == "none", rows.lender != ""
    versions = {"benign": clean, "adversarial": ~clean, "noise": controlled, "transplant": controlled}
    for version, chosen in versions.items():
        if chosen.any():
            table = rows[chosen].assign(source=rows.key[chosen], version=version)
            batch = [made(version, row) for row in table.itertuples()]
            table = table.assign(key=table.key + f"/{version}", video_values=[arrays["video"].size for arrays in batch])
            names = ("video", "audio", *({"faces"} & set(batch[0])))
            inputs = [padded_batch([arrays[name] for arrays in batch], device, name) for name in names]
            yield table, {key: value for one in inputs for key, value in one.items()}


def _delta(made: shards.Arrays, clean: shards.Arrays) -> shards.Arrays:
    """What an attack added to a clip's sound and video."""
    from stages.frame.pcm import from_pcm16

    audio = from_pcm16(made["audio"]) if made["audio"].dtype == np.int16 else made["audio"]
    return {"audio": audio - clean["audio"], "video": made["video"].astype("f4") - clean["video"]}


def _shuffled(delta: shards.Arrays, key: str) -> shards.Arrays:
    """The same values in another order with random signs."""
    rng = np.random.default_rng(stable_hash(key))
    return {
        name: (rng.permutation(value.ravel()) * rng.choice([-1, 1], value.size).astype("f4")).reshape(value.shape)
        for name, value in delta.items()
    }


def _disturbed(clean: shards.Arrays, delta: shards.Arrays) -> shards.Arrays:
    """A clip with a perturbation laid over it, of which what is too long is cut and the rest is none; also on the face."""
    made = dict(clean)
    for name, (low, high) in {"audio": (-1, 1 - 2**-15), "video": (0, 255)}.items():
        made[name] = clean[name].astype("f4")
        length = min(len(made[name]), len(delta[name]))
        made[name][:length] += delta[name][:length]
        made[name] = made[name].clip(low, high)
    if "faces" in clean:
        made["faces"] = _on_face(clean, made["video"] - clean["video"])
    return made


def _on_face(clean: shards.Arrays, delta: np.ndarray) -> np.ndarray:
    import torch

    from stages.features.mouth_crops import carried

    maps = (torch.from_numpy(clean[name]) for name in ("frame_to_mouth", "frame_to_face"))
    laid = carried(torch.from_numpy(delta), *maps, clean["faces"].shape[1]).numpy()
    return (clean["faces"] + laid[..., None]).clip(0, 255)


def _scored(rows: pd.DataFrame, inputs: dict, victim: Any, detectors: dict[str, Callable]) -> pd.DataFrame:
    import torch

    with torch.no_grad():
        label, confidence = victim.decode(victim.logits(inputs))
        columns = {"decision": victim.names(label), "decision_confidence": confidence.tolist()}
        for name, score in detectors.items():
            scored = score(inputs)
            columns |= {name if key == "score" else f"{name}_{key}": one.tolist() for key, one in scored.items()}
    return rows.drop(columns="lender").assign(**columns)


if __name__ == "__main__":
    with told_in_one_line():
        main(*sys.argv[1:])
