"""Ground floor: finds the ffmpeg program that encodes and decodes MP3."""

import functools
import shutil
import subprocess

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


def _has_lame(path: str) -> bool:
    listing = subprocess.run([path, "-hide_banner", "-encoders"], capture_output=True, text=True)
    return "libmp3lame" in listing.stdout
