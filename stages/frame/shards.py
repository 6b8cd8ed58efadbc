"""Ground floor: the arrays of many clips in a few safetensors files beside a csv, written shard by shard.

A set is a folder: `clips.csv`, whose column `key` names each row's arrays and whose column `shard` says where they
lie, and `shard-00000.safetensors` and so on. A shard is whole or absent, and is read one array at a time.
"""

import csv
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from stages.frame import about as schemas
from stages.frame import clip_table, content, environment, finite, json_files, kept, progress
from stages.frame.devices import Worker
from stages.frame.errors import UserError
from stages.frame.scratch import move, scratch_folder
from stages.frame.told import Told

TABLE, ABOUT = "clips.csv", "about.json"
# The pattern of shards' names, and the kinds of values that numpy knows.
SHARD = r"shard-\d+\.safetensors"
KINDS = ("BOOL", "U8", "I8", "U16", "I16", "U32", "I32", "U64", "I64", "F16", "F32", "F64")
AGAIN = "delete its folder and run dvc repro"
# The folder of a learned front end, in a set of features and beside the models that were trained on the set.
FRONT_END = "front_end"
# In what is kept of a shard: no csv has it.
END_OF_TABLE = b"\0"
Arrays = dict[str, np.ndarray]
Compute = Callable[[pd.DataFrame], tuple[pd.DataFrame, list[Arrays]]]
MadeOf = Callable[[pd.DataFrame], Any]


class ShardSet:
    """A finished set, read lazily: `table` (one row per key), `about` and `load(key)`.

    Only the shard read last stays open: an open shard is mapped into memory, and memory must not grow with the set.
    """

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)
        self.table = clip_table.read(self.folder / TABLE)
        self.about = json_files.read(self.folder / ABOUT, schemas.SET, what="a finished set", do=AGAIN)
        _check_places(self.table, self.folder)
        self._shard_of = dict(zip(self.table.key, self.table.shard))
        self._open_name, self._open, self._names = "", None, {}

    def load(self, key: str) -> Arrays:
        """The named arrays of one row, none at all where none were kept; to ask for one that is not there is an error.

        Raises:
            UserError: the set has no such key, or its shard is missing or damaged.
        """
        if key not in self._shard_of:
            raise UserError(self.folder, f"the clip {key!r}", "none of this name", "run dvc repro")
        if not self._shard_of[key]:
            return {}
        if self._shard_of[key] != self._open_name:
            self._turn_to(self._shard_of[key])
        arrays = [(name, self._array(f"{key}:{name}")) for name in self._names.get(key, [])]
        return Told(arrays, where=f"{self.folder / self._open_name}: {key}", do=AGAIN)

    def _array(self, entry: str) -> np.ndarray:
        path, kind = self.folder / self._open_name, self._open.get_slice(entry).get_dtype()
        if kind not in KINDS:
            raise UserError(path, f"arrays of {', '.join(KINDS)}", kind, AGAIN)
        array = self._open.get_tensor(entry)
        finite.check(array, path, entry, do=AGAIN)
        return array

    def _turn_to(self, shard: str) -> None:
        from safetensors import SafetensorError, safe_open

        path = self.folder / shard
        try:
            opened = safe_open(path, "numpy")
        except (OSError, SafetensorError) as error:
            raise UserError(path, "a whole shard", str(error), AGAIN) from error
        names: dict[str, list[str]] = {}
        for entry in opened.keys():  # noqa: SIM118 (no mapping)
            key, colon, name = entry.rpartition(":")
            if not colon:
                raise UserError(path, "arrays named <key>:<name>", repr(entry), AGAIN)
            names.setdefault(key, []).append(name)
        self._open, self._open_name, self._names = opened, shard, names


def _check_places(table: pd.DataFrame, folder: Path) -> None:
    """Passes a table that says for each key once in which shard of the folder its arrays are."""
    path = folder / TABLE
    for column in ("key", "shard"):
        if column not in table:
            raise UserError(path, f"a column {column!r}", ", ".join(table.columns)[:200], AGAIN)
    twice = table.key[table.key.duplicated()]
    if len(twice):
        raise UserError(path, "each key once", f"{twice.iloc[0]!r} twice", AGAIN)
    strange = table.shard[~table.shard.str.fullmatch(SHARD + "|")]
    if len(strange):
        raise UserError(path, "shards of its own folder", repr(strange.iloc[0]), AGAIN)


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
    made_of: MadeOf | None = None,
) -> None:
    """Writes the set that `compute` makes of the rows of `plan`, one shard of `clips_per_shard` rows at a time.

    `compute(rows)` returns a table with a column `key`, unique in the set, and the named arrays of each of its rows
    (none at all for a set that is only a table). Rows that differ in a column of `apart` are in no shard together.
    `about` is what whoever trains on the set must know of its arrays; it comes back as `ShardSet.about`. `front_end` is
    the folder of the learned model that made the arrays; a copy of it goes with the set.
    Shards are dealt out among the workers. Each is kept in a scratch folder as soon as it is done, so that an
    interrupted stage goes on where it was; the folder is named by a hash of `settings`, the content of `inputs`, the
    plan and the stage's own code, so that nothing stale is ever picked up.
    Where `made_of` tells all that a shard's rows are made of besides their plan, finished shards are kept beyond the
    stage, and those that are made of the same are not computed again, see `stages.frame.kept`.
    """
    parts = [own for _, own in plan.groupby(list(apart), sort=False, dropna=False)] if apart else [plan]
    pieces = [
        own.iloc[start : start + clips_per_shard] for own in parts for start in range(0, len(own), clips_per_shard)
    ]
    settings = [settings, clips_per_shard, plan.to_csv()]
    with scratch_folder(output, inputs=inputs, settings=settings, worker=worker) as scratch:
        for part in ("set", "tables"):
            (scratch / part).mkdir(exist_ok=True)
        own = range(worker.rank, len(pieces), worker.count)
        missing = [number for number in own if not _is_done(scratch, number)]
        done = sum(len(pieces[number]) for number in own) - sum(len(pieces[number]) for number in missing)
        total = sum(len(pieces[number]) for number in own)
        keys = {number: _key(pieces[number], made_of) for number in missing} if made_of else {}
        with progress.bar(total, description, "clip", done=done, shown=worker.rank == 0) as bar:
            for number in missing:
                if not (keys and _taken(scratch, number, keys[number])):
                    _write_shard(scratch, number, *compute(pieces[number]))
                    if keys:
                        _keep(scratch, number, keys[number])
                bar.update(len(pieces[number]))
        worker.wait_for_all()
        if worker.rank == 0:
            _join_tables(scratch, len(pieces))
            (scratch / "set" / ABOUT).write_text(json.dumps(about or {}, indent=1) + "\n", encoding="utf-8")
            if front_end:
                shutil.copytree(front_end, scratch / "set" / FRONT_END, dirs_exist_ok=True)
            move(scratch / "set", Path(output))
    worker.wait_for_all()


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
    for entry, array in tensors.items():
        finite.check(array, scratch, entry, do="leave this clip out of the corpus, or mend what made it")
    if tensors:
        unfinished = scratch / f"{_shard_name(number)}.unfinished"
        save_file(tensors, unfinished)
        unfinished.rename(scratch / "set" / _shard_name(number))
    # The table comes last: it is what says that the shard is done.
    table = rows.assign(shard=_shard_name(number) if tensors else "").to_csv(index=False)
    _put(scratch, _table(scratch, number), table.encode())


def _put(scratch: Path, file: Path, content: bytes) -> None:
    """Writes a file of the scratch folder, which is never seen half-written."""
    unfinished = scratch / f"{file.name}.unfinished"
    unfinished.write_bytes(content)
    unfinished.rename(file)


def _key(rows: pd.DataFrame, made_of: MadeOf) -> str:
    # Of another processor, or other versions, the bytes can be others.
    return content.of_settings([environment.environment(), made_of(rows), rows.to_csv(index=False)])


def _taken(scratch: Path, number: int, key: str) -> bool:
    """Whether a shard was kept under this key, which then is the one of this number."""
    held = kept.take(key)
    if held is None:
        return False
    table, _, shard = held.partition(END_OF_TABLE)
    header, *rows = csv.reader(io.StringIO(table.decode("utf-8"), newline=""))
    place, renamed = header.index("shard"), io.StringIO(newline="")
    for row in rows:
        row[place] = _shard_name(number) if shard else ""
    csv.writer(renamed, lineterminator="\n").writerows([header, *rows])
    if shard:
        _put(scratch, scratch / "set" / _shard_name(number), shard)
    _put(scratch, _table(scratch, number), renamed.getvalue().encode())
    return True


def _keep(scratch: Path, number: int, key: str) -> None:
    shard = scratch / "set" / _shard_name(number)
    arrays = shard.read_bytes() if shard.exists() else b""
    kept.keep(key, _table(scratch, number).read_bytes() + END_OF_TABLE + arrays)


def _is_done(scratch: Path, number: int) -> bool:
    """Whether the table is there, and the shard that it names: a finished set leaves before its tables do."""
    table = _table(scratch, number)
    return table.exists() and all((scratch / "set" / shard).exists() for shard in set(clip_table.read(table).shard))


def _join_tables(scratch: Path, count: int) -> None:
    with (scratch / "set" / "clips.csv").open("w", encoding="utf-8", newline="") as joined:
        writer = csv.writer(joined, lineterminator="\n")
        for number in range(count):
            table = _table(scratch, number)
            if not table.exists():
                raise UserError(table, "what another process has written", "nothing", "set SCRATCH to a folder of all")
            with table.open(encoding="utf-8", newline="") as stream:
                rows = list(csv.reader(stream))
            writer.writerows(rows if number == 0 else rows[1:])


def _table(scratch: Path, number: int) -> Path:
    return scratch / "tables" / f"{number:05d}.csv"
