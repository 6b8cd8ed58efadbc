"""Verb: how good enhanced clips are, and what recognisers hear in them: `python -m stages.assess ITEM`."""

import sys
from pathlib import Path
from typing import Any

import pandas as pd

from stages.frame import devices, parameters, shards
from stages.frame.errors import told_in_one_line
from stages.frame.parameters import Count
from stages.frame.pcm import from_pcm16
from stages.measures.speech_quality import quality


def main(item: str) -> None:
    """Writes `data/<study>/assessed/<item>/clips.csv`: a row for each row of the enhanced set and each recogniser.

    Quality is that of noisy mixtures and of attacked files, not played, since a room is no fault of an enhancer, against
    the clean speech. `recogniser` is who hears, `victim` whose gradients or answers an attacked clip was made with.
    """
    worker = devices.launch()
    where = f"assessments.{item}"
    values = parameters.bind(_item, where, parameters.section(where))()
    study = values["study"]
    enhanced = shards.ShardSet(Path("data", study, "enhanced", item))
    folders = {name: Path("models", study, network, name) for name, network in values["recognisers"].items()}
    opened: dict[str, Any] = {}

    def compute(rows: pd.DataFrame) -> tuple[pd.DataFrame, list[shards.Arrays]]:
        from stages import victim

        if not opened:
            for name, folder in folders.items():
                opened[name] = victim.load(folder, network=values["recognisers"][name], device=worker.device)
        waveforms = [from_pcm16(enhanced.load(key)["audio"]) for key in rows.key]
        rows = _with_quality(rows, waveforms, enhanced).rename(columns={"recogniser": "victim"})
        made = [_heard(rows, waveforms, name, recogniser) for name, recogniser in opened.items()]
        table = pd.concat(made, ignore_index=True)
        return table, [{}] * len(table)

    shards.write_set(
        enhanced.table.drop(columns="shard"),
        Path("data", study, "assessed", item),
        compute,
        inputs=[enhanced.folder, *folders.values()],
        settings=[values, worker.device.split(":")[0]],
        worker=worker,
        description=f"assess {item}",
        clips_per_shard=values["batch_size"],
    )


def _item(*, study: str, recognisers: dict[str, str], batch_size: Count) -> dict:
    """The checked entry of `assessments`; `recognisers` gives the network of each model."""
    return locals()


def _with_quality(rows: pd.DataFrame, waveforms: list[Any], enhanced: shards.ShardSet) -> pd.DataFrame:
    """The rows with the columns of `quality`, empty for what is played and for what is clean."""
    measured = rows.version.isin(["noisy", "file"]).to_numpy()
    if "attack" in rows:
        measured = measured & (rows.attack != "none").to_numpy()
    clean = [from_pcm16(enhanced.load(source)["clean"]) for source in rows.source[measured]]
    made = quality(
        clean,
        [waveform for waveform, chosen in zip(waveforms, measured) if chosen],
        enhanced.about["signal"]["sample_rate_hz"],
        processes=None,
    )
    made.index = rows.index[measured]
    # The level that a mixture was made at is not the SNR that is measured.
    return rows.rename(columns={"snr_db": "mixed_at_db"}).join(made)


def _heard(rows: pd.DataFrame, waveforms: list[Any], name: str, recogniser: Any) -> pd.DataFrame:
    """The rows with this recogniser's transcripts."""
    import torch

    from stages.victim import padded_batch

    with torch.no_grad():
        label, confidence = recogniser.decode(recogniser.logits(padded_batch(waveforms, recogniser.device)))
    return rows.assign(
        key=rows.key + f"/{name}",
        recogniser=name,
        transcript=recogniser.names(label),
        transcript_confidence=confidence.tolist(),
    )


if __name__ == "__main__":
    with told_in_one_line():
        main(*sys.argv[1:])
