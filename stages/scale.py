"""Tool: writes a scale's differences into params.yaml, comments kept: `python -m stages.scale paper`."""

import sys
from pathlib import Path
from typing import Any

from stages.frame.errors import UserError, told_in_one_line


def main(scale: str = "", path: str = "params.yaml") -> None:
    """Applies `scales/<scale>.yaml` to the parameters; `null` for a whole mapping takes that entry out.

    Raises:
        UserError: no such scale, or it names a parameter that does not exist.
    """
    from ruamel.yaml import YAML

    source = Path("scales", f"{scale}.yaml")
    if not scale or not source.is_file():
        known = ", ".join(sorted(file.stem for file in Path("scales").glob("*.yaml")))
        raise UserError("SCALE", expected=f"one of {known}", found=repr(scale), do="make scale SCALE=...")
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 4096
    values = yaml.load(Path(path))
    apply(values, yaml.load(source), str(source))
    yaml.dump(values, Path(path))
    print(f"params.yaml is at the scale {scale!r}; back: git restore params.yaml dvc.lock && dvc repro")


def apply(values: dict[str, Any], changes: dict[str, Any], source: str, above: str = "") -> None:
    """Changes `values` in place.

    Raises:
        UserError: a changed key is not there.
    """
    for key, change in changes.items():
        name = f"{above}{key}"
        if key not in values:
            raise UserError(
                f"{source}: {name}", expected="a parameter of params.yaml", found="no such one", do="correct it"
            )
        if change is None and isinstance(values[key], dict):
            del values[key]
        elif isinstance(change, dict) and isinstance(values[key], dict):
            apply(values[key], change, source, f"{name}.")
        else:
            values[key] = change


if __name__ == "__main__":
    with told_in_one_line():
        main(*sys.argv[1:])
