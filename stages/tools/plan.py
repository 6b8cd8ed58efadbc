"""Tool: what a whole run at a scale takes, stage by stage: `python -m stages.tools.plan paper`.

What networks do is counted, and takes what it takes a machine: at the scale that was measured the processor it was
measured on, at another one a GPU, of which nothing was measured. All else takes as long for its work as it was measured
to take; so do bytes.
"""

import json
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from stages.frame import parameters
from stages.frame.errors import UserError, run
from stages.tools import scale as scales
from stages.tools import work
from stages.tools.operations import Cost, cost
from stages.tools.passes import Clips, Passes

FOLDER = Path("scales")
MEASURED = "embedded"
BYTES = 4
# What training holds of each parameter: itself, its gradient, and two moments of Adam.
COPIES = 4
TOLD = ["passes", "pflop", "gpu_h", "cpu_h", "memory_gb", "disk_gb"]
COUNTED: dict[str, Cost] = {}


class Machine(NamedTuple):
    """Seconds for a kernel to begin, for a floating-point operation, and for a value to be written.

    A backward pass takes `backward` forward ones.
    """

    kernel_s: float
    operation_s: float
    value_s: float
    backward: float


# An NVIDIA A100, assumed: half of the 19.5 TFLOP/s in float32 and of the 2 TB/s of its data sheet, each value written
# once and read twice; a kernel begins after what PyTorch takes.
GPU = Machine(kernel_s=5e-6, operation_s=1 / 9.75e12, value_s=3 * BYTES / 1e12, backward=2)
# One core of the processor of `measured.csv`: the networks there are so small that the values they write decide. What
# one takes is the median of stages, see `checked`.
CPU = Machine(kernel_s=0, operation_s=0, value_s=1, backward=4)


def main(scale: str = "") -> None:
    """Prints a row for each stage and each study; at the scale that was measured, how well networks' are foretold.

    Raises:
        UserError: there is no such scale.
    """
    known = read("corpora").scale.unique()
    if scale not in known:
        raise UserError("SCALE", f"one of {', '.join(known)}", repr(scale), "make plan SCALE=...")
    table = foretold(at(scale), at(MEASURED))
    rounded = {"float_format": "{:.3g}".format, "na_rep": ""}
    print(table[["study", "stage", *TOLD]].to_string(index=False, **rounded), end="\n\n")
    print(totals(table).to_string(**rounded))
    if scale == MEASURED:
        print(f"\n{checked(table).to_string()}")


def at(scale: str) -> dict[str, work.Study]:
    """Every study at a scale: what git has of params.yaml, with the scale's changes."""
    values, reference = (scales.committed_values("params.yaml") or parameters.read() for _ in range(2))
    if scale != MEASURED:
        scales.apply(values, parameters.read(FOLDER / f"{scale}.yaml"), str(FOLDER / f"{scale}.yaml"))
    table = read("corpora")
    studies = {}
    for study, own in table[table.scale == scale].groupby("study", sort=False):
        sets = {row.set: Clips(*row[list(Clips._fields)]) for _, row in own.iterrows()}
        studies[study] = work.Study(values[study], sets, asked(study, values[study], reference[study]))
    return studies


def asked(study: str, section: dict[str, Any], reference: dict[str, Any]) -> dict[tuple[str, str], tuple[float, float]]:
    """Forward and backward passes of a clip by each attack of each set of a section of params.yaml.

    As many as were counted when its attacks had the reference's parameters, times how many more steps there are now.
    """
    table = read("passes")
    counted = table[table.study == study].set_index(["set", "attack"])
    found = {}
    for name, entry in section["attacked"].items():
        # Of a set that carries its own attack nothing was counted.
        for attack in entry.get("attacks", []):
            steps, row = _steps(section, entry, attack), (name, attack.rpartition(".")[2])
            if row in counted.index:
                one = counted.loc[row]
                more = steps / _steps(reference, entry, attack) / one.clips
                found[name, attack] = one.forwards * more, one.backwards * more
            else:
                found[name, attack] = (steps, 0.0 if row[1] == "none" else steps)
    return found


def _steps(section: dict[str, Any], entry: dict[str, Any], attack: str) -> float:
    plan = section["plans"][entry["plan"]]
    return work.steps(work.entry_of(section["attacks"], attack), plan.get("epsilons", []))


def foretold(there: dict[str, work.Study], here: dict[str, work.Study]) -> pd.DataFrame:
    """A row for each measured stage of these studies: what it needs at the scale `there` if it was measured `here`."""
    measured = read("measured").query("study in @there")
    table, before = pd.concat([measured, needs(there, measured)], axis=1), needs(here, measured)
    # What networks do is a GPU's.
    table["cpu_h"] = (table.seconds * table.read / before.read / 3600).where(table.passes.isna(), 0.0)
    return table.assign(disk_gb=table.megabytes / 1000 * table.left / before.left)


def needs(studies: dict[str, work.Study], measured: pd.DataFrame) -> pd.DataFrame:
    """Of each measured stage: passes, their PFLOP and their hours on `GPU`, and memory; NaN where there is no network.

    A pass is a clip's, forward or backward; `written` are values of passes as `CPU` counts them. With `read` grows the
    time of a stage without a network, with `left` what a stage leaves.
    """
    rows = [_of_stage(studies[row.study], row.stage) for row in measured.itertuples()]
    return pd.DataFrame(rows, index=measured.index)


def _of_stage(study: work.Study, stage: str) -> dict[str, float]:
    passes = [(one, counted(study, one)) for one in work.passes(study, stage)]
    if not passes:
        return {"read": work.read(study, stage), "left": work.left(study, stage)}
    learns = stage.startswith(("train", "pretrain"))
    return {
        "passes": sum(one.forwards + one.backwards for one, _ in passes),
        "pflop": sum((one.forwards + GPU.backward * one.backwards) * each.operations for one, each in passes) / 1e15,
        "gpu_h": sum(seconds(GPU, one, each) for one, each in passes) / 3600,
        "memory_gb": max(memory(one, each, COPIES if learns else 1) for one, each in passes) / 1e9,
        "written": sum(seconds(CPU, one, each) for one, each in passes),
        # A model leaves its parameters.
        "left": passes[0][1].parameters if learns else work.left(study, stage),
    }


def seconds(machine: Machine, passes: Passes, each: Cost) -> float:
    """What passes take, of which one costs `each`: every batch its kernels, every clip its operations and values."""
    count = passes.forwards + machine.backward * passes.backwards
    a_clip = machine.operation_s * each.operations + machine.value_s * each.values
    return count * (machine.kernel_s * each.kernels / passes.batch_size + a_clip)


def memory(passes: Passes, each: Cost, copies: int) -> float:
    """Bytes of so many copies of the parameters, and of all values of a batch if a backward pass needs them."""
    return BYTES * (copies * each.parameters + passes.batch_size * each.values * (passes.backwards > 0))


def counted(study: work.Study, passes: Passes) -> Cost:
    """The cost of a clip's pass; each network is counted once."""
    section = study.section
    inputs = section["victims"].get(passes.network, {}).get("inputs")
    labels = study.sets.get(inputs, next(iter(study.sets.values()))).labels
    parts = [section.get(part) for part in ("victims", "corpora", "features", "pretrained", "pretraining")]
    key = json.dumps([parts, passes.network, passes.clip_s, labels], sort_keys=True)
    if key not in COUNTED:
        COUNTED[key] = cost(section, passes.network, passes.clip_s, labels)
    return COUNTED[key]


def totals(table: pd.DataFrame) -> pd.DataFrame:
    """A row for each study."""
    added = table.groupby("study")[[name for name in TOLD if name != "memory_gb"]].sum()
    return added.join(table.groupby("study").memory_gb.max())[TOLD]


def checked(table: pd.DataFrame) -> pd.DataFrame:
    """For each study the seconds of its networks' stages as foretold by the four others, and as measured.

    A value takes the median of what it took in stages of the others.
    """
    own = table.dropna(subset="passes")
    rows = {}
    for study, stages in own.groupby("study"):
        others = own[own.study != study]
        took = stages.written.sum() * (others.seconds / others.written).median()
        rows[study] = {"foretold_s": took, "measured_s": stages.seconds.sum()}
    made = pd.DataFrame(rows).T
    return made.assign(ratio=made.foretold_s / made.measured_s).round({"foretold_s": 0, "ratio": 2})


def read(name: str) -> pd.DataFrame:
    """A table of the folder `scales`."""
    return pd.read_csv(FOLDER / f"{name}.csv")


if __name__ == "__main__":
    run(main)
