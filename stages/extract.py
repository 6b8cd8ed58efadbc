"""Verb: decodes a corpus's clips into shards of waveforms: `python -m stages.extract STUDY`."""

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd

from stages.features.audio import read_audio
from stages.frame import clip_table, devices, parameters, shards
from stages.frame.errors import UserError, told_in_one_line

# What the section of a corpus says of its files; the rest is the reader's and the frame's.
READ_WITH = ("sample_rate_hz", "recorded_at_hz", "average_channels")


def main(study: str) -> None:
    """Writes `data/<study>/audio`.

    A clip that can't be read stops the stage, unless `corpora.<study>.skip_unreadable`: then its row says in the
    column `problem` what is wrong, and it has no audio.
    """
    worker = devices.launch()
    given = {key: parameters.section(f"corpora.{study}.{key}") for key in READ_WITH}
    read = parameters.bind(read_audio, f"corpora.{study}", given)
    skip_unreadable = parameters.section(f"corpora.{study}.skip_unreadable")
    root = Path(parameters.section(f"corpora.{study}.root"))
    plan = Path("data", study, "clips.csv")
    table = clip_table.read(plan)

    def read_or_problem(file: str) -> tuple[shards.Arrays, str]:
        try:
            return {"audio": read(root / file)}, ""
        except UserError as error:
            if not skip_unreadable:
                raise
            return {}, str(error)

    def compute(rows: pd.DataFrame) -> tuple[pd.DataFrame, list[shards.Arrays]]:
        # Decoding and resampling leave the interpreter lock, so threads share the cores.
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            arrays, problems = zip(*pool.map(read_or_problem, rows.file))
        seconds = [len(named.get("audio", ())) / given["sample_rate_hz"] for named in arrays]
        return rows.assign(key=rows.clip_id, duration_s=seconds, problem=problems), list(arrays)

    shards.write_set(
        table,
        Path("data", study, "audio"),
        compute,
        inputs=[plan, *(root / file for file in table.file if (root / file).is_file())],
        settings=[given, skip_unreadable],
        worker=worker,
        description=f"extract {study}",
        about={"signal": {"sample_rate_hz": given["sample_rate_hz"]}, "bounds": {"audio": [-1.0, 1.0]}},
    )


if __name__ == "__main__":
    with told_in_one_line():
        main(*sys.argv[1:])
