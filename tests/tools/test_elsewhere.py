"""Workers in clones of their own share a run by an address and a cache; those that differ are told before it begins."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import clones
import pytest

from stages.frame.errors import UserError
from stages.tools import sharing, slurm

ASK = """
import sys
from stages.frame.errors import told_in_one_line
from stages.tools import cluster, sharing, workers
if __name__ == "__main__":
    cluster.CONNECTS_WITHIN_S = float(sys.argv[2])
    with told_in_one_line():
        workers.run({"c": {"a", "b"}, "b": {"a"}, "a": set()}, 1, sys.argv[1])
        sharing.restore(["a", "b", "c"])
"""
RESTORE = """
from stages.frame.errors import told_in_one_line
from stages.tools import sharing
if __name__ == "__main__":
    with told_in_one_line():
        sharing.restore(["a"])
        print("restored")
"""
# What runs is noted in a file beside the clones.
GRAPH = """
stages:
  a: {cmd: cat in > a && echo a >> ../ran, deps: [in], outs: [a]}
  b: {cmd: cat a a > b && echo b >> ../ran, deps: [a], outs: [b]}
  c: {cmd: cat a b > c && echo c >> ../ran, deps: [a, b], outs: [c]}
"""


@pytest.fixture
def started(tmp_path, monkeypatch):
    """Starts commands that end with the test."""
    # Nobody loads libraries for stages that are no Python.
    environment = os.environ | {
        "PYTHONPATH": str(clones.ROOT),
        "DEVICES": "2",
        "PATH": f"{clones.BIN}:{os.environ['PATH']}",
    }
    running = []

    def start(folder: Path, *arguments: str) -> subprocess.Popen:
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        running.append(subprocess.Popen([sys.executable, *arguments], cwd=folder, env=environment, **streams))
        return running[-1]

    yield start
    for process in running:
        process.kill()
        process.wait()


@pytest.fixture
def address(started, tmp_path):
    """Where a scheduler answers."""
    file = tmp_path / "scheduler.json"
    options = ("--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(file))
    started(tmp_path, "-m", "distributed.cli.dask_scheduler", *options)
    limit = time.monotonic() + 300
    while not file.exists() or not file.read_text():
        assert time.monotonic() < limit
        time.sleep(0.05)
    return json.loads(file.read_text())["address"]


@pytest.fixture
def asker(tmp_path):
    """A repository whose cache clones can share."""
    folder = tmp_path / "asker"
    folder.mkdir()
    clones.repository(folder)
    for name, text in {"dvc.yaml": GRAPH, "in": "1\n", "params.yaml": "a: 1\n", "ask.py": ASK}.items():
        (folder / name).write_text(text)
    (folder / ".gitignore").write_text("/a\n/b\n/c\n/.scratch\n")
    clones.commit(folder)
    return folder


def cloned(asker: Path, name: str) -> Path:
    folder = asker.with_name(name)
    clones.run(asker, "git", "clone", "-q", str(asker), str(folder))
    clones.run(folder, "dvc", "cache", "dir", "--local", str(asker / ".dvc/cache"))
    return folder


@pytest.mark.parametrize("shared", ["cache", "remote"])
def test_workers_compute_and_who_asked_has_it_all(asker, address, started, shared):
    """By a remote each has a cache of its own, and takes from the other what its stage needs."""
    if shared == "remote":
        clones.run(asker, "dvc", "remote", "add", "-d", "made", str(asker.with_name("made")))
        clones.commit(asker)
    workers = [cloned(asker, name) for name in ("one", "two")]
    for worker in workers:
        if shared == "remote":
            clones.run(worker, "dvc", "config", "--local", "--unset", "cache.dir")
        started(worker, "-m", "stages.tools.join", address)
    told = started(asker, "ask.py", address, "300").communicate()[0]
    assert all(f"\n{name}: done in " in told for name in "abc"), told
    assert (asker / "c").read_text() == "1\n1\n1\n"
    assert asker.with_name("ran").read_text() == "a\nb\nc\n"
    computed = [path.name for worker in workers for path in worker.glob(".scratch/logs/*.log")]
    assert sorted(computed) == ["a.log", "b.log", "c.log"]
    assert not (asker / ".scratch/logs").exists()


def test_a_worker_with_other_parameters_is_told_before_anything_runs(asker, address, started):
    worker = cloned(asker, "one")
    (worker / "params.yaml").write_text("a: 2\n")
    joined = started(worker, "-m", "stages.tools.join", address)
    assert "at work for" in joined.stdout.readline()
    told = started(asker, "ask.py", address, "300").communicate()[0]
    assert told.startswith("error: worker on ") and "expected params.yaml " in told and told.count("\n") == 1
    assert not (worker / "a").exists()


def test_of_what_dvc_says_when_all_is_restored_nothing_is_told_but_an_error(asker, started):
    (asker / "restore.py").write_text(RESTORE)
    assert started(asker, "restore.py").communicate()[0] == "restored\n"
    (asker / "in").unlink()
    told = started(asker, "restore.py").communicate()[0]
    assert told.startswith("error: dvc repro: expected what the workers have computed; found ")
    assert "'in'" in told and told.count("\n") == 1


def test_code_that_is_no_commits_is_told(asker, monkeypatch):
    monkeypatch.chdir(asker)
    (asker / "params.yaml").write_text("a: 2\n")
    before = sharing.state()
    (asker / "in").write_text("2\n")
    with pytest.raises(UserError, match=r"git: expected code as committed; found M in; commit it"):
        sharing.state()
    with pytest.raises(UserError, match="expected commit 0; found"):
        (asker / "in").write_text("1\n")
        sharing.check(before | {"commit": "0"})


def test_nobody_at_the_address_is_one_line(asker, started):
    told = started(asker, "ask.py", "tcp://127.0.0.1:1", "1").communicate()[0]
    assert told.startswith("error: CLUSTER=tcp://127.0.0.1:1: expected a Dask scheduler") and told.count("\n") == 1


def test_a_job_of_slurm_clones_the_folder_and_shares_its_cache(asker, monkeypatch):
    pytest.importorskip("dask_jobqueue", reason="dask-jobqueue is not installed")
    monkeypatch.chdir(asker)
    with slurm.opened(("--gpus=1", "--time=8:00:00")) as queue:
        lines = queue.job_script().splitlines()
    assert {"#SBATCH --gpus=1", "#SBATCH --time=8:00:00", f"dvc cache dir --local {asker}/.dvc/cache"} <= set(lines)
    assert f"git clone --quiet {asker} clone && cd clone" in lines
    assert "--no-nanny" in lines[-1] + lines[-2] and "--resources GPU=1" in lines[-1] + lines[-2]
    assert not any(line.startswith("#SBATCH -t ") for line in lines)
