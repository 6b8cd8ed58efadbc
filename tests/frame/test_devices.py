"""Several processes through Fabric write what one writes; wrong settings of the environment are one line."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from stages.frame import devices
from stages.frame.errors import UserError

ROOT = Path(__file__).parents[2]
SCRIPT = """
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


def run(tmp_path: Path, name: str, processes: int) -> tuple[dict[str, str], set[str]]:
    """The files of the set with their digests, and the ranks of those that computed."""
    script = tmp_path / "work.py"
    script.write_text(SCRIPT)
    environment = os.environ | {
        "PYTHONPATH": str(ROOT),
        "SCRATCH": str(tmp_path / "scratch"),
        "DEVICE": "cpu",
        "DEVICES": str(processes),
    }
    output = tmp_path / name / "out"
    output.parent.mkdir()
    # The limit is there for what hangs, however busy the machine is.
    command = [sys.executable, script, output]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=1800)
    assert done.returncode == 0, done.stderr
    ranks = {path.name for path in output.parent.glob("rank*")}
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in output.iterdir()}, ranks


def test_two_processes_write_the_same_shards_as_one(tmp_path):
    alone, _ = run(tmp_path, "one", 1)
    together, ranks = run(tmp_path, "two", 2)
    assert alone == together
    assert ranks == {"rank0", "rank1"}


@pytest.mark.parametrize("value", ["0", "two", "-1"])
def test_a_wrong_number_of_devices_is_one_line(monkeypatch, value):
    monkeypatch.setenv("DEVICES", value)
    with pytest.raises(UserError, match="environment variable DEVICES"):
        devices.launch()


def test_one_process_needs_no_fabric(monkeypatch):
    monkeypatch.delenv("DEVICES", raising=False)
    monkeypatch.setenv("DEVICE", "cpu")
    worker = devices.launch()
    assert (worker.rank, worker.count, worker.fabric, worker.device) == (0, 1, None, "cpu")
