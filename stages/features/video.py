"""Room of features: reads a video file as frames and sound that keep the same time."""

import mmap
import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from stages.frame import ffmpeg
from stages.frame.errors import UserError
from stages.frame.parameters import Count, Positive, Share
from stages.frame.sound_files import RATES_HZ, check_whole

FRAMES_PER_S, SAMPLE_RATE_HZ = 25, 16000
SAMPLES_PER_FRAME = SAMPLE_RATE_HZ // FRAMES_PER_S
# Containers of pictures with sound, as ffmpeg calls them; what it calls dash, hls or concat only names other files.
CONTAINERS = ("asf", "avi", "dv", "flv", "matroska", "mov", "mpeg", "mpegts", "mxf", "nut", "ogg", "rm", "wtv")
# A recording may lack so many frames at its end; in GRID some lack one.
MISSING_FRAMES = 2
# ffmpeg decodes what is left of a file that was cut short, and says one of these.
_CUT_SHORT = ("Packet corrupt", "partial file", "moov atom not found", "File ended prematurely")
# Of ASF (wmv): the object that tells the file's size, and how many of the first bytes hold it.
_ASF_PROPERTIES, _ASF_HEADER = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365"), 65536
# Writers that can't go back leave such a size, or more.
_UNKNOWN = 0x7F000000
_TOO_LARGE = "exceeds specified max pixel count"
# Time stamps that are rounded to ms make the frames of a constant 60 per s differ by 1/16.
_CONSTANT_WITHIN = 0.1
# What begins half as late again as is usual in its stream has something missing before it; but in a stream in which
# that is so for this share there may be no constant rate, and only what is missing for longer than this counts.
_IRREGULAR_SHARE, _LOSS_S = 0.1, 0.1


class Video(NamedTuple):
    """A clip, and what had to be mended for it.

    `frames` is (frames, height, width, 3) uint8 RGB at 25 per s, each of them in order in memory; `audio` is
    (frames * 640,) float32 in [-1, 1) at 16 kHz. `frames_added` repeat the last one, `silent_samples_added` stand at
    the end. What is damaged in the file is lost: `frames_lost` show what the decoder made up, or the frame before, or
    are missing at the end where there still is sound, and `samples_lost` are silence or made up.
    """

    frames: np.ndarray
    audio: np.ndarray
    frames_added: int
    silent_samples_added: int
    frames_lost: int
    samples_lost: int
    variable_frame_rate: bool


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a clip may be at most.

    Of one longer than `longest_s` no more is decoded than tells so. `most_pixels` is of a picture, 2.1 million for
    Full HD, of which 30 s take 5 GB. `lost_share` of the frames, and of the samples, may be lost to damage.
    """

    longest_s: Positive = 30.0
    most_pixels: Count = 2_200_000
    lost_share: Share = 0.1


USUAL = Limits()


class _Told(NamedTuple):
    """What ffmpeg told of a file: its length by its header, if that has one, and what was lost of its streams."""

    promised_s: float
    pictures_lost_s: float
    sound_lost_s: float
    variable_frame_rate: bool


def read_video(path: Path, *, frames_per_clip: Count | None, limits: Limits = USUAL) -> Video:
    """The first picture stream and the first sound stream of a file in one of the `CONTAINERS`.

    Both begin when the file begins: a stream that begins later has its first frame repeated, or silence before it.
    Frames are repeated or left out until there are 25 per s, channels are averaged, samples have 16 bits. Nothing but
    this file is opened, whatever it names.

    Args:
        path: the file.
        frames_per_clip: how many frames each clip of the corpus has; None takes any number.
        limits: of what is decoded, and of how much of it may be lost.

    Raises:
        UserError: the file is missing, unreadable, damaged or cut short, is no such container, is beyond a limit, has
            no frame or no sound, or not as many frames as it must have, where up to two that are missing at the end
            are mended.
    """
    path = Path(path)
    if not path.is_file():
        raise _unfit(path, "a video file", "no such file")
    _check_size(path)
    frames, audio, told = _decoded(path, limits)
    if not len(frames) or not len(audio):
        raise _unfit(path, "frames and sound", f"{len(frames)} frames and {len(audio)} samples")
    if len(frames) > limits.longest_s * FRAMES_PER_S:
        raise _too_long(path, "more", limits)
    found_s = max(len(frames) / FRAMES_PER_S, len(audio) / SAMPLE_RATE_HZ)
    if found_s + (MISSING_FRAMES + 1) / FRAMES_PER_S <= told.promised_s:
        raise _unfit(path, f"{told.promised_s:g} s, as its header says", f"{found_s:g} s (cut short or damaged)")
    frames_lost, samples_lost = round(told.pictures_lost_s * FRAMES_PER_S), round(told.sound_lost_s * SAMPLE_RATE_HZ)
    frames_lost += max(0, round(found_s * FRAMES_PER_S) - len(frames) - MISSING_FRAMES)
    samples = len(frames) * SAMPLES_PER_FRAME
    if max(frames_lost / len(frames), samples_lost / samples) > limits.lost_share:
        found = f"{frames_lost} of {len(frames)} frames and {samples_lost} of {samples} samples"
        raise _unfit(path, f"at most {limits.lost_share:.0%} lost to damage, the parameter limits.lost_share", found)
    wanted = frames_per_clip or len(frames)
    added = wanted - len(frames)
    if not 0 <= added <= MISSING_FRAMES:
        expected = f"{wanted} frames, of which at most {MISSING_FRAMES} are missing at the end"
        raise _unfit(path, expected, f"{len(frames)}")
    if added:
        frames = np.concatenate([frames, np.repeat(frames[-1:], added, axis=0)])
    silent = max(0, wanted * SAMPLES_PER_FRAME - len(audio))
    audio = np.pad(audio, (0, silent))[: wanted * SAMPLES_PER_FRAME]
    return Video(frames, audio, added, silent, frames_lost, samples_lost, told.variable_frame_rate)


def _check_size(path: Path) -> None:
    """For containers of which ffmpeg reads what is left without a word: AVI and ASF tell their size, Ogg its last page.

    Raises:
        UserError: the file was cut short.
    """
    with path.open("rb") as file:
        head = file.read(_ASF_HEADER)
        if head[:4] == b"OggS":
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY) as contents:
                check_whole(path, contents)
    at = head.find(_ASF_PROPERTIES)
    if head[:4] == b"RIFF":
        promised = 8 + int.from_bytes(head[4:8], "little")
    else:
        promised = int.from_bytes(head[at + 40 : at + 48], "little") if at >= 0 else 0
    if path.stat().st_size < promised < _UNKNOWN:
        raise _unfit(path, "a whole file", "one that was cut short")


def _counted(path: Path) -> int:
    """The pictures that an AVI file says it has; 0 of others, which do not say it."""
    with path.open("rb") as file:
        head = file.read(52)
    is_avi = (head[:4], head[8:12], head[24:28]) == (b"RIFF", b"AVI ", b"avih")
    return int.from_bytes(head[48:52], "little") if is_avi else 0


def _decoded(path: Path, limits: Limits) -> tuple[np.ndarray, np.ndarray, _Told]:
    """Frames, samples, and what ffmpeg told of them."""
    # A picture more than is allowed tells that there are more. Decoders hold a picture with a margin.
    end_s = limits.longest_s + 2 / FRAMES_PER_S
    bounds = ("-max_pixels", str(2 * limits.most_pixels + 2**17), "-t", str(end_s))
    careful = ("-threads", "1", "-err_detect", "crccheck", *ffmpeg.input_file(path, *CONTAINERS))
    quiet = ("-nostdin", "-hide_banner", "-nostats", "-loglevel", "repeat+info")
    source = (ffmpeg.binary(), *quiet, *bounds, *careful)
    header = subprocess.run(source, capture_output=True).stderr.decode(errors="replace")
    if "At least one output file must be specified" not in header:
        raise _failed(path, header, limits)
    _check_header(path, header, limits)
    with tempfile.TemporaryDirectory(prefix="video-") as folder:
        pcm, pictures_times, sound_times = (Path(folder, name) for name in ("audio.pcm", "pictures", "sound"))
        # What begins far too late would have that many frames or samples put before it, so it is left out first.
        # PPM, since its header tells the size of the frames. Sums of channels are scaled only for samples of 16 bits.
        pictures = ("-map", "0:V:0", "-vf", f"trim=end={end_s},vfrdet,fps={FRAMES_PER_S}:start_time=0")
        pictures += ("-f", "image2pipe", "-c:v", "ppm", "-pix_fmt", "rgb24", "-")
        sound = ("-map", "0:a:0", "-af", f"atrim=end={end_s},aresample={SAMPLE_RATE_HZ}:async=1:first_pts=0")
        sound += ("-ac", "1", "-f", "s16le", "-c:a", "pcm_s16le", str(pcm))
        # When each picture and each piece of sound begins, as decoded.
        times = ("-map", "0:V:0", "-c:v", "wrapped_avframe", "-f", "framecrc", str(pictures_times))
        times += ("-map", "0:a:0", "-c:a", "pcm_s16le", "-f", "framecrc", str(sound_times))
        done = subprocess.run((*source, *pictures, *sound, *times), capture_output=True)
        log = done.stderr.decode(errors="replace")
        if done.returncode or any(sign in log for sign in (*_CUT_SHORT, _TOO_LARGE)):
            raise _failed(path, log, limits)
        audio = np.fromfile(pcm, "<i2").astype(np.float32) / 32768
        lost_s = _lost_s(pictures_times, log, "v", _counted(path)), _lost_s(sound_times, log, "a")
        told = _Told(_promised_s(header), *lost_s, _has_variable_frame_rate(log))
    return _frames(done.stdout), audio, told


def _check_header(path: Path, header: str, limits: Limits) -> None:
    """What is told before anything is decoded."""
    if _promised_s(header) > limits.longest_s + 2 / FRAMES_PER_S:
        raise _too_long(path, f"{_promised_s(header):g} s by its header", limits)
    size = re.search(r"Video: .*?, (\d+)x(\d+)", header)
    if size and int(size[1]) * int(size[2]) > limits.most_pixels:
        raise _too_large(path, f"{size[1]} x {size[2]}", limits)
    rate = re.search(r"Audio: .*?, (\d+) Hz", header)
    if rate and not RATES_HZ.holds(int(rate[1])):
        raise _unfit(path, f"a sample rate {RATES_HZ} Hz", f"{rate[1]} Hz")


def _frames(pictures: bytes) -> np.ndarray:
    """A row of PPM pictures of one size, seen as (frames, height, width, 3), read only and without a copy."""
    header = re.match(rb"P6\n(\d+) (\d+)\n255\n", pictures)
    if not header:
        return np.empty((0, 0, 0, 3), np.uint8)
    width, height = map(int, header.groups())
    rows = np.frombuffer(pictures, np.uint8).reshape(-1, header.end() + height * width * 3)
    return rows[:, header.end() :].reshape(-1, height, width, 3)


def _lost_s(times: Path, log: str, kind: str, counted: int = 0) -> float:
    """How much of a stream (`kind` v or a) is missing between what was decoded, could not be, or was made up.

    So is what of the pictures that the file says it has did not come, `counted` of them.
    """
    lines = times.read_text().splitlines()
    begins = [int(line.split(",")[2]) for line in lines if line[0] != "#"]
    if len(begins) < 2:
        return 0.0
    ((numerator, denominator),) = (map(int, line.split()[2].split("/")) for line in lines if line.startswith("#tb"))
    steps_s = np.diff(begins) * (numerator / denominator)
    usual_s = np.median(steps_s)
    late = steps_s > 1.5 * usual_s
    if late.mean() >= _IRREGULAR_SHARE:
        late &= steps_s > _LOSS_S + 1e-9
    missing_s = (steps_s - usual_s)[late].sum()
    undecoded, made_up = (
        len(re.findall(f"{kind}ist#[^\n]*{sign}", log)) for sign in ("Error submitting packet", "corrupt decoded frame")
    )
    codec = re.search(rf"{'Video' if kind == 'v' else 'Audio'}: (\w+)", log)[1]
    wrong_sums = len(re.findall(rf"\[{codec} @ [^\n]*CRC (?:mismatch|error)", log))
    return max(missing_s, undecoded * usual_s, (counted - len(begins)) * usual_s) + (made_up + wrong_sums) * usual_s


def _promised_s(log: str) -> float:
    """The length that ffmpeg takes from the header; 0 where there is none, or it is guessed from the bit rate."""
    length = re.search(r"Duration: (\d+):(\d+):([\d.]+),", log)
    if not length or "Estimating duration from bitrate" in log:
        return 0.0
    hours, minutes, seconds = map(float, length.groups())
    return 3600 * hours + 60 * minutes + seconds


def _has_variable_frame_rate(log: str) -> bool:
    """What the filter vfrdet found: the shortest and longest time between two frames, where they differ at all."""
    spans = re.findall(r"VFR:.* min: (\d+) max: (\d+)", log)
    return any(int(longest) > (1 + _CONSTANT_WITHIN) * int(shortest) for shortest, longest in spans)


def _failed(path: Path, log: str, limits: Limits) -> UserError:
    if strange := re.search(r"\[(\S+) @ .*Format not on whitelist", log):
        return _unfit(path, f"one of the containers {', '.join(CONTAINERS)}", f"what ffmpeg calls {strange[1]}")
    if _TOO_LARGE in log:
        return _too_large(path, "far more", limits)
    if any(sign in log for sign in _CUT_SHORT):
        return _unfit(path, "a whole file", "one that was cut short")
    if "'0:V:0' matches no streams" in log:
        return _unfit(path, "a video", "a file without pictures")
    if "'0:a:0' matches no streams" in log:
        return _unfit(path, "a video with sound", "no sound")
    if "Cannot determine format of input" in log:
        return _unfit(path, "frames and sound", "an empty stream of them")
    reasons = [line for line in log.splitlines() if "rror" in line]
    return _unfit(path, "a video that ffmpeg reads", reasons[-1] if reasons else log[-100:] or "it crashed")


def _too_large(path: Path, found: str, limits: Limits) -> UserError:
    return _unfit(path, f"at most {limits.most_pixels} pixels, the parameter limits.most_pixels", found)


def _too_long(path: Path, found: str, limits: Limits) -> UserError:
    return _unfit(path, f"at most {limits.longest_s:g} s, the parameter limits.longest_s", found)


def _unfit(path: Path, expected: str, found: str) -> UserError:
    return UserError(path, expected, found, "replace the file or take it out of the corpus's list")
