"""Tool: writes a scale's differences into params.yaml, comments kept: `python -m stages.tools.scale paper`."""

from pathlib import Path
from typing import Any

from stages.frame.errors import UserError, run


def main(scale: str = "", path: str = "params.yaml") -> None:
    """Applies `scales/<scale>.yaml` to the parameters; written twice it changes nothing more.

    Raises:
        UserError: no such scale, or it names a parameter that does not exist.
    """
    from ruamel.yaml import YAML

    source = Path("scales", f"{scale}.yaml")
    if not scale or not source.is_file():
        known = ", ".join(sorted(file.stem for file in Path("scales").glob("*.yaml")))
        do = "make scale SCALE=..., from the repository's top folder"
        raise UserError("SCALE", f"one of {known or 'scales/*.yaml'}", repr(scale), do)
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 4096
    values = yaml.load(Path(path))
    apply(values, yaml.load(source), str(source))
    yaml.dump(values, Path(path))
    print(f"params.yaml is at the scale {scale!r}; back: git restore params.yaml '*dvc.lock' && dvc checkout")


def apply(values: dict[str, Any], changes: dict[str, Any], source: str, above: str = "") -> None:
    """Changes `values` in place; `null` for a whole mapping takes that entry out, if it is still there.

    Raises:
        UserError: a changed key is not there.
    """
    for key, change in changes.items():
        name = f"{above}{key}"
        if key not in values:
            if change is None:
                continue
            raise UserError(f"{source}: {name}", "a parameter of params.yaml", "no such one", "correct it")
        if change is None and isinstance(values[key], dict):
            del values[key]
        elif isinstance(change, dict) and isinstance(values[key], dict):
            apply(values[key], change, source, f"{name}.")
        else:
            values[key] = change


if __name__ == "__main__":
    run(main)
