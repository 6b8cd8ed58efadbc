"""Benchmarks: what the house costs beside plain loops and other toolkits; `python -m benchmarks.all` runs all of them.

None is a stage: they change nothing that the pipeline makes.
"""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}


def run_alone(*arguments: str, folder: Path = ROOT) -> tuple[str, float]:
    """Output of `python -m ...` in `folder`, in a process of its own with one thread, and its peak memory in MiB.

    A process's peak begins with what its parent held at that moment, so a caller must not have loaded torch.

    Raises:
        subprocess.CalledProcessError: it failed.
    """
    environment = {**os.environ, **ONE_THREAD, "PYTHONPATH": str(ROOT), "DEVICE": "cpu"}
    command = [sys.executable, "-m", *arguments]
    with subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True) as process:
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return output, usage.ru_maxrss / 1024


def table(heads: list[str], rows: list[list[str]]) -> str:
    """A markdown table, the first column to the left, the others to the right."""
    lines = [heads, ["---", *["---:"] * (len(heads) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
