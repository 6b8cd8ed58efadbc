"""Tool: the process of a worker that has DVC compute stages: it stays, and loads nothing of Dask."""

import logging
import os
import signal
import sys
from pathlib import Path

from stages.frame.parent import follow_parent
from stages.tools import graph, quick_dvc, sharing

# Stages whose outputs this process has computed or found in the cache, where it works in a clone of its own.
HERE: set[str] = set()


def begin(variables: dict[str, str]) -> None:
    """What the process does before its first stage: it keeps locks whole, and ends with who started it."""
    os.environ.update(variables)
    quick_dvc.prepare()
    follow_parent(after=quick_dvc.writing)


def load() -> None:
    """Has DVC read the graph, as the first stage in a clone of its own would."""
    graph.named()


def reproduced(stage: str, log: str, in_own_clone: bool) -> bool:
    """Whether `dvc repro` of this stage ended well; in a clone of its own it brings those that it needs.

    DVC stays loaded in this process from one stage to the next.
    """
    from dvc.cli import main

    with Path(log).open("w", encoding="utf-8") as file:
        for number in (1, 2):
            os.dup2(file.fileno(), number)
    for chatty in ("commands.repro", "dvcfile", "repo.scm_context"):
        logging.getLogger(f"dvc.{chatty}").setLevel(logging.WARNING)
    remote = in_own_clone and sharing.has_remote()
    # Asked for a stage with all that it needs DVC reads the graphs of all studies, which takes as long as many a stage.
    chosen = [one for one in graph.with_needed(stage) if one not in HERE] if in_own_clone else [stage]
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        if in_own_clone:
            main(["checkout", "--quiet", "--allow-missing", *chosen])
        well = main(["--wait-for-lock", "repro", "--single-item", *(["--pull"] if remote else []), *chosen]) == 0
        HERE.update(chosen if well else ())
        return well and (not remote or main(["push", "--run-cache", stage]) == 0)
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        sys.stdout.flush()
