"""Deprivation: with its declared files and parameters alone in an empty folder, each stage writes the same bytes."""

import hashlib
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import clones
import pytest
import yaml
from test_graph import STUDIES

from stages.frame import parameters
from stages.tools import dependencies, warm


@pytest.fixture(scope="module")
def stages(smoke) -> list[dependencies.Stage]:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(smoke)
        return dependencies.stages()


@pytest.fixture(scope="module")
def waiting() -> Iterator[str]:
    """The `python` that has the libraries loaded."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        with warm.started():
            yield shutil.which("python")


@pytest.mark.parametrize("study", [*STUDIES, "index"])
def test_every_stage_reads_only_what_it_declares(smoke, stages, waiting, tmp_path, study):
    values = parameters.read(smoke / "params.yaml")
    # One stage of each verb by a Python that is started anew: the bytes are those of the one that waits.
    anew = {stage.verb: stage for stage in stages}.values()
    own = [stage for stage in stages if study in stage.command[3:4]]
    assert own
    for number, stage in enumerate(own):
        folder = tmp_path / str(number)
        _deprived(stage, values, smoke, folder)
        python = sys.executable if stage in anew else waiting
        # A scratch folder of its own: what another run has kept does not stand in for what the stage makes.
        done = clones.run(folder, python, *stage.command[1:], check=False, SCRATCH=".scratch")
        assert done.returncode == 0, f"{stage.address} reads what it does not declare:\n{done.stderr[-2000:]}"
        for output in stage.outs:
            assert digest(folder / output) == digest(smoke / output), f"{stage.address}: {output} has other bytes"
        shutil.rmtree(folder)


def _deprived(stage: dependencies.Stage, values: dict, source: Path, folder: Path) -> None:
    """Makes the folder that holds what the stage declares, and nothing else but the packages' `__init__.py`."""
    for dependency in stage.deps:
        _copy(source / dependency, folder / dependency)
    for file in source.glob("stages/**/__init__.py"):
        _copy(file, folder / file.relative_to(source))
    nested: dict = {}
    for name in stage.params:
        *above, last = name.split(".")
        inner, value = nested, values
        for key in above:
            inner, value = inner.setdefault(key, {}), value[key]
        inner[last] = value[last]
    (folder / "params.yaml").write_text(yaml.safe_dump(nested, sort_keys=False))
    for output in stage.outs:
        (folder / output).parent.mkdir(parents=True, exist_ok=True)


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(source, target, ignore=ignored, dirs_exist_ok=True)
    elif not target.exists():
        shutil.copy2(source, target)


def digest(path: Path) -> str:
    """Of a file, or of all files of a folder with their names."""
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    total = hashlib.sha256()
    for file in files:
        if file.is_file():
            total.update(str(file.relative_to(path)).encode() + file.read_bytes())
    return total.hexdigest()
