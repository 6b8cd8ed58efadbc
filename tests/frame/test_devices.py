"""Several processes through Fabric write what one writes; wrong settings of the environment are one line."""

import hashlib
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from stages.frame import devices
from stages.frame.errors import UserError

ROOT = Path(__file__).parents[2]
WRITE = """
import numpy as np, pandas as pd, sys
from pathlib import Path
from stages.frame import devices, shards
worker = devices.launch()
plan = pd.DataFrame({"clip_id": [str(n) for n in range(23)]})
def compute(rows):
    # A file each: lines of two processes on one pipe can run into each other.
    Path(sys.argv[1]).with_name(f"rank{worker.rank}").touch()
    arrays = [{"audio": np.random.default_rng(int(n)).standard_normal(100)} for n in rows.clip_id]
    return rows.assign(key=rows.clip_id), arrays
shards.write_set(plan, sys.argv[1], compute, inputs=[], settings=0, worker=worker, description="t", clips_per_shard=4)
"""
MEET = """
import datetime, sys, time
from stages.frame import devices
from stages.frame.errors import UserError, told_in_one_line
devices.WORD_EVERY_S = 0.5
devices.LONGEST_START, devices.LONGEST_SHARE = (datetime.timedelta(seconds=float(one)) for one in sys.argv[3:])
with told_in_one_line():
    worker = devices.launch()
    if worker.rank == 0 and sys.argv[2] == "fails":
        raise UserError("the stage", "this", "that", "do so")
    if worker.rank == 0:
        time.sleep(3)
    worker.wait_for_all()
"""
# What a batch script of Slurm finds, unless srun starts what is in it.
SLURM = {"SLURM_JOB_ID": "1", "SLURM_JOB_NAME": "train", "SLURM_PROCID": "0", "SLURM_LOCALID": "0", "SLURM_NODEID": "0"}
SLURM |= {"SLURM_NODELIST": "localhost", "SLURM_JOB_NODELIST": "localhost", "SLURM_NTASKS": "2"}

# What srun adds, alone: no word of which process this is.
SRUN = {"SLURM_STEP_NUM_TASKS": "2", "SLURM_NTASKS": "2", "SLURM_NTASKS_PER_NODE": "2", "SLURM_JOB_NAME": "train"}
# What torchrun tells each of two processes.
TORCHRUN = {"WORLD_SIZE": "2", "RANK": "1", "LOCAL_RANK": "1", "GROUP_RANK": "0", "LOCAL_WORLD_SIZE": "2"}
TORCHRUN |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29400", "TORCHELASTIC_RUN_ID": "1"}


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch):
    for name in ("DEVICE", "DEVICES", "NODES", *TORCHRUN, *SLURM, *SRUN):
        monkeypatch.delenv(name, raising=False)


def run(
    script: str, output: Path, *arguments: str, launcher: tuple[str, ...] = (), **environment: str
) -> subprocess.CompletedProcess:
    """The end of the script, run from a file beside the output: Fabric starts it again by its name."""
    path = output.with_suffix(".py")
    path.parent.mkdir(exist_ok=True)
    path.write_text(script)
    scratch = str(output.with_suffix(".scratch"))
    environment = os.environ | {"PYTHONPATH": str(ROOT), "SCRATCH": scratch, "DEVICE": "cpu", **environment}
    # The limit is there for what hangs, however busy the machine is.
    command = [sys.executable, *launcher, path, output, *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=1800)


def written(output: Path, **how: str | tuple[str, ...]) -> tuple[dict[str, str], set[str]]:
    """The files of the set with their digests, and the ranks of those that computed."""
    done = run(WRITE, output, **how)
    assert done.returncode == 0, done.stderr
    ranks = {path.name for path in output.parent.glob("rank*")}
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in output.iterdir()}, ranks


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """The files that one process writes."""
    return written(tmp_path_factory.mktemp("alone") / "out", DEVICES="1")[0]


def test_several_processes_write_the_same_shards_as_one(alone, tmp_path):
    assert written(tmp_path / "out", DEVICES="3") == (alone, {"rank0", "rank1", "rank2"})


def test_torchrun_may_have_started_them(alone, tmp_path):
    torchrun = ("-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2")
    assert written(tmp_path / "out", launcher=torchrun, DEVICES="2") == (alone, {"rank0", "rank1"})


def test_a_batch_script_of_slurm_can_leave_the_start_to_the_stage(tmp_path):
    assert written(tmp_path / "one" / "out", **SLURM, DEVICES="1")[1] == {"rank0"}
    both = SLURM | {"SLURM_NTASKS_PER_NODE": "2", "DEVICES": "2"}
    assert written(tmp_path / "two" / "out", **both)[1] == {"rank0", "rank1"}


def test_slurms_tasks_that_nobody_starts_are_told(monkeypatch):
    for name, value in SLURM.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UserError, match=r"environment variable SLURM_NTASKS: .* found 2, but no srun; .* DEVICES"):
        devices.launch()


@pytest.mark.parametrize(
    ("variables", "found"),
    [
        (SLURM | SRUN, "devices=2"),
        (SRUN | {"DEVICES": "2"}, "'SLURM_[A-Z]+'"),
        (TORCHRUN, "devices=1"),
    ],
)
def test_those_started_from_outside_that_are_not_those_asked_for_are_told(monkeypatch, variables, found):
    for name, value in (variables | {"DEVICE": "cpu"}).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UserError, match=rf"DEVICES, NODES: expected processes that start together; .*{found}"):
        devices.launch()


@pytest.mark.parametrize("name", ["DEVICES", "NODES", "WORLD_SIZE", "SLURM_NTASKS"])
@pytest.mark.parametrize("value", ["0", "two", "-1", "²"])
def test_a_wrong_number_of_processes_is_one_line(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    with pytest.raises(UserError, match=f"environment variable {name}"):
        devices.launch()


def test_machines_that_can_not_meet_are_told_at_once(monkeypatch):
    monkeypatch.setenv("NODES", "2")
    with pytest.raises(UserError, match="NODES: expected where the machines meet; found no MASTER_ADDR"):
        devices.launch()


def test_one_who_waits_for_others_to_start_says_so_and_gives_up(tmp_path):
    meeting = {"NODES": "2", "MASTER_ADDR": "127.0.0.1", "NODE_RANK": "0"}
    done = run(MEET, tmp_path / "out", "comes", "3", "600", **meeting)
    assert done.returncode == 1
    assert "waiting for all 2 processes (DEVICES=1, NODES=2) to start\n" in done.stderr
    assert "error: environment variables DEVICE, DEVICES, NODES: expected processes that start" in done.stderr
    assert "Traceback" not in done.stderr


def test_one_who_waits_for_anothers_share_says_so_and_gives_up_when_it_takes_too_long(tmp_path):
    done = run(MEET, tmp_path / "out", "comes", "600", "1.5", DEVICES="2")
    # Who started the processes ends all of them when one gives up, at times itself among them.
    assert done.returncode in (1, -9)
    assert "process 2 of 2: waiting for the others to do their share\n" in done.stderr
    assert "error: process 2 of 2: expected the others to come here; found " in done.stderr
    assert "Traceback" not in done.stderr


def test_what_is_over_is_not_said_any_more(monkeypatch, capsys):
    monkeypatch.setattr(devices, "WORD_EVERY_S", 0.01)
    before = set(threading.enumerate())
    with devices._saying("at work"):
        (says,) = set(threading.enumerate()) - before
        time.sleep(0.1)
    says.join(60)
    assert not says.is_alive()
    assert capsys.readouterr().err.startswith("at work\nat work\n")


def test_when_one_fails_the_others_end_with_a_line_each(tmp_path):
    done = run(MEET, tmp_path / "out", "fails", "600", "600", DEVICES="2")
    assert done.returncode == 1
    told = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert told[0] == "error: the stage: expected this; found that; do so"
    assert told[1].startswith("error: process 2 of 2: expected the others to come here")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", ["gpu", "cuda:", "meta", "cpu:x"])
def test_a_wrong_name_of_a_device_is_one_line(monkeypatch, name):
    monkeypatch.setenv("DEVICE", name)
    with pytest.raises(UserError, match=f"DEVICE: expected cpu, cuda or cuda:0 and so on; found '{name}'"):
        devices.launch()


@pytest.mark.parametrize("processes", ["1", "2"])
def test_a_device_that_is_not_there_is_one_line(monkeypatch, processes):
    import torch

    if torch.cuda.device_count() > 99:
        pytest.skip("this machine has it")
    monkeypatch.setenv("DEVICE", "cuda:99" if torch.cuda.is_available() else "cuda")
    monkeypatch.setenv("DEVICES", processes if processes == "1" else "99")
    with pytest.raises(UserError, match=r"environment variables? DEVICE"):
        assert devices.launch().device


def test_one_process_needs_no_fabric(monkeypatch):
    monkeypatch.setenv("DEVICE", "cpu")
    worker = devices.launch()
    assert (worker.rank, worker.count, worker.fabric, worker.device) == (0, 1, None, "cpu")


def test_of_what_a_library_says_at_length_the_first_line_is_told():
    assert devices._short(RuntimeError("\n  no such device\nfirst frame\nsecond frame")) == "no such device"
    assert devices._short(ValueError("x" * 500)) == "x" * 200
