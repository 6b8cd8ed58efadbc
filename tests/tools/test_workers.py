"""The processes that run stages: what is told when one is killed, and that they leave nothing half done or running."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import clones
import psutil
import pytest
from distributed import get_worker
from soon import soon

from stages.frame.errors import UserError
from stages.tools import cluster, computing, workers

RUN = """
from stages.tools import graph, workers
if __name__ == "__main__":
    workers.run({"work": set()}, 1)
"""

BEGUN = """
import multiprocessing, time
from stages.tools import quick_dvc, stage_process

def work(begun):
    stage_process.begin({})
    from dvc.dvcfile import Lockfile
    with quick_dvc.writing, open("lock", "w") as file:
        file.write(f"{hasattr(Lockfile.dump_stages, '__wrapped__')}, wh")
        begun.set()
        time.sleep(1)
        file.write("ole")
    time.sleep(600)

if __name__ == "__main__":
    context = multiprocessing.get_context("spawn")
    begun = context.Event()
    worker = context.Process(target=work, args=(begun,))
    worker.start()
    begun.wait()
    print(worker.pid, flush=True)
    time.sleep(600)
"""


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """Makes a repository of one stage with this command, and goes there."""
    monkeypatch.chdir(tmp_path)
    # Nobody loads libraries for stages that are no Python.
    monkeypatch.setenv("DEVICES", "2")

    def made(command: str) -> Path:
        clones.repository(tmp_path)
        Path("dvc.yaml").write_text(f"stages:\n  work:\n    cmd: {command}\n    outs: [out]\n")
        return tmp_path

    return made


def test_a_process_that_is_killed_each_time_is_told(repository):
    repository("kill -9 $PPID")
    with pytest.raises(UserError, match=r"work: .* found that it was killed, maybe as memory .* fewer JOBS"):
        workers.run({"work": set()}, 1)


def test_a_stage_whose_process_is_killed_begins_anew_when_what_that_left_has_ended(repository):
    """The shell goes on after its DVC is killed, as a stage does."""
    folder = repository("test -e once && touch out || { echo $$ > once; kill -9 $PPID; sleep 600; }")
    workers.run({"work": set()}, 1)
    assert (folder / "out").exists()
    assert not psutil.pid_exists(int((folder / "once").read_text()))


def test_a_failed_stage_stops_what_needs_it_alone_and_is_told_with_its_log(repository, capsys):
    folder = repository("'echo error: of its own; false'")
    with Path("dvc.yaml").open("a") as file:
        file.write(
            "  needs:\n    cmd: touch none\n    outs: [none]\n  other:\n    cmd: sleep 2; touch one\n    outs: [one]\n"
        )
    needed = {"needs": {"work"}, "work": set(), "other": set()}
    line = "work: expected a stage that ends well; found of its own; see .scratch/logs/work.log; finished"
    with pytest.raises(UserError, match=re.escape(line)):
        workers.run(needed, 2)
    assert (folder / "one").exists() and not (folder / "none").exists()
    assert "work: failed: of its own; see .scratch/logs/work.log\n" in capsys.readouterr().out
    assert "Running stage 'work'" in (folder / ".scratch/logs/work.log").read_text()


def test_what_the_cache_has_is_told(repository, capsys):
    repository("cat in > out")
    Path("dvc.yaml").write_text(Path("dvc.yaml").read_text() + "    deps: [in]\n")
    for text, how in (("1", "done"), ("2", "done"), ("1", "from the cache")):
        Path("in").write_text(text)
        workers.run({"work": set()}, 1)
        assert f"work: {how} in " in capsys.readouterr().out


def test_with_nothing_else_to_say_the_last_line_is_told(tmp_path):
    log = tmp_path / "log"
    log.write_text("one\ntwo\n")
    assert computing.last_word(log) == "two"
    log.write_text("")
    assert computing.last_word(log) == "not a word"


def test_a_long_stage_is_named_once_in_a_while_and_timed_at_its_end(repository, monkeypatch, capsys):
    monkeypatch.setattr(workers, "WORD_EVERY_S", 0.5)
    repository("sleep 2; echo 1 > out; echo what came out")
    with Path("dvc.yaml").open("a") as file:
        file.write("  later:\n    cmd: touch it\n    outs: [it]\n")
    workers.run({"work": set(), "later": set()}, 1)
    told = capsys.readouterr().out
    assert "\nwhat came out\nwork: done in" in told
    assert "still at work: work\n" in told
    assert int(re.search(r"work: done in (\d+) s\n", told)[1]) >= 2


def test_a_stage_begins_when_those_it_waits_for_are_done_and_works_in_one_thread(repository, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    folder = repository("sleep 1; touch out")
    with Path("dvc.yaml").open("a") as file:
        file.write("  second:\n    cmd: test -e out && echo $OMP_NUM_THREADS > threads\n    outs: [threads]\n")
    workers.run({"second": {"work"}, "work": set()}, 2)
    assert (folder / "threads").read_text() == "1\n"


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_when_the_run_is_killed_or_interrupted_nothing_of_it_stays(repository, how):
    """An interrupt from the keyboard reaches all processes of the run."""
    folder = repository("echo begun; sleep 600")
    (folder / "run.py").write_text(RUN)
    environment = os.environ | {"PYTHONPATH": str(clones.ROOT), "DEVICES": "1"}
    command, streams = [sys.executable, "-u", "run.py"], {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command, **streams, text=True, env=environment, start_new_session=True)
    log = folder / ".scratch/logs/work.log"
    assert soon(lambda: log.exists() and "begun\n" in log.read_text())
    started = psutil.Process(process.pid).children(recursive=True)
    assert len(started) > 2
    if how == signal.SIGINT:
        os.killpg(process.pid, how)
    else:
        process.kill()
    process.wait(300)
    assert soon(lambda: not any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in started))


def test_a_process_of_the_pool_writes_locks_whole_and_ends_with_a_killed_run(tmp_path):
    (tmp_path / "run.py").write_text(BEGUN)
    environment = os.environ | {"PYTHONPATH": str(clones.ROOT)}
    run = subprocess.Popen([sys.executable, "run.py"], cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True)
    worker = psutil.Process(int(run.stdout.readline()))
    run.kill()
    run.wait()
    psutil.wait_procs([worker], timeout=300)
    assert not worker.is_running()
    assert (tmp_path / "lock").read_text() == "True, whole"


def _sleep(name: str, *needed: tuple) -> tuple[str, int, float, float, int]:
    """Who slept as long as its name says, at which worker, from when till when, and how many waited there for that."""
    began, worker = time.monotonic(), get_worker()
    time.sleep(float(name.split("-")[1]))
    return name, worker.name, began, time.monotonic(), len(worker.state.ready)


def _idle_s(slept: list[tuple], waits_for: dict[str, set[str]], began: float) -> float:
    """How long at most one of two workers idled while something waited whose needs were there."""
    ends, longest = {name: end for name, _, _, end, _ in slept}, 0.0
    for name, _, start, *_ in slept:
        ready = max([ends[one] for one in waits_for[name]], default=began)
        for worker in (0, 1):
            own = [(first, last) for _, other, first, last, _ in slept if other == worker]
            busy = sum(max(0.0, min(last, start) - max(first, ready)) for first, last in own)
            longest = max(longest, start - ready - busy)
    return longest


@pytest.mark.parametrize("gpus", [0, 2])
def test_no_worker_idles_while_a_stage_waits(tmp_path, monkeypatch, gpus):
    """Two that Dask knows to be long are short this time, and one of which it knows nothing is long.

    A stage for a GPU waits at a worker, and is taken over by one that idles; any other waits at none.
    """
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cluster, "gpus", lambda: [str(number) for number in range(gpus)])
    first, second = {"attack-2.4", "train-2.4"}, {"attack-0.2", "train-0.2", "score-2.2"}
    third = {f"attack-0.3-{number}" for number in range(4)}
    waits_for = {one: set() for one in first} | dict.fromkeys(second, first) | {one: {"attack-0.2"} for one in third}
    with cluster.opened(2, None) as client:
        began = time.monotonic()
        slept = client.gather(list(workers.submitted(client, _sleep, waits_for).values()))
    assert {name for name, *_ in slept} == set(waits_for)
    assert _idle_s(slept, waits_for, began) < 0.5
    assert gpus or not any(behind for *_, behind in slept)
