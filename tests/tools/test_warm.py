"""A `python` that has the libraries loaded runs stages as one that is started anew."""

import os
import subprocess

import pytest

from stages.tools import warm

MODULE = """
import os, sys
own = sorted(name for name in sys.modules if name.startswith("stages"))
print(sys.argv[1:], os.getcwd(), os.environ["TOLD"], "torch" in sys.modules, __name__, own)
print("to stderr", file=sys.stderr)
if sys.argv[1] == "exit": sys.exit(int(sys.argv[2]))
if sys.argv[1] == "say": sys.exit("error: one line")
if sys.argv[1] == "raise": raise ValueError("seen in full")
if sys.argv[1] == "die": os.kill(os.getpid(), 9)
"""


@pytest.fixture(scope="module")
def started():
    with warm.started():
        yield


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


def test_one_after_another_and_other_commands_work(stage):
    assert stage("one").stdout != stage("two").stdout
    done = subprocess.run(["python", "-c", "print(2 + 3)"], capture_output=True, text=True)
    assert done.stdout == "5\n"


def test_without_it_python_is_what_it_was():
    before = os.environ["PATH"]
    with warm.started():
        assert os.environ["PATH"] != before
    assert os.environ["PATH"] == before


def test_several_processes_a_stage_are_started_as_ever(monkeypatch):
    monkeypatch.setenv("DEVICES", "2")
    before = os.environ["PATH"]
    with warm.started():
        assert os.environ["PATH"] == before
