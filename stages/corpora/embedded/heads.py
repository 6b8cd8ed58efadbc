"""Built-in corpora: a drawn person's head, mouth and shoulders, of shapes with soft edges.

Colours are BGR, lengths are pixels, and places are relative to the head's middle, x to the right and y downwards.
Shapes are computed in double precision and rounded once, to single precision; from there on values are only multiplied
and added one by one. So processors whose sines and exponentials differ in the last digit draw the same pictures.
"""

import functools

import numpy as np

from stages.corpora.embedded.looks import Colour, Face

HEAD = (236, 192)  # height and width of the layer with the head
MIDDLE = (100, 96)  # of the head in its layer, row and column
MOUTH = (slice(118, 180), slice(64, 128))  # of the layer: what the mouth is drawn into
EYE_ROW = -8.0
EYEBALL, PUPIL, GLEAM = (212, 216, 220), (16, 14, 14), (245, 245, 245)
TOOTH, TONGUE, THROAT = (200, 215, 220), (92, 84, 160), (28, 22, 52)

Place = float | np.ndarray  # along one axis


def corner(height: int, width: int) -> tuple[int, int]:
    """Row and column of the layer with the head in the frame."""
    return round(0.47 * height) - MIDDLE[0], width // 2 - MIDDLE[1]


@functools.cache
def grid() -> tuple[np.ndarray, np.ndarray]:
    """x and y of the layer's pixels."""
    y, x = np.mgrid[: HEAD[0], : HEAD[1]].astype(np.float64)
    return x - MIDDLE[1], y - MIDDLE[0]


@functools.lru_cache(maxsize=4)
def head(person: Face, eyes_closed: bool) -> np.ndarray:
    """(height, width, 4) float32: the head without its mouth, BGR times coverage, and coverage."""
    import cv2

    canvas = _Canvas(np.zeros((*HEAD, 4), np.float32), *grid())
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


def draw_mouth(patch: np.ndarray, person: Face, aperture: float, width: float, teeth: float) -> None:
    """Draws the mouth into its part of the head's layer; the lips' edges are curves over the columns."""
    x, y = grid()
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


@functools.lru_cache(maxsize=2)
def room(person: Face, height: int, width: int) -> np.ndarray:
    """(height, width, 3) float32: the wall, and the person's neck and shoulders before it."""
    y, x = np.mgrid[:height, :width].astype(np.float64)
    bright = 1 + 0.12 * np.sign(person.light[0]) * (x / width - 0.5) - 0.1 * y / height
    top, left = corner(height, width)
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


@functools.lru_cache(maxsize=2)
def _light(person: Face) -> np.ndarray:
    """(height, width, 1): the light on the head, brighter towards one side and less at the edge."""
    x, y = grid()
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


def _inside(distance: np.ndarray) -> np.ndarray:
    """Coverage of pixels that lie this far inside a shape's edge."""
    return np.clip(distance + 0.5, 0, 1)


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
