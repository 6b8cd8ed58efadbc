"""Folders as people and their machines leave them."""

import pytest

from stages.frame.errors import UserError
from stages.frame.folders import SOUNDS, VIDEOS, files_below, files_in, folders_in, say_not_taken


@pytest.fixture
def root(tmp_path):
    """Two sounds of one's own, one of them behind a link, a video, a text, and what macOS leaves."""
    for name in (
        *("root/b/loud.WAV", "root/._quiet.wav", "root/.DS_Store", "root/__MACOSX/b/._loud.WAV", "root/__MACOSX/c.wav"),
        *("root/.trash/d.wav", "root/film.MP4", "root/said.m4a", "root/read.txt", "elsewhere/quiet.Flac"),
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "root/a").symlink_to(tmp_path / "elsewhere")
    return tmp_path / "root"


def test_suffixes_of_any_case_and_links_are_taken_and_what_machines_leave_is_not(root):
    assert files_below(root, SOUNDS) == [root / "a/quiet.Flac", root / "b/loud.WAV"]
    assert files_below(str(root), {".mp4"}) == [root / "film.MP4"]
    assert files_in(root, SOUNDS | VIDEOS) == [root / "film.MP4"]
    assert folders_in(root) == [root / "a", root / "b"]


def test_what_looks_like_a_recording_and_is_not_taken_is_counted_and_said(root, capsys):
    say_not_taken(root, [root / "b/loud.WAV"])
    assert capsys.readouterr().err == (
        f"{root}: not taken are 1 .Flac, 1 .MP4, 1 .m4a, such as '{root}/a/quiet.Flac'\n"
    )
    say_not_taken(root / "b", [root / "b/loud.WAV"])
    assert not capsys.readouterr().err


def test_a_link_back_to_a_folder_above_is_told(root):
    (root / "b/back").symlink_to(root)
    with pytest.raises(UserError, match="back: expected folders below one another; found a link back to"):
        files_below(root, SOUNDS)


def test_a_folder_that_is_none_is_told(root):
    with pytest.raises(UserError, match=r"film\.MP4: expected a folder that can be listed; found Not a directory"):
        files_below(root / "film.MP4", SOUNDS)
