"""Tool: what `make reproduce ONLY=NAME` runs and prints: the sets in which one entry of a study has part."""

from typing import Any

from stages.frame.errors import UserError
from stages.frame.parameters import suggestion
from stages.reporting.study import called, part, with_stages

# The study whose sets are scored one by one.
OF_SETS = "events"
COLUMNS = (
    *("entry", "model", "split", "accuracy", "attack", "epsilon", "attacked", "fooled"),
    *("success", "success_low", "success_high", "right_after", "uar", "ua", "wer", "wer_target"),
    *("snr_db", "forwards", "backwards", "detector", "auc_adversarial", "auc_adversarial_low", "auc_adversarial_high"),
    *("auc_noise", "auc_transplant", "treatment", "heard_by"),
    *("Adv", "GT", "GT_low", "GT_high", "Diff", "clean", "rosa", "rosa_low", "rosa_high", "n"),
)
# What is asked for by its name.
KINDS = "a victim, attack, set, treatment or detector"
# Of events, whose table is wide, the set tells these; and the attack, where it has one.
TOLD_BY_SETS = ("model", "success", "success_low", "success_high")
# What columns mean, told below the rows that have them.
MEANINGS = {
    "snr_db": "snr_db, forwards, backwards: means of what attacks found, and of their passes",
    "Adv": "Adv: still decided as attacked; GT: rightly again; Diff: as another class",
    "clean": "clean: clean clips that are still decided rightly, of victims with a set that has `none` in its attacks",
    "rosa": "rosa: share of all hearings whose transcript is the phrase",
    "treatment": "attackers know of no treatment but one that a set is made `through`: see make audit VICTIM=...",
}


def study_with(only: str, known: list[str], values: dict[str, Any]) -> str:
    """The study of which `only` names a victim, attack, set, treatment or detector.

    Raises:
        UserError: there is none, or there are several.
    """
    # The audit has no sets that could be asked for.
    found = [study for study in known if "attacked" in values[study] and only in _names(values[study])]
    if len(found) == 1:
        return found[0]
    if found:
        raise UserError("ONLY", "a name of one study", f"{only!r} in {', '.join(found)}", "say which: STUDY=...")
    names = sorted({one for name in known for one in _names(values[name])})
    raise UserError("ONLY", f"{KINDS} of a study", repr(only), suggestion(only, names))


def sets_with(only: str, study: str, values: dict[str, Any]) -> dict[str, Any]:
    """The entries of `attacked` in which an entry of the study has part; a treatment has in all, or all of one's own.

    With one's own go the sets of clean clips of their victims, by which a treatment's price is told. A detector has
    part in the sets whose clips it is asked of.

    Raises:
        UserError: there is none of this name, or it is in no set.
    """
    attacked = values["attacked"]
    if only in values.get("treatments", {}):
        papers = part(study, "tables", "PAPERS")["attacked"]
        mine = {name: one for name, one in attacked.items() if name not in papers}
        victims = {victim for one in mine.values() for victim in one["victims"]}
        clean = {name: one for name, one in attacked.items() if one["attacks"] == ["none"]}
        return mine | {name: one for name, one in clean.items() if victims & set(one["victims"])} or attacked
    asked = {one["set"] for one in values.get("detected", {}).values() if only in one["detectors"]}
    named = {name: {name, *_victims(one), *map(called, one["attacks"])} for name, one in attacked.items()}
    found = {name: one for name, one in attacked.items() if only in named[name] or f"adversarial/{name}" in asked}
    if not found:
        known = _names(values)
        do = "add an entry of `attacked` that has it" if only in known else suggestion(only, sorted(known))
        raise UserError("ONLY", f"{KINDS} of {study}", repr(only), do)
    return found


def made_for(only: str, study: str, values: dict[str, Any], sets: dict[str, Any]) -> list[str]:
    """The folders to be made: scores of the sets; where several are scored at once, for treatments alone.

    Besides what detectors say of the sets, where any are asked.
    """
    if study == OF_SETS:
        return [f"data/{study}/scores/{name}" for name in sets]
    values = values | {"attacked": sets}
    scores = [f"data/{study}/scores/{name}" for name in with_stages(values) if "scored" in values]
    if only in values.get("treatments", {}):
        scored = [name for name, one in values["scored"].items() if one["sets"][0].startswith("adversarial/")]
        return scores + [f"data/{study}/scores/{name}" for name in scored]
    detections = [f"data/{study}/detections/{name}" for name in _detected(only, study, values)]
    return [f"data/{study}/adversarial/{name}" for name in sets] + scores + detections


def _detected(only: str, study: str, values: dict[str, Any]) -> dict[str, Any]:
    """The entries of `detected` that ask an entry, and those of one's own that are of the sets of `attacked`."""
    return {
        name: one
        for name, one in values.get("detected", {}).items()
        if only in one["detectors"]
        or (name not in part(study, "tables", "PAPERS")["detected"] and one["set"].split("/")[-1] in values["attacked"])
    }


def print_rows(study: str, only: str, values: dict[str, Any]) -> None:
    """Prints the rows of `table_yours` that the entry `only` has, of the sets of `attacked`."""
    values = values | ({"detected": _detected(only, study, values)} if "detected" in values else {})
    sets = set(values["attacked"])
    victims = {victim for one in values["attacked"].values() for victim in _victims(one)}
    if study == OF_SETS:
        # Nothing but what was made is read.
        values = values | {
            section: {name: entry for name, entry in values[section].items() if name in victims}
            for section in ("victims", "finished")
        }
        told, hidden = {only} if only in values["treatments"] else sets | victims, TOLD_BY_SETS
    else:
        told, hidden = sets if only in sets | victims else {only}, ()
    table = part(study, "tables", "yours")(values, told)
    if study == OF_SETS and table.groupby("entry").attack.nunique().max() <= 1:
        hidden = (*hidden, "attack")
    columns = [name for name in COLUMNS if name in table and name not in hidden and table[name].notna().any()]
    unit = " (shares in %)" if study == OF_SETS else ""
    print(f"\n{study}, {only}{unit}:\n{table[columns].to_string(index=False, na_rep='')}")
    print("", *(meaning for name, meaning in MEANINGS.items() if name in columns), sep="\n")


def _names(values: dict[str, Any]) -> set[str]:
    """The names of a study's victims, attacks, sets, treatments and detectors."""
    sections = ("victims", "finished", "attacks", "treatments", "detectors", "attacked")
    attacks = {called(dotted) for one in values.get("attacked", {}).values() for dotted in one["attacks"]}
    return {name for section in sections for name in values.get(section, {})} | attacks


def _victims(entry: dict[str, Any]) -> set[str]:
    return {victim.split("/")[0] for victim in entry["victims"]}
