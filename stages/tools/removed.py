"""Tool: what stages have written that none writes any more, as its entry was taken out of params.yaml."""

import shutil
from pathlib import Path
from typing import Any

from stages.frame.errors import writing

# Where what stages write is in DVC's cache, from which it comes back with its entry.
CACHED = ("data", "models")


def forget(repo: Any) -> list[str]:
    """Removes it, with its lines in DVC's locks: who reads the folder that it lies in would have read it.

    So what depends on such a folder is, without the entry, what it was before there was one. `repo` is a
    `dvc.repo.Repo` of the working folder. Tells what went.
    """
    from dvc.dvcfile import load_file

    written = [Path(out.fs_path) for stage in repo.index.stages for out in stage.outs]
    names: dict[Path, set[str]] = {}
    # A graph may be left without a stage; one that is not there now is joined when it is asked for.
    for graph in [*Path().glob("dvc.yaml"), *Path("stages").rglob("dvc.yaml")]:
        names[graph.absolute()] = set()
    for stage in repo.index.stages:
        names.setdefault(Path(stage.path), set()).add(stage.addressing.rpartition(":")[2])
    removed = []
    for graph, own in names.items():
        locked = load_file(repo, str(graph)).lockfile_contents.get("stages", {})
        outputs = {name: [out["path"] for out in locked[name].get("outs", [])] for name in locked.keys() - own}
        for path in (Path(one).absolute() for several in outputs.values() for one in several):
            if _is_nobodys(path, written):
                _remove(path)
                removed.append(str(path.relative_to(Path.cwd())))
        if outputs:
            _strike_out(graph.with_suffix(".lock"), outputs.keys())
    return sorted(removed)


def _is_nobodys(path: Path, written: list[Path]) -> bool:
    """Whether it is in DVC's cache, and neither holds nor lies in what a stage writes now."""
    own = any(path == one or path in one.parents or one in path.parents for one in written)
    return path.is_relative_to(Path.cwd()) and path.relative_to(Path.cwd()).parts[0] in CACHED and not own


def _remove(path: Path) -> None:
    with writing(path):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _strike_out(lock: Path, names: Any) -> None:
    """Rewrites a lock without these stages; it is whole at any time, and gone where none is left."""
    from dvc.utils.serialize import dumps_yaml, parse_yaml_for_update

    kept = parse_yaml_for_update(lock.read_text(encoding="utf-8"), str(lock))
    for name in names:
        del kept["stages"][name]
    if not kept["stages"]:
        _remove(lock)
        return
    arriving = lock.with_suffix(".arriving")
    with writing(arriving):
        arriving.write_text(dumps_yaml(kept), encoding="utf-8")
        arriving.replace(lock)
