"""Tool: workers as jobs of Slurm: `python -m stages.tools.slurm JOBS [OPTION OF SBATCH ...]`, beside a run that asks.

Each job clones this folder, which all nodes see, works in a folder of its own there (see `stages.tools.join`), and
shares this one's cache. The address that is printed is the run's CLUSTER. Needs the package dask-jobqueue.
"""

import sys
from pathlib import Path
from typing import Any

from stages.frame.errors import UserError, told_in_one_line
from stages.tools import cluster, sharing

NEEDS = "dask-jobqueue==0.9.0"


def main(jobs: str, *options: str) -> None:
    """Keeps so many jobs in Slurm's queue, each with these options of sbatch, until it is interrupted.

    Raises:
        UserError: the package is not installed, `jobs` is no number, code here is edited, or sbatch fails.
    """
    if not jobs.isdecimal() or jobs == "0":
        raise UserError("JOBS", "a whole number >= 1", repr(jobs), "correct it")
    import dask

    sharing.state()
    with dask.config.set(cluster.SETTINGS), opened(options) as queue:
        queue.scale(jobs=int(jobs))
        print(f"make reproduce CLUSTER={queue.scheduler_address}", flush=True)
        sys.stdin.read()


def opened(options: tuple[str, ...]) -> Any:
    """The cluster of dask-jobqueue, without jobs yet."""
    try:
        from dask_jobqueue import SLURMCluster
    except ImportError as error:
        raise UserError("dask_jobqueue", "the package", "none", f".venv/bin/pip install {NEEDS}") from error
    folder, cache = Path.cwd(), sharing.cache()
    prologue = [
        "cd $(mktemp -d)",
        f"git clone --quiet {folder} clone && cd clone",
        f"cp {folder}/params.yaml . && ln -s {folder}/.venv .venv",
        'export PATH="$PWD/.venv/bin:$PATH"',
        f"dvc cache dir --local {cache}",
    ]
    gpu = ["--resources GPU=1"] if any("gpu" in option for option in options) else []
    return SLURMCluster(
        # The memory of a job is an option of sbatch too; that of a worker is not watched.
        **{"cores": 1, "processes": 1, "memory": "1GB", "job_mem": "0", "nanny": False, "python": sys.executable},
        **{"job_extra_directives": list(options), "job_script_prologue": prologue, "worker_extra_args": gpu},
        **{"job_directives_skip": ["--mem", "-t "], "scheduler_options": {"dashboard_address": "127.0.0.1:0"}},
    )


if __name__ == "__main__":
    with told_in_one_line():
        main(*sys.argv[1:])
