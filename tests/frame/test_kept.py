"""Finished pieces: found whole by what made them or not at all, in a folder that stays within its bound."""

import multiprocessing
import os

import pytest

from stages.frame import kept
from stages.frame.errors import UserError


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("SCRATCH", str(tmp_path))
    return tmp_path / "kept"


def test_a_piece_is_found_by_its_key_alone():
    assert kept.take("one") is None
    kept.keep("one", b"first")
    kept.keep("two", b"")
    assert (kept.take("one"), kept.take("two"), kept.take("three")) == (b"first", b"", None)
    kept.keep("one", b"another")
    assert kept.take("one") == b"another"


def test_a_cut_a_damaged_and_a_foreign_piece_are_not_believed(folder):
    kept.keep("one", b"what was made")
    whole = (folder / "one").read_bytes()
    for damaged in (b"", whole[:20], whole[:-1], whole + b"x", whole[:-1] + b"X", b"X" + whole[1:]):
        (folder / "one").write_bytes(damaged)
        assert kept.take("one") is None
    (folder / "two").write_bytes(whole)
    assert kept.take("two") is None
    kept.keep("one", b"what was made")
    assert kept.take("one") == b"what was made"


def test_what_was_used_least_recently_goes_first(folder, monkeypatch):
    monkeypatch.setenv("KEPT_GB", "400e-9")
    for number, name in enumerate("abc"):
        kept.keep(name, b"x" * 100)
        os.utime(folder / name, (number, number))
    assert kept.take("a")
    kept.keep("d", b"x" * 100)
    assert sorted(file.name for file in folder.iterdir()) == ["a", "c", "d"]
    # What an interrupt has left unfinished counts, and goes, too.
    (folder / "tmp123").write_bytes(b"x" * 132)
    os.utime(folder / "tmp123", (1, 1))
    kept.keep("e", b"x" * 100)
    assert sorted(file.name for file in folder.iterdir()) == ["a", "d", "e"]


def test_what_has_no_room_alone_drives_nothing_out(folder, monkeypatch):
    kept.keep("one", b"x" * 100)
    monkeypatch.setenv("KEPT_GB", "200e-9")
    kept.keep("large", b"x" * 169)
    assert [file.name for file in folder.iterdir()] == ["one"]
    monkeypatch.setenv("KEPT_GB", "0")
    kept.keep("two", b"")
    assert kept.take("two") is None


@pytest.mark.parametrize("value", ["", "much", "-1", "nan", "inf"])
def test_a_bound_without_sense_is_told(monkeypatch, value):
    monkeypatch.setenv("KEPT_GB", value)
    with pytest.raises(UserError, match="environment variable KEPT_GB: expected a number >= 0; found"):
        kept.keep("one", b"")


def _keep_and_take(number: int) -> bool:
    """Whether all that was found of pieces that the others write and remove was whole."""
    found = []
    for turn in range(200):
        key = str(turn % 7)
        kept.keep(key, key.encode() * 3000)
        found.append(kept.take(key) in (None, key.encode() * 3000))
    return all(found)


def test_several_processes_at_once_see_whole_pieces_or_none(monkeypatch):
    monkeypatch.setenv("KEPT_GB", "12e-6")
    with multiprocessing.get_context("fork").Pool(3) as pool:
        assert all(pool.map(_keep_and_take, range(3)))
