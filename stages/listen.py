"""Verb: a handful of clips to hear and see: `python -m stages.listen STUDY`."""

import subprocess
from pathlib import Path

import numpy as np
import pandas as pd

from stages.frame import ffmpeg, parameters
from stages.frame.errors import UserError, run, writing
from stages.frame.names import file_name
from stages.frame.pcm import to_pcm16
from stages.reporting.sound import Clip, Sound, levels_matched_db
from stages.reporting.study import part

DIFFERENCE_PEAK = 0.5
# Each pixel of a video is a square of so many.
ENLARGED = 5


def main(study: str) -> None:
    """Writes `reports/<study>/listening`: WAV and spectrogram of each sound of the clips that the study chooses.

    A sound with pictures is written as a video besides. A difference is raised to a peak of one half, since it could
    not be heard otherwise; `listening.csv` says by how much, and by how much a player lowers each version so that all
    are level-matched. What is not there, or no clip of which was kept, is passed over and told in a line.
    """
    folder = Path("reports", study, "listening")
    choose = part(study, "sounds", "clip")
    clips = {entry: choose(entry) for entry in _entries(study)}
    heard = {entry: clip for entry, clip in clips.items() if clip is not None}
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        rows = [row for entry, clip in heard.items() for row in _written(clip, entry, folder)]
        pd.DataFrame(rows).to_csv(folder / "listening.csv", index=False)
    silent = [entry for entry, clip in clips.items() if clip is None]
    if silent:
        print(f"nothing to hear of {', '.join(silent)}: no such entry, or no clip of it was kept")
    print(f"{folder}: {len(heard)} clips, on the page {folder.with_name('index.html')} after the study's report")


def _entries(study: str) -> list[str]:
    entries = parameters.section(study).get("listening")
    if not parameters.fits(entries, list[str]):
        where, do = f"params.yaml: {study}.listening", "see params.yaml in git"
        raise UserError(where, parameters.described(list[str]), repr(entries), do)
    return entries


def _written(clip: Clip, entry: str, folder: Path) -> list[dict]:
    """One row for each sound of one clip; writes its files, of which all spectrograms are as long as the longest."""
    gains = [_gain(sound) for sound in clip.sounds]
    heard = [gain * sound.waveform for gain, sound in zip(gains, clip.sounds)]
    matched_db = levels_matched_db(heard, [sound.is_difference for sound in clip.sounds])
    longest = max(map(len, heard))
    reference_db = _decibels(heard[0], clip.sample_rate_hz).max()
    rows = []
    for place, sound in enumerate(clip.sounds):
        stem = file_name(f"{entry}-{sound.name}")
        decibels = _decibels(np.pad(heard[place], (0, longest - len(heard[place]))), clip.sample_rate_hz)
        top_db = decibels.max() if sound.is_difference else reference_db
        _write(folder / stem, heard[place], clip.sample_rate_hz, decibels, top_db)
        if sound.video is not None:
            _write_video(folder / f"{stem}.webm", sound.video, folder / f"{stem}.wav")
        height, width = (0, 0) if sound.video is None else sound.video.shape[1:]
        rows.append(
            {"entry": entry, "clip_id": clip.clip_id, "label": clip.label, "target": clip.target}
            | {"strength": clip.strength, "sample_rate_hz": clip.sample_rate_hz}
            | {"duration_s": round(longest / clip.sample_rate_hz, 3), "sound": sound.name, "stem": stem}
            | {"decision": sound.decision, "confidence": sound.confidence}
            | {"gain_db": round(20 * np.log10(gains[place]), 1), "matched_db": round(matched_db[place], 1) + 0.0}
            | {"video": "" if sound.video is None else f"{stem}.webm"}
            | {"width_px": ENLARGED * width, "height_px": ENLARGED * height}
        )
    return rows


def _gain(sound: Sound) -> float:
    """What a sound is raised by, so that it can be heard."""
    return DIFFERENCE_PEAK / max(float(np.abs(sound.waveform).max()), 1e-12) if sound.is_difference else 1.0


def _decibels(waveform: np.ndarray, sample_rate_hz: int) -> np.ndarray:
    from scipy.signal import stft

    _, _, spectrum = stft(waveform, sample_rate_hz, nperseg=512, noverlap=384)
    return 20 * np.log10(np.abs(spectrum) + 1e-9)


def _write(path: Path, waveform: np.ndarray, sample_rate_hz: int, decibels: np.ndarray, top_db: float) -> None:
    """The sound as a 16-bit WAV, and its spectrogram over the 80 dB below `top_db`."""
    import soundfile
    from matplotlib import image

    soundfile.write(f"{path}.wav", to_pcm16(waveform), sample_rate_hz)
    shown = {"vmin": top_db - 80, "vmax": top_db, "cmap": "magma"}
    image.imsave(f"{path}.png", decibels[::-1], metadata={"Software": None}, **shown)


def _write_video(path: Path, video: np.ndarray, sound: Path) -> None:
    """Pictures and a sound file as VP8 and Vorbis, which browsers play; enlarged.

    Nothing that changes by the day goes into the file.
    """
    height, width = video.shape[1:]
    pictures = ("-f", "rawvideo", "-pix_fmt", "gray", "-s", f"{width}x{height}", "-r", "25", "-i", "-")
    heard = ffmpeg.input_file(sound, "wav")
    larger = ("-vf", f"scale={ENLARGED * width}:{ENLARGED * height}:flags=bicubic+bitexact", "-pix_fmt", "yuv420p")
    coded = ("-c:v", "libvpx", "-crf", "10", "-b:v", "1M", "-c:a", "libvorbis", "-q:a", "6")
    exact = ("-threads", "1", "-fflags", "+bitexact", "-flags:v", "+bitexact", "-flags:a", "+bitexact")
    command = (ffmpeg.binary(), "-v", "error", "-y", *pictures, *heard, *larger, *coded, *exact, str(path))
    subprocess.run(command, input=video.tobytes(), check=True)


if __name__ == "__main__":
    run(main)
