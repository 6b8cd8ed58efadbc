"""Whether the right ffmpeg is found among those that a machine may have."""

import subprocess
from pathlib import Path

import imageio_ffmpeg
import pytest

from stages.frame import ffmpeg
from stages.frame.errors import UserError


@pytest.fixture(autouse=True)
def empty_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder that is all of the PATH; what `binary` remembers is forgotten before and after."""
    monkeypatch.setenv("PATH", str(tmp_path))
    ffmpeg.binary.cache_clear()
    yield tmp_path
    ffmpeg.binary.cache_clear()


def program(path: Path, encoders: str) -> str:
    """An executable at `path` that lists `encoders` whatever it is asked."""
    path.write_text(f"#!/bin/sh\necho '{encoders}'\n")
    path.chmod(0o755)
    return str(path)


def test_the_systems_ffmpeg_comes_first(empty_path):
    path = program(empty_path / "ffmpeg", "A....D libmp3lame  libmp3lame MP3")
    assert ffmpeg.binary() == path


def test_a_system_ffmpeg_without_lame_is_passed_over(empty_path):
    path = program(empty_path / "ffmpeg", "A....D aac  AAC")
    assert ffmpeg.binary() == imageio_ffmpeg.get_ffmpeg_exe() != path


def test_the_packaged_ffmpeg_has_lame():
    listing = subprocess.run([ffmpeg.binary(), "-encoders"], capture_output=True, text=True, check=True).stdout
    assert "libmp3lame" in listing


def test_neither_is_told_in_one_line(empty_path, monkeypatch):
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", program(empty_path / "other", "A....D aac  AAC"))
    with pytest.raises(UserError, match="libmp3lame") as told:
        ffmpeg.binary()
    assert "\n" not in str(told.value)


def test_input_is_one_file_in_one_of_the_formats():
    options = ffmpeg.input_file("a:b.mpg", "mpeg", "mov")
    assert options == ("-protocol_whitelist", "file", "-format_whitelist", "mpeg,mov", "-i", "file:a:b.mpg")
