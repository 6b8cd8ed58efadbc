"""Ground floor: how a run was made: when, by which commit, on which processor, with which versions of what computes."""

import functools
import json
import os
import platform
import re
import subprocess
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

# Those that a number can come from; what reads and writes files is pinned in requirements.txt.
PACKAGES = ("numpy", "scipy", "pandas", "torch", "torchaudio", "scikit-learn", "transformers", "pesq", "pystoi", "dvc")

# What a run itself does not write.
CODE = ("stages", "params.yaml", ":!*.lock")


@functools.cache
def environment() -> dict[str, str]:
    """The machine and the versions in use, without importing any of them."""
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return {
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        **versions,
    }


def record(folder: Path) -> None:
    """Writes `environment.json` into the folder: in git, beside the metrics, and no output of a stage.

    As an output it would make two machines that agree on every number disagree on the lock.
    """
    finished = datetime.now(UTC).isoformat(sep=" ", timespec="minutes")
    text = json.dumps({"finished": finished, "commit": _commit()} | environment(), indent=1) + "\n"
    (folder / "environment.json").write_text(text, encoding="utf-8")


def _commit() -> str:
    """The commit that is checked out, and whether code or parameters were edited since; empty where git tells none."""
    told = _git("rev-parse", "--short", "HEAD").stdout.strip()
    edited = _git("diff", "--quiet", "HEAD", "--", *CODE).returncode == 1
    return f"{told} and edited" if told and edited else told


def _git(*command: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(["git", *command], capture_output=True, text=True)


def _processor() -> str:
    """The processor's name, as the system tells it."""
    try:
        told = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.M)
    except OSError:
        told = None
    return told[1] if told else platform.processor() or platform.machine()
