"""Videos made on the spot: sound and pictures keep the same time, what is mended is counted, the rest is one line."""

import subprocess
import wave
from pathlib import Path

import numpy as np
import pytest

from stages.features.video import SAMPLES_PER_FRAME, read_video
from stages.frame.errors import UserError
from stages.frame.ffmpeg import binary

HEIGHT, WIDTH = 34, 50
LOSSLESS = ("-c:v", "ffv1", "-c:a", "pcm_s16le")


def pictures(count: int) -> np.ndarray:
    """Frames that tell their number: their red is 3 times it, their other colours differ from place to place."""
    frames = np.random.default_rng(0).integers(0, 256, (count, HEIGHT, WIDTH, 3), np.uint8)
    frames[..., 0] = 3 * np.arange(count)[:, None, None]
    return frames


def noise(samples: int, channels: int = 1) -> np.ndarray:
    return np.random.default_rng(1).integers(-20000, 20000, (samples, channels)).astype("<i2")


def ffmpeg(*arguments: object) -> None:
    subprocess.run([binary(), "-v", "error", "-y", "-nostdin", *map(str, arguments)], check=True)


def written(
    path: Path,
    frames: np.ndarray,
    sound: np.ndarray,
    *,
    codecs: tuple[str, ...] = LOSSLESS,
    frames_per_s: int = 25,
    late: tuple[float, float] = (0, 0),
) -> Path:
    """A video of these frames and samples (16 kHz), whose pictures and sound begin so many seconds `late`."""
    raw, wav = path.with_suffix(".rgb"), path.with_suffix(".wav")
    frames.tofile(raw)
    with wave.open(str(wav), "wb") as file:
        file.setparams((sound.shape[1], 2, 16000, 0, "NONE", ""))
        file.writeframes(sound.tobytes())
    form = ("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{WIDTH}x{HEIGHT}", "-framerate", frames_per_s)
    ffmpeg(*form, "-itsoffset", late[0], "-i", raw, "-itsoffset", late[1], "-i", wav, *codecs, path)
    return path


def numbers(frames: np.ndarray) -> np.ndarray:
    return frames[:, 0, 0, 0] // 3


def test_lossless_video_comes_back_with_the_mean_of_its_channels(tmp_path):
    frames, sound = pictures(29), noise(29 * SAMPLES_PER_FRAME, channels=2)
    clip = read_video(written(tmp_path / "a.mkv", frames, sound), frames_per_clip=29)
    assert clip.frames.dtype == np.uint8 and clip.audio.dtype == np.float32
    assert np.array_equal(clip.frames, frames)
    assert np.abs(clip.audio * 32768 - sound.mean(axis=1)).max() <= 0.5
    assert clip[2:] == (0, 0, False)


@pytest.mark.parametrize("late", [(0.0, 0.2), (0.2, 0.0)])
def test_stream_that_begins_late_keeps_its_time(tmp_path, late):
    frames, sound = pictures(50), noise(50 * SAMPLES_PER_FRAME)
    clip = read_video(written(tmp_path / "a.mkv", frames, sound, late=late), frames_per_clip=None)
    video_late, audio_late = (round(25 * seconds) for seconds in late)
    assert numbers(clip.frames).tolist() == [0] * video_late + list(range(50))
    silence, rest = np.split(clip.audio, [audio_late * SAMPLES_PER_FRAME])
    assert not silence.any()
    whole = min(len(rest), len(sound))
    assert np.array_equal(rest[:whole] * 32768, sound[:whole, 0])


def test_variable_frame_rate_is_made_constant_and_told(tmp_path):
    # Of 3 s with 25 frames each, the second has every frame twice as long.
    steady = written(tmp_path / "steady.mkv", pictures(75), noise(48000))
    ffmpeg("-i", steady, "-vf", "select=not(between(n\\,25\\,49)*mod(n\\,2))", "-fps_mode", "vfr", *LOSSLESS,
           tmp_path / "a.mkv")  # fmt: skip
    clip = read_video(tmp_path / "a.mkv", frames_per_clip=75)
    assert clip.variable_frame_rate
    assert np.abs(numbers(clip.frames) - np.arange(75.0)).max() <= 1
    assert numbers(clip.frames)[50:].tolist() == list(range(50, 75))


def test_other_constant_rate_is_resampled(tmp_path):
    # Time stamps in ms make frames of 33 and of 34 ms of it.
    path = written(tmp_path / "a.mkv", pictures(60), noise(32000), frames_per_s=30)
    clip = read_video(path, frames_per_clip=50)
    assert not clip.variable_frame_rate
    assert np.abs(numbers(clip.frames) - 1.2 * np.arange(50)).max() <= 1


def test_missing_end_is_mended_and_counted(tmp_path):
    path = written(tmp_path / "a.mkv", pictures(74), noise(47000))
    clip = read_video(path, frames_per_clip=75)
    assert (clip.frames_added, clip.silent_samples_added) == (1, 1000)
    assert numbers(clip.frames).tolist() == [*range(74), 73]
    assert len(clip.audio) == 48000 and not clip.audio[47000:].any() and clip.audio[:47000].any()
    assert len(read_video(path, frames_per_clip=None).audio) == 74 * SAMPLES_PER_FRAME


@pytest.mark.parametrize("found", [72, 76])
def test_wrong_number_of_frames(tmp_path, found):
    path = written(tmp_path / "a.mkv", pictures(found), noise(48000))
    with pytest.raises(UserError, match=f"a.mkv: expected 75 frames, .*; found {found}; "):
        read_video(path, frames_per_clip=75)


def without(stream: str, path: Path) -> None:
    whole = written(path.with_name("whole.mkv"), pictures(25), noise(16000))
    ffmpeg("-i", whole, stream, "-c", "copy", path)


def empty_pictures(path: Path) -> None:
    whole = written(path.with_name("whole.mkv"), pictures(25), noise(16000))
    ffmpeg("-i", whole, "-vf", "select=0", "-c:v", "mpeg4", "-c:a", "copy", path)


def cut(codecs: tuple[str, ...], share: float, path: Path) -> None:
    whole = written(path.with_name(f"whole{path.suffix}"), pictures(50), noise(32000), codecs=codecs).read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])


MPEG1 = ("-c:v", "mpeg1video", "-c:a", "mp2")
H264 = ("-c:v", "libx264", "-c:a", "aac", "-pix_fmt", "yuv420p")


@pytest.mark.parametrize(
    ("name", "make", "message"),
    [
        ("a.mpg", lambda path: None, "expected a video file; found no such file"),
        ("a.mpg", lambda path: path.touch(), "expected a video that ffmpeg reads; found .*Invalid data"),
        ("a.mpg", lambda path: path.write_text("no video"), "expected a video that ffmpeg reads; found .*Invalid"),
        ("a.mpg", lambda path: cut(MPEG1, 0.6, path), "expected a whole file; found one that was cut short"),
        ("a.mp4", lambda path: cut(H264, 0.6, path), "expected a whole file; found one that was cut short"),
        (
            "a.mp4",
            lambda path: cut((*H264, "-movflags", "faststart"), 0.95, path),
            "expected a whole file; found one that was cut short",
        ),
        ("a.mkv", lambda path: without("-vn", path), "expected a video; found a file without pictures"),
        ("a.mkv", lambda path: without("-an", path), "expected a video with sound; found no sound"),
        ("a.mkv", empty_pictures, "expected frames and sound; found an empty stream of them"),
    ],
)
def test_unusable_files(tmp_path, name, make, message):
    make(tmp_path / name)
    with pytest.raises(UserError, match=f"{name}: {message}") as caught:
        read_video(tmp_path / name, frames_per_clip=None)
    assert "\n" not in str(caught.value)
