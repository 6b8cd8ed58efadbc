"""DVC with whole locks that reads a text once: as DVC alone, but quicker, and an interrupt waits for a lock."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import clones
import pytest

from stages.tools import quick_dvc

PARAMS = "# how many\nwork: {count: 1, names: [a, b]}\n"
GRAPH = """stages:
  work:
    cmd: touch out
    params: [work.count]
    outs: [out]
  more:
    cmd: touch more
    params: [work.names]
    outs: [more]
"""


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A repository of two stages, committed, in the working folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(clones.ROOT))
    clones.run(tmp_path, "git", "init", "-q")
    clones.run(tmp_path, "dvc", "init", "-q")
    (tmp_path / "params.yaml").write_text(PARAMS)
    (tmp_path / "dvc.yaml").write_text(GRAPH)
    clones.run(tmp_path, "dvc", "repro", "-q")
    clones.run(tmp_path, "git", "add", ".")
    clones.run(tmp_path, "git", "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "first")
    return tmp_path


def quick(*arguments):
    command = [sys.executable, "-m", "stages.tools.quick_dvc", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_it_is_dvc(repository):
    assert quick("status") == "Data and pipelines are up to date.\n"
    locked = Path("dvc.lock").read_text()
    assert "Ran experiment" in quick("exp", "run", "-S", "work.count=2")
    # As DVC changes it, comments and all.
    assert Path("params.yaml").read_text() == PARAMS.replace("count: 1", "count: 2")
    assert Path("dvc.lock").read_text() == locked.replace("work.count: 1", "work.count: 2")
    assert clones.run(repository, "dvc", "status").stdout == "Data and pipelines are up to date.\n"


def test_a_text_is_parsed_once_and_each_time_anew_for_its_caller():
    parsed = []

    def parse(text, path, typ="safe"):
        parsed.append((text, typ))
        return {"text": text, "of": [typ]}

    remembered = quick_dvc._remembered(parse)
    first = remembered("a", "x")
    first["of"].append("changed")
    assert remembered("a", "x") == {"text": "a", "of": ["safe"]}
    assert remembered("b", "x")["text"] == "b"
    assert remembered("a", "x", typ="rt")["of"] == ["rt"]
    assert parsed == [("a", "safe"), ("b", "safe"), ("a", "rt")]


def test_it_is_by_this_that_dvc_reads_parameters(repository):
    """The name is one of DVC's own, and may change."""
    from dvc.repo import Repo
    from dvc.utils.serialize import _yaml

    parsed, parse = [], _yaml.parse_yaml
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_yaml, "parse_yaml", lambda text, path, typ="safe": parsed.append(text) or parse(text, path, typ))
        with Repo(repository) as repo:
            repo.status()
    assert parsed.count(PARAMS) == 3  # for the graph, and for each stage


def test_an_interrupt_waits_for_a_lock_to_be_written():
    written = []

    def write(text):
        for letter in text:
            os.kill(os.getpid(), signal.SIGINT)
            written.append(letter)

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        quick_dvc._uninterrupted(write)("whole")
    assert "".join(written) == "whole"
    assert signal.getsignal(signal.SIGINT) is before
    assert quick_dvc._uninterrupted(len)("abc") == 3


def test_it_is_by_this_that_dvc_writes_locks(repository):
    """The name is one of DVC's own, and may change."""
    from dvc.dvcfile import Lockfile
    from dvc.repo import Repo

    calls, write = [], Lockfile.dump_stages
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Lockfile, "dump_stages", lambda *given, **named: calls.append(1) or write(*given, **named))
        Path("out").unlink()
        with Repo(repository) as repo:
            repo.reproduce("work", force=True)
    assert calls == [1]
