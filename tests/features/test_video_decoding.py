"""Videos made on the spot: sound and pictures keep the same time, what is mended is counted, the rest is one line."""

import socket
import subprocess
import threading
import wave
from pathlib import Path

import numpy as np
import pytest

from stages.features.video import SAMPLES_PER_FRAME, Limits, read_video
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
    assert clip[2:] == (0, 0, 0, 0, False)


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
FLV = ("-c:v", "flv1", "-c:a", "pcm_s16le", "-ar", "11025")
SUMMED = ("-c:v", "ffv1", "-level", "3", "-slices", "4", "-slicecrc", "1", "-c:a", "pcm_s16le")
MPEG4 = ("-c:v", "mpeg4", "-c:a", "pcm_s16le")
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


MANIFEST = (
    '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT2S" '
    'profiles="urn:mpeg:dash:profile:isoff-main:2011"><Period>{}</Period></MPD>'
)
STREAM = (
    '<AdaptationSet><Representation id="{0}" mimeType="{0}/mp4" bandwidth="1"><BaseURL>{1}</BaseURL>'
    "</Representation></AdaptationSet>"
)


def manifest(path: Path, source: object) -> None:
    """A DASH manifest, which names where the pictures and the sound are to be had."""
    path.write_text(MANIFEST.format(STREAM.format("video", source) + STREAM.format("audio", source)))


def test_manifest_calls_no_server(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        called = threading.Event()

        def serve() -> None:
            try:
                connection, _ = server.accept()
            except OSError:  # the server is closed: nobody called
                return
            called.set()
            connection.close()

        threading.Thread(target=serve, daemon=True).start()
        manifest(tmp_path / "a.mpg", f"http://127.0.0.1:{server.getsockname()[1]}/beacon")
        with pytest.raises(
            UserError, match=r"a\.mpg: expected one of the containers .*; found what ffmpeg calls dash; "
        ):
            read_video(tmp_path / "a.mpg", frames_per_clip=None)
        assert not called.wait(0.2)
        server.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize(
    ("kind", "write"),
    [
        ("dash", manifest),
        ("concat", lambda path, other: path.write_text(f"ffconcat version 1.0\nfile {other}\n")),
    ],
)
def test_another_file_is_never_read_as_the_clip(tmp_path, kind, write):
    (tmp_path / "corpus").mkdir()
    written(tmp_path / "private.mp4", pictures(25), noise(16000), codecs=H264)
    write(tmp_path / "corpus" / "a.mpg", "../private.mp4")
    with pytest.raises(UserError, match=f"expected one of the containers .*; found what ffmpeg calls {kind}"):
        read_video(tmp_path / "corpus" / "a.mpg", frames_per_clip=None)


def test_path_with_a_colon_is_a_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    written(tmp_path / "whole.mkv", pictures(25), noise(16000)).rename("concat:b|c.mkv")
    assert len(read_video(Path("concat:b|c.mkv"), frames_per_clip=25).frames) == 25


def zeroed(path: Path, first: float, share: float) -> Path:
    """A copy of the file in which so large a share of the bytes is zero, from `first` of them on."""
    whole = path.read_bytes()
    start, count = round(first * len(whole)), round(share * len(whole))
    copy = path.with_stem("zeroed")
    copy.write_bytes(whole[:start] + bytes(count) + whole[start + count :])
    return copy


@pytest.mark.parametrize(("suffix", "codecs"), [("mpg", "MPEG1"), ("mp4", "H264")])
def test_what_is_damaged_is_counted_and_told_beyond_a_share(tmp_path, suffix, codecs):
    whole = written(tmp_path / f"a.{suffix}", pictures(75), noise(48000), codecs=globals()[codecs])
    assert read_video(whole, frames_per_clip=None).frames_lost <= 1
    damaged = zeroed(whole, 0.4, 0.3)
    with pytest.raises(UserError, match=r"expected at most 10% lost to damage, .*limits.lost_share; found") as caught:
        read_video(damaged, frames_per_clip=None)
    assert "\n" not in str(caught.value)
    clip = read_video(damaged, frames_per_clip=None, limits=Limits(lost_share=0.9))
    # Of 3 s some .9 are lost, of pictures and of sound; a codec may lose what stands on a lost one, too.
    assert 0.2 * 75 < clip.frames_lost < 0.7 * 75
    assert 0.1 * 48000 < clip.samples_lost < 0.5 * 48000


def test_one_damaged_picture_is_counted(tmp_path):
    whole = written(tmp_path / "a.mpg", pictures(75), noise(48000), codecs=MPEG1)
    clip = read_video(zeroed(whole, 0.5, 0.002), frames_per_clip=None)
    assert 1 <= clip.frames_lost <= 3


def test_pictures_that_the_decoder_makes_up_are_counted(tmp_path):
    whole = bytearray(written(tmp_path / "a.mkv", pictures(25), noise(16000), codecs=SUMMED).read_bytes())
    whole[len(whole) // 2] ^= 1
    (tmp_path / "b.mkv").write_bytes(whole)
    # A slice's sum is wrong; each picture has some slices.
    assert read_video(tmp_path / "b.mkv", frames_per_clip=25).frames_lost == 1
    whole = bytearray(written(tmp_path / "a.mpg", pictures(75), noise(48000), codecs=MPEG1).read_bytes())
    for place in range(len(whole) // 3, len(whole) // 2, 2500):
        whole[place] ^= 255
    (tmp_path / "b.mpg").write_bytes(whole)
    clip = read_video(tmp_path / "b.mpg", frames_per_clip=None, limits=Limits(lost_share=1.0))
    assert clip.frames_lost > 5 and len(clip.frames) >= 74


def test_pictures_missing_at_the_end_are_counted(tmp_path):
    path = written(tmp_path / "a.mkv", pictures(40), noise(48000))
    with pytest.raises(UserError, match=r"lost to damage, .*; found 33 of 40 frames and 0 of 25600 samples"):
        read_video(path, frames_per_clip=None)
    assert read_video(path, frames_per_clip=None, limits=Limits(lost_share=0.9)).frames_lost == 33


@pytest.mark.parametrize("codecs", ["MPEG1", "H264"])
def test_longer_clip_than_allowed_is_told_before_it_is_decoded(tmp_path, codecs):
    suffix = "mpg" if codecs == "MPEG1" else "mp4"
    path = written(tmp_path / f"a.{suffix}", pictures(60), noise(38400), codecs=globals()[codecs])
    assert len(read_video(path, frames_per_clip=None, limits=Limits(longest_s=2.5)).frames) >= 60
    with pytest.raises(
        UserError, match=r"expected at most 1.5 s, the parameter limits.longest_s; found 2.*by its header"
    ):
        read_video(path, frames_per_clip=None, limits=Limits(longest_s=1.5))


def test_of_a_clip_without_a_length_no_more_is_decoded_than_allowed(tmp_path):
    # Live Matroska has no length in its header.
    path = written(tmp_path / "a.mkv", pictures(60), noise(38400), codecs=(*LOSSLESS, "-f", "matroska", "-live", "1"))
    with pytest.raises(UserError, match=r"expected at most 1.5 s, the parameter limits.longest_s; found more"):
        read_video(path, frames_per_clip=None, limits=Limits(longest_s=1.5))


@pytest.mark.parametrize(("late", "found"), [((9e4, 0), "0 frames"), ((0, 9e4), r"\d+ frames and 0 samples")])
def test_stream_that_begins_a_day_late_is_told_at_once(tmp_path, late, found):
    live = (*LOSSLESS, "-f", "matroska", "-live", "1")
    path = written(tmp_path / "a.mkv", pictures(25), noise(16000), codecs=live, late=late)
    with pytest.raises(UserError, match=f"expected frames and sound; found {found}"):
        read_video(path, frames_per_clip=None)


@pytest.mark.parametrize("codecs", ["MPEG1", "H264"])
def test_larger_pictures_than_allowed_are_told(tmp_path, codecs):
    suffix = "mpg" if codecs == "MPEG1" else "mp4"
    path = written(tmp_path / f"a.{suffix}", pictures(25), noise(16000), codecs=globals()[codecs])
    with pytest.raises(
        UserError, match=r"expected at most 900 pixels, the parameter limits.most_pixels; found 50 x 34"
    ):
        read_video(path, frames_per_clip=None, limits=Limits(most_pixels=900))
    assert len(read_video(path, frames_per_clip=None, limits=Limits(most_pixels=1700)).frames) >= 25


@pytest.mark.parametrize("rate_hz", [1, 400_000_000])
def test_senseless_sample_rate_is_told(tmp_path, rate_hz):
    whole = written(tmp_path / "whole.avi", pictures(25), noise(16000), codecs=MPEG4).read_bytes()
    # Behind the format of the stream of sound: its code and its channels.
    at = whole.index(b"strf", whole.index(b"auds")) + 12
    (tmp_path / "a.avi").write_bytes(whole[:at] + rate_hz.to_bytes(4, "little") + whole[at + 4 :])
    with pytest.raises(UserError, match=f"a.avi: expected a sample rate >= 1000 and <= 1e.06 Hz; found {rate_hz} Hz"):
        read_video(tmp_path / "a.avi", frames_per_clip=None)


@pytest.mark.parametrize("share", [0.4, 0.7, 0.95])
@pytest.mark.parametrize(
    ("suffix", "codecs"),
    [
        ("mpg", ("-c:v", "mpeg1video", "-c:a", "mp2")),
        ("mp4", ("-c:v", "libx264", "-c:a", "aac", "-pix_fmt", "yuv420p")),
        ("mov", ("-c:v", "mjpeg", "-c:a", "pcm_s16le", "-movflags", "faststart")),
        ("avi", ("-c:v", "mpeg4", "-c:a", "pcm_s16le")),
        ("mkv", LOSSLESS),
        ("webm", ("-c:v", "libvpx", "-c:a", "libvorbis")),
        ("flv", FLV),
        ("wmv", ("-c:v", "wmv2", "-c:a", "wmav2")),
        ("ogv", ("-c:v", "libtheora", "-c:a", "libvorbis")),
    ],
)
def test_file_cut_short_is_told_in_every_container(tmp_path, suffix, codecs, share):
    path = tmp_path / f"a.{suffix}"
    cut(codecs, 1.0, path)
    assert len(read_video(path, frames_per_clip=None).frames) >= 50
    cut(codecs, share, path)
    with pytest.raises(UserError, match=r"cut short|truncated|Invalid data"):
        read_video(path, frames_per_clip=None)


def test_file_cut_short_between_two_pieces_is_shorter_than_its_header_says(tmp_path):
    whole = written(tmp_path / "whole.flv", pictures(50), noise(32000), codecs=FLV).read_bytes()
    end = 13
    while end < len(whole) / 2:
        end += 15 + int.from_bytes(whole[end + 1 : end + 4])
    (tmp_path / "a.flv").write_bytes(whole[:end])
    with pytest.raises(UserError, match=r"a.flv: expected 2[.\d]* s, as its header says; found [.\d]+ s"):
        read_video(tmp_path / "a.flv", frames_per_clip=None)
