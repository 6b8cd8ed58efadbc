"""Ground floor: the arrays of many clips in a few safetensors files beside a csv, written shard by shard.

A set is a folder: `clips.csv`, whose column `key` names each row's arrays and whose column `shard` says where they
lie, and `shard-00000.safetensors` and so on. A shard is whole or absent, and is read one array at a time.
"""

import csv
import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from stages.frame import clip_table, code, progress
from stages.frame.devices import Worker
from stages.frame.errors import UserError

ABOUT = "about.json"
# The folder of a learned front end, in a set of features and beside the models that were trained on the set.
FRONT_END = "front_end"
Arrays = dict[str, np.ndarray]
Compute = Callable[[pd.DataFrame], tuple[pd.DataFrame, list[Arrays]]]


class ShardSet:
    """A finished set, read lazily: `table` (one row per key), `about` and `load(key)`.

    Only the shard read last stays open: an open shard is mapped into memory, and memory must not grow with the set.
    """

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)
        self.table = clip_table.read(self.folder / "clips.csv")
        self.about = json.loads((self.folder / ABOUT).read_text(encoding="utf-8"))
        self._shard_of = dict(zip(self.table.key, self.table.shard))
        self._open_name, self._open, self._names = "", None, {}

    def load(self, key: str) -> Arrays:
        """The named arrays of one row, none at all where none were kept.

        Raises:
            UserError: the set has no such key, or its shard is missing or damaged.
        """
        if key not in self._shard_of:
            raise UserError(self.folder, f"the clip {key!r}", "none of this name", "run dvc repro")
        if not self._shard_of[key]:
            return {}
        if self._shard_of[key] != self._open_name:
            self._turn_to(self._shard_of[key])
        return {name: self._open.get_tensor(f"{key}:{name}") for name in self._names.get(key, [])}

    def _turn_to(self, shard: str) -> None:
        from safetensors import SafetensorError, safe_open

        path = self.folder / shard
        try:
            self._open, self._open_name, self._names = safe_open(path, "numpy"), shard, {}
        except (FileNotFoundError, SafetensorError) as error:
            raise UserError(path, "a whole shard", str(error), "delete its folder and run dvc repro") from error
        for entry in self._open.keys():  # noqa: SIM118 (no mapping)
            key, name = entry.rsplit(":", 1)
            self._names.setdefault(key, []).append(name)


def write_set(
    plan: pd.DataFrame,
    output: str | Path,
    compute: Compute,
    *,
    inputs: list[str | Path],
    settings: Any,
    worker: Worker,
    description: str,
    clips_per_shard: int = 64,
    apart: tuple[str, ...] = (),
    about: dict[str, Any] | None = None,
    front_end: Path | None = None,
) -> None:
    """Writes the set that `compute` makes of the rows of `plan`, one shard of `clips_per_shard` rows at a time.

    `compute(rows)` returns a table with a column `key`, unique in the set, and the named arrays of each of its rows
    (none at all for a set that is only a table). Rows that differ in a column of `apart` are in no shard together.
    `about` is what whoever trains on the set must know of its arrays; it comes back as `ShardSet.about`. `front_end` is
    the folder of the learned model that made the arrays; a copy of it goes with the set.
    Shards are dealt out among the workers. Each is kept in a scratch folder as soon as it is done, so that an
    interrupted stage goes on where it was; the folder is named by a hash of `settings`, the content of `inputs`, the
    plan and the stage's own code, so that nothing stale is ever picked up.
    """
    parts = [own for _, own in plan.groupby(list(apart), sort=False)] if apart else [plan]
    pieces = [
        own.iloc[start : start + clips_per_shard] for own in parts for start in range(0, len(own), clips_per_shard)
    ]
    scratch = scratch_folder(output, inputs=inputs, settings=[settings, clips_per_shard, plan.to_csv()])
    for part in ("set", "tables"):
        (scratch / part).mkdir(exist_ok=True)
    own = range(worker.rank, len(pieces), worker.count)
    missing = [number for number in own if not _table(scratch, number).exists()]
    done = sum(len(pieces[number]) for number in own) - sum(len(pieces[number]) for number in missing)
    total = sum(len(pieces[number]) for number in own)
    with progress.bar(total, description, "clip", done=done, shown=worker.rank == 0) as bar:
        for number in missing:
            _write_shard(scratch, number, *compute(pieces[number]))
            bar.update(len(pieces[number]))
    worker.wait_for_all()
    if worker.rank == 0:
        _join_tables(scratch, len(pieces))
        (scratch / "set" / ABOUT).write_text(json.dumps(about or {}, indent=1) + "\n", encoding="utf-8")
        if front_end:
            shutil.copytree(front_end, scratch / "set" / FRONT_END, dirs_exist_ok=True)
        # Without its tables an interrupted move makes the next run begin anew, not take a part for the whole.
        shutil.rmtree(scratch / "tables")
        move(scratch / "set", Path(output))
        shutil.rmtree(scratch)
    worker.wait_for_all()


def scratch_folder(output: str | Path, *, inputs: list[str | Path], settings: Any) -> Path:
    """Where an interrupted run of the same code on the same inputs and settings left its work; made if absent.

    The code is this stage's own, what it has imported and can import: an edit elsewhere keeps what is half done.

    Raises:
        UserError: an input is missing.
    """
    own = sorted(code.TOP / file for file in code.needed(code.loaded()))
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True, default=str).encode())
    for path in [*own, *(file for given in inputs for file in _files(Path(given)))]:
        digest.update(str(path.name).encode())
        with path.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    name = f"{'-'.join(Path(output).parts[-3:])}-{digest.hexdigest()[:16]}"
    folder = Path(os.environ.get("SCRATCH", ".scratch")) / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def move(folder: Path, output: Path) -> None:
    """Puts a finished folder in the place of `output`, which is never seen half-written."""
    arriving = output.with_name(f".{output.name}.arriving")
    shutil.rmtree(arriving, ignore_errors=True)
    output.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(folder, arriving)
    if output.exists():
        shutil.rmtree(output)
    arriving.rename(output)


def _files(path: Path) -> list[Path]:
    if not path.exists():
        raise UserError(path, "a file or folder", "nothing there", "run dvc repro, or see data/README.md")
    return sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]


def _shard_name(number: int) -> str:
    return f"shard-{number:05d}.safetensors"


def _write_shard(scratch: Path, number: int, rows: pd.DataFrame, arrays: list[Arrays]) -> None:
    from safetensors.numpy import save_file

    if len(rows) != len(arrays):
        raise ValueError(f"{len(rows)} rows, {len(arrays)} sets of arrays")
    # Of an array whose values do not lie in order in memory safetensors writes other values, without a word.
    tensors = {
        f"{key}:{name}": np.ascontiguousarray(array)
        for key, named in zip(rows.key, arrays)
        for name, array in named.items()
    }
    if tensors:
        unfinished = scratch / f"{_shard_name(number)}.unfinished"
        save_file(tensors, unfinished)
        unfinished.rename(scratch / "set" / _shard_name(number))
    # The table comes last: it is what says that the shard is done.
    table = _table(scratch, number)
    unfinished = table.with_suffix(".unfinished")
    rows.assign(shard=_shard_name(number) if tensors else "").to_csv(unfinished, index=False)
    unfinished.rename(table)


def _join_tables(scratch: Path, count: int) -> None:
    with (scratch / "set" / "clips.csv").open("w", encoding="utf-8", newline="") as joined:
        writer = csv.writer(joined, lineterminator="\n")
        for number in range(count):
            with _table(scratch, number).open(encoding="utf-8", newline="") as stream:
                rows = list(csv.reader(stream))
            writer.writerows(rows if number == 0 else rows[1:])


def _table(scratch: Path, number: int) -> Path:
    return scratch / "tables" / f"{number:05d}.csv"
