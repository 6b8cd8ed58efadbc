"""Tool: what of DVC's graph is out of date. Asked once, in one process, and of params.yaml as read once."""

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stages.frame.alone import another_run
from stages.frame.errors import UserError
from stages.tools import quick_dvc, removed

if TYPE_CHECKING:
    import networkx

# Where DVC writes the number of the process that works on its notes.
HELD = Path(".dvc/tmp/lock")


def outdated(targets: list[str], values: dict[str, Any]) -> dict[str, set[str]]:
    """The stages that the targets need and that have to run, or that follow one which has to.

    A target is a stage, or what one writes, or several do, or a part of that; a file that none writes needs none. Each
    comes with those of them it waits for. `values` is all of params.yaml; what it no longer names goes first, see
    `removed.forget`.

    Raises:
        UserError: a dvc.lock is cut off, names are missing in params.yaml, or another command of DVC is at work.
    """
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    quick_dvc.prepare()
    try:
        with Repo(".") as repo:
            graph = repo.index.graph
            writers = {Path(out.fs_path): stage.addressing for stage in repo.index.stages for out in stage.outs}
            names = [stage for name in targets for stage in _writing(name, writers)]
            stages = {one for name in names for one in repo.stage.collect(name, with_deps=True, graph=graph)}
            with repo.lock:
                removed.forget(repo)
                moved: dict[tuple, bool] = {}
                changed = {stage for stage in stages if _changed(stage, values, moved)}
            waits_for = {stage: set(graph.successors(stage)) for stage in stages}
    except DvcException as error:
        raise _told(error) from error
    return {stage.addressing: {one.addressing for one in needed} for stage, needed in following(waits_for, changed)}


def without_pages(waits_for: dict[str, set[str]]) -> dict[str, set[str]]:
    """What others can compute: not studies' pages, nor the list of them. Their tables are git's, in no cache of DVC."""
    return {name: needed for name, needed in waits_for.items() if name.rpartition(":")[2] not in ("report", "index")}


def with_needed(stage: str) -> list[str]:
    """All stages that a stage needs, each after those that it needs itself, and the stage last.

    Raises:
        UserError: see `outdated`.
    """
    import networkx

    return list(networkx.dfs_postorder_nodes(named(), stage))


@functools.cache
def named() -> "networkx.DiGraph":
    """DVC's graph, as it was when first asked for: the names of stages, with arrows to those that each needs.

    Raises:
        UserError: see `outdated`.
    """
    import networkx
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        with Repo(".") as repo:
            graph = repo.index.graph
    except DvcException as error:
        raise _told(error) from error
    return networkx.relabel_nodes(graph, {one: one.addressing for one in graph})


def _writing(target: str, writers: dict[Path, str]) -> list[str]:
    """The stages that write a file or folder, or what lies in it; what is no file is a stage itself."""
    path = Path(target).absolute()
    found = {stage for out, stage in writers.items() if path == out or out in path.parents or path in out.parents}
    return sorted(found) or ([] if path.exists() else [target])


def following(waits_for: dict[Any, set], changed: set) -> list[tuple[Any, set]]:
    """The changed and whatever waits for them, directly or not, with those of these that each waits for."""
    stale = set(changed)
    while more := {one for one, needed in waits_for.items() if one not in stale and needed & stale}:
        stale |= more
    return [(one, needed & stale) for one, needed in waits_for.items() if one in stale]


def _changed(stage: Any, values: dict[str, Any], moved: dict[tuple, bool]) -> bool:
    """Whether DVC would run the stage. DVC itself reads all of params.yaml for each stage anew, 0.08 s each time.

    `moved` remembers of a dependency with the bytes that a lock notes whether it has others now: many stages have it.
    """
    from dvc.dependency import ParamsDependency

    for dep in stage.deps:
        if isinstance(dep, ParamsDependency):
            now = {name: _value(values, name) for name in dep.params}
            if (dep.hash_info.value if dep.hash_info else None) != now:
                return True
        else:
            noted = (dep.fs_path, dep.hash_info)
            if noted not in moved:
                moved[noted] = bool(dep.workspace_status())
            if moved[noted]:
                return True
    return stage.changed_stage() or stage.changed_outs()


def _value(values: Any, name: str) -> Any:
    for key in name.split("."):
        values = values.get(key) if isinstance(values, dict) else None
    return values


def _told(error: Exception) -> UserError:
    """What DVC's error says, and what to do about a lock that a kill has cut off, or about who holds DVC's own."""
    from dvc.lock import LockError

    if isinstance(error, LockError):
        return another_run(Path.cwd(), HELD.read_text(encoding="utf-8").strip() if HELD.exists() else "unknown")
    path = Path(getattr(error, "path", "") or "dvc.yaml")
    if path.name == "dvc.lock":
        lock = path.relative_to(Path.cwd()) if path.is_absolute() else path
        do = f"git restore {lock}, or delete it: what is done comes back from the cache"
        return UserError(lock, "a whole file", "one cut off by an interrupt", do)
    return UserError(path, "stages that DVC can read", str(error), "see dvc repro")
