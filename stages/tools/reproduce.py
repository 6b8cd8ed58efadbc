"""Tool: entry of `make reproduce`: runs the stages that changed, several at a time, and prints what came out.

With `--only NAME` those stages alone that an entry of one's own needs, a victim, attack, set or treatment of a study;
its rows of the table `table_yours` are printed.

DVC runs one stage after another, and reads params.yaml and a lock again for each. Here its graph is read once, what is
up to date is not asked for again, and what is not is dealt out by Dask to a few processes that stay, or to the workers
of the scheduler at the address `--cluster`, see `stages.tools.join`.
"""

import argparse
import json
import os
import time
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

from stages.frame import parameters
from stages.frame.alone import alone
from stages.frame.errors import UserError, told_in_one_line
from stages.tools import at_work, entries, graph, sharing, workers
from stages.tools import only as own

STUDIES = Path("stages/studies")
ACTIVE = Path(".dvc/tmp/reproduce.lock")
# What headline numbers are counted in, by the end of their names.
UNITS = {"_percent": "%", "_db": "dB"}
# Parameters that say where something lies that a stage reads and no stage writes, unless it is built in.
PLACES = ("root", "weights", "impulse_response", "impulse_responses", "spoken_phrases")


def main(
    study: str | None, jobs: int, only: str | None = None, cluster: str | None = None, *, dry: bool = False
) -> None:
    """Brings the study's page (all studies' pages without one) up to date and prints its headline numbers.

    With `only` the sets alone that an entry of this name has part in are attacked and scored, see `stages.tools.only`.
    A `dry` run tells which stages would run.

    Raises:
        UserError: a corpus is not where params.yaml says, a study is unknown, there is no process to work in, a lock
            is cut, another run is active, or a stage fails.
    """
    started = time.monotonic()
    values = parameters.read()
    known = [name for name in values if (STUDIES / name / "dvc.yaml").exists()]
    for name in (file.parent.name for file in STUDIES.glob("*/dvc.yaml")):
        if not isinstance(values.get(name), dict):
            raise UserError("params.yaml", f"a section of parameters {name!r}", repr(values.get(name)), "see it in git")
    if jobs < 1:
        raise UserError("JOBS", "a whole number >= 1", str(jobs), "correct it")
    if study and study not in known:
        raise UserError("STUDY", f"one of {', '.join(known)}", study, "correct it")
    studies = parameters.with_own(values)
    for name in [study] if study else known:
        entries.check_sections(name, studies[name])
    if only:
        study = study or own.study_with(only, known, studies)
        sets = own.sets_with(only, study, studies[study])
    chosen = [study] if study else known
    for name in chosen:
        check_places(name, values)
    ACTIVE.parent.mkdir(parents=True, exist_ok=True)
    with alone(ACTIVE, Path.cwd()):
        at_work.check()
        at_work.end_left_behind()
        if only:
            targets = own.made_for(only, study, studies[study], sets)
        else:
            targets = [f"{STUDIES}/{study}/dvc.yaml:report" if study else "index"]
        waits_for = graph.outdated(targets, values)
        if waits_for:
            for name in chosen:
                entries.check(name, studies[name])
        if dry:
            print(_told(waits_for))
            return
        if waits_for:
            dealt = graph.without_pages(waits_for) if cluster else waits_for
            if dealt:
                workers.run(dealt, jobs, cluster)
            if cluster:
                sharing.restore(list(TopologicalSorter(waits_for).static_order()))
    if only:
        own.print_rows(study, only, studies[study] | {"attacked": sets})
        return
    for name in chosen:
        _print_headline(name)
    page = Path("reports", study or "", "index.html")
    print(f"\n{time.monotonic() - started:.0f} s. The page: {page.absolute().as_uri()}")


def check_places(study: str, values: dict[str, Any]) -> None:
    """Passes if everything is there that the study reads from outside; DVC has a bare error number for what is not.

    Raises:
        UserError: a corpus, an impulse response or a folder of recordings is missing or not named.
    """
    built_in = {Path(str(place)) for _, place in _named(("output",), values)}
    for name, place in _named(PLACES, values[study], f"{study}."):
        if not isinstance(place, str) or not place:
            raise UserError(f"params.yaml: {name}", "a file or folder", repr(place), "see data/README.md")
        if not built_in & {Path(place), *Path(place).parents} and not Path(place).exists():
            raise UserError(f"params.yaml: {name}", "a file or folder", f"nothing at {place}", "see data/README.md")


def _named(keys: tuple[str, ...], given: Any, above: str = "") -> Iterator[tuple[str, Any]]:
    """What parameters of these names hold, at any depth, with their whole names."""
    for key, value in given.items() if isinstance(given, dict) else ():
        if key in keys:
            yield f"{above}{key}", value
        yield from _named(keys, value, f"{above}{key}.")


def _told(waits_for: dict[str, set[str]]) -> str:
    """The stages that would run, each after those that it waits for."""
    names = list(TopologicalSorter(waits_for).static_order())
    return "\n".join([*names, f"{len(names)} stages would run" if names else "nothing would run"])


def _print_headline(study: str) -> None:
    summary = json.loads(Path("reports", study, "summary.json").read_text(encoding="utf-8"))
    print(f"\n{study}: {summary['title']} (corpus: {summary['corpus']})")
    width = max(map(len, summary["metrics"]))
    for name, value in summary["metrics"].items():
        unit = next((unit for end, unit in UNITS.items() if name.endswith(end)), "")
        print(f"  {name:{width}}  {round(value, 2):7g} {unit:2}  {summary['meanings'][name]}")


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("study", nargs="?")
    arguments.add_argument("--only")
    arguments.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    arguments.add_argument("--cluster")
    arguments.add_argument("--dry", action="store_true")
    given = arguments.parse_args()
    with told_in_one_line():
        main(given.study, given.jobs, given.only, given.cluster, dry=given.dry)
