"""Less to do for the verbs of a small study, whose params.yaml is in the working folder."""

from pathlib import Path
from typing import Any

import yaml

# Of plans and attacks, so that each attacks a few clips in a few steps.
FEW = {"clips_per_label": 1, "kept_clips_per_label": 1, "clips": 1, "iterations": 4, "steps": 1}

LISTS = ("epsilons", "targets", "victims")


def change(study: str, values: dict[str, Any], *sections: str) -> None:
    """Gives parameters of these names these values, at any depth of the sections; of some lists the first one stays."""

    def change_below(given: dict[str, Any]) -> None:
        given |= {name: value for name, value in values.items() if name in given}
        given |= {name: given[name][:1] for name in LISTS if name in given}
        for inner in given.values():
            if isinstance(inner, dict):
                change_below(inner)

    path = Path("params.yaml")
    parameters = yaml.safe_load(path.read_text())
    for section in sections:
        change_below(parameters[study][section])
    path.write_text(yaml.safe_dump(parameters))
