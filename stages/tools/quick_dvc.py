"""Tool: DVC that does nothing twice and writes locks whole: `python -m stages.tools.quick_dvc ...` for `dvc ...`.

DVC parses params.yaml anew for each stage that has parameters, and looks through all of it for each of them; makes all
stages anew for each part of a command; hashes a folder anew for each stage that reads it; notes in a file what each
stage reads; parses and writes a whole lock of some thousand lines for each stage that ran; and stages the files of each
stage of an experiment in git, changed or not. Graphs, locks and folders that stay as they are it reads anew in each
process, see `stages.tools.known`. Each stage imports the heavy libraries, 2 s. It writes a lock in place, where Ctrl-C
leaves one that stops all later runs. Of a graph it draws a picture some hundred columns wide, or fails to.
"""

import contextlib
import functools
import os
import pickle
import re
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from stages.tools import known, warm

# Held while a lock file of DVC is written, which whoever ends this process has to wait for.
writing = threading.Lock()
# Of locks, which change with each stage.
LOCKS_KEPT = 32
# How wide a graph is told.
COLUMNS = 120
# Where processes of DVC note what they read and write.
RWLOCK = "rwlock"
# How a lock begins, of which the rest are the entries of stages, each indented.
OF_STAGES = "schema: '2.0'\nstages:\n"
# A value that stands at several places of a text.
SHARED = re.compile("[&*]id[0-9]")


@functools.cache
def prepare() -> None:
    """Makes the DVC of this process read and write so, once."""
    import dpath
    from dvc import dvcfile, rwlock
    from dvc.commands import dag
    from dvc.output import Output
    from dvc.repo.index import Index
    from dvc.stage import cache
    from dvc.utils import strictyaml
    from dvc.utils.serialize import _yaml

    _yaml.parse_yaml = strictyaml.parse_yaml = _remembered(_yaml.parse_yaml, known.shared())
    dpath.get = _step_by_step(dpath.get)
    Index.from_file = classmethod(_while_it_stays(Index.from_file.__func__))
    Output._get_hash_meta = _while_noted(Output._get_hash_meta, known.shared())
    rwlock.rwlock = _where_another_writes(rwlock.rwlock)
    dvcfile.modify_yaml = _by_entry(dvcfile.modify_yaml)
    cache._can_hash = _where_all_is_there(cache._can_hash)
    dvcfile.Lockfile.dump_stages = _uninterrupted(dvcfile.Lockfile.dump_stages)
    dag._show_ascii = _outline


def prepare_experiments() -> None:
    """As `prepare` for what runs experiments, which takes long to import."""
    from dvc.repo.experiments.executor.base import BaseExecutor

    BaseExecutor._repro_and_track = staticmethod(_staging_what_is_new())


def _remembered(parse: Callable[..., Any], of_texts: known.Known) -> Callable[..., Any]:
    """DVC's `parse`, which reads no text twice for plain values; what one caller changes in them no other one sees.

    Of `of_texts` each text, of locks each stage's entry, is known from one process to the next.
    """

    @functools.lru_cache(LOCKS_KEPT)
    def lock(text: str, path: str) -> bytes:
        # A stage that has run changes its own entry alone.
        entries = re.split(r"^(?=  \S)", text[len(OF_STAGES) :], flags=re.M)[1:]
        stages = {}
        for one in entries:
            stages |= known.found(of_texts, one, lambda: parse(one, path))  # noqa: B023 (asked here and now)
        return pickle.dumps(parse(OF_STAGES, path) | {"stages": stages})

    def values(text: str, path: str, typ: str = "safe") -> Any:
        if typ != "safe":
            # With comments, for a change of the file, it is another object.
            return parse(text, path, typ)
        if _is_lock(text):
            return pickle.loads(lock(text, path))  # noqa: S301 (our own)
        return known.found(of_texts, text, lambda: parse(text, path))

    return values


def _step_by_step(get: Callable[..., Any]) -> Callable[..., Any]:
    """The function `dpath.get`, which for a plain path goes from key to key, and else through all that there is."""

    @functools.wraps(get)
    def value(values: Any, path: str, separator: str = "/", **named: Any) -> Any:
        found = values
        for key in path.split(separator):
            if not isinstance(found, dict) or key not in found or re.search("[*?[]", key):
                return get(values, path, separator, **named)
            found = found[key]
        return found

    return value


def _while_it_stays(from_file: Callable[..., Any]) -> Callable[..., Any]:
    """DVC's `from_file`, which makes the stages of a file anew only where it, its lock or params.yaml is another.

    Those of another revision, which are read out of git, it makes as ever.
    """

    @functools.wraps(from_file)
    def index(cls: type, repo: Any, path: str) -> Any:
        from dvc.fs import LocalFileSystem

        if not isinstance(repo.fs, LocalFileSystem):
            return from_file(cls, repo, path)
        noted = [_noted(file) for file in (path, Path(path).with_suffix(".lock"), Path(repo.root_dir, "params.yaml"))]
        made = vars(repo).setdefault("quickly_indexed", {})
        if path not in made or made[path][0] != noted:
            made[path] = noted, from_file(cls, repo, path)
        return made[path][1]

    return index


def _while_noted(hashed: Callable[[Any], Any], of_files: known.Known) -> Callable[[Any], Any]:
    """DVC's `hashed`, which is asked again only where a file's number, size or time of change is another.

    DVC takes a single file for the same by just these; here a folder is too, also by the next process.
    """
    from dvc_data.hashfile.hash_info import HashInfo
    from dvc_data.hashfile.meta import Meta

    told: dict[tuple[str, str], tuple[list, Any]] = {}

    def plain(output: Any) -> list[dict[str, Any]]:
        meta, hash_info = hashed(output)
        return [{name: getattr(meta, name) for name in meta.fields}, hash_info.to_dict()]

    @functools.wraps(hashed)
    def meta_and_hash(output: Any) -> Any:
        path = Path(output.fs_path)
        if output.fs.protocol != "local" or not path.exists():
            return hashed(output)
        key, files = (output.fs_path, output.hash_name), _files(path) if path.is_dir() else [_noted(path)]
        if key not in told or told[key][0] != files:
            # What a folder has of its files is decided by lists of those to be ignored.
            ignored = [_noted(folder / ".dvcignore") for folder in path.parents]
            meta, hash_info = known.found(of_files, repr((key, files, ignored)), lambda: plain(output))
            told[key] = files, (Meta(**meta), HashInfo.from_dict(hash_info))
        return told[key][1]

    return meta_and_hash


def _files(folder: str | os.PathLike) -> list[tuple]:
    """The files of a folder, at any depth, with what changes when one is written."""
    found = []
    for entry in os.scandir(folder):
        if entry.is_dir(follow_symlinks=False):
            found += _files(entry.path)
        else:
            found.append((entry.path, *_noted(entry)))
    return found


def _noted(file: str | os.PathLike) -> tuple[int, ...]:
    """What changes when the file is written; nothing where there is none."""
    try:
        stat = os.stat(file)  # noqa: PTH116 (a Path takes longer than the file)
    except FileNotFoundError:
        return ()
    return stat.st_ino, stat.st_size, stat.st_mtime_ns


def _where_another_writes(noted: Callable[..., Any]) -> Callable[..., Any]:
    """DVC's `noted`, by which a process notes in a file what it reads and writes, for who reads alone only if need be.

    That is where others have noted something. Who wants to begin has to wait until DVC's lock is free; that it is while
    a stage's command runs, which notes what it writes.
    """

    @contextlib.contextmanager
    @functools.wraps(noted)
    def held(tmp_dir: str, fs: Any, cmd: str, read: list[str], write: list[str], hardlink: bool) -> Iterator[None]:
        file = Path(tmp_dir, RWLOCK)
        with (
            noted(tmp_dir, fs, cmd, read, write, hardlink)
            if write or (file.is_file() and "pid" in file.read_text(encoding="utf-8"))
            else contextlib.nullcontext()
        ):
            yield

    return held


def _by_entry(modify: Callable[..., Any]) -> Callable[..., Any]:
    """DVC's `modify`, which of a lock parses no comments and writes those entries alone that are exchanged.

    The lock has the same bytes as if written whole. What is no lock, or one of another form, is left to DVC.
    """

    @contextlib.contextmanager
    @functools.wraps(modify)
    def modified(path: str, fs: Any = None) -> Iterator[dict[str, Any]]:
        from dvc.utils.serialize import _yaml

        text = Path(path).read_text(encoding="utf-8") if Path(path).is_file() else ""
        if not _is_lock(text):
            with modify(path, fs=fs) as data:
                yield data
            return
        data = _yaml.parse_yaml(text, path)
        before = dict(data["stages"])
        yield data
        for name, entry in data["stages"].items():
            if entry is not before.get(name):
                text = _exchanged(text, _yaml.dumps_yaml({"stages": {name: entry}}).partition("\n")[2])
        arriving = Path(f"{path}.arriving")
        arriving.write_text(text, encoding="utf-8")
        arriving.replace(path)

    return modified


def _staging_what_is_new() -> Callable[..., Any]:
    """What DVC reproduces a stage of an experiment by, for which it stages the stage's files in git.

    Here that is done where git does not know one: what changed in those that it knows becomes part of the experiment's
    commit anyhow.
    """
    unknown: list[str] | None = None

    def reproduced(stage: Any, **named: Any) -> Any:
        nonlocal unknown
        from dvc.repo.reproduce import _reproduce_stage
        from dvc.stage.utils import _get_stage_files

        ran = _reproduce_stage(stage, **named)
        if unknown is None or ran:
            command = ["git", "-C", stage.repo.root_dir, "ls-files", "-z", "--others", "--exclude-standard"]
            told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            unknown = [f"{stage.repo.root_dir}/{name}" for name in told.split("\0") if name]
        places = [str(Path(stage.path).parent), *(one.fs_path for one in [*stage.deps, *stage.outs])]
        if not named.get("dry") and any(f"{name}/".startswith(f"{one}/") for name in unknown for one in places):
            stage.repo.scm_context.add(_get_stage_files(stage))
        return ran

    return reproduced


def _where_all_is_there(can_hash: Callable[[Any], bool]) -> Callable[[Any], bool]:
    """DVC's `can_hash` of a stage, which says whether it may be in the cache of runs.

    With `repro --dry` DVC fails at a stage that reads what another one would have made.
    """

    @functools.wraps(can_hash)
    def can(stage: Any) -> bool:
        return all(one.exists for one in stage.deps) and can_hash(stage)

    return can


def _after(start: Callable[[], Any], run: Callable[..., Any]) -> Callable[..., Any]:
    """DVC's `run` of a stage's command, before the first of which `start` is called, unless it is only told."""
    start_once = functools.cache(start)

    @functools.wraps(run)
    def ran(stage: Any, dry: bool = False, **named: Any) -> Any:
        if not dry:
            start_once()
        return run(stage, dry=dry, **named)

    return ran


def _is_lock(text: str) -> bool:
    """Whether the text is a lock as DVC writes it, the entries of stages one after the other."""
    after = text[len(OF_STAGES) :]
    return text.startswith(OF_STAGES) and not re.search("^[^ ]", after, re.M) and not SHARED.search(text)


def _exchanged(lock: str, entry: str) -> str:
    """The text of a lock with the text of a stage's entry in the place of its present one, or at the end."""
    head = re.escape(entry.partition("\n")[0])
    present = re.search(rf"^{head}\n(?:(?: {{4}}.*)?\n)*", lock, re.M)
    return lock[: present.start()] + entry + lock[present.end() :] if present else lock + entry


def _uninterrupted(write: Callable[..., Any]) -> Callable[..., Any]:
    """The function, for which an interrupt waits."""

    @functools.wraps(write)
    def whole(*given: Any, **named: Any) -> Any:
        came = []
        before = signal.signal(signal.SIGINT, lambda *_: came.append(True))
        try:
            with writing:
                return write(*given, **named)
        finally:
            signal.signal(signal.SIGINT, before)
            if came:
                raise KeyboardInterrupt

    return whole


def _outline(graph: Any) -> str:
    """The stages, each below those that it needs, in lines that name them."""
    from networkx import lexicographical_topological_sort, selfloop_edges

    needing = graph.reverse()
    # Of stages that are taken together one may need another.
    needing.remove_edges_from(list(selfloop_edges(needing)))
    lines = []
    for stage in lexicographical_topological_sort(needing, key=str):
        needed = ", ".join(sorted(needing.predecessors(stage)))
        lines += textwrap.wrap(f"{stage} <- {needed}" if needed else stage, COLUMNS, subsequent_indent="    ")
    return "\n".join(lines)


if __name__ == "__main__":
    from dvc.cli import main
    from dvc.stage import run

    prepare()
    if "exp" in sys.argv:
        prepare_experiments()
    with contextlib.ExitStack() as held:
        run.cmd_run = _after(lambda: held.enter_context(warm.started()), run.cmd_run)
        sys.exit(main(sys.argv[1:]))
