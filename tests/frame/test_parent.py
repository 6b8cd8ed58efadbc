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
    subprocess.Popen(["sh", "-c", "sleep 600; true"])

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
WRITING = """
import multiprocessing, threading, time
from stages.frame.parent import follow_parent

def write(begun):
    lock = threading.Lock()
    follow_parent(after=lock)
    with lock, open("text", "w") as file:
        file.write("wh")
        begun.set()
        time.sleep(1)
        file.write("ole")
    time.sleep(600)

if __name__ == "__main__":
    context = multiprocessing.get_context("fork")
    begun = context.Event()
    context.Process(target=write, args=(begun,)).start()
    begun.wait()
    print("begun", flush=True)
    time.sleep(600)
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
    limit = time.monotonic() + 300
    while [one.name() for one in psutil.Process(parent.pid).children(recursive=True)].count("sleep") < 2:
        assert time.monotonic() < limit
        time.sleep(0.05)
    started = psutil.Process(parent.pid).children(recursive=True)
    parent.kill()
    parent.wait()
    while any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in started):
        assert time.monotonic() < limit
        time.sleep(0.05)


def test_a_pool_works_on_after_an_interrupt_and_ends(parent):
    for one in psutil.Process(parent.pid).children():
        one.send_signal(signal.SIGINT)
    parent.stdin.write("\n")
    parent.stdin.flush()
    assert parent.stdout.readline() == "again\n"
    parent.stdin.close()
    assert parent.wait(300) == 0


def test_what_must_not_be_cut_is_waited_for(tmp_path):
    (tmp_path / "pool.py").write_text(WRITING)
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    parent = subprocess.Popen(
        [sys.executable, "pool.py"], cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout.readline() == "begun\n"
    (writer,) = psutil.Process(parent.pid).children()
    parent.kill()
    parent.wait()
    psutil.wait_procs([writer], timeout=300)
    assert (tmp_path / "text").read_text() == "whole"
    assert not writer.is_running()
