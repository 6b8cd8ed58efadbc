"""What users are told, in one line."""

import errno
import os
import pickle
import shutil

import numpy as np
import pytest
from disks import closed, other_disk, room_for

from stages.frame.errors import UserError, each, told_in_one_line, writing

KEPT = "and run again; finished shards are kept"


def told(work) -> str:
    """What is told of work that fails."""
    with pytest.raises(SystemExit) as caught, told_in_one_line():
        work()
    return str(caught.value.code)


def test_an_error_is_one_line_with_its_four_parts():
    error = UserError("a file", "this", "that\nand more", "do so")
    assert str(error) == "a file: expected this; found that and more; do so"
    assert str(pickle.loads(pickle.dumps(error))) == str(error)  # noqa: S301 (our own)


def test_what_can_not_be_seen_is_escaped():
    error = UserError("a\x1b[31m", "Tür", "\r\0\u2028\udcff", "do so")
    assert str(error) == r"a\x1b[31m: expected Tür; found \r\x00\u2028\udcff; do so"


def test_an_interrupt_says_that_nothing_is_lost():
    def work():
        raise KeyboardInterrupt

    assert "run the same command again" in told(work)


def test_other_errors_are_seen_in_full():
    for error in (FileNotFoundError(2, "No such file", "x"), ValueError("os error of ours")):
        with pytest.raises(type(error)), told_in_one_line():
            raise error


def by_words(folder):
    folder.joinpath("a").write_text("x" * 100_000)


def by_safetensors(folder):
    from safetensors.numpy import save_file

    save_file({"a": np.zeros(50_000)}, folder / "a")


def by_a_copy(folder):
    shutil.copytree(folder.parent / "large", folder / "copied")


def by_a_table(folder):
    import pandas as pd

    pd.DataFrame({"a": np.arange(50_000)}).to_csv(folder / "a")


WRITERS = [by_words, by_safetensors, by_a_copy, by_a_table]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "large").mkdir()
    (tmp_path / "large/a").write_bytes(bytes(100_000))
    (tmp_path / "folder").mkdir()
    return tmp_path / "folder"


@pytest.mark.parametrize("write", WRITERS)
def test_a_full_disk_is_named_whoever_writes(folder, write):
    def work():
        with room_for(20_000), writing(folder):
            write(folder)

    line = told(work)
    assert line.startswith(
        f"error: {folder}: expected room to write; found {os.strerror(errno.EFBIG)}; free some space"
    )
    assert line.endswith(KEPT)


def test_a_disk_that_nobody_named_is_that_of_the_working_folder(folder, monkeypatch):
    monkeypatch.chdir(folder)

    def work():
        raise OSError(errno.ENOSPC, "No space left on device")

    assert told(work).startswith(f"error: {folder}: expected room to write; found No space left on device")


def by_libsndfile(folder):
    import soundfile

    soundfile.write(folder / "a.wav", np.zeros(10_000_000, np.int16), 16000)


@pytest.mark.parametrize("write", [*WRITERS[:2], by_libsndfile])
def test_a_disk_that_is_really_full(tmp_path, write):
    with other_disk(tmp_path / "small") as small:
        (small / "rest").write_bytes(bytes(shutil.disk_usage(small).free - 65536))

        def work():
            with writing(small):
                write(small)

        assert told(work).startswith(f"error: {small}: expected room to write; found No space left on device")


@pytest.mark.parametrize("write", WRITERS)
def test_a_folder_that_can_not_be_written_is_named(folder, write):
    def work():
        with writing(folder):
            write(folder)

    with closed(folder):
        line = told(work)
    assert line.startswith(f"error: {folder}")
    assert "expected a place to read and write" in line
    assert line.endswith(KEPT)


def test_what_stands_in_the_place_of_a_folder_is_named(folder):
    (folder / "file").touch()
    line = told(lambda: (folder / "file/below").mkdir())
    assert line.startswith(f"error: {folder / 'file/below'}: expected a place to read and write; found Not a directory")


def test_what_is_wrong_with_several_is_told_of_all_in_one_line():
    def twice(name):
        if name in "ace":
            raise UserError(name, "b or d", repr(name), "correct it")
        return 2 * name

    assert each(twice, "bd") == {"b": "bb", "d": "dd"}
    with pytest.raises(UserError) as told:
        each(twice, "abcde")
    one = "{0}: expected b or d; found '{0}'; correct it"
    assert str(told.value) == "; and ".join(one.format(name) for name in "ace")
    with pytest.raises(UserError) as told:
        each(lambda name: twice("a"), "xyz")
    assert str(told.value) == one.format("a")
