"""Built-in corpora: impulse responses of small rooms by the image source method, for sound played over the air."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile

from stages.frame.clip_table import stable_hash
from stages.frame.parameters import Count, NonNegativeInt

RATE_HZ = 16_000
FLOOR_M = (3.0, 8.0)
HEIGHT_M = (2.4, 3.2)
DECAY_S = (0.15, 0.5)
DISTANCE_M = (0.5, 3.0)
FROM_WALLS_M = 0.4
SOUND_M_PER_S = 343.0
KEPT_DB = 50
PEAK = 0.9


class Room(NamedTuple):
    """A shoebox: its size and where the loudspeaker and the microphone are, in metres, and its decay by 60 dB."""

    size_m: np.ndarray
    source_m: np.ndarray
    microphone_m: np.ndarray
    decay_s: float


def write(output: Path, *, seed: NonNegativeInt, rooms: Count) -> None:
    """Writes `room-000.wav` and so on: mono, 24 bit at 16 kHz, each cut off where 50 dB of its energy have decayed.

    The direct sound is the largest value of each. A room depends on the seed and its number alone, so that more rooms
    hold the fewer.
    """
    output.mkdir(parents=True, exist_ok=True)
    for number in range(rooms):
        heard = next(heard for room in candidates(seed, number) if _direct_is_largest(heard := response(room), room))
        soundfile.write(output / f"room-{number:03d}.wav", PEAK * heard / np.abs(heard).max(), RATE_HZ, "PCM_24")


def candidates(seed: int, number: int) -> Iterator[Room]:
    """Offices and living rooms of 3 to 8 m, with loudspeaker and microphone .5 to 3 m apart, without end."""
    rng = np.random.default_rng(stable_hash(f"{seed}/room/{number}"))
    while True:
        size_m = np.array([*rng.uniform(*FLOOR_M, 2), rng.uniform(*HEIGHT_M)])
        source_m, microphone_m = rng.uniform(FROM_WALLS_M, size_m - FROM_WALLS_M, (2, 3))
        if DISTANCE_M[0] <= np.linalg.norm(source_m - microphone_m) <= DISTANCE_M[1]:
            yield Room(size_m, source_m, microphone_m, decay_s=rng.uniform(*DECAY_S))


def response(room: Room) -> np.ndarray:
    """The impulse response at 16 kHz, float64 (taps,), from its loudspeaker to its microphone.

    Image source method alone (Allen & Berkley, JASA 65(4), 1979), without chance, the six surfaces all alike.
    """
    import pyroomacoustics

    # With several threads sums come out a little otherwise on another number of cores.
    pyroomacoustics.constants.set("num_threads", 1)
    walls = pyroomacoustics.Material(_absorption(room))
    # As many reflections as the sound has time for between floor and ceiling, the closest pair of walls.
    order = int(np.ceil(SOUND_M_PER_S * room.decay_s / room.size_m.min()))
    box = pyroomacoustics.ShoeBox(room.size_m, fs=RATE_HZ, materials=walls, max_order=order, ray_tracing=False)
    box.add_source(room.source_m)
    box.add_microphone(room.microphone_m)
    box.compute_rir()
    return _cut(box.rir[0][0])


def _absorption(room: Room) -> float:
    """The share of energy that the surfaces take, for the room's decay.

    Sabine's and Eyring's formulas take the sound for diffuse; among images it is not, and decays up to 1.7 times as
    slowly. A direction's energy falls by the absorption at each of its reflections, which come the more often the
    closer the walls that it goes to and fro between (Lehmann & Johansson, JASA 124(1), 2008).
    """
    upward, turn = np.meshgrid((np.arange(32) + 0.5) / 32, (np.arange(32) + 0.5) / 32 * np.pi / 2)
    level = np.sqrt(1 - upward**2)
    directions = np.stack([level * np.cos(turn), level * np.sin(turn), upward])
    reflections_per_m = np.tensordot(1 / room.size_m, directions, 1).ravel()
    # The energy to come depends on the way times the exponent, -ln(1 - absorption), alone: found at an exponent of 1.
    way_m = np.linspace(0, 100, 500)
    left = np.mean(np.exp(-way_m[:, None] * reflections_per_m) / reflections_per_m, axis=1)
    way_of_60_db_m = _way_of_60_db(way_m, 10 * np.log10(left / left[0]))
    return float(1 - np.exp(-way_of_60_db_m / (SOUND_M_PER_S * room.decay_s)))


def _way_of_60_db(way_m: np.ndarray, level_db: np.ndarray) -> float:
    """The slope from -5 to -35 dB (ISO 3382-1), extended to 60 dB."""
    fitted = (level_db <= -5) & (level_db >= -35)
    return -60 / np.polyfit(way_m[fitted], level_db[fitted], 1)[0]


def _direct_is_largest(heard: np.ndarray, room: Room) -> bool:
    """Not so where the direct sound falls between two samples and several reflections on the same one."""
    import pyroomacoustics

    distance_m = np.linalg.norm(room.source_m - room.microphone_m)
    delay = pyroomacoustics.constants.get("frac_delay_length") // 2
    return abs(np.argmax(np.abs(heard)) - delay - distance_m / SOUND_M_PER_S * RATE_HZ) <= 1


def _cut(heard: np.ndarray) -> np.ndarray:
    """Without what is left when the energy to come (Schroeder's integral) is `KEPT_DB` below the whole."""
    left = np.cumsum(heard[::-1] ** 2)[::-1]
    return heard[: np.flatnonzero(left > left[0] * 10 ** (-KEPT_DB / 10))[-1] + 1]
