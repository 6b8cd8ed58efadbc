"""Ground floor: finds the ffmpeg program that encodes and decodes, and keeps it to the file that it is given."""

import functools
import shutil
import subprocess
from pathlib import Path

import imageio_ffmpeg

from stages.frame.errors import UserError


@functools.cache
def binary() -> str:
    """Path of the system's ffmpeg where it has LAME, else of the one that the package imageio-ffmpeg brings along.

    Raises:
        UserError: neither is there with LAME.
    """
    for find in (functools.partial(shutil.which, "ffmpeg"), packaged):
        path = find()
        if path and _has_lame(path):
            return path
    raise UserError(
        "ffmpeg",
        "a program with the encoder libmp3lame",
        "none on the PATH nor in the package imageio-ffmpeg",
        "install ffmpeg, or reinstall the packages of requirements.txt",
    )


def packaged() -> str | None:
    """Path of the ffmpeg that the package imageio-ffmpeg brings along: the same version everywhere, if it is there."""
    try:
        return imageio_ffmpeg.get_ffmpeg_exe()
    except RuntimeError:  # its way to say that there is none for this platform
        return None


def input_file(path: str | Path, *formats: str) -> tuple[str, ...]:
    """The arguments by which ffmpeg reads this file, and nothing else.

    Left to itself ffmpeg goes by the content: a playlist or manifest with the name of a video has it call servers and
    read other files, and a colon in a relative path makes it an address.

    Args:
        path: the file.
        formats: those that it may have, as ffmpeg calls its demuxers.
    """
    return ("-protocol_whitelist", "file", "-format_whitelist", ",".join(formats), "-i", f"file:{path}")


def _has_lame(path: str) -> bool:
    listing = subprocess.run([path, "-hide_banner", "-encoders"], capture_output=True, text=True)
    return "libmp3lame" in listing.stdout
