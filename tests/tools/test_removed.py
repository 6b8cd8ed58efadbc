"""Entries that were taken out again: what they left is gone, and nothing is out of date for it."""

import shutil
from pathlib import Path

import clones
import pytest
import yaml

from stages.frame import parameters
from stages.tools import graph

GRAPH = """
vars: ["../../../params.yaml:one"]
stages:
  score:
    foreach: ${one.entries}
    do:
      wdir: ../../..
      cmd: mkdir -p data/one/${key} && echo ${item} > data/one/${key}/clips.csv
      params: ["one.entries.${key}"]
      outs: ["data/one/${key}"]
  report:
    wdir: ../../..
    cmd: cat data/one/a/clips.csv > report.csv
    params: [one.entries.a]
    deps: [data/one]
    outs: [report.csv]
"""
REPORT = "stages/studies/one/dvc.yaml:report"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A repository that has run with the entry `a`."""
    folder = clones.repository(tmp_path_factory.mktemp("made"))
    (folder / ".gitignore").write_text("/data/\n")
    (folder / "stages/studies/one").mkdir(parents=True)
    (folder / "stages/studies/one/dvc.yaml").write_text(GRAPH)
    _write(folder, a=1)
    clones.repro(folder, "stages", recursive=True)
    return folder


def _write(folder, **values):
    (folder / "params.yaml").write_text(yaml.safe_dump({"one": {"entries": values}}))


@pytest.fixture
def write(made, tmp_path, monkeypatch):
    """Writes params.yaml of a repository that has run with the entry `a`, and what is out of date then."""
    monkeypatch.chdir(shutil.copytree(made, tmp_path, dirs_exist_ok=True))

    def entries(**values):
        _write(tmp_path, **values)
        return graph.outdated([REPORT], parameters.read())

    return entries


def test_a_folder_that_is_read_is_without_the_entry_what_it_was_before(write, tmp_path):
    lock = Path("stages/studies/one/dvc.lock")
    before = lock.read_text()
    assert REPORT in write(a=1, b=2)
    clones.repro(tmp_path, "stages", recursive=True)
    assert Path("data/one/b/clips.csv").exists() and "score@b" in lock.read_text()
    assert write(a=1, b=2) == {}
    # What lies beside it is nobody's business; report.csv was of a folder that held b.
    Path("data/one.txt").touch()
    assert list(write(a=1)) == [REPORT]
    assert not Path("data/one/b").exists() and Path("data/one/a").exists() and Path("data/one.txt").exists()
    clones.repro(tmp_path, "stages", recursive=True)
    assert lock.read_text() == before
    # With its entry it comes back from the cache.
    write(a=1, b=2)
    told = clones.run(tmp_path, "dvc", "repro", "-R", "stages").stdout
    assert "score@b' is cached - skipping run" in told and Path("data/one/b/clips.csv").read_text() == "2\n"


def test_what_a_stage_of_another_name_writes_now_stays(write, tmp_path):
    path = Path("stages/studies/one/dvc.yaml")
    path.write_text(path.read_text().replace("  score:", "  scored:"))
    assert "stages/studies/one/dvc.yaml:scored@a" in write(a=1)
    assert Path("data/one/a/clips.csv").exists() and "score@a" not in path.with_suffix(".lock").read_text()


def test_of_a_graph_that_never_ran_nothing_goes(write):
    Path("stages/studies/one/dvc.lock").unlink()
    assert set(write(a=1)) == {REPORT, "stages/studies/one/dvc.yaml:score@a"}
    assert Path("data/one/a/clips.csv").exists()


def test_a_graph_that_is_left_without_a_stage_leaves_neither_lock_nor_outputs(write, tmp_path):
    Path("stages/studies/one/own").mkdir()
    graph_of_own = GRAPH[: GRAPH.index("  report:")].replace("../../..", "../../../..").replace("entries", "own")
    Path("stages/studies/one/own/dvc.yaml").write_text(graph_of_own)
    params, lock = Path("params.yaml"), Path("stages/studies/one/own/dvc.lock")
    params.write_text(yaml.safe_dump({"one": {"entries": {"a": 1}, "own": {"mine": 3}}}))
    clones.repro(tmp_path, "stages", recursive=True)
    assert lock.exists() and Path("data/one/mine/clips.csv").exists()
    params.write_text(yaml.safe_dump({"one": {"entries": {"a": 1}, "own": {}}}))
    graph.outdated([REPORT], parameters.read())
    assert not lock.exists() and not Path("data/one/mine").exists() and Path("data/one/a").exists()


def test_what_a_graph_made_that_is_not_joined_now_stays(write, tmp_path):
    study = tmp_path / "stages/studies/two"
    shutil.copytree(tmp_path / "stages/studies/one", study)
    (study / "dvc.yaml").unlink()
    lock = (study / "dvc.lock").read_text().replace("data/one", "data/two")
    (study / "dvc.lock").write_text(lock)
    shutil.copytree(tmp_path / "data/one", tmp_path / "data/two")
    write(a=1)
    assert (study / "dvc.lock").read_text() == lock
    assert (tmp_path / "data/two").exists()
