"""Room of features: reads a video file as frames and sound that keep the same time."""

import re
import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np

from stages.frame.errors import UserError
from stages.frame.ffmpeg import binary
from stages.frame.parameters import Count

FRAMES_PER_S, SAMPLE_RATE_HZ = 25, 16000
SAMPLES_PER_FRAME = SAMPLE_RATE_HZ // FRAMES_PER_S
# A recording may lack so many frames at its end; in GRID some lack one.
MISSING_FRAMES = 2
# ffmpeg decodes what is left of a file that was cut short, and says one of these.
_CUT_SHORT = ("Packet corrupt", "partial file", "moov atom not found")
# Time stamps that are rounded to ms make the frames of a constant 60 per s differ by 1/16.
_CONSTANT_WITHIN = 0.1


class Video(NamedTuple):
    """A clip, and what had to be mended for it.

    `frames` is (frames, height, width, 3) uint8 RGB at 25 per s, each of them in order in memory; `audio` is
    (frames * 640,) float32 in [-1, 1) at 16 kHz. `frames_added` repeat the last one, `silent_samples_added` stand at
    the end.
    """

    frames: np.ndarray
    audio: np.ndarray
    frames_added: int
    silent_samples_added: int
    variable_frame_rate: bool


def read_video(path: Path, *, frames_per_clip: Count | None) -> Video:
    """The first picture stream and the first sound stream of a file in any format that ffmpeg reads.

    Both begin when the file begins: a stream that begins later has its first frame repeated, or silence before it.
    Frames are repeated or left out until there are 25 per s, channels are averaged, samples have 16 bits.

    Args:
        path: the file.
        frames_per_clip: how many frames each clip of the corpus has; None takes any number.

    Raises:
        UserError: the file is missing, unreadable or cut short, has no frame or no sound, or not as many frames as
            it must have, where up to two that are missing at the end are mended.
    """
    path = Path(path)
    if not path.is_file():
        raise _unfit(path, "a video file", "no such file")
    frames, audio, log = _decoded(path)
    if any(sign in log for sign in _CUT_SHORT):
        raise _unfit(path, "a whole file", "one that was cut short")
    if not len(frames) or not len(audio):
        raise _unfit(path, "frames and sound", f"{len(frames)} frames and {len(audio)} samples")
    wanted = frames_per_clip or len(frames)
    added = wanted - len(frames)
    if not 0 <= added <= MISSING_FRAMES:
        expected = f"{wanted} frames, of which at most {MISSING_FRAMES} are missing at the end"
        raise _unfit(path, expected, f"{len(frames)}")
    if added:
        frames = np.concatenate([frames, np.repeat(frames[-1:], added, axis=0)])
    silent = max(0, wanted * SAMPLES_PER_FRAME - len(audio))
    audio = np.pad(audio, (0, silent))[: wanted * SAMPLES_PER_FRAME]
    return Video(frames, audio, added, silent, _has_variable_frame_rate(log))


def _decoded(path: Path) -> tuple[np.ndarray, np.ndarray, str]:
    """Frames, samples, and what ffmpeg said."""
    import ffmpeg

    source = ffmpeg.input(str(path), threads=1)
    with tempfile.TemporaryDirectory(prefix="video-") as folder:
        pcm = Path(folder, "audio.pcm")
        # PPM, since its header tells the size of the frames. Sums of channels are scaled only for samples of 16 bits.
        command = ffmpeg.merge_outputs(
            source["V:0"].output(
                "pipe:",
                vf=f"vfrdet,fps={FRAMES_PER_S}:start_time=0",
                format="image2pipe",
                vcodec="ppm",
                pix_fmt="rgb24",
            ),
            source["a:0"].output(
                str(pcm), af=f"aresample={SAMPLE_RATE_HZ}:async=1:first_pts=0", format="s16le", acodec="pcm_s16le", ac=1
            ),
        ).global_args("-nostdin", "-hide_banner", "-nostats", "-loglevel", "info")
        try:
            pictures, log = command.run(cmd=binary(), capture_stdout=True, capture_stderr=True)
        except ffmpeg.Error as error:
            raise _failed(path, error.stderr.decode(errors="replace")) from error
        audio = np.fromfile(pcm, "<i2").astype(np.float32) / 32768
    return _frames(pictures), audio, log.decode(errors="replace")


def _frames(pictures: bytes) -> np.ndarray:
    """A row of PPM pictures of one size, seen as (frames, height, width, 3), read only and without a copy."""
    header = re.match(rb"P6\n(\d+) (\d+)\n255\n", pictures)
    if not header:
        return np.empty((0, 0, 0, 3), np.uint8)
    width, height = map(int, header.groups())
    rows = np.frombuffer(pictures, np.uint8).reshape(-1, header.end() + height * width * 3)
    return rows[:, header.end() :].reshape(-1, height, width, 3)


def _has_variable_frame_rate(log: str) -> bool:
    """What the filter vfrdet found: the shortest and longest time between two frames, where they differ at all."""
    spans = re.findall(r"VFR:.* min: (\d+) max: (\d+)", log)
    return any(int(longest) > (1 + _CONSTANT_WITHIN) * int(shortest) for shortest, longest in spans)


def _failed(path: Path, log: str) -> UserError:
    if any(sign in log for sign in _CUT_SHORT):
        return _unfit(path, "a whole file", "one that was cut short")
    if "'0:V:0' matches no streams" in log:
        return _unfit(path, "a video", "a file without pictures")
    if "'0:a:0' matches no streams" in log:
        return _unfit(path, "a video with sound", "no sound")
    if "Cannot determine format of input" in log:
        return _unfit(path, "frames and sound", "an empty stream of them")
    reasons = [line for line in log.splitlines() if "rror" in line]
    return _unfit(path, "a video that ffmpeg reads", reasons[-1] if reasons else log[-100:])


def _unfit(path: Path, expected: str, found: str) -> UserError:
    return UserError(path, expected, found, "replace the file or take it out of the corpus's list")
