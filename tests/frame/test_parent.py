"""Processes of a pool leave interrupts to their parent, and end when it is killed, with what they have started."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

POOL = """
import multiprocessing, subprocess, sys
from concurrent.futures import ProcessPoolExecutor
from stages.frame.parent import follow_parent

def work(_):
    subprocess.Popen(["sleep", "600"])

if __name__ == "__main__":
    context = multiprocessing.get_context(sys.argv[1])
    with ProcessPoolExecutor(2, context, initializer=follow_parent) as pool:
        list(pool.map(work, range(2)))
        print("begun", flush=True)
        sys.stdin.readline()
        list(pool.map(work, range(2)))
        print("again", flush=True)
        sys.stdin.readline()
"""


@pytest.fixture(params=["spawn", "fork"])
def parent(tmp_path, request):
    """One with a pool that has done some work and waits for more."""
    (tmp_path / "pool.py").write_text(POOL)
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    command = [sys.executable, tmp_path / "pool.py", request.param]
    process = subprocess.Popen(command, env=environment, **streams)
    assert process.stdout.readline() == "begun\n"
    yield process
    process.kill()
    process.wait()


def test_a_pool_ends_with_a_killed_parent(parent):
    started = psutil.Process(parent.pid).children(recursive=True)
    assert len([one for one in started if one.name() == "sleep"]) == 2
    parent.kill()
    parent.wait()
    limit = time.monotonic() + 300
    while any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in started):
        assert time.monotonic() < limit
        time.sleep(0.05)


def test_a_pool_works_on_after_an_interrupt(parent):
    for one in psutil.Process(parent.pid).children():
        if one.name() != "sleep":
            one.send_signal(signal.SIGINT)
    parent.stdin.write("\n")
    parent.stdin.flush()
    assert parent.stdout.readline() == "again\n"
