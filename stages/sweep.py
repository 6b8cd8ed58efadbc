"""Verb: attacks every model of a network, at every strength: `python -m stages.sweep ITEM`."""

import sys
from pathlib import Path
from typing import Any

import pandas as pd

from stages.frame import clip_table, devices, parameters, shards
from stages.frame.clip_table import stable_hash
from stages.frame.errors import told_in_one_line
from stages.frame.modules import find
from stages.frame.parameters import NonNegativeInt, Positive

# A model is judged on clips that it was not trained on.
JUDGED_ON = {"development": "validation", "test": "test"}
CLIPS_PER_SHARD = 128


def main(item: str) -> None:
    """Writes `data/<study>/sweeps/<item>`: a row for each model, clip, attack and epsilon, failures among them.

    All clips of the split are attacked, also those that the model decides wrongly, since the score is the recall on
    attacked data. Models of a defended regime are attacked at the epsilon that they were trained with, those of the
    regime `noise` not at all. Images are kept for a few clips and the models trained on real data alone.
    """
    worker = devices.launch()
    values = parameters.bind(_item, f"sweep_items.{item}", parameters.section(f"sweep_items.{item}"))()
    study, network = values["study"], values["network"]
    where = f"sweeps.{study}"
    settings = parameters.bind(_settings, where, parameters.section(where))()
    attacks = {name: _bound(name, given, f"{where}.attacks.{name}") for name, given in settings["attacks"].items()}
    source, models = Path("data", study, values["inputs"]), Path("models", study, network)
    clips = shards.ShardSet(source)
    members = pd.concat([_members(models / name) for name in values["victims"]], ignore_index=True)
    members["network"] = network
    opened: dict[str, Any] = {}

    def compute(rows: pd.DataFrame) -> tuple[pd.DataFrame, list[shards.Arrays]]:
        from stages import victim

        made = []
        for folder, own in rows.groupby("folder", sort=False):
            if folder not in opened:
                opened.clear()
                opened[folder] = victim.load(folder, network=network, device=worker.device)
            made += _attacked(own, clips, values["inputs"], opened[folder], attacks, settings["epsilons"])
        return pd.concat([table for table, _ in made]), [arrays for _, several in made for arrays in several]

    shards.write_set(
        _plan(members, clips.table, settings["kept_clips_per_label"]),
        Path("data", study, "sweeps", item),
        compute,
        inputs=[source, models],
        settings=[values, settings, worker.device.split(":")[0]],
        worker=worker,
        description=f"sweep {item}",
        clips_per_shard=CLIPS_PER_SHARD,
    )


def _item(*, study: str, inputs: str, network: str, victims: list[str]) -> dict:
    """The checked entry of `sweep_items`."""
    return locals()


def _settings(*, epsilons: list[Positive], attacks: dict, kept_clips_per_label: NonNegativeInt) -> dict:
    """The checked entry of `sweeps`."""
    return locals()


def _bound(name: str, given: dict, where: str) -> Any:
    return parameters.bind(find("attacks", name, "attack", where=where), where, given, passed=("bounds", "epsilon"))


def _members(folder: Path) -> pd.DataFrame:
    """The models of one victim, as its training listed them."""
    table = clip_table.read(folder / "members.csv")
    return table.assign(victim=folder.name, folder=[str(folder / member) for member in table.member])


def _plan(members: pd.DataFrame, clips: pd.DataFrame, kept_clips_per_label: int) -> pd.DataFrame:
    """A row for each model and readable clip of the split that it is judged on; `kept` says whose images stay.

    Kept are some test clips of each label, by a hash of their ids, for the models trained on real data alone.
    """
    readable = clips.loc[clips.problem == "", ["clip_id", "label", "speaker", "split", "duration_s"]]
    rank = readable.clip_id.map(stable_hash).groupby([readable.split, readable.label]).rank(method="first")
    readable = readable.assign(kept=(readable.split == "test") & (rank <= kept_clips_per_label))
    plan = members.assign(split=members.purpose.map(JUDGED_ON)).merge(readable, on="split")
    key = plan.clip_id + "/" + plan.victim + "/" + plan.member
    return plan.assign(key=key, kept=plan.kept & (plan.regime == "single"))


def _attacked(
    rows: pd.DataFrame, clips: shards.ShardSet, name: str, victim: Any, attacks: dict, epsilons: list[float]
) -> list[tuple[pd.DataFrame, list[shards.Arrays]]]:
    """Table and arrays of the clips as they are, and after each attack, all by one model; `name` is its input's."""
    import numpy as np
    import torch

    from stages.attacks import none
    from stages.victim import Goal

    device = next(victim.module.parameters()).device
    raw = torch.from_numpy(np.stack([clips.load(clip)[name] for clip in rows.clip_id])).to(device)
    inputs = {name: victim.module.standardised(raw)}
    goal = Goal(torch.tensor([victim.labels.index(label) for label in rows.label], device=device), targeted=False)
    with torch.no_grad():
        clean_label, clean_confidence = victim.decode(victim.logits(inputs))
    regime, epsilon = rows.regime.iloc[0], rows.training_epsilon.iloc[0]
    epsilons = {"single": epsilons, "noise": []}.get(regime, [epsilon])
    runs = [("none", 0.0, none.attack(victim, inputs, goal, bounds=victim.bounds))] + [
        (attack, strength, run(victim, inputs, goal, bounds=victim.bounds, epsilon={name: strength}))
        for attack, run in attacks.items()
        for strength in epsilons
    ]
    made = []
    for attack, strength, result in runs:
        with torch.no_grad():
            label, confidence = victim.decode(victim.logits(result.adversarial))
        images = result.adversarial[name]
        delta = (images - inputs[name]).flatten(1)
        table = rows.drop(columns=["folder", "member"]).assign(
            key=rows.key + f"/{attack}-{strength:g}",
            attack=attack,
            epsilon=strength,
            clean_prediction=[victim.labels[index] for index in clean_label.tolist()],
            clean_confidence=clean_confidence.tolist(),
            adversarial_prediction=[victim.labels[index] for index in label.tolist()],
            confidence=confidence.tolist(),
            success=goal.reached(label).tolist(),
            iterations=result.iterations.tolist(),
            forwards=result.forwards.tolist(),
            backwards=result.backwards.tolist(),
            **{f"l2_{name}": delta.norm(dim=1).tolist(), f"linf_{name}": delta.abs().amax(1).tolist()},
        )
        images = images.cpu().numpy()
        made.append((table, [{name: image} if keep else {} for keep, image in zip(rows.kept, images)]))
    return made


if __name__ == "__main__":
    with told_in_one_line():
        main(*sys.argv[1:])
