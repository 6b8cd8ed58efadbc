"""Tool: which code each stage needs and which it declares; `python -m stages.tools.dependencies` tells the difference.

Stages of one's own, in a study's folder `own`, declare all that any entry may need: of these only what lacks is told.

What a stage needs follows from its command, its declared parameters and models: the verb's file, the files that the
parameters name (`network: dense` is stages/networks/dense.py), the models' networks, all that these import, and the
files that lie beside them and are named in them, such as the list of a paper's values, or in a folder without Python
that is, such as templates. Packages' `__init__.py` are nobody's.
"""

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stages.frame import code, parameters
from stages.frame.errors import told_in_one_line

# The folder that a parameter of this name names a file in. What `method` means depends on the verb.
ROOMS = {
    "attack": "attacks",
    "decoder": "features",
    "detector": "detection",
    "feature": "features",
    "front_end": "features",
    "grammar": "decoding",
    "network": "networks",
    "reader": "corpora",
    "treatment": "treatments",
}
METHODS = {"train": "training", "pretrain": "pretraining"}
# Parameters that name a victim, whose network's file is then needed.
VICTIMS = ("victims", "heard_by", "starts_from", "against", "model", "opinion_of")
# The files of a study's folder that a verb finds by name; such a verb shows results, and runs no room that they name.
FOUND = {"listen": ("sounds.py",), "report": ("tables.py", "figures.py", "findings.py")}
# Files that a verb finds where a parameter of this name says so.
SWITCHES = {
    "quality": "stages/measures/speech_quality.py",
    "plays": "stages/treatments/rooms.py",
    "playback": "stages/features/playback.py",
}
FRAME = Path("stages/frame")
OWN = "/own/dvc.yaml:"
# Verbs that can be told to take every entry of a section, and the rooms whose files the sections' entries name.
TAKERS = ("attack", "score", "detect")
SECTIONS = {"attacks": "attacks", "treatments": "treatments", "detectors": "detection"}


@dataclass(frozen=True)
class Stage:
    """A stage with its interpolations resolved; `params` are dotted names, paths are relative to the top folder."""

    address: str
    command: tuple[str, ...]
    params: tuple[str, ...]
    deps: tuple[Path, ...]
    outs: tuple[Path, ...]

    @property
    def verb(self) -> str:
        """The name of the verb's file."""
        return self.command[2].rsplit(".", 1)[1]


def stages() -> list[Stage]:
    """All stages of the repository whose top is the working folder."""
    from dvc.dependency import ParamsDependency
    from dvc.repo import Repo

    def inside(path: str) -> Path:
        return Path(path).relative_to(Path.cwd()) if Path(path).is_relative_to(Path.cwd()) else Path(path)

    with Repo(".") as repo:
        return [
            Stage(
                address=stage.addressing,
                command=tuple(stage.cmd.split()),
                params=tuple(name for dep in stage.deps if isinstance(dep, ParamsDependency) for name in dep.params),
                deps=tuple(inside(dep.fs_path) for dep in stage.deps if not isinstance(dep, ParamsDependency)),
                outs=tuple(inside(out.fs_path) for out in stage.outs),
            )
            for stage in repo.index.stages
        ]


def declared(stage: Stage) -> set[Path]:
    """The files of `stages` among a stage's dependencies, those of declared folders one by one."""
    own = [dep for dep in stage.deps if dep.parts[0] == "stages"]
    return {file for dep in own for file in (_files(dep) if dep.is_dir() else [dep])}


def needed(stage: Stage, values: dict[str, Any]) -> set[Path]:
    """The files of `stages` that the stage's command can import or read, `values` being all parameters.

    All of the ground floor, which is declared as one folder, is needed by everybody. So is a whole room where every
    entry of its section is taken, as one can be added that names any file of it: an edit of that file is to be noticed.
    """
    modules = code.needed(_roots(stage, values)) | set(_files(FRAME))
    for name in stage.params if stage.verb in TAKERS else ():
        section = name.partition(".")[2]
        modules |= set(_files(Path("stages", SECTIONS[section]))) if section in SECTIONS else set()
    return modules | _beside(modules)


def changes(values: dict[str, Any]) -> list[str]:
    """A line for each dependency that is needed and not declared (+), or declared and not needed (-)."""
    lines, values = [], parameters.with_own(values)
    for stage in stages():
        has, needs = declared(stage), needed(stage, values)
        lines += [f"{stage.address}: + {path}" for path in sorted(needs - has)]
        lines += [f"{stage.address}: - {path}" for path in sorted(has - needs) if OWN not in stage.address]
    return lines


def _roots(stage: Stage, values: dict[str, Any]) -> set[Path]:
    study = stage.command[3]
    roots = {Path("stages", f"{stage.verb}.py")}
    for dep in stage.deps:
        # Reports read what models decided, and open none.
        if dep.parts[0] == "models" and len(dep.parts) > 2 and stage.verb != "report":
            roots |= _networks("/".join(dep.parts[2:]), values[dep.parts[1]])
    if stage.verb in FOUND:
        folder = Path("stages/studies", study)
        return roots | {folder / name for name in FOUND[stage.verb] if (folder / name).is_file()}
    if stage.verb == "audit":
        # Of what another study has: `classifiers.events.vgg13`.
        room, study, _ = stage.command[4].split(".")
        roots.add(Path("stages/auditing", f"{room}.py"))
    for name in stage.params:
        roots |= set(_named({name.rsplit(".", 1)[-1]: _value(values, name)}, stage.verb, values[study]))
    return roots


def _named(given: Any, verb: str, study: dict[str, Any]) -> Iterator[Path]:
    """The files that parameters name, those of mappings in mappings too."""
    if not isinstance(given, dict):
        return
    for key, value in given.items():
        if isinstance(value, str):
            room = METHODS.get(verb) if key == "method" else ROOMS.get(key)
            if room:
                yield Path("stages", room, f"{value}.py")
            if key == "writer":
                yield Path("stages/corpora/embedded", f"{value.split('.')[0]}.py")
        if key in VICTIMS:
            for name in [value] if isinstance(value, str) else value or ():
                yield from _networks(str(name), study)
        if key == "front_end":
            yield from _networks(study.get("features", {}).get(value, {}).get("model"), study)
        if key in SWITCHES and value is not False:
            yield Path(SWITCHES[key])
        if key == "plan" and value == "judged":
            yield Path("stages/attacks/none.py")
        # Noise is laid over the sound, of which images are then made anew.
        if key == "regime" and value == "noise":
            yield from _named(study["features"], verb, study)
        yield from _named(value, verb, study)


def _networks(model: str | None, study: dict[str, Any]) -> set[Path]:
    """The network of a victim or its member, or what a pretrained model says it is, or those of the file that makes it.

    The latter go by their name, or as other rooms call them, `pretrained/<name>`.
    """
    model = str(model).removeprefix("pretrained/").partition("/")[0]
    victims = study.get("victims", {}) | study.get("finished", {})
    if model in victims:
        return {Path("stages/networks", f"{victims[model]['network']}.py")}
    if model in study.get("pretrained", {}):
        entry = study["pretrained"][model]
        if "network" in entry.get("parameters", {}):
            return {Path("stages/networks", f"{entry['parameters']['network']}.py")}
        made_by = Path("stages/pretraining", f"{entry['method']}.py")
        return {file for file in code.needed([made_by]) if file.parent.name == "networks"}
    return set()


def _beside(modules: Iterable[Path]) -> set[Path]:
    """The files beside modules that are named in them or in one another, and those of folders so named; no Python."""
    found: set[Path] = set()
    waiting = list(modules)
    while waiting:
        file = waiting.pop()
        text = file.read_text(encoding="utf-8")
        beside = (other for other in file.parent.iterdir() if f'"{other.name}"' in text)
        held = [_files(other) if other.is_dir() else [other] for other in beside]
        new = {other for files in held if not any(one.suffix == ".py" for one in files) for other in files} - found
        found |= new
        waiting += new
    return found


def _files(folder: Path) -> list[Path]:
    files = (file for file in folder.rglob("*") if file.is_file() and "__pycache__" not in file.parts)
    return [file for file in files if file.name != "__init__.py"]


def _value(values: dict[str, Any], name: str) -> Any:
    for key in name.split("."):
        values = values[key]
    return values


if __name__ == "__main__":
    with told_in_one_line():
        lines = changes(parameters.read())
        print("\n".join(lines) or "every stage declares what it needs")
        sys.exit(bool(lines))
