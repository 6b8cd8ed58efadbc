"""Tool: writes a scale's differences into params.yaml, comments kept: `python -m stages.tools.scale paper`."""

import subprocess
from pathlib import Path
from typing import Any

from stages.frame import parameters
from stages.frame.errors import UserError, run, writing


def main(scale: str = "", path: str = "params.yaml") -> None:
    """Applies `scales/<scale>.yaml` to the parameters; written twice it changes nothing more.

    What another scale had changed is as committed again before.

    Raises:
        UserError: no such scale, it or params.yaml can't be read, or it names a parameter that does not exist.
    """
    scales = {file.stem: file for file in sorted(Path("scales").glob("*.yaml"))}
    if scale not in scales:
        do = "make scale SCALE=..., from the repository's top folder"
        raise UserError("SCALE", f"one of {', '.join(scales) or 'scales/*.yaml'}", repr(scale), do)
    values = _loaded(path)
    committed = committed_values(path)
    for other in scales.keys() - {scale}:
        take_back(values, _loaded(scales[other]), committed)
    apply(values, _loaded(scales[scale]), str(scales[scale]))
    with writing(path):
        arriving = Path(f".{Path(path).name}.arriving")
        _yaml().dump(values, arriving)
        arriving.replace(path)
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


def take_back(values: dict[str, Any], changes: dict[str, Any], committed: dict[str, Any]) -> None:
    """Gives `values` in place what `committed` has where they are just as `changes` left them; see `apply`."""
    for key, change in changes.items():
        before = committed.get(key)
        if isinstance(before, dict) and isinstance(change, dict) and isinstance(values.get(key), dict):
            take_back(values[key], change, before)
        elif key in committed and values.get(key) == change:
            values[key] = before


def committed_values(path: str) -> dict[str, Any]:
    """The parameters as they are in git's last commit; none where there is none."""
    shown = subprocess.run(["git", "show", f"HEAD:./{path}"], capture_output=True, text=True, encoding="utf-8")
    return _yaml().load(shown.stdout) if shown.returncode == 0 else {}


def _loaded(path: str | Path) -> dict[str, Any]:
    """A file of parameters with its comments."""
    parameters.read(path)  # tells what is wrong with it
    return _yaml().load(Path(path))


def _yaml() -> Any:
    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 4096
    return yaml


if __name__ == "__main__":
    run(main)
