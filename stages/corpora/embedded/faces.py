"""Built-in corpora: drawn faces that speak; a person's look, and the frames of a clip from the movements of the lips.

A head is drawn once, from shapes with soft edges; a frame then costs a mouth, a warp of the head and a grain of noise.
Colours are BGR, lengths are pixels, and positions are relative to the head's middle, x to the right and y downwards.
Shapes are computed in double precision and rounded once, to single precision; from there on values are only multiplied
and added one by one. So processors whose sines and exponentials differ in the last digit draw the same pictures.
"""

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

FPS = 25
HEAD = (236, 192)  # height and width of the layer with the head
MIDDLE = (100, 96)  # of the head in its layer, row and column
MOUTH = (slice(118, 180), slice(64, 128))  # of the layer: what the mouth is drawn into
EYE_ROW = -8.0
BLINK = (0.5, 1.0, 1.0, 0.5)  # how far the lids are closed, frame by frame
BLINKS_PER_S = 0.35
NOISE_FIELDS, NOISE_MARGIN = 4, 64
# The camera's noise, as real GRID has it: blurred by so many pixels, and this much of it stays from frame to frame.
NOISE_BLUR, NOISE_KEPT = 1.5, 0.5
SKINS = ((176, 200, 236), (152, 186, 226), (128, 164, 208), (98, 130, 180), (70, 98, 146), (52, 72, 112))
HAIRS = ((28, 30, 36), (32, 48, 72), (50, 80, 120), (96, 150, 190), (120, 122, 126), (40, 60, 130))
EYEBALL, PUPIL, GLEAM = (212, 216, 220), (16, 14, 14), (245, 245, 245)
TOOTH, TONGUE, THROAT = (200, 215, 220), (92, 84, 160), (28, 22, 52)

Colour = tuple[float, float, float]
Place = float | np.ndarray  # along one axis


@dataclass(frozen=True)
class Face:
    """A person's look; `light` is how much brighter the right and the lower edge of the face are than its middle."""

    skin: Colour
    hair: Colour
    lips: Colour
    shirt: Colour
    wall: Colour
    half_width: float
    half_height: float
    narrow_chin: float
    eye_distance: float
    eye_height: float
    mouth_row: float
    mouth_half_width: float
    lip_thickness: float
    widest_gap: float
    beard: float
    long_hair: bool
    hairline: float
    parting: float
    light: tuple[float, float]
    texture_seed: int


class Pose(NamedTuple):
    """The head's shift to the right and down, its rotation in radians, and by how much it is enlarged."""

    right: float
    down: float
    angle: float
    zoom: float


def face(rng: np.random.Generator, *, woman: bool) -> Face:
    """A face drawn at random; women have long hair and redder lips, and half of the men some beard."""
    skin = np.array(SKINS[rng.integers(len(SKINS))]) + rng.uniform(-10, 10) + rng.uniform(-5, 5, 3)
    redness = np.array((0.56, 0.50, 0.78) if woman else (0.68, 0.62, 0.80))
    half_height = rng.uniform(78, 86)
    strength, angle = rng.uniform(0.03, 0.2), rng.uniform(0, 2 * np.pi)
    return Face(
        skin=_colour(skin),
        hair=_colour(np.array(HAIRS[rng.integers(len(HAIRS))]) + rng.uniform(-10, 10, 3)),
        lips=_colour(skin * redness * rng.uniform(0.9, 1.1) + rng.uniform(-5, 5, 3)),
        shirt=_colour(rng.uniform(30, 210, 3)),
        wall=_colour(rng.uniform(110, 215) + rng.uniform(-45, 45, 3)),
        half_width=rng.uniform(58, 66),
        half_height=half_height,
        narrow_chin=rng.uniform(0.08, 0.22),
        eye_distance=rng.uniform(52, 60),
        eye_height=rng.uniform(5.0, 6.5),
        mouth_row=half_height * rng.uniform(0.47, 0.53),
        mouth_half_width=rng.uniform(22, 26),
        lip_thickness=rng.uniform(4.0, 7.0),
        widest_gap=rng.uniform(15, 20),
        beard=0.0 if woman or rng.random() < 0.5 else rng.uniform(0.15, 0.6),
        long_hair=woman,
        hairline=rng.uniform(0.52, 0.7),
        parting=rng.uniform(-1, 1),
        light=(strength * np.cos(angle), strength * np.sin(angle)),
        texture_seed=int(rng.integers(2**31)),
    )


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

    room = _room(person, height, width)
    open_eyes, closed_eyes = _head(person, False), _head(person, True)
    top, left = _corner(height, width)
    box = (slice(top, top + HEAD[0]), slice(left, left + HEAD[1]))
    picture = np.rint(room).astype(np.uint8)
    behind = cv2.split(room[box])  # plane by plane, colours are mixed four times as fast
    fields = np.float32(noise) * _noise(height, width)
    grain = _cut(fields, rng)
    for track, pose, closed in zip(lips, _poses(len(lips), rng), _lids(len(lips), rng)):
        head = open_eyes + np.float32(closed) * (closed_eyes - open_eyes) if closed else open_eyes.copy()
        _draw_mouth(head[MOUTH], person, *track)
        head = cv2.remap(head, *_sources(person, track[0], pose), cv2.INTER_LINEAR)
        *before, coverage = cv2.split(head)
        clear = 1 - coverage
        picture[box] = cv2.merge([cv2.add(a, b * clear, dtype=cv2.CV_8U) for a, b in zip(before, behind)])
        frame = cv2.cvtColor(picture, cv2.COLOR_BGR2YUV_I420)
        grain = np.float32(NOISE_KEPT) * grain + np.float32((1 - NOISE_KEPT**2) ** 0.5) * _cut(fields, rng)
        frame[:height] = cv2.add(frame[:height], np.rint(grain).astype(np.int16), dtype=cv2.CV_8U)
        yield frame


def _colour(bgr: np.ndarray) -> Colour:
    return tuple(np.clip(bgr, 12, 245).tolist())


def _corner(height: int, width: int) -> tuple[int, int]:
    """Row and column of the layer with the head in the frame."""
    return round(0.47 * height) - MIDDLE[0], width // 2 - MIDDLE[1]


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


@functools.cache
def _grid() -> tuple[np.ndarray, np.ndarray]:
    """x and y of the layer's pixels."""
    y, x = np.mgrid[: HEAD[0], : HEAD[1]].astype(np.float64)
    return x - MIDDLE[1], y - MIDDLE[0]


def _sources(person: Face, aperture: float, pose: Pose) -> tuple[np.ndarray, np.ndarray]:
    """Column and row of the layer that each pixel comes from, in this pose; the jaw sinks with the aperture."""
    x, y = _grid()
    x, y = x[:1] - pose.right, y[:, :1] - pose.down
    cos, sin = np.cos(pose.angle) / (1 + pose.zoom), np.sin(pose.angle) / (1 + pose.zoom)
    source_x = (cos * x + MIDDLE[1]) + sin * y
    source_y = cos * y - sin * x
    sunk = 0.3 * person.widest_gap * aperture
    height = person.half_height - person.mouth_row + sunk
    source_y -= sunk * np.clip((source_y - person.mouth_row) / height, 0, 1)
    return source_x.astype(np.float32), (source_y + MIDDLE[0]).astype(np.float32)


def _draw_mouth(patch: np.ndarray, person: Face, aperture: float, width: float, teeth: float) -> None:
    """Draws the mouth into its part of the head's layer; the lips' edges are curves over the columns."""
    x, y = _grid()
    x, y = x[MOUTH][:1], y[MOUTH][:, :1] - person.mouth_row
    half = person.mouth_half_width * (0.68 + 0.48 * width - 0.06 * aperture)
    gap = person.widest_gap * aperture
    thick = person.lip_thickness * (1.2 - 0.35 * width) * (1 - 0.12 * aperture)
    arch = np.clip(1 - (x / half) ** 2, 0, 1) ** 0.6
    inner = np.clip(1 - (x / (0.86 * half)) ** 2, 0, 1) ** 0.5
    bow = 1 - 0.22 * np.exp(-((x / (0.16 * half)) ** 2))
    above, below = -0.42 * gap * inner, 0.58 * gap * inner
    opening = _inside(y - above + 0.35) * _inside(below + 0.35 - y) * (inner > 0)  # a line where they are closed
    skin, lips = np.asarray(person.skin), np.asarray(person.lips)
    light = _light(person)[MOUTH].mean()
    planes = np.ascontiguousarray(patch[..., :3].transpose(2, 0, 1))  # three times as fast to paint on

    def paint(colour: np.ndarray | Colour, coverage: np.ndarray) -> None:
        lit = (np.asarray(colour) * light).astype(np.float32)[:, None, None]
        planes[...] += coverage.astype(np.float32) * (lit - planes)

    def blur(row: np.ndarray | float, tall: float, wide: float) -> np.ndarray:
        return np.exp(-(((y - row) / tall) ** 2) - (x / (wide * half)) ** 2)

    paint(0.8 * skin, 0.45 * blur(0.58 * gap + 2.1 * thick, 4, 0.7))
    paint(0.86 * lips, _inside(y - above + thick * bow * arch) * _inside(above + 0.5 - y) * (arch > 0))
    paint(lips, _inside(y - below + 0.5) * _inside(below + 1.25 * thick * arch - y) * (arch > 0))
    paint(1.25 * lips + 14, 0.5 * blur(below + 0.6 * thick, 1.8, 0.45))
    paint(THROAT, opening)
    paint(TONGUE, 0.8 * opening * _inside(y - below + 0.3 * gap))
    paint(TOOTH, min(1.0, 1.5 * teeth) * opening * _inside(above + teeth * (1.5 + 0.28 * gap) - y))
    patch[..., :3] = planes.transpose(1, 2, 0)


def _inside(distance: np.ndarray) -> np.ndarray:
    """Coverage of pixels that lie this far inside a shape's edge."""
    return np.clip(distance + 0.5, 0, 1)


@functools.lru_cache(maxsize=2)
def _light(person: Face) -> np.ndarray:
    """(height, width, 1): the light on the head, brighter towards one side and less at the edge."""
    x, y = _grid()
    x, y = x / person.half_width, y / person.half_height
    light = 1 + person.light[0] * x + person.light[1] * y
    return (light * (1.05 - 0.2 * np.minimum(x**2 + y**2, 1.3) ** 2))[..., None]


class _Canvas:
    """A picture (height, width, channels) float32 to paint on, and x and y of its pixels."""

    def __init__(self, picture: np.ndarray, x: np.ndarray, y: np.ndarray):
        self.picture, self.x, self.y = picture, x, y

    def paint(self, colour: np.ndarray, coverage: np.ndarray) -> None:
        """Covers as much of each pixel with the colour, of as many channels as the picture has."""
        self.picture += coverage[..., None].astype(np.float32) * (colour.astype(np.float32) - self.picture)

    def ellipse(
        self, middle: tuple[Place, Place], half_axes: tuple[float, float], *, softness: float = 1.0
    ) -> np.ndarray:
        """Coverage of an ellipse, whose middle may differ over the pixels; its edge is so many of them soft."""
        across, along = (self.x - middle[0]) / half_axes[0], (self.y - middle[1]) / half_axes[1]
        slope = 2 * np.hypot(across / half_axes[0], along / half_axes[1]) + 1e-6
        return np.clip(0.5 - (across**2 + along**2 - 1) / slope / softness, 0, 1)


@functools.lru_cache(maxsize=4)
def _head(person: Face, eyes_closed: bool) -> np.ndarray:
    """(height, width, 4) float32: the head without its mouth, BGR times coverage, and coverage."""
    import cv2

    canvas = _Canvas(np.zeros((*HEAD, 4), np.float32), *_grid())
    rng = np.random.default_rng(person.texture_seed)
    _draw_skull(canvas, person, rng)
    for side in (-1, 1):
        _draw_eye(canvas, person, side * person.eye_distance / 2, closed=eyes_closed)
    _draw_nose(canvas, 0.24 * person.half_height, _opaque(person.skin))
    head = canvas.picture
    head[..., :3] *= _light(person).astype(np.float32)
    fine, coarse = (cv2.GaussianBlur(rng.standard_normal(HEAD), (0, 0), radius) for radius in (1.2, 8))
    head[..., :3] += ((7 * fine + 60 * coarse)[..., None] * head[..., 3:]).astype(np.float32)
    return head


def _opaque(colour: Colour) -> np.ndarray:
    """The colour with its coverage: four channels."""
    return np.array((*colour, 1))


def _shade(colour: np.ndarray, factor: float) -> np.ndarray:
    """The colour, of four channels, darker or brighter."""
    return colour * (factor, factor, factor, 1)


def _draw_skull(canvas: _Canvas, person: Face, rng: np.random.Generator) -> None:
    skin, hair = _opaque(person.skin), _opaque(person.hair)
    x, y, wide, high = canvas.x, canvas.y, person.half_width, person.half_height
    if person.long_hair:
        behind = canvas.ellipse((0, 6), (wide + 14, high + 12), softness=2) * np.clip((high - 4 - y) / 14, 0, 1)
        canvas.paint(_shade(hair, 0.8), behind)
    for side in (-1, 1):
        canvas.paint(_shade(skin, 0.88), canvas.ellipse((side * (wide + 1), 2), (8, 17)))
    narrowed = wide * (1 - person.narrow_chin * np.clip(y / high, 0, 1) ** 2)
    oval = np.clip(0.5 - ((x / narrowed) ** 2 + (y / high) ** 2 - 1) * wide / 2, 0, 1)
    canvas.paint(skin, oval)
    lower = np.clip((y - 0.2 * high + 8 * np.cos(x / 9)) / 24, 0, 1)
    sides = np.clip(0.35 + 0.75 * np.abs(x / wide) + 0.4 * (y > 0.5 * high), 0, 1)
    canvas.paint(_shade(hair, 0.6), person.beard * oval * lower * sides * rng.uniform(0.75, 1, HEAD))
    locks = 4 * np.sin(x / 5 + person.texture_seed % 7) + 3 * np.sin(x / 2.3)
    hairline = -person.hairline * high + person.parting * x / 4 + (18 + locks / 2) * np.abs(x / wide) ** 3 + locks
    temples = np.maximum(np.clip((np.abs(x) - 0.9 * wide) / 4, 0, 1), 1 - oval) * np.clip((6 - y) / 8, 0, 1)
    grown = np.maximum(np.clip((hairline - y) / 3, 0, 1), temples)
    canvas.paint(hair, grown * canvas.ellipse((0, -8), (wide + 4, high + 2), softness=2))


def _draw_eye(canvas: _Canvas, person: Face, middle: float, *, closed: bool) -> None:
    skin, hair = _opaque(person.skin), _opaque(person.hair)
    curve = (canvas.x - middle) ** 2
    tall = person.eye_height
    canvas.paint(_shade(skin, 0.82), 0.5 * canvas.ellipse((middle, EYE_ROW - 1), (17, 11), softness=6))
    brow = canvas.ellipse((middle, EYE_ROW - 18 + 0.006 * curve), (15, 2.6), softness=1.5)
    canvas.paint(0.7 * _shade(hair, 0.8) + 0.3 * _shade(skin, 0.7), 0.85 * brow)
    if closed:
        canvas.paint(_shade(skin, 0.93), canvas.ellipse((middle, EYE_ROW), (13, tall + 1), softness=2))
        canvas.paint(_shade(skin, 0.35), 0.9 * canvas.ellipse((middle, EYE_ROW + 3 - 0.012 * curve), (12.5, 1.2)))
        return
    ball = canvas.ellipse((middle, EYE_ROW), (12.5, tall))
    canvas.paint(_shade(skin, 0.3), canvas.ellipse((middle, EYE_ROW - 1), (13.5, tall + 1)))
    canvas.paint(_opaque(EYEBALL), ball)
    for colour, radius in ((hair[:3] / 2 + 20, 6.0), (PUPIL, 2.8)):
        canvas.paint(_opaque(colour), ball * canvas.ellipse((middle, EYE_ROW - 0.5), (radius, radius)))
    canvas.paint(_opaque(GLEAM), ball * canvas.ellipse((middle + 1.8, EYE_ROW - 2.2), (1, 1)))


def _draw_nose(canvas: _Canvas, tip: float, skin: np.ndarray) -> None:
    canvas.paint(_shade(skin, 1.08), 0.4 * canvas.ellipse((0, 0.2 * tip), (5, 0.9 * tip), softness=5))
    canvas.paint(_shade(skin, 0.8), 0.45 * canvas.ellipse((7, 0.4 * tip), (3.5, 0.75 * tip), softness=5))
    canvas.paint(_shade(skin, 0.8), 0.7 * canvas.ellipse((0, tip + 4), (13, 4.5), softness=4))
    canvas.paint(_shade(skin, 1.04), 0.6 * canvas.ellipse((0, tip - 1), (9, 7), softness=5))
    for side in (-1, 1):
        canvas.paint(_shade(skin, 0.38), 0.9 * canvas.ellipse((side * 6, tip + 4), (3.2, 1.7), softness=1.5))
        fold = canvas.ellipse((side * (15 + 0.3 * (canvas.y - tip)), 1.6 * tip), (1.6, 0.55 * tip), softness=3)
        canvas.paint(_shade(skin, 0.8), 0.4 * fold)


@functools.lru_cache(maxsize=2)
def _room(person: Face, height: int, width: int) -> np.ndarray:
    """(height, width, 3) float32: the wall, and the person's neck and shoulders before it."""
    y, x = np.mgrid[:height, :width].astype(np.float64)
    bright = 1 + 0.12 * np.sign(person.light[0]) * (x / width - 0.5) - 0.1 * y / height
    top, left = _corner(height, width)
    x, y = x - (left + MIDDLE[1]), y - (top + MIDDLE[0])
    canvas = _Canvas((np.asarray(person.wall) * bright[..., None]).astype(np.float32), x, y)
    skin, hair, shirt = (np.asarray(colour) for colour in (person.skin, person.hair, person.shirt))
    wide, chin = person.half_width, person.half_height
    if person.long_hair:
        ends = np.clip((chin + 34 + 4 * np.sin(x / 3) - y) / 4, 0, 1)
        canvas.paint(0.68 * hair, _inside(wide + 9 - np.abs(x)) * _inside(y - 30) * ends)
    neck = 0.58 * wide + 0.01 * np.maximum(y - chin, 0) ** 2
    canvas.paint(0.74 * skin, _inside(neck - np.abs(x)) * _inside(y - 20))
    collar = chin + 24 + 0.004 * x**2 - 8 * np.exp(-(((np.abs(x) - 42) / 14) ** 2))
    canvas.paint(0.85 * shirt, _inside((y - collar) / 1.5) * _inside(2.3 * wide - np.abs(x)))
    return np.clip(canvas.picture, 0, 255)


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
