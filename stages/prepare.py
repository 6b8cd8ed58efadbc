"""Verb: a corpus on disk to a set of decoded clips: `python -m stages.prepare STUDY SET`."""

import signal
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from stages.frame import clip_table, devices, parameters, shards
from stages.frame.errors import UserError, run
from stages.frame.folders import say_not_taken
from stages.frame.modules import find

Counted = dict[str, float | bool]
Decode = Callable[[Path], tuple[shards.Arrays, Counted]]


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """An entry of `<study>.corpora`.

    `reader` is the file in stages/corpora that reads the lists at `root`, `decoder` the one in stages/features that
    decodes the clips; each has its parameters. `skip_unreadable` keeps a clip that can't be decoded as a row that says
    in the column `problem` what is wrong, and that has no arrays; else it stops the stage.
    """

    reader: str
    root: str
    skip_unreadable: bool
    parameters: dict[str, Any]
    decoder: str
    decoding: dict[str, Any]


def main(study: str, name: str) -> None:
    """Writes `data/<study>/<set>` from the corpus that `<study>.corpora.<set>` names: its clip table, and the arrays.

    Recordings below the corpus's folder that are not among its clips are counted on stderr.

    Raises:
        UserError: the corpus or its lists are faulty, or a clip is that must not be.
    """
    worker = devices.launch()
    where = f"{study}.corpora.{name}"
    corpus = parameters.entry(Corpus, where)
    decode, about, counted, pool, clips_per_shard = (
        find("features", corpus.decoder, attribute, where=f"{where}.decoder")
        for attribute in ("decode", "about", "COUNTED", "pool", "CLIPS_PER_SHARD")
    )
    decode = parameters.bind(decode, f"{where}.decoding", corpus.decoding)
    table = _clip_table(corpus, where)
    root = Path(corpus.root)
    _check_spelling([root / file for file in table.file])
    if worker.rank == 0:
        say_not_taken(root, [root / file for file in table.file])
    one, output = partial(_decoded, decode, counted if corpus.skip_unreadable else None), Path("data", study, name)

    def compute(rows: pd.DataFrame) -> tuple[pd.DataFrame, list[shards.Arrays]]:
        arrays, values, problems = zip(*workers.map(one, [root / file for file in rows.file]))
        rows = rows.assign(key=rows.clip_id).join(pd.DataFrame(values, rows.index))
        return rows.assign(problem=problems), list(arrays)

    with pool() as workers:
        try:
            shards.write_set(
                table,
                output,
                compute,
                inputs=[root / file for file in table.file if (root / file).is_file()],
                settings=[corpus.decoder, decode.keywords, corpus.skip_unreadable],
                worker=worker,
                description=f"prepare {study} {name}",
                clips_per_shard=clips_per_shard,
                about=about(**decode.keywords),
            )
        except KeyboardInterrupt:
            # A second one while others finish their clips would leave this process waiting for ever.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            raise
    if worker.rank == 0:
        # What is no count, such as the duration, is no whole number.
        counts = [one for one, value in counted.items() if isinstance(value, int)]
        print(f"{study} {name}: {clip_table.told(clip_table.read(output / 'clips.csv'), counts)}")


def _clip_table(corpus: Corpus, where: str) -> pd.DataFrame:
    """The checked clip table of the corpus; see `clip_table.COLUMNS`."""
    if not corpus.root or not Path(corpus.root).is_dir():
        raise UserError(
            f"params.yaml: {where}.root", "the corpus's folder", f"nothing at {corpus.root}", "see data/README.md"
        )
    read = find("corpora", corpus.reader, "read", where=f"{where}.reader")
    read = parameters.bind(read, f"{where}.parameters", corpus.parameters)
    return clip_table.checked(read(Path(corpus.root)), corpus.root)


def _check_spelling(files: list[Path]) -> None:
    """Passes files of which none is missing while another lies there whose name only looks like its own.

    A name can be written in several forms of Unicode, and macOS takes upper for lower case; most other systems do not.
    """
    names: dict[Path, dict[str, str]] = {}
    for path in files:
        if path.exists():
            continue
        while not path.parent.is_dir():
            path = path.parent
        if path.parent not in names:
            names[path.parent] = {_seen(one.name): one.name for one in path.parent.iterdir()}
        found = names[path.parent].get(_seen(path.name), path.name)
        if found != path.name:
            do = "write the name in the list as that of the file, or rename the file"
            raise UserError(path, f"a file of the name {path.name!a}", ascii(found), do)


def _seen(name: str) -> str:
    return clip_table.alike(name).casefold()


def _decoded(decode: Decode, unreadable: Counted | None, path: Path) -> tuple[shards.Arrays, Counted, str]:
    """The arrays and values of a clip, and what is wrong with it: then none and `unreadable`, unless that is None."""
    try:
        return (*decode(path), "")
    except UserError as error:
        if unreadable is None:
            raise
        return {}, unreadable, str(error)


if __name__ == "__main__":
    run(main)
