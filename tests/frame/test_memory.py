"""What stays in memory: the same arrays, read once, and no more of them than there is room for."""

import numpy as np
import pandas as pd
import pytest

from stages.frame import memory, shards
from stages.frame.devices import Worker


@pytest.fixture
def folder(tmp_path):
    """Ten clips of 100 float32 in two shards."""
    table = pd.DataFrame({"key": [f"clip{number}" for number in range(10)]})

    def compute(rows):
        return rows, [{"audio": np.full(100, number, "f4")} for number in rows.index]

    given = {"inputs": [], "settings": 1, "worker": Worker(), "description": "t", "clips_per_shard": 5}
    shards.write_set(table, tmp_path / "set", compute, **given)
    return tmp_path / "set"


def test_a_kept_set_gives_what_the_set_gives_and_reads_it_once(folder, monkeypatch):
    plain, kept = shards.ShardSet(folder), memory.KeptSet(folder)
    keys = [*plain.table.key, *plain.table.key[::-1]]
    assert all(np.array_equal(kept.load(key)["audio"], plain.load(key)["audio"]) for key in keys)
    monkeypatch.setattr(kept, "_turn_to", lambda shard: pytest.fail("read again"))
    assert all((kept.load(key)["audio"] == number).all() for number, key in enumerate(plain.table.key))
    with pytest.raises(ValueError, match="read-only"):
        kept.load("clip0")["audio"][0] = 1


def test_what_has_no_room_is_read_each_time():
    read = []

    def load(number):
        read.append(number)
        return {"audio": np.zeros(100, "f4")}

    kept = memory.Kept(load, most_bytes=1000)
    for _ in range(3):
        for number in range(4):
            assert kept(number)["audio"].nbytes == 400
    # 400 bytes each: the first two stay.
    assert read == [0, 1, 2, 3, 2, 3, 2, 3]
