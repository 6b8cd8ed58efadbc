"""One run at a time: a second one is told at once, a killed one is forgotten."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from stages.frame.alone import alone
from stages.frame.errors import UserError

# Holds the lock, hands it down to a forked child that outlives it, and says when.
HOLD = """
import os, sys, time
from pathlib import Path
from stages.frame.alone import alone
with alone(Path(sys.argv[1]), "here"):
    if os.fork() == 0:
        print(os.getpid(), flush=True)
    time.sleep(600)
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the lock, and a child of its own."""
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-c", HOLD, tmp_path / "lock"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    child = int(process.stdout.readline())
    yield process
    process.kill()
    process.wait()
    os.kill(child, signal.SIGKILL)


def test_a_second_run_is_told_at_once_with_the_number_of_the_first(tmp_path, holder):
    started = time.monotonic()
    expected = rf"^the work: expected no other run here; found another run is active \(PID {holder.pid}\); wait"
    for _ in range(2):
        with pytest.raises(UserError, match=expected), alone(tmp_path / "lock", "the work"):
            pass
    assert time.monotonic() - started < 300


def test_a_killed_run_is_forgotten_though_a_child_outlives_it(tmp_path, holder):
    holder.kill()
    holder.wait()
    with alone(tmp_path / "lock", "the work"):
        assert (tmp_path / "lock").read_text() == str(os.getpid())
    assert not (tmp_path / "lock").exists()


def test_it_goes_where_the_block_fails(tmp_path):
    with pytest.raises(ValueError, match="of the block"), alone(tmp_path / "lock", "the work"):
        raise ValueError("of the block")
    assert not list(tmp_path.iterdir())
