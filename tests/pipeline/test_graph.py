"""The graph itself, read and not run: its size, what its stages declare, and what of it is in git."""

import sys
from pathlib import Path

import clones
import pytest

from stages.frame import parameters
from stages.tools import dependencies

STUDIES = sorted(path.parent.name for path in (clones.ROOT / "stages/studies").glob("*/dvc.yaml"))


@pytest.fixture(scope="module")
def stages():
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(clones.ROOT)
        return dependencies.stages()


def test_nothing_runs_in_a_fresh_clone():
    """The locks, metrics and tables in git are those of this code and these parameters."""
    lines = clones.dvc(clones.ROOT, "repro", "--dry", "--allow-missing").splitlines()
    assert [line for line in lines if line.startswith("Running stage")] == []


def test_every_stage_declares_the_code_that_it_needs_and_no_other(monkeypatch):
    monkeypatch.chdir(clones.ROOT)
    lines = dependencies.changes(parameters.read())
    assert not lines, "change in dvc.yaml:\n" + "\n".join(lines)


def test_the_house_stays_small(stages):
    def lines(name: str) -> int:
        return len((clones.ROOT / name).read_text().splitlines())

    audits = [stage for stage in stages if stage.command[3] == "audit"]
    assert len(audits) <= 30
    assert len(stages) - len(audits) <= 130
    assert lines("dvc.yaml") <= 120
    assert lines("params.yaml") <= 1250
    for study in STUDIES:
        assert lines(f"stages/studies/{study}/dvc.yaml") <= 180, study
        assert lines(f"stages/studies/{study}/dvc.lock") <= 6000, study
    verbs = {path.stem for path in (clones.ROOT / "stages").glob("*.py")} - {"__init__", "victim"}
    assert verbs == {stage.verb for stage in stages}
    assert len(verbs) <= 12


def test_stages_of_all_studies_are_named_alike(stages):
    for stage in stages:
        name = stage.address.rpartition(":")[2].split("@")[0]
        assert name.split("_")[0] == ("index" if stage.command[3] == "index" else stage.verb)
        study = stage.command[3]
        assert study == "index" or stage.address.startswith(f"stages/studies/{study}/dvc.yaml:")
        # The audit is of other studies' victims.
        assert study == "audit" or all(param.split(".")[0] == study for param in stage.params)


@pytest.mark.parametrize("study", ["speech", "audit"])
def test_the_graph_of_a_page_is_a_screen(study):
    target = f"stages/studies/{study}/dvc.yaml:report"
    lines = clones.dvc(clones.ROOT, "dag", "--collapse-foreach-matrix", target).splitlines()
    assert lines[-1].strip() and f"{target} <- " in "\n".join(lines)
    assert len(lines) <= 60 and max(map(len, lines)) <= 120


def test_no_study_reads_what_is_anothers(stages):
    """So that without a victim of one study no other's report is out of date; an audit is of the others' victims."""
    for stage in stages:
        study = stage.command[3]
        for dep in stage.deps if study not in ("index", "audit") else ():
            if dep.parts[0] in ("data", "models", "reports"):
                assert dep.parts[1] in (study, "embedded"), (stage.address, dep)
            if dep.parts[:2] == ("stages", "studies"):
                assert dep.parts[2] == study, (stage.address, dep)


def test_locks_hold_no_stage_that_is_gone(stages):
    addresses = {stage.address for stage in stages}
    for lock in [Path("dvc.lock"), *(Path(f"stages/studies/{study}/dvc.lock") for study in STUDIES)]:
        above = f"{lock.with_suffix('.yaml')}:" if lock.parent != Path() else ""
        named = {f"{above}{name}" for name in parameters.read(clones.ROOT / lock)["stages"]}
        assert named <= addresses, lock


def test_reports_that_are_not_cached_are_in_git(stages):
    """Else a clone would have neither the file nor a way to it."""
    from dvc.repo import Repo

    with Repo(clones.ROOT) as repo:
        kept = [out.fs_path for stage in repo.index.stages for out in stage.outs if not out.use_cache]
    assert len(kept) > 40
    ignored = clones.run(clones.ROOT, "git", "check-ignore", "--no-index", *kept, check=False)
    assert ignored.stdout == ""
    tracked = set(clones.run(clones.ROOT, "git", "ls-files", "reports").stdout.splitlines())
    tracked |= {str(folder) for file in tracked for folder in Path(file).parents}
    assert {str(Path(path).relative_to(clones.ROOT)) for path in kept} <= tracked


def test_dependencies_are_told_where_something_is_left_out_or_too_much(tmp_path):
    """The deriving itself, on a graph that is wrong on purpose."""
    folder = clones.clone(tmp_path)
    path = folder / "stages/studies/events/dvc.yaml"
    text = path.read_text()
    path.write_text(
        text.replace("stages/victim.py, ", "", 1).replace("stages/listen.py", "stages/listen.py, stages/mix.py")
    )
    extra = folder / "stages/networks/dense.py"
    extra.write_text(extra.read_text() + "\n\ndef later():\n    import stages.measures.sti\n")
    command = [sys.executable, "-m", "stages.tools.dependencies"]
    lines = clones.run(folder, *command, check=False).stdout.splitlines()
    assert "stages/studies/events/dvc.yaml:train@vgg13: + stages/victim.py" in lines
    assert "stages/studies/events/dvc.yaml:listen: - stages/mix.py" in lines
    assert "stages/studies/events/dvc.yaml:train@dense_mel: + stages/measures/sti.py" in lines
    assert not any("train@vgg13: + stages/measures/sti.py" in line for line in lines)
