"""Tool: whether entries of params.yaml fit their files and one another, told all at once and before anything runs."""

from collections.abc import Callable
from functools import partial
from typing import Any

from stages.attacking.entries import Attacked, opened
from stages.frame import parameters
from stages.frame.errors import UserError, each
from stages.frame.modules import find
from stages.frame.parameters import OWN
from stages.frame.treatment import Treatment
from stages.reporting.study import part
from stages.scoring import hearing


def check_sections(study: str, values: dict[str, Any]) -> None:
    """Passes if no victim or adversarial set of the study lacks a stage, as one's own would outside of `own`.

    Raises:
        UserError: some do, all of them in one.
    """
    if "own" in values:
        papers = part(study, "tables", "PAPERS")
        names = [
            f"{section}.{name}"
            for section in OWN
            for name in values.get(section, {})
            if name not in papers.get(section, ())
        ]
        each(partial(_check_section, study, values["own"]), names)


def _check_section(study: str, own: dict[str, Any], name: str) -> None:
    section, _, entry = name.partition(".")
    # A finished model has a set of its name.
    if entry not in own.get(section, {}) | own.get("finished", {}):
        do = f"move it into {study}.own.{section}"
        raise UserError(f"params.yaml: {study}.{name}", "an entry of the paper's", "one of yours", do)


def check(study: str, values: dict[str, Any]) -> None:
    """Passes if each treatment and each adversarial set of the study, `values` in params.yaml, can be made.

    Raises:
        UserError: names, parameters or sampling rates that do not fit, all of them in one.
    """
    # An audit attacks the victims of others, and sees for itself whether all that it names fits them.
    known = CHECKS if "attacked" in values else {}
    names = [f"{section}.{name}" for section in known for name in values.get(section, {})]
    each(partial(_check, study, values), names)


def _check(study: str, values: dict[str, Any], name: str) -> None:
    section, _, entry = name.partition(".")
    CHECKS[section](study, values, entry)


def _treatment(study: str, values: dict[str, Any], name: str) -> None:
    given = parameters.entry(Treatment, f"{study}.treatments.{name}")
    of_images = any(one.get("inputs") in values.get("features", {}) for one in values["attacked"].values())
    corpus = next(iter(values["corpora"].values()))
    told = {"sample_rate_hz": corpus["decoding"]["sample_rate_hz"], "device": "cpu"}
    hearing.treated(study, name, given, of_images=of_images, **told)


def _attacked(study: str, values: dict[str, Any], name: str) -> None:
    where = f"{study}.attacked.{name}"
    entry = parameters.entry(Attacked, where)
    parameters.section(f"{study}.plans.{entry.plan}")
    find("networks", entry.network, "build", where=f"{where}.network")
    victims = values["victims"] | values.get("finished", {})
    for victim in entry.victims:
        if victim.split("/")[0] not in victims:
            raise UserError(
                f"params.yaml: {where}.victims", f"some of {', '.join(victims)}", repr(victim), "correct it"
            )
    each(partial(opened, study), entry.attacks)


CHECKS: dict[str, Callable[[str, dict[str, Any], str], None]] = {"treatments": _treatment, "attacked": _attacked}
