"""Unfinished work: kept through a full disk, a closed one and a kill, and put in place whole."""

import subprocess
import sys
from pathlib import Path

import pytest
from disks import closed, other_disk

from stages.frame.errors import UserError
from stages.frame.scratch import move, scratch_folder

WORK = """
import sys, time
from stages.frame.scratch import scratch_folder
with scratch_folder("data/x/out", inputs=[], settings=1) as folder:
    print(folder, flush=True)
    time.sleep(600)
"""


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SCRATCH", str(tmp_path / "scratch"))
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    return tmp_path


def begin() -> Path:
    """A scratch folder with some work, as an interrupt leaves it."""
    with pytest.raises(KeyboardInterrupt), scratch_folder("data/x/out", inputs=[], settings=1) as folder:
        (folder / "work").write_text("half")
        raise KeyboardInterrupt
    return folder


def test_work_is_found_again_and_goes_when_it_is_done(home):
    folder = begin()
    with scratch_folder("data/x/out", inputs=[], settings=1) as again:
        assert (again / "work").read_text() == "half"
    assert again == folder
    with scratch_folder("data/x/out", inputs=[], settings=1) as anew:
        assert not list(anew.iterdir())
    assert not list((home / "scratch").iterdir())


def test_other_settings_and_other_inputs_are_other_work(home):
    (home / "input").write_text("1")
    with (
        scratch_folder("data/x/out", inputs=["input"], settings=1) as one,
        scratch_folder("data/x/out", inputs=["input"], settings=2) as two,
    ):
        (home / "input").write_text("2")
        with scratch_folder("data/x/out", inputs=["input"], settings=1) as three:
            assert len({one, two, three}) == 3


def test_an_input_that_is_not_there_is_told():
    expected = "nowhere.wav: expected a file or folder; found nothing there"
    with pytest.raises(UserError, match=expected), scratch_folder("data/x/out", inputs=["nowhere.wav"], settings=1):
        pass


def test_a_second_run_of_the_same_work_is_told_and_a_killed_one_is_gone_on_from():
    process = subprocess.Popen([sys.executable, "-c", WORK], stdout=subprocess.PIPE, text=True)
    folder = Path(process.stdout.readline().strip())
    (folder / "work").write_text("half")
    done = subprocess.run([sys.executable, "-c", WORK.replace("600", "0")], capture_output=True, text=True)
    assert f"{folder}: expected no other run here; found another run is active (PID {process.pid})" in done.stderr
    process.kill()
    process.wait()
    again = subprocess.run([sys.executable, "-c", WORK.replace("600", "0")], capture_output=True, text=True)
    assert again.stdout == f"{folder}\n"
    assert not folder.exists()


@pytest.mark.parametrize("scratch", ["shut/scratch", "file/scratch"])
def test_a_scratch_folder_that_can_not_be_made_is_named(home, monkeypatch, scratch):
    (home / "shut").mkdir()
    (home / "file").touch()
    monkeypatch.setenv("SCRATCH", scratch)
    with (
        closed(home / "shut"),
        pytest.raises(UserError, match=f"{scratch}: expected a place to read and write; .* SCRATCH"),
        scratch_folder("data/x/out", inputs=[], settings=1),
    ):
        pass


def finished(home: Path) -> Path:
    """A finished folder of 40 kB."""
    folder = home / "finished"
    folder.mkdir()
    for name in ("a", "b"):
        (folder / name).write_bytes(bytes(20_000))
    return folder


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_finished_folder_takes_the_place_of_an_old_one(home):
    (home / "data/out").mkdir(parents=True)
    (home / "data/out/stale").touch()
    move(finished(home), Path("data/out"))
    assert names(home / "data/out") == ["a", "b"]
    assert names(home / "data") == ["out"]


def test_it_comes_to_another_disk_too(home):
    with other_disk(home / "data") as data:
        move(finished(home), data / "x/out")
        assert names(data / "x/out") == ["a", "b"]
        assert names(data / "x") == ["out"]


def test_on_a_full_disk_the_finished_folder_stays(home):
    folder = finished(home)
    with other_disk(home / "data", size="32k") as data:
        with pytest.raises(UserError, match="data/out: expected room to write; found No space left on device"):
            move(folder, data / "out")
        assert not (data / "out").exists()
        assert names(folder) == ["a", "b"]
        (folder / "b").write_bytes(b"less")
        move(folder, data / "out")
        assert names(data / "out") == ["a", "b"]


def test_at_a_closed_place_the_finished_folder_stays(home):
    folder = finished(home)
    (home / "data").mkdir()
    with closed(home / "data"), pytest.raises(UserError, match=r"data/.*out.*: expected a place to read and"):
        move(folder, Path("data/out"))
    assert names(folder) == ["a", "b"]
