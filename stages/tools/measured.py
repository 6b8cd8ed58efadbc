"""Tool: writes down what a whole run took, for `plan` and `order`: `python -m stages.tools.measured LOG`."""

import re
from pathlib import Path

import pandas as pd

from stages.frame import clip_table, parameters
from stages.frame.errors import UserError, run
from stages.frame.text import read_text
from stages.tools.plan import FOLDER, MEASURED, read

ENDED = re.compile(r"^stages/studies/(\w+)/dvc.yaml:(\S+): done in (\d+) s$", re.MULTILINE)


def main(log: str = "") -> None:
    """Renews the tables in `scales` by what `make reproduce` printed into the file `log`, and by what it left.

    Seconds, as before where the log has a stage not done, and bytes of stages (writing built-in corpora is no part of
    a plan); what attacks asked of networks; how many clips each set has.

    Raises:
        UserError: the log has no stage that ended.
    """
    ended = {(study, stage): int(seconds) for study, stage, seconds in ENDED.findall(read_text(log))}
    if not ended:
        raise UserError(log, "lines of stages that are done", "none", "name what make reproduce printed")
    _took(ended).to_csv(FOLDER / "measured.csv", index=False)
    _asked().to_csv(FOLDER / "passes.csv", index=False)
    clips = read("corpora")
    for row in clips[clips.scale == MEASURED].itertuples():
        for column, value in _clips(row.study, row.set).items():
            clips.loc[row.Index, column] = value
    clips.to_csv(FOLDER / "corpora.csv", index=False)


def _took(ended: dict[tuple[str, str], int]) -> pd.DataFrame:
    """Seconds and megabytes of each stage that a lock has and that has been timed."""
    took = {**read("measured").set_index(["study", "stage"]).seconds, **ended}
    rows = []
    for lock in sorted(Path("stages/studies").glob("*/dvc.lock")):
        study = lock.parent.name
        for stage, noted in sorted(parameters.read(lock)["stages"].items()):
            if (study, stage) in took and not stage.startswith("embed"):
                megabytes = round(sum(one["size"] for one in noted["outs"]) / 1e6, 2)
                rows.append([study, stage, took[study, stage], megabytes])
    return pd.DataFrame(rows, columns=["study", "stage", "seconds", "megabytes"])


def _asked() -> pd.DataFrame:
    """Clips, forward and backward passes of each attack of each set."""
    parts = []
    for file in sorted(Path("data").glob("*/adversarial/*/clips.csv")):
        made = clip_table.read(file).query("attack != 'none'").groupby("attack", sort=False)
        counts = made.agg(clips=("key", "size"), forwards=("forwards", "sum"), backwards=("backwards", "sum"))
        parts.append(counts.reset_index().assign(study=file.parts[1], set=file.parts[3]))
    columns = ["study", "set", "attack", "clips", "forwards", "backwards"]
    return pd.concat(parts)[columns].astype({"forwards": int, "backwards": int})


def _clips(study: str, name: str) -> dict[str, float]:
    table = clip_table.read(Path("data", study, name, "clips.csv"))
    table = table[table.problem == ""]
    return {**table.split.value_counts(), "clip_s": round(table.duration_s.mean(), 2)}


if __name__ == "__main__":
    run(main)
