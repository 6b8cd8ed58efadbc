"""Whose notes in DVC's list still hold: those of a live run stop the next one, those of a dead one do not."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from stages.frame.errors import UserError
from stages.tools import at_work


@pytest.fixture
def noted(tmp_path, monkeypatch):
    """Writes notes of a process as DVC does, so many seconds ago."""
    monkeypatch.chdir(tmp_path)
    at_work.NOTES.parent.mkdir(parents=True)

    def note(process: int, seconds_ago: float = 0.0) -> Path:
        entry = {"pid": process, "cmd": "dvc repro train"}
        at_work.NOTES.write_text(json.dumps({"write": {"/x/models": entry}, "read": {"/x/data": [entry]}}))
        then = at_work.NOTES.stat().st_mtime - seconds_ago
        os.utime(at_work.NOTES, (then, then))
        return at_work.NOTES

    return note


@pytest.fixture
def process():
    """One that lives and has just begun."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield process
    process.kill()
    process.wait()


def test_where_nobody_was_at_work_nothing_is_told(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    at_work.check()


def test_a_live_one_is_told_and_its_notes_stay(noted, process):
    notes = noted(process.pid)
    with pytest.raises(UserError, match=rf"another run is active \(PID {process.pid}: dvc repro train\)"):
        at_work.check()
    assert notes.exists()


def test_notes_of_a_dead_one_go(noted, process):
    process.kill()
    process.wait()
    notes = noted(process.pid)
    at_work.check()
    assert not notes.exists()


def test_notes_go_whose_number_another_process_has_by_now(noted, process):
    """DVC would say that it is blocked by this process for as long as it lives."""
    notes = noted(process.pid, seconds_ago=3600)
    at_work.check()
    assert not notes.exists()


@pytest.mark.parametrize("text", ["", '{"write": {"/x'])
def test_notes_that_a_kill_has_cut_go(noted, text):
    notes = noted(1)
    notes.write_text(text)
    at_work.check()
    assert not notes.exists()


def test_commands_of_killed_runs_here_are_ended_and_no_others(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    stages = {"a": str(tmp_path), "b": str(tmp_path), "of another folder": str(tmp_path / "other")}
    left = {}
    for stage, folder in stages.items():
        environment = os.environ | {"DVC_ROOT": folder, "DVC_STAGE": stage}
        left[stage] = subprocess.Popen(["sleep", "600"], env=environment)
    try:
        at_work.end_left_behind("a")
        assert [process.poll() is None for process in left.values()] == [False, True, True]
        at_work.end_left_behind()
        assert [process.poll() is None for process in left.values()] == [False, False, True]
    finally:
        for process in left.values():
            process.kill()
            process.wait()
