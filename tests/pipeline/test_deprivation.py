"""Deprivation: what a stage writes with what it declares alone, as in the smoke run, it writes beside all else too."""

import hashlib
import json
import shutil
import sys
from pathlib import Path

import clones
import deprived
import pytest
from test_graph import STUDIES

from stages.tools import dependencies

# Verbs that do alike in all studies: of these one study is enough.
SHOWN = ("listen", "report")


@pytest.fixture(scope="module")
def stages(smoke) -> list[dependencies.Stage]:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(smoke)
        return dependencies.stages()


@pytest.mark.parametrize("study", STUDIES)
def test_a_stage_of_each_verb_writes_the_same_bytes_beside_all_else(smoke, twin, stages, waiting, tmp_path, study):
    # One stage of each verb by a Python that is started anew: the bytes are those of the one that waits.
    anew, own = _one_of_each_verb(stages, STUDIES), _one_of_each_verb(stages, [study])
    for stage in own:
        if stage.verb in SHOWN and stage not in anew:
            continue
        for output in stage.outs:
            shutil.rmtree(twin / output) if (twin / output).is_dir() else (twin / output).unlink()
        python = {} if stage in anew else {"PATH": waiting}
        # A scratch folder of its own: what another run has kept does not stand in for what the stage makes.
        clones.run(twin, *stage.command, SCRATCH=str(tmp_path), **python)
        for output in stage.outs:
            assert digest(twin / output) == digest(smoke / output), f"{stage.address}: {output} has other bytes"


def _one_of_each_verb(stages: list[dependencies.Stage], studies: list[str]) -> list[dependencies.Stage]:
    """Of these studies: the first of each verb, and the last attack, which take less time than others."""
    own = [stage for stage in stages if stage.command[3] in studies]
    found = {stage.verb: stage for stage in reversed(own)}
    return list((found | {stage.verb: stage for stage in own if stage.verb == "attack"}).values())


READS = """
import sys
from pathlib import Path
given = sorted(str(file) for file in Path().rglob("*") if file.is_file() and "__pycache__" not in file.parts)
Path("made").mkdir()
Path("made/out").write_text(" ".join([*given, Path("params.yaml").read_text()]))
sys.exit(len(sys.argv) - 1)
"""


def test_what_a_stage_does_not_declare_is_not_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("stages/__init__.py", "stages/other.py", "data/read/a", "data/b", "made/old"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()
    Path("stages/reads.py").write_text(READS)
    stage = {"deps": ["stages/reads.py", "data/read"], "outs": ["made"], "parameters": "a: {b: 1}"}
    Path("declared.json").write_text(json.dumps({"-m stages.reads": stage, "-m stages.reads fails": stage}))
    assert deprived.run("declared.json", sys.executable, ["-m", "stages.reads", "fails"]) == 1
    assert [path.name for path in Path("made").iterdir()] == ["old"]
    assert deprived.run("declared.json", sys.executable, ["-m", "stages.reads"]) == 0
    assert Path("made/out").read_text() == "data/read/a params.yaml stages/__init__.py stages/reads.py a: {b: 1}"
    assert [path.name for path in Path("made").iterdir()] == ["out"]


def digest(path: Path) -> str:
    """Of a file, or of all files of a folder with their names."""
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    total = hashlib.sha256()
    for file in files:
        if file.is_file():
            total.update(str(file.relative_to(path)).encode() + file.read_bytes())
    return total.hexdigest()
