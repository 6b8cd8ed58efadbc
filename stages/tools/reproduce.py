"""Tool: entry of `make reproduce`: runs the stages that changed, several at a time, and prints what came out.

DVC runs one stage after another, and reads params.yaml and a lock again for each. Here its graph is read once, what is
up to date is not asked for again, and what is not is dealt out to a few processes that stay.
"""

import argparse
import contextlib
import fcntl
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from stages.frame import parameters
from stages.frame.errors import UserError, told_in_one_line
from stages.tools import graph, workers

STUDIES = Path("stages/studies")
ACTIVE = Path(".dvc/tmp/reproduce.lock")
# Parameters that say where something lies that a stage reads and no stage writes, unless it is built in.
PLACES = ("root", "impulse_response", "impulse_responses", "spoken_phrases")


def main(study: str | None, jobs: int) -> None:
    """Brings the study's page (all studies' pages without one) up to date and prints its headline numbers.

    Raises:
        UserError: a corpus is not where params.yaml says, a study is unknown, a lock is cut, another run is active, or
            a stage fails.
    """
    started = time.monotonic()
    values = parameters.read()
    known = sorted((file.parent.name for file in STUDIES.glob("*/dvc.yaml")), key=list(values).index)
    if study and study not in known:
        raise UserError("STUDY", f"one of {', '.join(known)}", study, "correct it")
    chosen = [study] if study else known
    for name in chosen:
        check_places(name, values)
    with _alone():
        target = f"{STUDIES}/{study}/dvc.yaml:report" if study else "index"
        waits_for = graph.outdated(target, values)
        if waits_for:
            workers.run(waits_for, jobs)
    for name in chosen:
        _print_headline(name)
    page = Path("reports", study or "", "index.html")
    print(f"\n{time.monotonic() - started:.0f} s. The page: {page.resolve().as_uri()}")


def check_places(study: str, values: dict[str, Any]) -> None:
    """Passes if everything is there that the study reads from outside; DVC has a bare error number for what is not.

    Raises:
        UserError: a corpus, an impulse response or a folder of recordings is missing.
    """
    built_in = {Path(entry["output"]) for one in values.values() for entry in one.get("embedded", {}).values()}
    for name, place in _places(values[study], study):
        if not built_in & {Path(place), *Path(place).parents} and not Path(place).exists():
            raise UserError(f"params.yaml: {name}", "a file or folder", f"nothing at {place}", "see data/README.md")


def _places(given: Any, name: str) -> Iterator[tuple[str, str]]:
    for key, value in given.items() if isinstance(given, dict) else ():
        if key in PLACES and isinstance(value, str):
            yield f"{name}.{key}", value
        yield from _places(value, f"{name}.{key}")


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """Holds this folder's run for as long as the block lasts.

    Raises:
        UserError: another process holds it.
    """
    ACTIVE.parent.mkdir(parents=True, exist_ok=True)
    with ACTIVE.open("w") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UserError(Path.cwd(), "no other run here", "another run is active", "wait for its end") from None
        yield


def _print_headline(study: str) -> None:
    summary = json.loads(Path("reports", study, "summary.json").read_text(encoding="utf-8"))
    metrics = json.loads(Path("reports", study, "metrics.json").read_text(encoding="utf-8"))
    width = max(map(len, metrics))
    print(f"\n{study}: {summary['title']} (corpus: {summary['corpus']})")
    for name, value in metrics.items():
        print(f"  {name:{width}}  {value:8.2f}")


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("study", nargs="?")
    arguments.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    given = arguments.parse_args()
    with told_in_one_line():
        main(given.study, given.jobs)
