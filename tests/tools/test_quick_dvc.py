"""DVC that does nothing twice: as DVC alone, but quicker."""

import contextlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import clones
import pytest

from stages.tools import quick_dvc, warm

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


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A repository of two stages, committed; tests change copies of it."""
    folder = clones.repository(tmp_path_factory.mktemp("made"))
    (folder / "params.yaml").write_text(PARAMS)
    (folder / "dvc.yaml").write_text(GRAPH)
    clones.repro(folder)
    clones.commit(folder)
    return folder


@pytest.fixture
def repository(made, tmp_path, monkeypatch):
    """The repository of two stages, in the working folder."""
    monkeypatch.chdir(shutil.copytree(made, tmp_path, dirs_exist_ok=True))
    monkeypatch.setenv("PYTHONPATH", str(clones.ROOT))
    return tmp_path


def quick(*arguments):
    command = [sys.executable, "-m", "stages.tools.quick_dvc", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_it_is_the_dvc_of_a_shell_whose_path_is_readmes(repository, monkeypatch):
    folders = (clones.ROOT / "stages/tools/bin", Path(sys.executable).parent, os.environ["PATH"])
    monkeypatch.setenv("PATH", ":".join(map(str, folders)))
    told = subprocess.run(["dvc", "dag"], cwd=repository, capture_output=True, text=True, check=True).stdout
    assert told == quick("dag") == "more\nwork\n"


def test_it_is_dvc(repository):
    assert quick("status") == "Data and pipelines are up to date.\n"
    locked = Path("dvc.lock").read_text()
    assert "Ran experiment" in quick("exp", "run", "-S", "work.count=2")
    # As DVC changes it, comments and all.
    assert Path("params.yaml").read_text() == PARAMS.replace("count: 1", "count: 2")
    assert Path("dvc.lock").read_text() == locked.replace("work.count: 1", "work.count: 2")
    assert clones.run(repository, "dvc", "status").stdout == "Data and pipelines are up to date.\n"


def test_an_experiment_has_what_git_does_not_know_yet(repository):
    """A file of one's own that a stage read before, and what a stage writes beside it."""
    own = "  own:\n    cmd: touch table\n    deps: [mine]\n    outs: [table: {cache: false}]\n"
    Path("dvc.yaml").write_text(GRAPH + own)
    Path("mine").touch()
    clones.repro(repository)
    assert clones.run(repository, "git", "ls-files", "mine", "table").stdout == ""
    quick("exp", "run", "-n", "quick", "-S", "work.count=2")
    clones.run(repository, "git", "reset", "-q")
    clones.run(repository, "dvc", "exp", "run", "-n", "plain", "-S", "work.count=3")
    references = clones.run(repository, "git", "for-each-ref", "--format=%(refname)", "refs/exps/**/*").stdout.split()
    files = {
        reference.rpartition("/")[2]: clones.run(repository, "git", "ls-tree", "-r", "--name-only", reference).stdout
        for reference in references
    }
    assert {"mine", "table"} <= set(files["quick"].split()) and files["quick"] == files["plain"]


def test_it_is_by_this_that_experiments_are_run(repository):
    """The name is one of DVC's own, and may change."""
    code = """
import contextlib, runpy, sys
from dvc.repo.experiments.executor.base import BaseExecutor
assert BaseExecutor._repro_and_track.__name__ == "_repro_and_track"
sys.argv = ["quick_dvc", "exp", "list"]
with contextlib.suppress(SystemExit):
    runpy.run_module("stages.tools.quick_dvc", run_name="__main__")
print(BaseExecutor._repro_and_track.__qualname__)
"""
    told = clones.run(repository, sys.executable, "-c", code, PYTHONPATH=str(clones.ROOT)).stdout
    assert told.splitlines()[-1] == "_staging_what_is_new.<locals>.reproduced"


def test_a_dry_run_says_what_would_run_for_something_new(repository):
    """Also where it reads what is not there yet."""
    new = "  first:\n    cmd: touch a\n    outs: [a]\n  second:\n    cmd: touch b\n    deps: [a]\n    outs: [b]\n"
    Path("dvc.yaml").write_text(GRAPH + new)
    told = quick("repro", "--dry", "second")
    assert "Running stage 'first':\n> touch a\n" in told and "Running stage 'second':\n> touch b\n" in told
    assert not Path("a").exists()


def test_a_graph_is_told_in_lines_each_stage_below_what_it_needs():
    """Also where stages of one kind, one of which needs another, are taken together."""
    from networkx import DiGraph

    graph = DiGraph([("train", "prepare"), ("train", "train"), ("report", "train"), ("report", "prepare")])
    assert quick_dvc._outline(graph) == "prepare\ntrain <- prepare\nreport <- prepare, train"
    wide = quick_dvc._outline(DiGraph([("report", f"score@{number:02}") for number in range(30)]))
    assert max(map(len, wide.splitlines())) <= 120 and "\n    score@" in wide


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


def test_a_folder_is_hashed_anew_when_a_file_in_it_is_another(repository):
    """Of another size or time, new, gone, and linked to another."""
    from dvc.output import Output
    from dvc.repo import Repo

    inner = Path("folder/inner")
    inner.mkdir(parents=True)
    (inner / "a").write_text("1")
    asked, of_files = [], {}

    def another_process():
        return quick_dvc._while_noted(lambda output: asked.append(1) or Output._get_hash_meta(output), of_files)

    hashed = another_process()
    with Repo(repository) as repo:
        clones.run(repository, "dvc", "add", "-q", "folder")
        (folder,) = repo.stage.load_one("folder.dvc").outs

        def changed(change):
            before = len(asked)
            change()
            assert hashed(folder) == Output._get_hash_meta(folder)
            return len(asked) > before

        assert changed(lambda: None)
        assert not changed(lambda: None)
        assert changed(lambda: (inner / "a").write_text("12"))
        assert changed(lambda: os.utime(inner / "a", ns=(1, 1)))
        assert changed(lambda: (inner / "b").symlink_to(repository / "params.yaml"))
        assert not changed(lambda: None)
        assert changed(lambda: (repository / "params.yaml").write_text("other: 1"))
        # As it was before.
        assert not changed((inner / "b").unlink)
        hashed = another_process()
        assert not changed(lambda: None)
        assert changed(lambda: (inner / "a").write_text("123"))
        # What is not to be counted is told beside the folder.
        hashed = another_process()
        assert not changed(lambda: None)
        (repository / ".dvcignore").write_text("b\n")
        hashed = another_process()
        assert changed(lambda: None)


def test_a_file_and_an_output_that_is_read_are_hashed_once(repository):
    """A stage that reads another's output asks as the one that writes it does."""
    from dvc.output import Output
    from dvc.repo import Repo

    own = "  reader:\n    cmd: cat out\n    deps: [out]\n"
    Path("dvc.yaml").write_text(GRAPH + own)
    asked = []
    hashed = quick_dvc._while_noted(lambda output: asked.append(1) or Output._get_hash_meta(output), {})
    with Repo(repository) as repo:
        stages = {stage.name: stage for stage in repo.index.stages}
        (read,), (written,) = stages["reader"].deps, stages["work"].outs
        assert hashed(written) == hashed(read) == Output._get_hash_meta(read) and len(asked) == 1
        Path("out").write_text("other")
        assert hashed(read) == Output._get_hash_meta(written) and len(asked) == 2
        Path("out").unlink()
        with pytest.raises(FileNotFoundError):
            hashed(read)


def test_what_one_process_finds_the_next_one_knows(repository):
    quick("status")
    (file,) = (repository / ".dvc/tmp").glob("known-*")
    before = file.read_bytes()
    quick("status")
    assert file.read_bytes() == before
    Path("params.yaml").write_text(PARAMS.replace("1", "12"))
    assert "work.count" in quick("status")
    assert file.read_bytes() != before
    file.write_bytes(before[:100])
    assert "work.count" in quick("status")


def test_stages_are_made_anew_when_a_file_that_they_are_of_is_another(repository):
    """Its graph, its lock, or the parameters; and what is made of files is nothing that is read out of git."""
    from dvc.repo import Repo
    from dvc.repo.index import Index

    asked = []
    made = quick_dvc._while_it_stays(
        lambda cls, repo, path: asked.append(1) or Index.from_file.__func__(cls, repo, path)
    )
    graph = str(repository / "dvc.yaml")

    def stages(change):
        change()
        before = len(asked)
        found = {stage.addressing: stage.dumpd() for stage in made(Index, repo, graph).stages}
        assert found == {stage.addressing: stage.dumpd() for stage in Index.from_file(repo, graph).stages}
        return found, len(asked) > before

    with Repo(repository) as repo:
        assert stages(lambda: None)[1]
        assert not stages(repo._reset)[1]
        assert "more" in stages(lambda: None)[0]
        cut = GRAPH[: GRAPH.index("  more:")]
        found, anew = stages(lambda: Path("dvc.yaml").write_text(cut))
        assert anew and found.keys() == {"work"}
        assert stages(lambda: Path("dvc.lock").write_text("schema: '2.0'\nstages: {}\n"))[1]
        assert stages(lambda: Path("dvc.lock").unlink())[1]
        assert stages(lambda: Path("params.yaml").write_text(PARAMS.replace("1", "12")))[1]
        assert not stages(repo._reset)[1]
        with repo.switch("HEAD"):
            assert len(made(Index, repo, "/dvc.yaml").stages) == 2
            assert len(made(Index, repo, "/dvc.yaml").stages) == 2
        assert len(asked) == 7


def test_what_stages_need_is_started_once_before_the_first_that_runs():
    told = []
    run = quick_dvc._after(lambda: told.append("start"), lambda stage, dry, **named: told.append((stage, dry, named)))
    run("a", dry=True)
    run("b", run_env={"c": "d"})
    run("e")
    assert told == [("a", True, {}), "start", ("b", False, {"run_env": {"c": "d"}}), ("e", False, {})]


def test_its_stages_are_started_by_a_python_that_has_the_libraries_loaded(repository, monkeypatch):
    monkeypatch.setenv("PATH", f"{clones.BIN}:{os.environ['PATH']}")
    Path("dvc.yaml").write_text("stages:\n  which:\n    cmd: cp $(command -v python) .\n    outs: [python]\n")
    quick("repro", "which")
    # What `warm` puts in front.
    assert warm.CLIENT.splitlines()[-1] in Path("python").read_text()


def test_who_reads_notes_it_only_where_another_process_is_at_work(repository):
    """And is told then that it writes, as by DVC alone."""
    import json

    from dvc.lock import LockError
    from dvc.repo import Repo
    from dvc.rwlock import rwlock

    calls = []

    @contextlib.contextmanager
    def noted(*given):
        calls.append(given[3:5])
        with rwlock(*given):
            yield

    held = quick_dvc._where_another_writes(noted)
    with Repo(repository) as repo:
        place = repo.tmp_dir, repo.fs, "me"
        with held(*place, ["a"], [], False):
            assert calls == []
        with held(*place, ["a"], ["b"], False):
            assert calls == [(["a"], ["b"])]
        with held(*place, ["a"], [], False):
            assert len(calls) == 1
        other = {"pid": os.getppid(), "cmd": "other"}
        Path(repo.tmp_dir, "rwlock").write_text(json.dumps({"write": {"a": other}, "read": {}}))
        with pytest.raises(LockError, match="other"), held(*place, ["a"], [], False):
            pass


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


def test_it_is_by_these_that_dvc_makes_stages_and_runs_them(repository, monkeypatch):
    """The names are some of DVC's own, and may change."""
    from dvc.repo import Repo
    from dvc.repo.index import Index
    from dvc.stage import run

    calls, made, ran = [], Index.from_file, run.cmd_run
    monkeypatch.setattr(Index, "from_file", lambda repo, path: calls.append("made") or made(repo, path))
    monkeypatch.setattr(run, "cmd_run", lambda stage, **named: calls.append(sorted(named)) or ran(stage, **named))
    Path("out").unlink()
    with Repo(repository) as repo:
        assert len(repo.index.stages) == 2
        repo.reproduce("work", force=True)
    assert calls[0] == "made" and calls[-1] == ["dry", "run_env"]


def test_it_is_by_these_that_dvc_finds_parameters_hashes_folders_and_changes_locks(repository, monkeypatch):
    """The names are some of DVC's own, and may change."""
    import dpath
    from dvc import dvcfile, rwlock
    from dvc.output import Output
    from dvc.repo import Repo

    calls = set()

    def noted(function):
        def named(*given, **more):
            calls.add(function.__name__)
            return function(*given, **more)

        return named

    for owner, name in ((dpath, "get"), (Output, "_get_hash_meta"), (dvcfile, "modify_yaml"), (rwlock, "rwlock")):
        monkeypatch.setattr(owner, name, noted(getattr(owner, name)))
    Path("out").unlink()
    with Repo(repository) as repo:
        repo.status()
        repo.reproduce("work", force=True)
    assert calls == {"get", "_get_hash_meta", "modify_yaml", "rwlock"}
