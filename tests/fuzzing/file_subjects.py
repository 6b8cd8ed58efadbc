"""Sounds and videos of the fuzzing test: small ones of each kind that corpora have."""

import wave
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from tests.fuzzing.subject import ANY, CUT, Subject


def _sound() -> np.ndarray:
    time_s = np.arange(4000) / 8000
    return (8000 * np.sin(2 * np.pi * 440 * time_s) * np.exp(-3 * time_s)).astype("<i2")


def _make_sound(folder: Path, *, suffix: str, subtype: str) -> None:
    import soundfile

    soundfile.write(folder / f"a{suffix}", _sound() / 32768, 8000, subtype=subtype)


def _read_sound(folder: Path) -> dict[str, Any]:
    from stages.features import audio

    (path,) = folder.glob("a.*")
    arrays, counted = audio.decode(path, sample_rate_hz=8000, recorded_at_hz=None, average_channels=True)
    return arrays | counted


def _check_sound(found: dict[str, Any], whole: dict[str, Any]) -> None:
    audio = found["audio"]
    assert audio.dtype == np.float32 and audio.ndim == 1 and len(audio)
    assert np.isfinite(audio).all() and np.abs(audio).max() <= 1
    assert found.keys() == whole.keys()


def _sounds(suffix: str, subtype: str, exact: frozenset[str] = CUT) -> Subject:
    return Subject(partial(_make_sound, suffix=suffix, subtype=subtype), ("a.*",), _read_sound, exact, _check_sound)


def _make_video(folder: Path, *, suffix: str, codecs: str) -> None:
    import subprocess

    from stages.frame.ffmpeg import binary

    with wave.open(str(folder / "sound.wav"), "wb") as file:
        file.setparams((1, 2, 16000, 0, "NONE", ""))
        file.writeframes(np.tile(_sound(), 3)[:9600].tobytes())
    pictures = np.random.default_rng(0).integers(0, 256, (15, 8, 8, 3), np.uint8)
    form = ("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", "8x8", "-r", "25", "-i", "-", "-i", folder / "sound.wav")
    larger = ("-vf", "scale=64:48", "-pix_fmt", "yuv420p")
    command = (binary(), "-v", "error", *form, *larger, *codecs.split(), folder / f"a{suffix}")
    subprocess.run(command, input=pictures.tobytes(), check=True)
    (folder / "sound.wav").unlink()


def _read_video(folder: Path) -> list[Any]:
    from stages.features import video

    (path,) = folder.glob("a.*")
    return list(video.read_video(path, frames_per_clip=None))


def _check_video(found: list[Any], whole: list[Any]) -> None:
    frames, audio, _, _, frames_lost, samples_lost, _ = found
    assert frames.dtype == np.uint8 and frames.shape[1:] == whole[0].shape[1:]
    assert 0 < len(frames) <= 750 and len(audio) == 640 * len(frames) and np.abs(audio).max() <= 1
    assert frames_lost <= 0.1 * len(frames) and samples_lost <= 0.1 * len(audio)


def _videos(suffix: str, codecs: str, exact: frozenset[str] = CUT) -> Subject:
    return Subject(partial(_make_video, suffix=suffix, codecs=codecs), ("a.*",), _read_video, exact, _check_video)


def _make_rooms(folder: Path) -> None:
    import soundfile

    for number in range(4):
        response = np.zeros(200)
        response[[10, 60 + number]] = 0.8, 0.3
        soundfile.write(folder / f"room{number}.wav", response, 8000)


def _read_rooms(folder: Path) -> np.ndarray:
    from stages.features import playback

    parts = [playback.read_responses(folder, sample_rate_hz=8000, held_out=one).numpy() for one in (True, False)]
    longest = max(part.shape[1] for part in parts)
    return np.concatenate([np.pad(part, ((0, 0), (0, longest - part.shape[1]))) for part in parts])


def _check_rooms(found: np.ndarray, whole: np.ndarray) -> None:
    assert found.dtype == np.float32 and len(found) >= 2 and np.isfinite(found).all()
    assert np.allclose(np.square(found).sum(axis=1), 1, atol=1e-4)


SUBJECTS = {
    "wav": _sounds(".wav", "PCM_16"),
    "wav_float": _sounds(".wav", "FLOAT"),
    "rf64": _sounds(".rf64", "PCM_24"),
    "aiff": _sounds(".aiff", "PCM_16"),
    "flac": _sounds(".flac", "PCM_16", ANY),
    "ogg": _sounds(".ogg", "VORBIS", ANY),
    "mp3": _sounds(".mp3", "MPEG_LAYER_III"),
    "rooms": Subject(_make_rooms, ("*.wav",), _read_rooms, CUT, _check_rooms, True),
    "mpg": _videos(".mpg", "-c:v mpeg1video -c:a mp2", frozenset(("emptied",))),
    "mp4": _videos(".mp4", "-c:v libx264 -c:a aac"),
    "mkv": _videos(".mkv", "-c:v ffv1 -level 3 -slicecrc 1 -c:a flac"),
    "avi": _videos(".avi", "-c:v mpeg4 -c:a pcm_s16le"),
}
