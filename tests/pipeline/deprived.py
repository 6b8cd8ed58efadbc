"""A `python` that gives each stage what it declares alone: its files and parameters, in a folder with nothing else."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PYTHON = """#!{python} -IS
import sys
sys.path.insert(0, {here!r})
import deprived
sys.exit(deprived.run({declared!r}, {waiting!r}, sys.argv[1:]))
"""


@contextlib.contextmanager
def path(clone: Path, waiting: str) -> Iterator[str]:
    """The PATH by which stages of the clone come to such a `python`, for as long as the block lasts.

    `waiting` is the PATH by which they come to the one that runs them.
    """
    from stages.tools import warm

    other = shutil.which("python", path=waiting)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        declared, python = folder / "declared.json", folder / "python"
        declared.write_text(json.dumps(_declared(clone)))
        given = {"here": str(Path(__file__).parent), "declared": str(declared), "waiting": other}
        python.write_text(PYTHON.format(python=sys.executable, **given))
        python.chmod(0o755)
        # Where one waits already nobody starts another.
        (folder / warm.SOCKET).symlink_to(Path(other).with_name(warm.SOCKET))
        yield f"{folder}:{waiting}"


def _declared(clone: Path) -> dict[str, dict[str, Any]]:
    """What each stage declares, by what follows `python` in its command."""
    import yaml

    from stages.frame import parameters
    from stages.tools import dependencies

    with contextlib.chdir(clone):
        values = parameters.read()
        return {
            " ".join(stage.command[1:]): {
                "deps": [str(file) for file in stage.deps],
                "outs": [str(file) for file in stage.outs],
                "parameters": yaml.safe_dump(_nested(values, stage.params), sort_keys=False),
            }
            for stage in dependencies.stages()
        }


def run(declared: str, waiting: str, command: list[str]) -> int:
    """The exit status of a stage that the python `waiting` runs by itself; what it wrote comes to the working folder.

    `declared` is the file that says what each stage declares.
    """
    clone, stage = Path.cwd(), json.loads(Path(declared).read_text())[" ".join(command)]
    scratch = clone / ".scratch"
    scratch.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=scratch) as name:
        folder = Path(name, "clone")
        _fill(folder, clone, stage)
        # Nor has it anything of what others have kept.
        status = subprocess.run([waiting, *command], cwd=folder, env=os.environ | {"SCRATCH": f"{name}/scratch"})
        if status.returncode == 0:
            # What is in git beside the outputs.
            beside = [file.relative_to(folder) for file in folder.glob("reports/*/environment.json")]
            for output in [*stage["outs"], *beside]:
                if (clone / output).is_dir():
                    shutil.rmtree(clone / output)
                (clone / output).parent.mkdir(parents=True, exist_ok=True)
                shutil.move(folder / output, clone / output)
        return status.returncode


def _nested(values: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """Of all parameters those that have these dotted names."""
    nested: dict = {}
    for name in names:
        *above, last = name.split(".")
        inner, value = nested, values
        for key in above:
            inner, value = inner.setdefault(key, {}), value[key]
        inner[last] = value[last]
    return nested


def _fill(folder: Path, clone: Path, stage: dict[str, Any]) -> None:
    """Makes the folder that holds what the stage declares, and nothing else but the packages' `__init__.py`."""
    for dependency in stage["deps"]:
        _link(clone / dependency, folder / dependency)
    for file in clone.glob("stages/**/__init__.py"):
        package = folder / file.parent.relative_to(clone)
        _link(file, package / file.name)
        # What is compiled once serves all: it is taken for a source of the same time and size alone.
        compiled = file.with_name("__pycache__")
        compiled.mkdir(exist_ok=True)
        (package / compiled.name).symlink_to(compiled)
    (folder / "params.yaml").write_text(stage["parameters"])
    for output in stage["outs"]:
        (folder / output).parent.mkdir(parents=True, exist_ok=True)


def _link(source: Path, target: Path) -> None:
    """Lets a file, or those of a folder, lie there too: nobody writes into what he reads."""
    if source.is_dir():
        target.mkdir(parents=True, exist_ok=True)
    for file in source.rglob("*") if source.is_dir() else [source]:
        place = target / file.relative_to(source)
        if file.is_file() and "__pycache__" not in file.parts and not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            os.link(file, place)
