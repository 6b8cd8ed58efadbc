"""Verb: decodes a corpus's videos and cuts the mouths out into shards: `python -m stages.crop STUDY`."""

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import pandas as pd

from stages.features import face_mesh, mouth_crops, video
from stages.frame import clip_table, devices, parameters, shards
from stages.frame.errors import UserError, told_in_one_line
from stages.frame.parameters import Count

# What had to be mended in a clip, and its length: columns of the set's table.
COUNTED = {
    "duration_s": 0.0,
    "frames_without_face": 0,
    "frames_with_two_faces": 0,
    "frames_added": 0,
    "silent_samples_added": 0,
    "variable_frame_rate": False,
}
# With faces of 224 x 224 one takes 11 MB.
CLIPS_PER_SHARD = 32
Clip = tuple[shards.Arrays, dict[str, float | bool]]


def main(study: str) -> None:
    """Writes `data/<study>/mouths`, on all cores.

    A clip that can't be read, or has no face, stops the stage, unless `corpora.<study>.skip_unreadable`: then its row
    says in the column `problem` what is wrong, and it has no arrays.
    """
    worker = devices.launch()
    face_mesh.opencv()  # else what this machine lacks would be a problem of every clip
    given = parameters.section(f"crops.{study}")
    read = parameters.bind(read_clip, f"crops.{study}", given)
    skip_unreadable = parameters.section(f"corpora.{study}.skip_unreadable")
    root = Path(parameters.section(f"corpora.{study}.root"))
    plan = Path("data", study, "clips.csv")
    table = clip_table.read(plan)

    def compute(rows: pd.DataFrame) -> tuple[pd.DataFrame, list[shards.Arrays]]:
        files = [root / file for file in rows.file]
        arrays, counts, problems = zip(*pool.map(partial(_or_problem, read, skip_unreadable), files))
        rows = rows.assign(key=rows.clip_id).join(pd.DataFrame(counts, rows.index))
        return rows.assign(problem=problems), list(arrays)

    # Processes, as much of the work holds the interpreter lock; started anew, as MediaPipe's threads survive no fork.
    start_anew = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(os.cpu_count(), start_anew, initializer=_leave_interrupts_to_parent) as pool:
        try:
            shards.write_set(
                table,
                Path("data", study, "mouths"),
                compute,
                inputs=[plan, *(root / file for file in table.file if (root / file).is_file())],
                settings=[given, skip_unreadable],
                worker=worker,
                description=f"crop {study}",
                clips_per_shard=CLIPS_PER_SHARD,
                about={
                    "signal": {
                        "sample_rate_hz": video.SAMPLE_RATE_HZ,
                        "frames_per_s": video.FRAMES_PER_S,
                        "crop": given["size"],
                    },
                    # What files hold, and in which steps.
                    "bounds": {"audio": [-1.0, 1 - 2**-15], "video": [0.0, 255.0]},
                    "quantum": {"audio": 2**-15, "video": 1.0},
                },
            )
        except KeyboardInterrupt:
            # A second one while the processes finish their clips would leave this one waiting for ever.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            raise


def read_clip(path: Path, *, size: Count, face_size: Count | None, frames_per_clip: Count | None) -> Clip:
    """The arrays of one clip, `audio` and those of `mouth_crops.crops`, and its values of the columns `COUNTED`.

    Raises:
        UserError: the file can't be read (`read_video`), or no face is found in it.
    """
    clip = video.read_video(path, frames_per_clip=frames_per_clip)
    points, found, faces = face_mesh.landmarks(clip.frames, path)
    counted = {
        "duration_s": len(clip.frames) / video.FRAMES_PER_S,
        "frames_without_face": int((~found).sum()),
        "frames_with_two_faces": int((faces > 1).sum()),
        "frames_added": clip.frames_added,
        "silent_samples_added": clip.silent_samples_added,
        "variable_frame_rate": clip.variable_frame_rate,
    }
    return mouth_crops.crops(clip.frames, points, size=size, face_size=face_size) | {"audio": clip.audio}, counted


def _or_problem(
    read: Callable[[Path], Clip], skip_unreadable: bool, path: Path
) -> tuple[shards.Arrays, dict[str, float | bool], str]:
    try:
        return (*read(path), "")
    except UserError as error:
        if not skip_unreadable:
            raise
        return {}, COUNTED, str(error)


def _leave_interrupts_to_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


if __name__ == "__main__":
    with told_in_one_line():
        main(*sys.argv[1:])
