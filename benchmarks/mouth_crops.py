"""Benchmarks: from videos to mouth crops on one core, in times real time: `python -m benchmarks.mouth_crops`.

The videos are the built-in ones, where they are there, or a portrait seen by a moving camera. What is counted is the
processor's time of this process and of its ffmpeg.
"""

import os
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import fmean
from typing import Any

from benchmarks import ROOT, table

CLIPS, FRAMES = 12, 75
SIZE, FACE_SIZE = 96, 224


def main() -> None:
    """Prints the processor's time a clip of 3 s for each step, and how many times real time that is."""
    from stages.features import face_mesh, mouth_crops, video

    with tempfile.TemporaryDirectory() as folder:
        paths = sorted((ROOT / "data" / "embedded" / "GRID").rglob("*.mpg"))[:CLIPS] or [_filmed(Path(folder))] * CLIPS
        # Once beforehand, so that nobody pays for imports and the meshes' start.
        face_mesh.landmarks(video.read_video(paths[0], frames_per_clip=None).frames)
        taken: dict[str, list[float]] = {"ffmpeg": [], "face mesh": [], "mouth": [], "mouth and face": []}
        for path in paths:
            clip, seconds = _timed(lambda path=path: video.read_video(path, frames_per_clip=FRAMES))
            taken["ffmpeg"].append(seconds)
            (points, _, _), seconds = _timed(lambda clip=clip: face_mesh.landmarks(clip.frames))
            taken["face mesh"].append(seconds)
            for name, face_size in (("mouth", None), ("mouth and face", FACE_SIZE)):
                _, seconds = _timed(
                    lambda clip=clip, points=points, face_size=face_size: mouth_crops.crops(
                        clip.frames, points, size=SIZE, face_size=face_size
                    )
                )
                taken[name].append(seconds)
    steps = {name: fmean(seconds) for name, seconds in taken.items()}
    steps["file to mouth"] = steps["ffmpeg"] + steps["face mesh"] + steps["mouth"]
    length_s = FRAMES / video.FRAMES_PER_S
    print(f"{CLIPS} clips like {paths[0].name}, {SIZE} x {SIZE} and {FACE_SIZE} x {FACE_SIZE}\n")
    print(
        table(
            ["step", "CPU s a clip", "times real time"],
            [[name, f"{seconds:.3f}", f"{length_s / seconds:.1f}"] for name, seconds in steps.items()],
        )
    )


def _filmed(folder: Path) -> Path:
    """A clip like GRID's of the portrait that comes with matplotlib."""
    import matplotlib as mpl

    from stages.frame.ffmpeg import binary

    path, portrait = folder / "portrait.mpg", Path(mpl.get_data_path(), "sample_data", "grace_hopper.jpg")
    picture = ["-loop", "1", "-framerate", "25", "-i", portrait, "-f", "lavfi", "-i", "sine=r=44100"]
    motion = ["-vf", "crop=450:360:'30+20*sin(2*t)':'5+5*cos(3*t)',scale=360:288,noise=alls=6:allf=t"]
    codecs = ["-c:v", "mpeg1video", "-b:v", "1M", "-c:a", "mp2", "-frames:v", str(FRAMES), "-t", "3"]
    subprocess.run([binary(), "-v", "error", "-nostdin", *picture, *motion, *codecs, path], check=True)
    return path


def _timed(run: Callable[[], Any]) -> tuple[Any, float]:
    """What it returns, and the processor's time that it and the processes it waited for took."""
    before = os.times()
    result = run()
    return result, sum(os.times()[:4]) - sum(before[:4])


if __name__ == "__main__":
    main()
