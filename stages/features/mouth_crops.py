"""Room of features: cuts the mouth, and the face as SyncNet sees it, out of a clip's frames, with the maps to both.

A decoder: `prepare` reads a corpus of videos by it.
"""

import multiprocessing
import os
from concurrent.futures import Executor, ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from stages.features import face_mesh, video
from stages.features.face_mesh import opencv
from stages.frame.parameters import Count
from stages.frame.parent import follow_parent

# What had to be mended in a clip, and its length: columns of the set's table; for a clip that can't be read, these.
COUNTED = {
    "duration_s": 0.0,
    "frames_without_face": 0,
    "frames_with_two_faces": 0,
    "frames_added": 0,
    "silent_samples_added": 0,
    "frames_lost": 0,
    "samples_lost": 0,
    "variable_frame_rate": False,
}
# With faces of 224 x 224 one takes 11 MB.
CLIPS_PER_SHARD = 32

# Points of the mesh that no speech moves: outer and inner corner of the eye on the image's left, inner and outer
# corner of the other, bridge and base of the nose; and where the mean face of the lip readers of Ma and Petridis
# (2018, 2020: 20words_mean_face, points 36, 39, 42, 45, 28, 33) has them, in pixels of a mouth crop of 96 x 96.
STABLE = (33, 133, 362, 263, 197, 2)
MEAN_FACE = ((92.52, 94.37), (112.77, 94.94), (145.53, 94.53), (166.68, 93.57), (128.49, 106.92), (128.87, 137.30))
MEAN_FACE_CROP = 96
# The outer and the inner rim, from the mouth's corner on the image's left.
LIPS = (
    *(61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185),
    *(78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 415, 310, 311, 312, 13, 82, 81, 80, 191),
)
_SMOOTHING_FRAMES = 2.0
# SyncNet's run_pipeline.py: the share of the box that it leaves around it, the frames of its median, its grey.
_FACE_MARGIN, _FACE_MEDIAN_FRAMES, _FACE_PADDING = 0.4, 13, 110


def decode(
    path: Path,
    *,
    size: Count,
    face_size: Count | None,
    frames_per_clip: Count | None,
    limits: video.Limits = video.USUAL,
) -> tuple[dict[str, np.ndarray], dict[str, float | bool]]:
    """The arrays of one clip, `audio` and those of `crops`, and its values of the columns `COUNTED`.

    Raises:
        UserError: the file can't be read (`read_video`), or no face is found in it.
    """
    clip = video.read_video(path, frames_per_clip=frames_per_clip, limits=limits)
    points, found, faces = face_mesh.landmarks(clip.frames, path)
    counted = {
        "duration_s": len(clip.frames) / video.FRAMES_PER_S,
        "frames_without_face": int((~found).sum()),
        "frames_with_two_faces": int((faces > 1).sum()),
        "frames_added": clip.frames_added,
        "silent_samples_added": clip.silent_samples_added,
        "frames_lost": clip.frames_lost,
        "samples_lost": clip.samples_lost,
        "variable_frame_rate": clip.variable_frame_rate,
    }
    return crops(clip.frames, points, size=size, face_size=face_size) | {"audio": clip.audio}, counted


def about(*, size: int, **_: object) -> dict[str, Any]:
    """What a set says of the arrays that `decode` makes: what files hold, and in which steps."""
    return {
        "signal": {"sample_rate_hz": video.SAMPLE_RATE_HZ, "frames_per_s": video.FRAMES_PER_S, "crop": size},
        "bounds": {"audio": [-1.0, 1 - 2**-15], "video": [0.0, 255.0]},
        "quantum": {"audio": 2**-15, "video": 1.0},
    }


def pool() -> Executor:
    """Who decodes many clips: processes, as much of the work holds the interpreter lock.

    Started anew, as MediaPipe's threads survive no fork.

    Raises:
        UserError: OpenCV lacks a library of the system; later it would be a problem of every clip.
    """
    opencv()
    start_anew = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(os.cpu_count(), start_anew, initializer=follow_parent)


def crops(
    frames: np.ndarray, points: np.ndarray, *, size: Count, face_size: Count | None = None
) -> dict[str, np.ndarray]:
    """The mouth in each frame, upright, of the size of a mean face, and standing still but for what the lips do.

    The points are smoothed over time, six of them that no speech moves are laid on the mean face's by a similarity
    transform, and what is cut out there is centred on the clip's median of the middle of the lips.

    Args:
        frames: (frames, height, width, 3) uint8 RGB.
        points: (frames, 468, 2) of `face_mesh.landmarks`.
        size: side of the mouth's crop in pixels.
        face_size: side of SyncNet's crop of the face (224 for the published network); None leaves it out.

    Returns:
        `video` (frames, size, size) uint8 grey, `frame_to_mouth` (frames, 2, 3) float32, which maps (x, y, 1) in the
        frame to x and y in the crop, whole numbers being the centres of pixels. With a face's size also `faces`
        (frames, face_size, face_size, 3) uint8 BGR and `frame_to_face` (frames, 2, 3) float32.
    """
    from scipy.ndimage import gaussian_filter1d

    cv2 = opencv()
    smooth = gaussian_filter1d(points.astype(np.float64), _SMOOTHING_FRAMES, axis=0, mode="nearest")
    mouth_maps = _mouth_maps(smooth, size)
    grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in frames]
    made = {"video": _warped(grey, mouth_maps, size, cv2.BORDER_REPLICATE), "frame_to_mouth": mouth_maps}
    if face_size:
        face_maps = _face_maps(smooth, face_size)
        faces = _warped(frames, face_maps, face_size, cv2.BORDER_CONSTANT)
        made |= {"faces": np.ascontiguousarray(faces[..., ::-1]), "frame_to_face": face_maps}
    return made


def _mouth_maps(points: np.ndarray, size: int) -> np.ndarray:
    onto_mean_face = _similarities(points[:, STABLE], np.array(MEAN_FACE))
    lips = _mapped(points[:, LIPS], onto_mean_face).mean(axis=1)
    maps = onto_mean_face
    maps[:, :, 2] -= np.median(lips, axis=0)
    maps *= size / MEAN_FACE_CROP
    maps[:, :, 2] += (size - 1) / 2
    return maps.astype(np.float32)


def _similarities(points: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Least squares: rotation, scaling and shift, (frames, 2, 3), that lay each frame's points on the target's.

    With points as complex numbers z it is z -> turn * z + shift.
    """
    z, w = points @ [1, 1j], target @ [1, 1j]
    centre = z.mean(axis=1, keepdims=True)
    turn = (z - centre).conj() @ (w - w.mean()) / (abs(z - centre) ** 2).sum(axis=1)
    shift = w.mean() - turn * centre[:, 0]
    rows = [turn.real, -turn.imag, shift.real, turn.imag, turn.real, shift.imag]
    return np.stack(rows, axis=1).reshape(-1, 2, 3)


def _mapped(points: np.ndarray, maps: np.ndarray) -> np.ndarray:
    return points @ maps[:, :, :2].transpose(0, 2, 1) + maps[:, None, :, 2]


def _face_maps(points: np.ndarray, size: int) -> np.ndarray:
    """SyncNet's crop: a square as wide as the face's box and its margin, from the box's top to below the chin."""
    from scipy.ndimage import median_filter

    low, high = points.min(axis=1), points.max(axis=1)
    boxes = np.column_stack([(low + high) / 2, (high - low).max(axis=1) / 2])
    x, y, half = median_filter(boxes, (_FACE_MEDIAN_FRAMES, 1), mode="nearest").T
    side = 2 * half * (1 + _FACE_MARGIN)
    scale, zero = size / side, np.zeros(len(points))
    # From the left and upper edges of the crop, half a pixel before the centre of its first one.
    left, top = x - side / 2, y - half
    rows = [scale, zero, -left * scale - 0.5, zero, scale, -top * scale - 0.5]
    return np.stack(rows, axis=1).reshape(-1, 2, 3).astype(np.float32)


def _warped(images: list[np.ndarray] | np.ndarray, maps: np.ndarray, size: int, border: int) -> np.ndarray:
    """The images through the maps, (frames, size, size, ...); where they shrink, each pixel is the mean of its area."""
    cv2 = opencv()
    scale = np.sqrt(np.median(np.linalg.det(maps[:, :, :2])))
    # Cut out so many times larger, and blocks of so many pixels averaged: their centre is where the map has the pixel.
    times = max(1, round(1 / scale))
    larger = maps * times
    larger[:, :, 2] += (times - 1) / 2
    cut = [
        cv2.warpAffine(
            image,
            own,
            (times * size, times * size),
            flags=cv2.INTER_LINEAR,
            borderMode=border,
            borderValue=(_FACE_PADDING,) * 3,
        )
        for image, own in zip(images, larger)
    ]
    return np.stack([cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA) for image in cut])
