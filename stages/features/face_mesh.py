"""Room of features: finds the points of the face in each frame of a clip."""

import contextlib
import functools
import os
import sys
from collections.abc import Iterable, Iterator
from types import ModuleType
from typing import Any

import numpy as np

from stages.frame.errors import UserError

POINTS = 468
# A clip is searched for a second face in every so manieth frame; to look for two in all of them doubles the time.
_FRAMES_PER_SEARCH = 15


def landmarks(frames: np.ndarray, where: object = "the video") -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The 468 points of MediaPipe's face mesh (Kartynnik et al. 2019, arXiv:1907.06724), tracked over a clip.

    A clip with frames in which no face is found is tracked backwards too, so that a face that is first found late is
    followed to the beginning; where it still is not found the points are interpolated linearly, or held at the ends.
    Of two faces, looked for in some frames, the one is followed that is larger where it is first seen. A clip gives
    the same points whatever came before it.

    Args:
        frames: (frames, height, width, 3) uint8 RGB, each frame in order in memory.
        where: names the clip in errors.

    Returns:
        The points, (frames, 468, 2) float32, x and y in pixels, whole numbers at the centres of pixels; whether they
        were found, (frames,) bool; the number of faces found, 0 to 2, (frames,) int.

    Raises:
        UserError: no frame has a face, or OpenCV lacks a library of the system.
    """
    opencv()
    points = np.full((len(frames), POINTS, 2), np.nan, np.float32)
    with _without_chatter():
        most = 2 if any(_count(frame) > 1 for frame in frames[::_FRAMES_PER_SEARCH]) else 1
        faces = _follow(points, frames, most)
        if not faces.all():
            faces = np.maximum(faces, _follow(points[::-1], frames[::-1], most)[::-1])
    found = faces > 0
    if not found.any():
        raise UserError(
            where, "a face", f"none in {len(frames)} frames", "replace the file or take it out of the corpus's list"
        )
    _interpolate(points, found)
    return points, found, faces


def opencv() -> ModuleType:
    """The module cv2, kept to one thread, as clips are shared among the cores.

    Raises:
        UserError: it lacks a library of the system (it wants one for windows, which nobody opens here).
    """
    try:
        import cv2
    except ImportError as error:
        raise UserError(
            "the Python package opencv",
            "to load",
            str(error),
            "install the system's package libgl1, or the Python package opencv-python-headless in its place",
        ) from error
    cv2.setNumThreads(1)
    return cv2


def _follow(points: np.ndarray, frames: Iterable[np.ndarray], most: int) -> np.ndarray:
    """Fills in those of `points` that are not a number, in the order of the frames; how many faces each frame has.

    The face is the one nearest to the face of the frame before, or the largest where there was none before.
    """
    mesh, counts, before = _mesh(most), [], None
    mesh.reset()
    for own, frame in zip(points, frames):
        faces = _faces(mesh, frame)
        counts.append(len(faces))
        if np.isnan(own).any() and len(faces):
            unlikely = -np.ptp(faces, axis=1).prod(axis=1) if before is None else _distances(faces, before)
            own[:] = faces[unlikely.argmin()]
        if not np.isnan(own).any():
            before = own
    return np.array(counts)


def _distances(faces: np.ndarray, other: np.ndarray) -> np.ndarray:
    return np.linalg.norm(faces.mean(axis=1) - other.mean(axis=0), axis=1)


def _faces(mesh: Any, frame: np.ndarray) -> np.ndarray:
    """(faces, 468, 2) float32 in pixels; MediaPipe's are shares of width and height, from the edges of the pixels."""
    found = mesh.process(frame).multi_face_landmarks or []
    shares = np.array([[(point.x, point.y) for point in face.landmark] for face in found], np.float32)
    return shares.reshape(-1, POINTS, 2) * np.float32([frame.shape[1], frame.shape[0]]) - np.float32(0.5)


def _interpolate(points: np.ndarray, found: np.ndarray) -> None:
    missing, known = np.flatnonzero(~found), np.flatnonzero(found)
    for track in points.reshape(len(points), -1).T:
        track[missing] = np.interp(missing, known, track[known])


def _count(frame: np.ndarray) -> int:
    return len(_detector().process(frame).detections or [])


@functools.cache
def _mesh(most: int) -> Any:
    from mediapipe.python.solutions.face_mesh import FaceMesh

    return FaceMesh(max_num_faces=most)


@functools.cache
def _detector() -> Any:
    from mediapipe.python.solutions.face_detection import FaceDetection

    return FaceDetection()


@contextlib.contextmanager
def _without_chatter() -> Iterator[None]:
    """Keeps off stderr what MediaPipe's libraries write there, past Python, whenever a graph starts."""
    sys.stderr.flush()
    kept = os.dup(2)
    with open(os.devnull, "wb") as nothing:  # noqa: PTH123 (a device)
        os.dup2(nothing.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
