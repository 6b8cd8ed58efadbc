"""What a run records of the machine that it ran on."""

import json
import sys

from stages.frame import environment


def test_the_processor_and_the_versions_are_recorded(tmp_path):
    environment.record(tmp_path)
    recorded = json.loads((tmp_path / "environment.json").read_text())
    assert recorded["python"] == ".".join(map(str, sys.version_info[:3]))
    assert recorded["processor"]
    import numpy

    assert recorded["numpy"] == numpy.__version__
    assert "torch" in recorded


def test_nothing_is_imported_for_it(tmp_path):
    import subprocess

    script = (
        "import sys; from stages.frame import environment; environment.environment(); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
