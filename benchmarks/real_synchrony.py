"""Benchmarks: mouths and lip sync on real clips of GRID: `python -m benchmarks.real_synchrony FOLDER [--every N]`.

Nothing is trained on them: the SyncNets are those of the audio-visual study, which know drawn people alone. With one
speaker the intervals are over clips, so they say nothing of other speakers.
"""

import argparse
from pathlib import Path

from benchmarks import table
from stages.frame.errors import UserError, told_in_one_line

SYNCNETS, SHIFTS, FRAMES = ("sync_clean", "sync_noise"), 15, 75
# Each picture's other sound is that of the clip so many places on.
OTHER = 7


def main() -> None:
    """Prints in how many clips mouths are found, and how the SyncNets take own and another clip's sound."""
    options = _options()
    files = sorted(options.folder.rglob("*.mpg"))[:: options.every]
    clips, lost = _decoded(files)
    heads = ["SyncNet", "offset within one frame", "95 %", "AUC, own against another's sound", "95 %"]
    print(f"{len(clips)} of {len(files)} clips have a mouth, {lost} of {FRAMES * len(clips)} frames none.\n")
    print(table(heads, [_row(name, clips) for name in SYNCNETS]))


def _decoded(files: list[Path]) -> tuple[list[dict], int]:
    """Clips in which a mouth is found, and how many of their frames are without."""
    from stages.features import mouth_crops

    clips, lost = [], 0
    for file in files:
        try:
            arrays, counted = mouth_crops.decode(file, size=48, face_size=None, frames_per_clip=FRAMES)
        except UserError as error:
            print(error)
            continue
        clips.append(arrays)
        lost += counted["frames_without_face"]
    return clips, lost


def _row(name: str, clips: list[dict]) -> list[str]:
    """Offsets and confidences by one SyncNet."""
    import numpy as np

    from stages.detection import lip_sync
    from stages.measures import detection
    from stages.measures.intervals import wilson

    ask = lip_sync.detector("cpu", model=f"models/audiovisual/{name}", shifts=SHIFTS, pairs="valid")
    own = ask(_inputs(clips, clips))
    other = ask(_inputs(clips, clips[OTHER:] + clips[:OTHER]))
    found, count = int((own["offset"].abs() <= 1).sum()), len(clips)
    scores = own["score"].numpy(), other["score"].numpy()
    ends = detection.auc_interval(*scores, np.arange(count), np.arange(count))
    interval = "{:.2f} to {:.2f}"
    return [
        *(name, f"{found}/{count}", interval.format(*wilson(found, count))),
        *(f"{detection.auc(*scores):.2f}", interval.format(*ends)),
    ]


def _inputs(pictures: list[dict], sounds: list[dict]) -> dict:
    """The batch of these pictures with those sounds."""
    from stages.victim import padded_batch

    return padded_batch([one["video"] for one in pictures], "cpu", "video") | padded_batch(
        [one["audio"] for one in sounds], "cpu", "audio"
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.real_synchrony", description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--every", type=int, default=1, help="takes one clip of so many")
    return parser.parse_args()


if __name__ == "__main__":
    with told_in_one_line():
        main()
