"""Shards: lazily readable, whole or absent, the same bytes however often a run was cut, by however many processes."""

import hashlib
import multiprocessing
import os
import shutil
import signal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from disks import closed, other_disk, room_for

from stages.frame import environment, shards
from stages.frame import scratch as scratch_module
from stages.frame.devices import Worker
from stages.frame.errors import UserError, told_in_one_line

CLIPS = 10


def plan() -> pd.DataFrame:
    return pd.DataFrame({"clip_id": [f"clip{number}" for number in range(CLIPS)]})


def compute(rows):
    arrays = [
        {"audio": np.random.default_rng(int(name[4:])).standard_normal(50 + int(name[4:])).astype("f")}
        for name in rows.clip_id
    ]
    return rows.assign(key=rows.clip_id, energy=[float((a["audio"] ** 2).sum()) for a in arrays]), arrays


def write(output: Path, compute=compute, worker=None, settings=1):
    shards.write_set(
        plan(),
        output,
        compute,
        inputs=[],
        settings=settings,
        worker=worker or Worker(),
        description="test",
        clips_per_shard=3,
        about={"signal": {"sample_rate_hz": 8000}},
    )


def digest(folder: Path) -> str:
    total = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        total.update(str(path.relative_to(folder)).encode() + path.read_bytes())
    return total.hexdigest()


@pytest.fixture(autouse=True)
def scratch(tmp_path, monkeypatch):
    monkeypatch.setenv("SCRATCH", str(tmp_path / "scratch"))
    return tmp_path / "scratch"


def test_arrays_whose_values_do_not_lie_in_order_keep_them(tmp_path):
    table = np.arange(6.0).reshape(2, 3)

    def turned(rows):
        return rows.assign(key=rows.clip_id), [{"turned": table.T, "part": table[:, 1:]} for _ in rows.clip_id]

    write(tmp_path / "set", turned)
    loaded = shards.ShardSet(tmp_path / "set").load("clip4")
    assert loaded["turned"].tolist() == [[0, 3], [1, 4], [2, 5]]
    assert loaded["part"].tolist() == [[1, 2], [4, 5]]


def test_what_is_written_is_read(tmp_path, scratch):
    write(tmp_path / "out")
    read = shards.ShardSet(tmp_path / "out")
    rows, arrays = compute(plan())
    assert list(read.table.key) == list(rows.key)
    assert list(read.table.energy) == list(rows.energy)
    for key, expected in reversed(list(zip(rows.key, arrays))):
        assert np.array_equal(read.load(key)["audio"], expected["audio"])
    assert read.about == {"signal": {"sample_rate_hz": 8000}}
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "about.json",
        "clips.csv",
        *(f"shard-0000{n}.safetensors" for n in range(4)),
    ]
    assert not list(scratch.iterdir())


def test_two_runs_give_equal_bytes(tmp_path):
    write(tmp_path / "a" / "out")
    write(tmp_path / "b" / "out")
    assert digest(tmp_path / "a" / "out") == digest(tmp_path / "b" / "out")


@pytest.mark.parametrize("at", [0, 2, 3])
def test_interrupted_at_a_shard_it_resumes_to_equal_bytes(tmp_path, at):
    write(tmp_path / "whole" / "out")
    done = []

    def breaks(rows):
        if len(done) == at:
            raise KeyboardInterrupt
        done.append(len(rows))
        return compute(rows)

    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "cut" / "out", breaks)
    assert not (tmp_path / "cut" / "out").exists()
    recomputed = []

    def counts(rows):
        recomputed.append(len(rows))
        return compute(rows)

    write(tmp_path / "cut" / "out", counts)
    assert len(recomputed) == 4 - at
    assert digest(tmp_path / "cut" / "out") == digest(tmp_path / "whole" / "out")


def _killed_while_saving(output: Path):
    import safetensors.numpy

    def half_then_die(tensors, path):
        Path(path).write_bytes(b"half a shard")
        os.kill(os.getpid(), signal.SIGKILL)

    safetensors.numpy.save_file = half_then_die
    write(output)


def test_killed_in_the_middle_of_a_file_it_leaves_no_half_shard(tmp_path):
    write(tmp_path / "whole" / "out")
    child = multiprocessing.get_context("fork").Process(target=_killed_while_saving, args=(tmp_path / "cut" / "out",))
    child.start()
    child.join()
    assert child.exitcode == -signal.SIGKILL
    assert not (tmp_path / "cut" / "out").exists()
    write(tmp_path / "cut" / "out")
    assert digest(tmp_path / "cut" / "out") == digest(tmp_path / "whole" / "out")


def test_other_settings_do_not_resume_from_these(tmp_path):
    def breaks(rows):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "out", breaks, settings="old")
    done = []
    write(tmp_path / "out", lambda rows: done.append(1) or compute(rows), settings="new")
    assert len(done) == 4


def test_shards_dealt_out_to_two_give_the_bytes_of_one(tmp_path):
    """The dealing itself, one worker after the other; real processes are started in tests/frame/test_devices.py."""
    write(tmp_path / "one" / "out")

    class Second(Worker):
        def wait_for_all(self):
            pass

    class First(Worker):
        def wait_for_all(self):
            if not (tmp_path / "two" / "out").exists():
                write(tmp_path / "two" / "out", worker=Second(rank=1, count=2))

    write(tmp_path / "two" / "out", worker=First(rank=0, count=2))
    assert digest(tmp_path / "one" / "out") == digest(tmp_path / "two" / "out")


def counting(done: list):
    """`compute`, which notes in the list when it is called."""
    return lambda rows: done.append(1) or compute(rows)


def test_a_full_disk_is_one_line_and_loses_no_finished_shard(tmp_path, scratch):
    def fills_up(rows):
        rows, arrays = compute(rows)
        return rows, arrays if "clip0" in set(rows.clip_id) else [{"audio": np.zeros(100_000)} for _ in arrays]

    with pytest.raises(SystemExit) as caught, told_in_one_line(), room_for(20_000):
        write(tmp_path / "out", fills_up)
    assert f"error: {scratch}/" in str(caught.value.code)
    assert ": expected room to write; found File too large; free some space" in str(caught.value.code)
    assert not (tmp_path / "out").exists()
    again = []
    write(tmp_path / "out", counting(again))
    assert len(again) == 3


@pytest.mark.parametrize("refused", ["full", "closed"])
def test_where_the_set_can_not_be_put_in_place_no_finished_shard_is_lost(tmp_path, refused):
    data = tmp_path / "data"
    if refused == "closed":
        data.mkdir()
    with (
        other_disk(data, size="16k") if refused == "full" else closed(data),
        pytest.raises(UserError, match="expected room to write" if refused == "full" else "expected a place to read"),
    ):
        write(data / "out")
    again = []
    write(data / "out", counting(again))
    assert again == []
    write(tmp_path / "whole" / "out")
    assert digest(data / "out") == digest(tmp_path / "whole" / "out")


def test_killed_between_putting_the_set_in_place_and_cleaning_up_it_begins_anew(tmp_path, monkeypatch):
    """What is left in the scratch folder is no set: its shards have gone."""

    def killed(folder):
        raise KeyboardInterrupt

    monkeypatch.setattr(scratch_module, "_remove", killed)
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "out")
    monkeypatch.undo()
    monkeypatch.setenv("SCRATCH", str(tmp_path / "scratch"))
    before = digest(tmp_path / "out")
    shutil.rmtree(tmp_path / "out")
    again = []
    write(tmp_path / "out", counting(again))
    assert len(again) == 4
    assert digest(tmp_path / "out") == before


def test_a_share_that_another_machine_keeps_to_itself_is_told(tmp_path):
    class First(Worker):
        def wait_for_all(self):
            pass

    with pytest.raises(UserError, match=r"00001.csv: expected what another process has written; found nothing; set SC"):
        write(tmp_path / "out", worker=First(rank=0, count=2))


def test_a_missing_or_damaged_shard_is_named(tmp_path):
    write(tmp_path / "out")
    (tmp_path / "out" / "shard-00001.safetensors").write_bytes(b"rubbish")
    (tmp_path / "out" / "shard-00002.safetensors").unlink()
    read = shards.ShardSet(tmp_path / "out")
    for key, shard in (("clip3", "shard-00001"), ("clip6", "shard-00002")):
        with pytest.raises(UserError, match=shard):
            read.load(key)
    with pytest.raises(UserError, match="'nobody'"):
        read.load("nobody")
    with pytest.raises(UserError, match="expected a table of clips"):
        shards.ShardSet(tmp_path / "nowhere")


def test_a_set_that_is_only_a_table_has_no_shards(tmp_path):
    shards.write_set(
        plan(),
        tmp_path / "out",
        lambda rows: (rows.assign(key=rows.clip_id), [{}] * len(rows)),
        inputs=[],
        settings=0,
        worker=Worker(),
        description="test",
    )
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["about.json", "clips.csv"]


def test_an_existing_output_is_replaced_whole(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "stale").write_text("")
    write(tmp_path / "out")
    assert not (tmp_path / "out" / "stale").exists()


GROUPS = {"a": 4, "b": 5}


def write_groups(output: Path, groups: dict[str, int], *, keeps: bool = True, version: int = 1) -> list[str]:
    """A set of so many clips of each group; of which groups shards were computed. Clips `b...` have no arrays."""
    computed = []
    table = pd.DataFrame([{"clip_id": f"clip{n}", "group": group} for group, n in groups.items() for n in range(n)])

    def of_group(rows):
        computed.append(rows.group.iloc[0])
        made, arrays = compute(rows)
        key, nothing = made.group + made.clip_id, rows.group.iloc[0] == "b"
        return made.assign(key=key, odd='a "b", c\n'), [{}] * len(rows) if nothing else arrays

    shards.write_set(
        table,
        output,
        of_group,
        inputs=[],
        settings=1,
        worker=Worker(),
        description="test",
        clips_per_shard=3,
        apart=("group",),
        made_of=(lambda rows: version) if keeps else None,
    )
    return computed


def test_only_new_shards_are_computed_and_the_bytes_are_those_without_what_is_kept(tmp_path):
    assert write_groups(tmp_path / "first", GROUPS) == ["a", "a", "b", "b"]
    assert write_groups(tmp_path / "again", GROUPS) == []
    assert digest(tmp_path / "again") == digest(tmp_path / "first")
    # Before the others, so that these have other numbers now; and with one clip more in a shard of its own.
    more = {"c": 2} | GROUPS | {"b": 7}
    assert write_groups(tmp_path / "more", more) == ["c", "b", "b"]
    assert write_groups(tmp_path / "whole", more, keeps=False) == ["c", "a", "a", "b", "b", "b"]
    assert digest(tmp_path / "more") == digest(tmp_path / "whole")
    assert write_groups(tmp_path / "other", GROUPS, version=2) == ["a", "a", "b", "b"]


def test_what_another_version_of_a_package_made_is_computed_again(tmp_path, monkeypatch):
    assert write_groups(tmp_path / "first", GROUPS) == ["a", "a", "b", "b"]
    newer = environment.environment() | {"torch": "99.0"}
    monkeypatch.setattr(environment, "environment", lambda: newer)
    assert write_groups(tmp_path / "newer", GROUPS) == ["a", "a", "b", "b"]
    assert write_groups(tmp_path / "again", GROUPS) == []


def test_a_damaged_piece_is_computed_again(tmp_path, scratch):
    write_groups(tmp_path / "first", GROUPS)
    for damaged in (scratch / "kept").iterdir():
        damaged.write_bytes(damaged.read_bytes()[:-1] + b"X")
    assert write_groups(tmp_path / "again", GROUPS) == ["a", "a", "b", "b"]
    assert digest(tmp_path / "again") == digest(tmp_path / "first")
