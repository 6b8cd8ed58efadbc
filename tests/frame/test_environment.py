"""What a run records of itself and of the machine that it ran on."""

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta

from stages.frame import environment


def test_the_processor_and_the_versions_are_recorded(tmp_path):
    environment.record(tmp_path)
    recorded = json.loads((tmp_path / "environment.json").read_text())
    assert recorded["python"] == ".".join(map(str, sys.version_info[:3]))
    assert recorded["processor"]
    import numpy

    assert recorded["numpy"] == numpy.__version__
    assert "torch" in recorded


def test_when_and_by_which_commit_it_ran_is_recorded(tmp_path, monkeypatch):
    git = ("git", "-c", "user.name=a", "-c", "user.email=a@b")
    written = [tmp_path / "stages" / name for name in ("code.py", "dvc.lock")]
    written[0].parent.mkdir()
    for file in written:
        file.write_text("1")
    for command in (("init", "-q"), ("add", "stages"), ("commit", "-q", "-m", "first"), ("tag", "v1")):
        subprocess.run([*git, *command], cwd=tmp_path, check=True)
    told = subprocess.run([*git, "rev-parse", "HEAD"], cwd=tmp_path, capture_output=True, text=True).stdout.strip()
    monkeypatch.chdir(tmp_path)

    def recorded() -> dict[str, str]:
        environment.record(tmp_path)
        return json.loads((tmp_path / "environment.json").read_text())

    assert recorded()["commit"] and told.startswith(recorded()["commit"])
    finished = datetime.fromisoformat(recorded()["finished"])
    assert datetime.now(UTC) - finished < timedelta(minutes=3)
    written[1].write_text("2")
    assert told.startswith(recorded()["commit"])
    written[0].write_text("2")
    assert recorded()["commit"].endswith(" and edited") and told.startswith(recorded()["commit"].split()[0])


def test_nothing_is_imported_for_it(tmp_path):
    import subprocess

    script = (
        "import sys; from stages.frame import environment; environment.environment(); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
