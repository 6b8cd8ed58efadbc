"""Verb: attacks every model of a network, at every strength: `python -m stages.sweep ITEM`."""

import inspect
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from stages.frame import clip_table, devices, parameters, shards
from stages.frame.clip_table import stable_hash
from stages.frame.errors import UserError, told_in_one_line
from stages.frame.modules import find
from stages.frame.parameters import Count, NonNegativeInt, Positive

Strength = float | dict[str, float]
# What the verb itself tells an attack, as far as the attack asks for it.
PASSED = ("bounds", "epsilon", "unit", "quantum")


def main(item: str) -> None:
    """Writes `data/<study>/sweeps/<item>`: a row for each model, clip, target, attack and epsilon, failures among them.

    A model is attacked on clips that it was not trained on, all of them or some of each label, also those that it
    decides wrongly, since the score is the recall on attacked data. Models of a defended regime are attacked at the
    epsilon that they were trained with, those of the regime `noise` not at all. What the attacks made is kept for all or
    a few clips and the models trained on real data alone; where it is rounded, as integers of the files' own scale.
    """
    worker = devices.launch()
    values = parameters.bind(_item, f"sweep_items.{item}", parameters.section(f"sweep_items.{item}"))()
    study, network = values["study"], values["network"]
    where = f"sweeps.{study}"
    settings = parameters.bind(_settings, where, parameters.section(where))()
    models = Path("models", study, network)
    sets = [shards.ShardSet(Path("data", study, name)) for name in dict.fromkeys((values["inputs"], values["beside"]))]
    quantum = sets[0].about.get("quantum") if settings["rounded"] else None
    if settings["rounded"] and quantum is None:
        what = {"expected": "a set whose files hold integers", "found": str(sets[0].folder), "do": "set it to false"}
        raise UserError(f"params.yaml: {where}.rounded", **what)
    attacks = {
        name: _bound(name, given, f"{where}.attacks.{name}", unit=settings["unit"], quantum=quantum)
        for name, given in settings["attacks"].items()
    }
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
            made += _attacked(own, sets, opened[folder], attacks, settings, quantum)
        return pd.concat([table for table, _ in made]), [arrays for _, several in made for arrays in several]

    shards.write_set(
        _plan(members, sets[0].table, settings),
        Path("data", study, "sweeps", item),
        compute,
        inputs=[*(one.folder for one in sets), models],
        settings=[values, settings, worker.device.split(":")[0]],
        worker=worker,
        description=f"sweep {item}",
        clips_per_shard=settings["batch_size"],
    )


def _item(*, study: str, inputs: str, beside: str, network: str, victims: list[str]) -> dict:
    """The checked entry of `sweep_items`."""
    return locals()


def _settings(
    *,
    epsilons: list[Positive] | list[dict[str, Positive]],
    attacks: dict,
    attacked_clips_per_label: Count | None,
    kept_clips_per_label: NonNegativeInt | None,
    batch_size: Count,
    unit: dict[str, Positive] | None = None,
    targets: list[str] | None = None,
    rounded: bool = False,
) -> dict:
    """The checked entry of `sweeps`."""
    return locals()


def _bound(name: str, given: dict, where: str, **known: Any) -> Any:
    """The attack of a file with its parameters, and what it asks for of what is known."""
    function = find("attacks", name.split("-")[0], "attack", where=where)
    asked = inspect.signature(function).parameters
    bound = parameters.bind(function, where, given, passed=PASSED)
    return partial(bound, **{key: value for key, value in known.items() if key in asked})


def _members(folder: Path) -> pd.DataFrame:
    """The models of one victim, as its training listed them."""
    table = clip_table.read(folder / "members.csv")
    return table.assign(victim=folder.name, folder=[str(folder / member) for member in table.member])


def _plan(members: pd.DataFrame, clips: pd.DataFrame, settings: dict) -> pd.DataFrame:
    """A row for each model, readable clip that it is judged on and target; `kept` says of which what is made stays.

    Attacked are so many clips of each label (null: all), kept so many of the test clips (null: all that are attacked)
    for the models trained on real data alone, by a hash of their ids.
    """
    attacked, kept = settings["attacked_clips_per_label"], settings["kept_clips_per_label"]
    readable = clips.loc[clips.problem == "", ["clip_id", "label", "text", "speaker", "split", "fold", "duration_s"]]
    order = readable.clip_id.map(stable_hash)
    readable["kept"] = kept is None or ((readable.split == "test") & (_rank(order, readable, "split") <= kept))
    plans = []
    for judged_by, own in members.groupby("judged_by", sort=False):
        chosen = readable if attacked is None else readable[_rank(order, readable, judged_by) <= attacked]
        plans.append(own.merge(chosen.assign(judged_on=chosen[judged_by]), on="judged_on"))
    plan = pd.concat(plans, ignore_index=True).merge(pd.Series(settings["targets"] or [""], name="target"), how="cross")
    plan = plan[plan.target != plan.text] if settings["targets"] else plan
    # Clips of like length lie together, so that little of a batch is padding.
    plan = plan.sort_values(["folder", "duration_s"], kind="stable", ignore_index=True)
    key = plan.clip_id + "/" + plan.victim + "/" + plan.member + ("/" + plan.target).where(plan.target != "", "")
    return plan.assign(key=key, kept=plan.kept & (plan.regime == "single"))


def _rank(order: pd.Series, clips: pd.DataFrame, part: str) -> pd.Series:
    """The place of each clip among those of its label in its part of the corpus."""
    return order.groupby([clips[part], clips.label]).rank(method="first")


def _attacked(
    rows: pd.DataFrame, sets: list[shards.ShardSet], victim: Any, attacks: dict, settings: dict, quantum: dict | None
) -> list[tuple[pd.DataFrame, list[shards.Arrays]]]:
    """Table and arrays of the clips as they are, and after each attack, all by one model."""
    import torch

    from stages.attacks import none
    from stages.victim import Goal, padded_batch

    loaded = [{key: array for one in sets for key, array in one.load(clip).items()} for clip in rows.clip_id]
    raw = [padded_batch([arrays[taken] for arrays in loaded], victim.device, taken) for taken in victim.module.takes]
    inputs = victim.module.prepare({key: value for one in raw for key, value in one.items()})
    wanted = rows.target.where(rows.target != "", rows.label.where(rows.label != "", rows.text))
    goal = Goal(victim.encode(list(wanted)), targeted=bool(settings["targets"]))
    with torch.no_grad():
        clean_label, clean_confidence = victim.decode(victim.logits(inputs))
    regime, epsilon = rows.regime.iloc[0], rows.training_epsilon.iloc[0]
    strengths = {"single": settings["epsilons"], "noise": []}.get(regime, [epsilon])
    runs = [("none", 0.0, none.attack(victim, inputs, goal, bounds=victim.bounds))] + [
        (
            attack,
            strength,
            run(victim, inputs, goal, bounds=victim.bounds, epsilon=_epsilon(strength, settings["unit"], victim)),
        )
        for attack, run in attacks.items()
        for strength in strengths
    ]
    made = []
    for attack, strength, result in runs:
        adversarial = _rounded(result.adversarial, quantum)
        with torch.no_grad():
            label, confidence = victim.decode(victim.logits(adversarial))
        table = rows.drop(columns=["folder", "member"]).assign(
            key=rows.key + f"/{attack}-{_told(strength)}",
            attack=attack,
            epsilon=_told(strength) if isinstance(strength, dict) else strength,
            clean_prediction=victim.names(clean_label),
            clean_confidence=clean_confidence.tolist(),
            adversarial_prediction=victim.names(label),
            confidence=confidence.tolist(),
            success=goal.reached(label).tolist(),
            iterations=result.iterations.tolist(),
            forwards=result.forwards.tolist(),
            backwards=result.backwards.tolist(),
        )
        perturbed = {name: _cut(adversarial[name], [len(arrays[name]) for arrays in loaded]) for name in victim.bounds}
        for name, ones in perturbed.items():
            clean = _cut(inputs[name], [len(one) for one in ones])
            table = table.assign(**_sizes(name, clean, ones))
        kept = rows.kept & (attack != "none" or quantum is None)
        made.append((table, _arrays(perturbed, kept, quantum)))
    return made


def _epsilon(strength: Strength, unit: dict[str, float] | None, victim: Any) -> dict[str, float]:
    """The epsilon of each input that is perturbed, in that input's own units; a bare number is the only input's."""
    if not isinstance(strength, dict):
        (name,) = victim.bounds
        strength = {name: strength}
    unknown = sorted((strength.keys() | (unit or {}).keys()) - victim.bounds.keys())
    if unknown:
        what = {"expected": f"inputs {', '.join(victim.bounds)}", "found": repr(unknown[0])}
        raise UserError("params.yaml: epsilons and unit of sweeps.*", **what, do="correct the name")
    return {name: size * (unit or {}).get(name, 1.0) for name, size in strength.items()}


def _told(strength: Strength) -> str:
    return f"{strength:g}" if not isinstance(strength, dict) else "/".join(f"{one:g}" for one in strength.values())


def _rounded(inputs: dict, quantum: dict[str, float] | None) -> dict:
    """What a file can hold of the inputs: each value to the nearest of the steps of `quantum`, null as it is."""
    return inputs | {name: (inputs[name] / step).round() * step for name, step in (quantum or {}).items()}


def _sizes(name: str, clean: list[Any], perturbed: list[Any]) -> dict[str, list[float]]:
    """How large the perturbation of one input is, by several measures."""
    import numpy as np

    from stages.measures.perturbation import relative_loudness_db, snr_db

    deltas = [after - before for after, before in zip(perturbed, clean)]
    sizes = {
        f"l2_{name}": [float(np.square(delta, dtype="f8").sum() ** 0.5) for delta in deltas],
        f"linf_{name}": [float(np.abs(delta).max()) for delta in deltas],
    }
    if name == "audio":
        sizes |= {
            "snr_db_audio": [snr_db(*pair) for pair in zip(clean, deltas)],
            "relative_loudness_db_audio": [relative_loudness_db(*pair) for pair in zip(clean, deltas)],
        }
    return sizes


def _arrays(perturbed: dict[str, list[Any]], kept: pd.Series, quantum: dict | None) -> list[shards.Arrays]:
    """The arrays of each row that is kept: as they are, or where they are rounded as the integers of files."""
    from stages.frame.pcm import to_pcm16

    def as_integers(name: str, array: Any) -> Any:
        return array if quantum is None else to_pcm16(array) if name == "audio" else array.astype("u1")

    return [
        {name: as_integers(name, ones[row]) for name, ones in perturbed.items()} if keep else {}
        for row, keep in enumerate(kept)
    ]


def _cut(batch: Any, lengths: list[int]) -> list[Any]:
    """Each example as an array without what pads it."""
    return [example[:length] for example, length in zip(batch.cpu().numpy(), lengths)]


if __name__ == "__main__":
    with told_in_one_line():
        main(*sys.argv[1:])
