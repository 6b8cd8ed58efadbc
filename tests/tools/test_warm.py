"""A `python` that has the libraries loaded runs stages as one that is started anew."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import clones
import psutil
import pytest
from soon import soon

from stages.tools import warm

MODULE = """
import atexit, os, subprocess, sys, threading, time
own = sorted(name for name in sys.modules if name.startswith("stages"))
print(sys.argv[1:], os.getcwd(), os.environ["TOLD"], "torch" in sys.modules, __name__, own)
print("to stderr", file=sys.stderr)
if sys.argv[1] == "starts":
    atexit.register(print, "at the end")
    threading.Thread(target=lambda: (time.sleep(0.5), print("when threads are done"))).start()
    print(subprocess.run(["false"]).returncode, os.environ.get("OF_THE_SERVER"))
if sys.argv[1] == "exit": sys.exit(int(sys.argv[2]))
if sys.argv[1] == "say": sys.exit("error: one line")
if sys.argv[1] == "raise": raise ValueError("seen in full")
if sys.argv[1] == "die": os.kill(os.getpid(), 9)
if sys.argv[1] == "wait":
    import time
    try:
        print("waiting", flush=True)
        # In pieces: an interrupt just before a sleep does not end that one.
        for _ in range(6000): time.sleep(0.1)
    except KeyboardInterrupt:
        open("ended", "w").close()
"""
START = """
import os, time
from stages.tools import warm
with warm.started():
    print(os.environ["PATH"].split(":")[0], flush=True)
    time.sleep(600)
"""


@pytest.fixture(scope="module")
def started():
    """The process that waits for stages, of an environment that has one variable more than those who ask."""
    os.environ["OF_THE_SERVER"] = "yes"
    try:
        before = set(psutil.Process().children())
        with warm.started():
            del os.environ["OF_THE_SERVER"]
            (server,) = set(psutil.Process().children()) - before
            yield server
    finally:
        os.environ.pop("OF_THE_SERVER", None)


@pytest.fixture
def stage(started, tmp_path):
    (tmp_path / "stages").mkdir()
    (tmp_path / "stages/__init__.py").touch()
    (tmp_path / "stages/work.py").write_text(MODULE)

    def run(*arguments: str) -> subprocess.CompletedProcess:
        command = ["python", "-m", "stages.work", *arguments]
        environment = os.environ | {"TOLD": "yes"}
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)

    return run


def test_it_has_arguments_folder_environment_and_libraries_and_no_other_code(stage, tmp_path):
    done = stage("a b", "c")
    assert done.stdout == f"['a b', 'c'] {tmp_path} yes True __main__ ['stages']\n"
    assert done.stderr == "to stderr\n"
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        (("exit", "0"), 0, ""),
        (("exit", "3"), 3, ""),
        (("say",), 1, "error: one line\n"),
        (("raise",), 1, "ValueError: seen in full\n"),
        (("die",), 1, "error: the stage was killed\n"),
    ],
)
def test_it_ends_as_it_would(stage, arguments, status, told):
    done = stage(*arguments)
    assert done.returncode == status
    assert done.stderr.startswith("to stderr\n")
    assert done.stderr.endswith(told or "to stderr\n")


def test_what_a_stage_starts_is_its_own_and_what_it_does_at_its_end_is_done(stage):
    assert stage("starts").stdout.splitlines()[1:] == ["1 None", "when threads are done", "at the end"]


def test_it_stays_after_an_interrupt_and_keeps_no_ended_stage(stage, started):
    started.send_signal(signal.SIGINT)
    # Else it is started anew, and has no libraries.
    assert "yes True __main__" in stage("one").stdout
    assert soon(lambda: not started.children())


@pytest.mark.parametrize("interrupt", [signal.SIGINT, signal.SIGKILL])
def test_a_stage_ends_with_who_asked_for_it(stage, tmp_path, interrupt):
    """An interrupt from the keyboard reaches both: who asked waits for the stage's end and says nothing."""
    stage("one")
    command = ["python", "-m", "stages.work", "wait"]
    environment = os.environ | {"TOLD": "yes"}
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    asking = subprocess.Popen(command, cwd=tmp_path, env=environment, **streams)
    assert "waiting\n" in asking.stdout
    asking.send_signal(interrupt)
    if interrupt == signal.SIGINT:
        with pytest.raises(subprocess.TimeoutExpired):
            asking.wait(1)
        asking.kill()
    assert soon((tmp_path / "ended").exists)
    assert asking.stderr.read() == "to stderr\n"
    asking.wait()


def test_it_ends_with_who_started_it(tmp_path):
    environment = os.environ | {"PYTHONPATH": str(clones.ROOT), "DEVICES": "1", "PATH": str(clones.BIN)}
    starter = subprocess.Popen([sys.executable, "-c", START], stdout=subprocess.PIPE, text=True, env=environment)
    folder = starter.stdout.readline().strip()
    started = psutil.Process(starter.pid).children()
    assert len(started) == 1
    starter.kill()
    starter.wait()
    assert soon(lambda: not started[0].is_running())
    # The command is still there, and starts a python anew.
    done = subprocess.run([Path(folder, "python"), "-m", "json.tool", "--help"], capture_output=True, text=True)
    assert done.stdout.startswith("usage: ")


def test_one_after_another_and_other_commands_work(stage):
    assert stage("one").stdout != stage("two").stdout
    done = subprocess.run(["python", "-c", "print(2 + 3)"], capture_output=True, text=True)
    assert done.stdout == "5\n"


def test_without_it_python_is_what_it_was(monkeypatch):
    # Another test may have one that waits.
    monkeypatch.setenv("PATH", os.defpath)
    before = os.environ["PATH"]
    with warm.started():
        assert os.environ["PATH"] != before
    assert os.environ["PATH"] == before


def test_several_processes_a_stage_are_started_as_ever(monkeypatch):
    monkeypatch.setenv("DEVICES", "2")
    before = os.environ["PATH"]
    with warm.started():
        assert os.environ["PATH"] == before


def test_who_asks_for_it_begins_with_the_libraries_loaded(monkeypatch):
    # So that no process waits already.
    monkeypatch.setenv("PATH", f"{clones.BIN}:{os.environ['PATH']}")
    before = set(psutil.Process().children())
    with warm.started(loaded=True):
        (server,) = set(psutil.Process().children()) - before
        assert any("libtorch" in one.path for one in server.memory_maps())
