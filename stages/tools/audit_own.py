"""Tool: entry of `make audit`: attacks a victim of one's own through all that fits on it, and tells what is left.

It is made as far as it is not; then it is audited as the first victim of its study that takes the same inputs, see
`stages.auditing.own`. Nothing of this is a stage: the audit of the papers' victims stays as it is.
"""

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

from stages import audit, report
from stages.auditing import own
from stages.frame import parameters
from stages.frame.alone import alone
from stages.frame.devices import Worker
from stages.frame.errors import UserError, told_in_one_line
from stages.reporting.study import part
from stages.tools import at_work, graph, reproduce, workers

AUDIT = "audit"
WRITTEN, REPORTS = Path("data/audit/own"), Path("reports/audit/own")
# What is told of each defence and each guard, at the loudest budget.
OF_DEFENCES = ["defence", "budget", "n", "clean", "none", "unaware", "aware", "aware_low", "aware_high", "flags"]
OF_GUARDS = ["entry", "guard", "n", "benign", "none", "unaware", "aware", "aware_low", "aware_high", "auc_aware"]


def main(victim: str, jobs: int) -> None:
    """Audits the victim of this name of any study, and prints what is left and where its page is.

    Raises:
        UserError: there is no such victim, it decides nothing, no audited one takes what it takes, a corpus is missing,
            it has no gradient for attacks that need one, or a stage fails.
    """
    started = time.monotonic()
    values = parameters.read()
    studies = parameters.with_own(values)
    of = _study_of(victim, studies)
    entry = (studies[of]["victims"] | studies[of].get("finished", {}))[victim]
    found = own.patterns(AUDIT, of, entry["inputs"])
    rate_hz = next(iter(values[of]["corpora"].values()))["decoding"].get("sample_rate_hz")
    unfit = own.unfit(AUDIT, of, found, rate_hz)
    for name, reason in unfit.items():
        print(f"{name} does not apply: {reason}")
    for study in (of, AUDIT):
        reproduce.check_places(study, values)
    reproduce.ACTIVE.parent.mkdir(parents=True, exist_ok=True)
    with alone(reproduce.ACTIVE, Path.cwd()):
        at_work.check()
        waits_for = graph.outdated(own.needed(AUDIT, of, victim, found, unfit), values)
        if waits_for:
            workers.run(waits_for, jobs)
        made, folder = own.section(AUDIT, of, victim, found, unfit), WRITTEN / victim
        for section, name, task in list(own.opened(AUDIT, made, Worker().device)):
            audit.write(section, task, folder / section / Path(*name.split(".")), Worker())
        page = report.write(AUDIT, made, part(AUDIT, "tables", "read")(made, folder), REPORTS / victim)
    _print_left(REPORTS / victim)
    print(f"\n{time.monotonic() - started:.0f} s. The page: {page.absolute().as_uri()}")


def _study_of(victim: str, values: dict[str, Any]) -> str:
    """The study that has a victim of this name.

    Raises:
        UserError: none has, or several have, or it is there for a detector.
    """
    known = {
        study: [*section.get("victims", {}), *section.get("finished", {})]
        for study, section in values.items()
        if "victims" in section
    }
    found = [study for study, names in known.items() if victim in names]
    if len(found) == 1:
        _check_decides(victim, values[found[0]].get("detectors", {}))
        return found[0]
    told = f"{victim!r} in {', '.join(found)}" if found else repr(victim)
    names = ", ".join(name for several in known.values() for name in several)
    raise UserError("VICTIM", "a victim of one study of params.yaml", told, f"rename one, or name one of {names}")


def _check_decides(victim: str, detectors: dict[str, Any]) -> None:
    """Passes if the victim is not what a detector asks, such as a SyncNet, which takes what readers take."""
    for name, one in detectors.items():
        if one.get("model") == victim:
            raise UserError("VICTIM", "one that decides", f"{victim!r}, which the detector {name} asks", "name another")


def _print_left(folder: Path) -> None:
    """Prints the shares that are left, of the loudest budget, most first, and what the report finds."""
    import pandas as pd

    at_loudest = part(AUDIT, "tables", "at_loudest")
    for name, columns in {"table_victims": OF_DEFENCES, "table_guards": OF_GUARDS}.items():
        table = pd.read_csv(folder / f"{name}.csv")
        if len(table):
            shown = at_loudest(table) if "budget" in table else table
            shown = shown.sort_values(["aware", "unaware"], ascending=False, kind="stable")
            print(f"\n{shown[columns].to_string(index=False, na_rep='')}")
    print("", *json.loads((folder / "summary.json").read_text(encoding="utf-8"))["findings"], sep="\n")


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("victim")
    arguments.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    given = arguments.parse_args()
    with told_in_one_line():
        main(given.victim, given.jobs)
