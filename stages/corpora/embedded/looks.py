"""Built-in corpora: what a drawn person looks like; colours are BGR, lengths and places pixels."""

from dataclasses import dataclass

import numpy as np

SKINS = ((176, 200, 236), (152, 186, 226), (128, 164, 208), (98, 130, 180), (70, 98, 146), (52, 72, 112))
HAIRS = ((28, 30, 36), (32, 48, 72), (50, 80, 120), (96, 150, 190), (120, 122, 126), (40, 60, 130))

Colour = tuple[float, float, float]


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


def _colour(bgr: np.ndarray) -> Colour:
    return tuple(np.clip(bgr, 12, 245).tolist())
