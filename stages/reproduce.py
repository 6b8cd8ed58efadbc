"""Entry of `make reproduce`: runs the stages that changed, several at a time, and prints what came out.

DVC runs one stage after another. Here those that do not depend on each other are dealt out to a few `dvc repro`
processes, which wait for each other's locks.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

from stages.frame import parameters
from stages.frame.errors import UserError, told_in_one_line
from stages.frame.modules import find

# glibc gives large blocks back to the kernel at once and pays for fresh pages at the next batch: a fifth of the time.
KEEP_FREED_MEMORY = {"MALLOC_MMAP_THRESHOLD_": "1000000000", "MALLOC_TRIM_THRESHOLD_": "1000000000"}

STAGES_PER_PROCESS = 4


def main(study: str | None, jobs: int) -> None:
    """Brings the study's page (all studies' pages without one) up to date and prints its headline numbers.

    Raises:
        UserError: a corpus is not where params.yaml says, a study is unknown, or a stage fails.
    """
    started = time.monotonic()
    known = parameters.section("page.studies")
    if study and study not in known:
        raise UserError("STUDY", expected=f"one of {', '.join(known)}", found=study, do="correct it")
    _check_corpora([study] if study else known)
    targets = [f"page-{study}"] if study else ["index"]
    if subprocess.run(["dvc", "status", "--quiet", "--with-deps", *targets]).returncode:
        _run_side_by_side(_graph(targets), jobs)
    for name in [study] if study else known:
        _print_headline(name)
    page = Path("reports", study or "", "index.html")
    print(f"\n{time.monotonic() - started:.0f} s. The page: {page.resolve().as_uri()}")


def _check_corpora(studies: list[str]) -> None:
    """DVC meets a missing corpus with a bare error number; this says what to do before anything runs."""
    built_in = {item["output"] for item in parameters.section("embedded").values()}
    for study in studies:
        for corpus in find("studies", study, "CORPORA", where="page.studies"):
            root = parameters.section(f"corpora.{corpus}.root")
            if not _is_built_in(root, built_in) and not Path(root).is_dir():
                what = {"expected": "the corpus's folder", "found": f"nothing at {root}"}
                raise UserError(f"params.yaml: corpora.{corpus}.root", **what, do="see data/README.md")
        for name, folder in parameters.section("playback").get(study, {}).items():
            if isinstance(folder, str) and not _is_built_in(folder, built_in) and not Path(folder).is_dir():
                where = f"params.yaml: playback.{study}.{name}"
                raise UserError(where, expected="a folder", found=f"nothing at {folder}", do="see data/README.md")
        for name, values in parameters.section("transforms").get(study, {}).items():
            file = values.get("impulse_response")
            if file and file not in built_in and not Path(file).is_file():
                where = f"params.yaml: transforms.{study}.{name}.impulse_response"
                raise UserError(where, expected="a wav file", found=f"nothing at {file}", do="see data/README.md")


def _is_built_in(path: str, built_in: set[str]) -> bool:
    """Whether it is written by `embed`, perhaps as a part of what is written at once."""
    return bool(built_in & {path, *map(str, Path(path).parents)})


def _graph(targets: list[str]) -> dict[str, set[str]]:
    """The names of all stages that the targets need, each with the names of those it waits for."""
    from dvc.repo import Repo

    with Repo(".") as repo:
        graph = repo.index.graph
        wanted = [stage for target in targets for stage in repo.stage.collect(target, with_deps=True, graph=graph)]
        return {stage.addressing: {other.addressing for other in graph.successors(stage)} for stage in wanted}


def _run_side_by_side(waits_for: dict[str, set[str]], jobs: int) -> None:
    """Runs every stage when those it waits for are done, in up to `jobs` processes of a share of the cores each.

    A process is given a few stages at a time, since DVC takes a second to start.
    """
    threads = os.environ.get("OMP_NUM_THREADS") or str(max(1, (os.cpu_count() or 1) // jobs))
    environment = os.environ | {"OMP_NUM_THREADS": threads} | KEEP_FREED_MEMORY
    command = ["dvc", "--wait-for-lock", "repro", "--single-item"]
    running: dict[subprocess.Popen, list[str]] = {}
    done: set[str] = set()
    waiting = _most_awaited_first(waits_for)
    try:
        while waiting or running:
            while len(running) < jobs and (share := _next_stages(waiting, done)):
                for name in share:
                    del waiting[name]
                running[subprocess.Popen([*command, *share], env=environment)] = share
            finished = _first_to_end(running)
            done |= set(running.pop(finished))
            if finished.returncode:
                sys.exit("error: a stage failed, see above; finished stages and shards are kept")
    finally:
        for process in running:
            process.wait()


def _most_awaited_first(waits_for: dict[str, set[str]]) -> dict[str, set[str]]:
    """The same graph, those stages first on which the longest chain of others waits."""
    depth: dict[str, int] = {}

    def depth_of(name: str) -> int:
        if name not in depth:
            depth[name] = 1 + max((depth_of(other) for other, needed in waits_for.items() if name in needed), default=0)
        return depth[name]

    return {name: waits_for[name] for name in sorted(waits_for, key=lambda name: (-depth_of(name), name))}


def _next_stages(waiting: dict[str, set[str]], done: set[str]) -> list[str]:
    """Up to `STAGES_PER_PROCESS` stages that can run now, one after another: the first that is ready and what follows.

    Where several could follow the share ends, since another process may have time for one of them.
    """
    share: list[str] = []
    while len(share) < STAGES_PER_PROCESS:
        ready = [name for name, needed in waiting.items() if name not in share and needed <= done | set(share)]
        following = [name for name in ready if not share or waiting[name] & set(share)]
        if not following or (share and len(following) > 1):
            break
        share.append(following[0])
    return share


def _first_to_end(running: dict[subprocess.Popen, list[str]]) -> subprocess.Popen:
    while True:
        for process in running:
            if process.poll() is not None:
                return process
        time.sleep(0.05)


def _print_headline(study: str) -> None:
    metrics = json.loads(Path("reports", study, "metrics.json").read_text(encoding="utf-8"))
    width = max(map(len, metrics))
    corpora = find("studies", study, "CORPORA", where="page.studies")
    roots = ", ".join(parameters.section(f"corpora.{corpus}.root") for corpus in corpora)
    print(f"\n{study} (corpus: {roots})")
    for name, value in metrics.items():
        print(f"  {name:{width}}  {value:8.2f}")


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("study", nargs="?")
    arguments.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    given = arguments.parse_args()
    with told_in_one_line():
        main(given.study, given.jobs)
