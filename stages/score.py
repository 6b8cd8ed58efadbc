"""Verb: what a victim decides on a treated set: `python -m stages.score ITEM`."""

import sys
from pathlib import Path

import pandas as pd

from stages.frame import devices, parameters, shards
from stages.frame.errors import told_in_one_line
from stages.frame.pcm import from_pcm16


def main(item: str) -> None:
    """Writes `data/<study>/scores/<item>/clips.csv`: a row for each clip and transform.

    `outcome` is `GT` where the decision is the clip's true label, `Adv` where it is what the attack had made of it,
    `Diff` otherwise.
    """
    import torch

    from stages import victim
    from stages.victim import padded_batch

    worker = devices.launch()
    values = parameters.section(f"attack_items.{item}")
    study, model = values["study"], Path("models", values["study"], values["network"], values["victim"])
    target_model = victim.load(model, network=values["network"], device=worker.device)
    adversarial = shards.ShardSet(Path("data", study, "adversarial", item)).table.drop(columns="shard")
    source = Path("data", study, "treated", item)
    treated = shards.ShardSet(source)
    plan = treated.table.drop(columns="shard").merge(
        adversarial, left_on="source", right_on="key", suffixes=("", "_source")
    )

    @torch.no_grad()
    def compute(rows: pd.DataFrame) -> tuple[pd.DataFrame, list[shards.Arrays]]:
        inputs = padded_batch([from_pcm16(treated.load(key)["audio"]) for key in rows.key], worker.device)
        label, confidence = target_model.decode(target_model.logits(inputs))
        decisions = target_model.names(label)
        outcomes = [_outcome(*three) for three in zip(decisions, rows.label, rows.adversarial_prediction)]
        return rows.assign(decision=decisions, decision_confidence=confidence.tolist(), outcome=outcomes), [{}] * len(
            rows
        )

    shards.write_set(
        plan,
        Path("data", study, "scores", item),
        compute,
        inputs=[source, model],
        settings=values,
        worker=worker,
        description=f"score {item}",
        clips_per_shard=64,
    )


def _outcome(decision: str, truth: str, adversarial: str) -> str:
    if decision == truth:
        return "GT"
    return "Adv" if decision == adversarial else "Diff"


if __name__ == "__main__":
    with told_in_one_line():
        main(*sys.argv[1:])
