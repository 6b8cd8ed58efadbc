"""Built-in corpora: drawn faces that speak; the frames of a clip from a person's look and the movements of the lips.

A head is drawn once; a frame then costs a mouth, a warp of the head and a grain of the camera's noise.
"""

import functools
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from stages.corpora.embedded import heads
from stages.corpora.embedded.looks import Face

FPS = 25
BLINK = (0.5, 1.0, 1.0, 0.5)  # how far the lids are closed, frame by frame
BLINKS_PER_S = 0.35
NOISE_FIELDS, NOISE_MARGIN = 4, 64
# The camera's noise, as real GRID has it: blurred by so many pixels, and this much of it stays from frame to frame.
NOISE_BLUR, NOISE_KEPT = 1.5, 0.5


class Pose(NamedTuple):
    """The head's shift to the right and down, its rotation in radians, and by how much it is enlarged."""

    right: float
    down: float
    angle: float
    zoom: float


def frames(
    person: Face, lips: np.ndarray, *, height: int, width: int, noise: float, rng: np.random.Generator
) -> Iterator[np.ndarray]:
    """The frames of a clip of a face that speaks, blinks and moves a little, each (3 / 2 height, width) uint8.

    They are in the encoders' own YUV 4:2:0, all rows of Y before those of U and of V; the camera's noise is in Y alone.

    Args:
        person: who speaks.
        lips: (frames, 3), aperture, width and visible teeth in [0, 1]: see `visemes.tracks`.
        height, width: even, and 256 at least.
        noise: of the camera, standard deviation in grey levels.
        rng: of the movements, the blinks and the noise.
    """
    import cv2

    room = heads.room(person, height, width)
    open_eyes, closed_eyes = heads.head(person, False), heads.head(person, True)
    top, left = heads.corner(height, width)
    box = (slice(top, top + heads.HEAD[0]), slice(left, left + heads.HEAD[1]))
    picture = np.rint(room).astype(np.uint8)
    behind = cv2.split(room[box])  # plane by plane, colours are mixed four times as fast
    fields = np.float32(noise) * _noise(height, width)
    grain = _cut(fields, rng)
    for track, pose, closed in zip(lips, _poses(len(lips), rng), _lids(len(lips), rng)):
        head = open_eyes + np.float32(closed) * (closed_eyes - open_eyes) if closed else open_eyes.copy()
        heads.draw_mouth(head[heads.MOUTH], person, *track)
        head = cv2.remap(head, *_sources(person, track[0], pose), cv2.INTER_LINEAR)
        *before, coverage = cv2.split(head)
        clear = 1 - coverage
        picture[box] = cv2.merge([cv2.add(a, b * clear, dtype=cv2.CV_8U) for a, b in zip(before, behind)])
        frame = cv2.cvtColor(picture, cv2.COLOR_BGR2YUV_I420)
        grain = np.float32(NOISE_KEPT) * grain + np.float32((1 - NOISE_KEPT**2) ** 0.5) * _cut(fields, rng)
        frame[:height] = cv2.add(frame[:height], np.rint(grain).astype(np.int16), dtype=cv2.CV_8U)
        yield frame


def _poses(count: int, rng: np.random.Generator) -> list[Pose]:
    """The head's movements, each a sum of slow waves."""
    time_s = np.arange(count)[:, None, None] / FPS
    waves = np.sin(2 * np.pi * (rng.uniform(0.1, 0.6, (4, 3)) * time_s + rng.uniform(size=(4, 3))))
    reach = rng.uniform((1, 1, np.radians(0.3), 0.002), (4, 3, np.radians(2), 0.01))
    return [Pose(*values) for values in (reach * (rng.dirichlet(np.ones(3), 4) * waves).sum(-1)).tolist()]


def _lids(count: int, rng: np.random.Generator) -> np.ndarray:
    """(count,): how far the lids are closed, for blinks at random times."""
    lids = np.zeros(count + len(BLINK))
    for start in np.flatnonzero(rng.random(count) < BLINKS_PER_S / FPS):
        lids[start : start + len(BLINK)] = BLINK
    return lids[:count]


def _sources(person: Face, aperture: float, pose: Pose) -> tuple[np.ndarray, np.ndarray]:
    """Column and row of the layer that each pixel comes from, in this pose; the jaw sinks with the aperture."""
    x, y = heads.grid()
    x, y = x[:1] - pose.right, y[:, :1] - pose.down
    cos, sin = np.cos(pose.angle) / (1 + pose.zoom), np.sin(pose.angle) / (1 + pose.zoom)
    source_x = (cos * x + heads.MIDDLE[1]) + sin * y
    source_y = cos * y - sin * x
    sunk = 0.3 * person.widest_gap * aperture
    height = person.half_height - person.mouth_row + sunk
    source_y -= sunk * np.clip((source_y - person.mouth_row) / height, 0, 1)
    return source_x.astype(np.float32), (source_y + heads.MIDDLE[0]).astype(np.float32)


@functools.lru_cache(maxsize=1)
def _noise(height: int, width: int) -> np.ndarray:
    """Blurred noise of deviation 1, each field with a margin so that frames of this size can be cut out anywhere."""
    import cv2

    shape = (height + NOISE_MARGIN, width + NOISE_MARGIN)
    rng = np.random.default_rng(0)
    fields = [cv2.GaussianBlur(rng.standard_normal(shape), (0, 0), NOISE_BLUR) for _ in range(NOISE_FIELDS)]
    return np.stack([field / field.std() for field in fields]).astype(np.float32)


def _cut(fields: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A frame's noise out of one of the fields."""
    row, column = rng.integers(NOISE_MARGIN, size=2)
    height, width = (size - NOISE_MARGIN for size in fields.shape[1:])
    return fields[rng.integers(NOISE_FIELDS), row : row + height, column : column + width]
