"""Room of auditing: how a victim of one's own is audited: as the first one of its study that takes the same inputs."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from stages.auditing import classifiers, guarded, ways
from stages.auditing.entries import Classifier, Combination, Grid, Guarded
from stages.detection.entries import Detector
from stages.frame import parameters
from stages.frame.errors import UserError
from stages.frame.treatment import Treatment

# Of a grid of trainings: that of a victim that has none of them.
UNDEFENDED = "none"
Section = dict[str, dict[str, Any]]


def patterns(study: str, of: str, inputs: str) -> Section:
    """The audit's entries for the first victim of the study `of` that takes these inputs, by section and name.

    Raises:
        UserError: no audited victim takes them.
    """
    victims, audited = parameters.section(of)["victims"], parameters.section(study)
    found: Section = {"classifiers": {}, "guarded": {}}
    first, known = None, {}
    for section in found:
        for name, entry in audited[section].get(of, {}).items():
            theirs = (entry.get("victims") or [entry.get("victim")])[0].split("/")[0]
            known[victims[theirs]["inputs"]] = None
            if victims[theirs]["inputs"] == inputs and theirs == (first := first or theirs):
                found[section][name] = entry
    if first is None:
        expected = f"inputs of a victim that {study} audits ({', '.join(known) or 'it has none of this study'})"
        raise UserError(f"params.yaml: {of}", expected, repr(inputs), f"add an entry of {study}.classifiers")
    return found


def unfit(study: str, of: str, found: Section, sample_rate_hz: int) -> dict[str, str]:
    """The treatments of the patterns' grids and of the study that can't stand before a victim, and why not.

    Those that read files, which may still have to be made, are not asked; those of a combination are.
    """
    told = {"sample_rate_hz": sample_rate_hz, "device": "cpu"}
    reasons = {}
    for name in dict.fromkeys(one for entry in found["classifiers"].values() for one in _named(study, of, entry)):
        try:
            for part in _parts(study, name):
                way = ways.way(study, part, of, **told)
                if not any(one.files for one in way.given):
                    way.through()
        except UserError as error:
            reasons[name] = str(error)
    return reasons


def needed(study: str, of: str, victim: str, found: Section, without: dict[str, str]) -> list[str]:
    """The files and folders that have to be there before the victim is audited, but for treatments `without`."""
    sets, treatments, detectors = {}, {}, {}
    for section, entries in found.items():
        for entry in entries.values():
            sets |= dict.fromkeys(one for one in (entry.get("inputs", "audio"), entry.get("beside")) if one)
            names = _named(study, of, entry) if section == "classifiers" else entry.get("treatments", [])
            treatments |= dict.fromkeys(part for name in names if name not in without for part in _parts(study, name))
            detectors |= dict.fromkeys(entry.get("detectors", []))
    given = [parameters.entry(Treatment, _place(study, of, "treatments", one)) for one in treatments]
    beside = [parameters.entry(Detector, _place(study, of, "detectors", one)) for one in detectors]
    models = [victim, *(one.model for one in (*given, *beside) if one.model)]
    files = [file for one in given for file in one.files]
    return [*(f"data/{of}/{one}" for one in sets), *(f"models/{of}/{one}" for one in models), *files]


def section(study: str, of: str, victim: str, found: Section, without: dict[str, str]) -> dict[str, Any]:
    """What stands for the victim where the audit's section has the patterns; it is trained. `without` are treatments.

    A grid has all of the study's treatments and all attacks of its groups.

    Raises:
        UserError: the victim has none of the models that the pattern has.
    """
    own = parameters.section(of)
    network = (own["victims"] | own.get("finished", {}))[victim]["network"]
    made: dict[str, Any] = {"classifiers": {}, "guarded": {}, "grids": {}}
    made["unfit"] = [{"study": of, "victim": victim, "defence": name} for name in without]
    for entry in found["classifiers"].values():
        grid = parameters.section(f"{study}.grids.{entry['grid']}")
        if grid.get("treatments"):
            grid["treatments"] = [name for name in _named(study, of, entry) if name not in without]
        groups = dict.fromkeys(name.rpartition(".")[0] for name in grid["attacks"])
        attacks = {group: parameters.section(f"{study}.attacks.{group}") for group in groups}
        grid["attacks"] = [f"{group}.{name}" for group, names in attacks.items() for name in names]
        models = {"victims": _members(of, victim, entry["victims"]), "network": network}
        if trained := entry.get("trained"):
            known = {name: one for name, one in trained.items() if _models(of, victim, one).is_dir()}
            models["trained"] = {name: _renamed(victim, one) for name, one in known.items()} or {UNDEFENDED: victim}
        made["classifiers"] = {of: {victim: entry | models}}
        made["grids"][entry["grid"]] = grid
    for name, entry in found["guarded"].items():
        (member,) = _members(of, victim, [entry["victim"]])
        made["guarded"].setdefault(of, {})[name] = entry | {"victim": member, "network": network}
    return made


def opened(study: str, made: dict[str, Any], device: str) -> Iterator[tuple[str, str, Any]]:
    """The section, the name and the task of each entry that `section` made.

    Raises:
        UserError: as the sections' own `opened`.
    """
    for of, entries in made["classifiers"].items():
        for name, entry in entries.items():
            where, place = f"{study}.classifiers.{of}.{name}", f"{study}.grids.{entry['grid']}"
            grid = parameters.bind(Grid, place, made["grids"][entry["grid"]])()
            task = classifiers.tasked(study, f"{of}.{name}", parameters.bind(Classifier, where, entry)(), grid, device)
            yield "classifiers", f"{of}.{name}", task
    for of, entries in made["guarded"].items():
        for name, entry in entries.items():
            given = parameters.bind(Guarded, f"{study}.guarded.{of}.{name}", entry)()
            yield "guarded", f"{of}.{name}", guarded.tasked(study, f"{of}.{name}", given, device)


def _named(study: str, of: str, entry: dict[str, Any]) -> list[str]:
    """The treatments of a classifier's grid, and where it has any those of the study that it does not name."""
    named = parameters.section(f"{study}.grids.{entry['grid']}").get("treatments", [])
    return list(dict.fromkeys([*named, *parameters.section(of).get("treatments", {})])) if named else []


def _parts(study: str, name: str) -> list[str]:
    """The treatments that one is made of, of the audit's combinations several."""
    if name not in parameters.section(study).get("combinations", {}):
        return [name]
    return parameters.entry(Combination, f"{study}.combinations.{name}").treatments


def _place(study: str, of: str, kind: str, name: str) -> str:
    return f"{study if name in parameters.section(study).get(kind, {}) else of}.{kind}.{name}"


def _members(of: str, victim: str, theirs: list[str]) -> list[str]:
    """The victim's models that are called as theirs, or the one that it is."""
    if Path("models", of, victim, "config.json").is_file():
        return [victim]
    members = [_renamed(victim, one) for one in theirs if _models(of, victim, one).is_dir()]
    if not members:
        expected = f"a model, or models called {', '.join(one.partition('/')[2] for one in theirs)}"
        raise UserError(f"models/{of}/{victim}", expected, "none of these", "train it as its study's others are")
    return members


def _models(of: str, victim: str, theirs: str) -> Path:
    return Path("models", of, _renamed(victim, theirs))


def _renamed(victim: str, theirs: str) -> str:
    """The model of the victim that is called as one of another's family."""
    return "/".join([victim, *theirs.split("/")[1:]])
