"""Verb: makes an adversarial set: `python -m stages.attack ITEM`."""

import sys
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from stages import selection
from stages.frame import clip_table, devices, parameters, shards
from stages.frame.errors import told_in_one_line
from stages.frame.modules import find
from stages.measures.perturbation import relative_loudness_db, snr_db

CLIPS_PER_SHARD = 32


def main(item: str) -> None:
    """Writes `data/<study>/adversarial/<item>`: a row for every clip attacked, failures among them."""
    worker = devices.launch()
    values = parameters.bind(_item, f"attack_items.{item}", parameters.section(f"attack_items.{item}"))()
    study = values["study"]
    source, model = Path("data", study, "audio"), Path("models", study, values["network"], values["victim"])
    plan = _plan(study, model, values["goal"])
    given = parameters.section(f"attacks.{values['attack']}")
    function = find("attacks", values["attack"], "attack", where=f"attack_items.{item}.attack")
    attack = parameters.bind(function, f"attacks.{values['attack']}", given, passed=("bounds",))
    from stages import victim

    target_model = victim.load(
        model, network=values["network"], device=worker.device, attacked_on=values["attacked_on"]
    )
    clips = shards.ShardSet(source)

    def compute(rows: pd.DataFrame) -> tuple[pd.DataFrame, list[shards.Arrays]]:
        return _attacked(rows, clips, target_model, attack, values, worker.device)

    shards.write_set(
        plan,
        Path("data", study, "adversarial", item),
        compute,
        inputs=[source, model],
        settings=[values, given, worker.device.split(":")[0]],
        worker=worker,
        description=f"attack {item}",
        clips_per_shard=CLIPS_PER_SHARD,
    )


def _item(
    *,
    study: str,
    victim: str,
    network: str,
    attack: str,
    goal: Literal["untargeted", "targeted"],
    attacked_on: Literal["logits", "probabilities"],
) -> dict[str, str]:
    """The checked entry of `attack_items`."""
    return locals()


def _plan(study: str, model: Path, goal: str) -> pd.DataFrame:
    """The clips to attack, those of like length together, so that little of a batch is padding."""
    choose = getattr(selection, goal)
    where = f"selection.{study}.{goal}"
    decisions = clip_table.read(model / "decisions.csv")
    plan = parameters.bind(choose, where, parameters.section(where))(decisions)
    return plan.sort_values(["duration_s", "key"], ignore_index=True)


def _attacked(rows: pd.DataFrame, clips: shards.ShardSet, victim: Any, attack: Any, values: dict, device: str):
    """The attacked clips' table and arrays."""
    import torch

    from stages.victim import Goal, padded_batch

    audio = [clips.load(key)["audio"] for key in rows.clip_id]
    inputs = padded_batch(audio, device)
    wanted = rows.target if values["goal"] == "targeted" else rows.label
    goal = Goal(victim.encode(list(wanted)), values["goal"] == "targeted")
    with torch.no_grad():
        clean_label, clean_confidence = victim.decode(victim.logits(inputs))
    result = attack(victim, inputs, goal, bounds=victim.bounds)
    with torch.no_grad():
        label, confidence = victim.decode(victim.logits(result.adversarial))
    perturbed = [wave[: len(own)] for wave, own in zip(result.adversarial["audio"].cpu().numpy(), audio)]
    deltas = [wave - own for wave, own in zip(perturbed, audio)]
    table = rows.assign(
        victim=values["victim"],
        attack=values["attack"],
        goal=values["goal"],
        clean_prediction=victim.names(clean_label),
        clean_confidence=clean_confidence.tolist(),
        adversarial_prediction=victim.names(label),
        confidence=confidence.tolist(),
        success=result.success.tolist(),
        iterations=result.iterations.tolist(),
        forwards=result.forwards.tolist(),
        backwards=result.backwards.tolist(),
        snr_db=[snr_db(own, delta) for own, delta in zip(audio, deltas)],
        relative_loudness_db=[relative_loudness_db(own, delta) for own, delta in zip(audio, deltas)],
        l2_audio=[float((delta.astype("f8") ** 2).sum() ** 0.5) for delta in deltas],
        linf_audio=[float(abs(delta).max()) for delta in deltas],
    )
    return table, [{"audio": wave} for wave in perturbed]


if __name__ == "__main__":
    with told_in_one_line():
        main(*sys.argv[1:])
