"""Verb: treats a set with every transform of its study: `python -m stages.transform ITEM`."""

import sys
from pathlib import Path

import pandas as pd

from stages.frame import devices, parameters, shards
from stages.frame.clip_table import stable_hash
from stages.frame.errors import told_in_one_line
from stages.frame.modules import find
from stages.frame.pcm import from_pcm16, to_pcm16


def main(item: str) -> None:
    """Writes `data/<study>/treated/<item>`: int16 audio, each clip as a 16-bit file would come out of each transform."""
    worker = devices.launch()
    study = parameters.section(f"attack_items.{item}.study")
    sample_rate_hz = parameters.section(f"corpora.{study}.sample_rate_hz")
    given = parameters.section(f"transforms.{study}")
    transforms = {name: _bound(study, name, dict(values)) for name, values in given.items()}
    source = Path("data", study, "adversarial", item)
    clips = shards.ShardSet(source)

    def compute(rows: pd.DataFrame) -> tuple[pd.DataFrame, list[shards.Arrays]]:
        files = [from_pcm16(to_pcm16(clips.load(key)["audio"])) for key in rows.key]
        table, arrays = [], []
        for name, transform in transforms.items():
            seeds = [stable_hash(f"{key}/{name}") for key in rows.key]
            treated = transform(files, sample_rate_hz=sample_rate_hz, seeds=seeds)
            table.append(
                pd.DataFrame({"key": [f"{key}/{name}" for key in rows.key], "source": rows.key, "transform": name})
            )
            arrays += [{"audio": to_pcm16(waveform)} for waveform in treated]
        return pd.concat(table), arrays

    output = Path("data", study, "treated", item)
    settings = [given, sample_rate_hz]
    responses = [values["impulse_response"] for values in given.values() if "impulse_response" in values]
    shards.write_set(
        clips.table,
        output,
        compute,
        inputs=[source, *responses],
        settings=settings,
        worker=worker,
        description=f"transform {item}",
        clips_per_shard=32,
    )


def _bound(study: str, name: str, values: dict):
    where = f"transforms.{study}.{name}"
    return parameters.bind(
        find("transforms", values.pop("transform"), "transform", where=f"{where}.transform"), where, values
    )


if __name__ == "__main__":
    with told_in_one_line():
        main(*sys.argv[1:])
