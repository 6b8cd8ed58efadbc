"""Built-in corpora: noises of everyday places by simple physical models, in DEMAND's layout and under its names."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy.io import wavfile
from scipy.signal import butter, fftconvolve, lfilter, resample_poly, sosfilt

from stages.corpora.embedded import sound_models
from stages.corpora.embedded.cores import each
from stages.corpora.embedded.manners import room_noise
from stages.corpora.embedded.voices import speak
from stages.frame.clip_table import stable_hash
from stages.frame.parameters import NonNegativeInt, Positive
from stages.frame.pcm import to_pcm16

RATE_HZ = 16_000
CHANNELS = ("ch01", "ch02")
LEVEL_DB = -26  # root mean square, full scale being 0; less where a peak would pass PEAK
PEAK = 0.9
VOICES = ("en+Andrea", "en+david", "en-us+anika", "en-us+zac", "en+m5", "en-us+travis", "en+klatt3", "en-us+marcelo")
# What the voices in the background talk about. None of these words is one of `spoken_sentences`.
BABBLE = (
    "everybody laughed when nobody understood him",
    "several people had arrived quite early yesterday",
    "she never believed those strange old stories",
    "he usually drinks cold lemonade after swimming",
    "perhaps they forgot about our picnic",
    "nobody ordered any dessert because it rained",
    "her cousin sells used bicycles and bread",
    "winter was terribly long this year",
    "somebody always complains about expensive tickets",
    "three hundred tourists waited outside",
)


def write(output: Path, *, seed: NonNegativeInt, seconds: Positive) -> None:
    """Writes `DKITCHEN/ch01.wav` and so on: 17 kinds, two channels each, mono, 16 bit at 16 kHz.

    The channels of a kind are two draws of the same scene. Each depends on the seed, its kind, its number and the
    length alone.
    """
    for kind in SCENES:
        (output / kind).mkdir(parents=True, exist_ok=True)
    jobs = [(output, seed, seconds, kind, channel) for kind in SCENES for channel in CHANNELS]
    for _ in each(_write_channel, jobs, at_once=1):
        pass


def _write_channel(output: Path, seed: int, seconds: float, kind: str, channel: str) -> None:
    rng = np.random.default_rng(stable_hash(f"{seed}/{kind}/{channel}"))
    sound = SCENES[kind](rng, round(seconds * RATE_HZ))
    sound = sound - sound.mean()
    gain = min(10 ** (LEVEL_DB / 20) / sound.std(), PEAK / np.abs(sound).max())
    wavfile.write(output / kind / f"{channel}.wav", RATE_HZ, to_pcm16(gain * sound))


def _kitchen(rng: np.random.Generator, length: int) -> np.ndarray:
    """Dishes, now and then the tap, and a refrigerator."""
    tap = _noise(rng, length, 800, 6_000) * (_wandering(rng, length, 0.3) > 0.6)
    return _dishes(rng, length, per_s=1.5) + 0.15 * tap + 0.04 * _hum(length, 50, 8) + 0.03 * room_noise(length, rng)


def _living_room(rng: np.random.Generator, length: int) -> np.ndarray:
    """A film behind the wall: a voice and strings, both dull."""
    film = _voices(rng, length, 1) + 0.7 * _strings(rng, length)
    return _below(film, 1_200) + 0.04 * room_noise(length, rng)


def _washing_machine(rng: np.random.Generator, length: int) -> np.ndarray:
    """Water and laundry that fall once a turn, and the motor."""
    turn = 2 * np.pi * 0.8 * _time_s(length)
    thumps = _noise(rng, length, 40, 160) * np.exp(6 * np.cos(turn) - 6)
    water = _noise(rng, length, 200, 1_800) * (1 + 0.8 * np.sin(turn))
    return 1.5 * thumps + 0.4 * water + 0.3 * _hum(length, 100, 12)


def _field(rng: np.random.Generator, length: int) -> np.ndarray:
    """Gusts of wind, and two crickets."""
    wind = _noise(rng, length, 30, 300) * np.exp(0.8 * _wandering(rng, length, 0.5))
    time_s, crickets = _time_s(length), np.zeros(length)
    for pitch_hz, pulses_hz in ((4_300, 27), (4_900, 31)):
        chirping = np.clip(np.sin(2 * np.pi * rng.uniform(1.5, 2.5) * time_s + rng.uniform(0, 6)), 0, 1)
        crickets += chirping * np.sin(2 * np.pi * pitch_hz * time_s) * np.sin(np.pi * pulses_hz * time_s) ** 2
    return wind + 0.15 * crickets


def _park(rng: np.random.Generator, length: int) -> np.ndarray:
    """Birds whose pitch glides, leaves, and a road far away."""
    pitch_hz = 3_200 + 900 * _wandering(rng, length, 12)
    singing = np.clip(_wandering(rng, length, 1) - 0.3, 0, 1) * np.clip(_wandering(rng, length, 8), 0, 1)
    birds = singing * np.sin(2 * np.pi * np.cumsum(pitch_hz) / RATE_HZ)
    leaves = _noise(rng, length, 1_500, 6_000) * np.exp(0.5 * _wandering(rng, length, 1))
    return birds + 0.12 * leaves + 0.2 * _noise(rng, length, 30, 250)


def _river(rng: np.random.Generator, length: int) -> np.ndarray:
    """Bubbles of many sizes, each of which rings when it closes."""
    bubbles = _struck(rng, length, rng.uniform(400, 4_000, 24), per_s=700, decay_s=0.006)
    return _unit(bubbles) + 0.4 * _noise(rng, length, 250, 6_500)


def _hallway(rng: np.random.Generator, length: int) -> np.ndarray:
    """Someone walks, others talk far away, all with much echo, and air comes out of a duct."""
    walking = _steps(rng, length, per_s=1.9) + 0.15 * _voices(rng, length, 1)
    return _echoing(rng, walking, 1.3) + 0.12 * _noise(rng, length, 60, 500)


def _meeting(rng: np.random.Generator, length: int) -> np.ndarray:
    """Two people who fall silent at times, and a projector's fan."""
    talking = sum(_voices(rng, length, 1) * np.clip(0.5 + 3 * _wandering(rng, length, 0.4), 0, 1) for _ in range(2))
    return _echoing(rng, talking, 0.4) + 0.15 * _fan(rng, length, 210)


def _office(rng: np.random.Generator, length: int) -> np.ndarray:
    """Computers' fans, the mains, and typing in bouts."""
    bouts = _wandering(rng, length, 0.5) > -0.3
    keys = _struck(rng, length, rng.uniform(1_500, 5_500, 8), per_s=9, decay_s=0.004) * bouts
    return 0.25 * _unit(keys) + 0.5 * _fan(rng, length, 130) + 0.2 * _hum(length, 50, 5)


def _cafeteria(rng: np.random.Generator, length: int) -> np.ndarray:
    """Many voices and dishes in a large room."""
    return _echoing(rng, _voices(rng, length, 5) + 0.3 * _dishes(rng, length, per_s=2), 0.8)


def _restaurant(rng: np.random.Generator, length: int) -> np.ndarray:
    """Voices nearer by, plucked strings, and a fan."""
    return _echoing(rng, _voices(rng, length, 6) + 0.5 * _strings(rng, length), 0.4) + 0.2 * _fan(rng, length, 90)


def _station(rng: np.random.Generator, length: int) -> np.ndarray:
    """A train that stands and is off again, and announcements under a high roof."""
    train = _noise(rng, length, 40, 350) * np.exp(0.9 * _wandering(rng, length, 0.2))
    announced = _voices(rng, length, 1) * (_wandering(rng, length, 0.3) > 0)
    called = _echoing(rng, _above(announced, 500) + 0.3 * _voices(rng, length, 1), 2.2)
    return train + 0.8 * _unit(called) + 0.15 * _noise(rng, length, 2_000, 7_000)


def _square(rng: np.random.Generator, length: int) -> np.ndarray:
    """A fountain, people who pass by, and some who talk."""
    fountain = _unit(_struck(rng, length, rng.uniform(1_200, 6_000, 24), per_s=1_500, decay_s=0.003))
    walking = sum(_steps(rng, length, per_s=pace) for pace in (1.6, 1.9, 2.3))
    return 0.6 * fountain + 0.5 * _unit(walking) + 0.5 * _unit(_voices(rng, length, 2))


def _traffic(rng: np.random.Generator, length: int) -> np.ndarray:
    """Cars that pass: tyres and engines, each loudest and falling in pitch when it is nearest."""
    time_s, sound = _time_s(length), 0.05 * _noise(rng, length, 30, 600)
    for nearest_s in np.arange(rng.uniform(0, 3), time_s[-1] + 3, 3.5):
        away_m = rng.uniform(10, 17) * (time_s - nearest_s)
        distance_m = np.hypot(away_m, rng.uniform(4, 9))
        engine_hz = rng.uniform(50, 90) * (1 - 0.04 * away_m / distance_m)
        car = _noise(rng, length, 600, 2_500) + 0.5 * _engine(rng, engine_hz, (180, 420, 900))
        sound += car / distance_m
    return sound


def _bus(rng: np.random.Generator, length: int) -> np.ndarray:
    """A diesel that speeds up and slows down, and windows that rattle along."""
    diesel = _engine(rng, 24 * np.exp(0.35 * _wandering(rng, length, 0.25)), (70, 140, 330))
    rattle = _noise(rng, length, 1_200, 4_000) * np.clip(diesel, 0, 2)
    return diesel + 0.4 * rattle + 0.4 * _noise(rng, length, 150, 1_200)


def _car(rng: np.random.Generator, length: int) -> np.ndarray:
    """The road through the floor, the wheels, a little of the engine and of the wind."""
    road = _noise(rng, length, 20, 130) * (1 + 0.15 * _wandering(rng, length, 2))
    return road + 0.3 * _engine(rng, 78 + 3 * _wandering(rng, length, 0.3), (90, 240)) + 0.15 * room_noise(length, rng)


def _metro(rng: np.random.Generator, length: int) -> np.ndarray:
    """Wheels that roll, knock at the joints of the rails, and squeal in curves."""
    knocks = _steps(rng, length, per_s=1.4) + np.roll(_steps(rng, length, per_s=1.4), RATE_HZ // 8)
    pitch_hz = 2_300 + 60 * _wandering(rng, length, 3)
    phase = 2 * np.pi * np.cumsum(pitch_hz) / RATE_HZ
    squeal = (np.sin(phase) + 0.4 * np.sin(2 * phase)) * np.clip(_wandering(rng, length, 0.3) - 0.4, 0, 1)
    rolling = _noise(rng, length, 100, 600) * (1 + 0.3 * _wandering(rng, length, 1))
    return rolling + 0.5 * _unit(knocks) + 0.8 * squeal


Scene = Callable[[np.random.Generator, int], np.ndarray]
SCENES: dict[str, Scene] = {
    "DKITCHEN": _kitchen,
    "DLIVING": _living_room,
    "DWASHING": _washing_machine,
    "NFIELD": _field,
    "NPARK": _park,
    "NRIVER": _river,
    "OHALLWAY": _hallway,
    "OMEETING": _meeting,
    "OOFFICE": _office,
    "PCAFETER": _cafeteria,
    "PRESTO": _restaurant,
    "PSTATION": _station,
    "SPSQUARE": _square,
    "STRAFFIC": _traffic,
    "TBUS": _bus,
    "TCAR": _car,
    "TMETRO": _metro,
}


def _time_s(length: int) -> np.ndarray:
    return np.arange(length) / RATE_HZ


def _unit(sound: np.ndarray) -> np.ndarray:
    """Of unit power, silence as it is."""
    return sound / max(np.sqrt(np.mean(sound**2)), 1e-9)


def _noise(rng: np.random.Generator, length: int, low_hz: float, high_hz: float) -> np.ndarray:
    """Noise of unit power between two frequencies."""
    band = butter(2, (low_hz, high_hz), "bandpass", fs=RATE_HZ, output="sos")
    return _unit(sosfilt(band, rng.standard_normal(length)))


def _below(sound: np.ndarray, cutoff_hz: float) -> np.ndarray:
    return sosfilt(butter(2, cutoff_hz, fs=RATE_HZ, output="sos"), sound)


def _above(sound: np.ndarray, cutoff_hz: float) -> np.ndarray:
    return sosfilt(butter(2, cutoff_hz, "highpass", fs=RATE_HZ, output="sos"), sound)


def _wandering(rng: np.random.Generator, length: int, per_s: float) -> np.ndarray:
    """A course through so many normal values a second."""
    values = rng.standard_normal(2 + int(length / RATE_HZ * per_s))
    return np.interp(_time_s(length) * per_s, np.arange(len(values)), values)


def _hum(length: int, mains_hz: float, harmonics: int) -> np.ndarray:
    """The mains and its harmonics, the even ones the stronger, as transformers have it."""
    angle = 2 * np.pi * mains_hz * _time_s(length)
    return _unit(sum((1 if n % 2 else 2) / n * np.sin(n * angle + n * n) for n in range(1, harmonics + 1)))


def _fan(rng: np.random.Generator, length: int, blades_hz: float) -> np.ndarray:
    """Streaming air, and the blades' tone."""
    return _noise(rng, length, 100, 1_000) + 0.5 * _hum(length, blades_hz, 3)


def _echoing(rng: np.random.Generator, sound: np.ndarray, decay_s: float) -> np.ndarray:
    """Itself, and a diffuse echo as strong that decays by 60 dB in `decay_s`."""
    echo = rng.standard_normal(round(decay_s * RATE_HZ)) * 10 ** (-3 * np.linspace(0, 1, round(decay_s * RATE_HZ)))
    return _unit(sound) + _unit(fftconvolve(sound, echo)[: len(sound)])


def _rung(blows: np.ndarray, pitch_hz: float, decay_s: float) -> np.ndarray:
    """A resonance of this pitch, which decays to 1/e in `decay_s`, struck by the blows."""
    radius, angle = np.exp(-1 / (decay_s * RATE_HZ)), 2 * np.pi * pitch_hz / RATE_HZ
    return lfilter([np.sin(angle)], [1, -2 * radius * np.cos(angle), radius**2], blows)


def _struck(
    rng: np.random.Generator, length: int, pitches_hz: np.ndarray, *, per_s: float, decay_s: float
) -> np.ndarray:
    """Resonances, each struck at random times, in all `per_s` times a second on average."""
    sound = np.zeros(length)
    for pitch_hz in pitches_hz:
        count = rng.poisson(per_s / len(pitches_hz) * length / RATE_HZ)
        blows = np.zeros(length)
        blows[rng.integers(length, size=count)] = rng.exponential(1, count)
        sound += _rung(blows, pitch_hz, decay_s)
    return sound


def _engine(rng: np.random.Generator, firing_hz: np.ndarray, resonances_hz: tuple[float, ...]) -> np.ndarray:
    """A pulse at each firing, no two alike, through the resonances of exhaust and body; (samples,) as `firing_hz`."""
    cycles = np.floor(np.cumsum(firing_hz) / RATE_HZ)
    fires = np.diff(cycles, prepend=0) > 0
    pulses = fires * rng.uniform(0.5, 1.5, len(cycles))
    return _unit(sum(_rung(pulses, pitch_hz, 0.015) for pitch_hz in resonances_hz))


def _steps(rng: np.random.Generator, length: int, *, per_s: float) -> np.ndarray:
    """A walk: heels that strike the floor, nearly in time."""
    times = np.arange(rng.uniform(0, RATE_HZ / per_s), length, RATE_HZ / per_s)
    times += rng.normal(0, 0.02 * RATE_HZ, len(times))
    blows = np.zeros(length)
    blows[np.clip(times, 0, length - 1).astype(int)] = 1
    return sum(_rung(blows, pitch_hz, 0.008) for pitch_hz in (110, 420, 1_300))


def _scattered(rng: np.random.Generator, length: int, model: Scene, *, per_s: float, each_s: float) -> np.ndarray:
    """Sounds of a model of `sound_models` at random times."""
    sound = np.zeros(length)
    for start in rng.integers(length, size=max(1, rng.poisson(per_s * length / RATE_HZ))):
        one = resample_poly(model(rng, round(each_s * sound_models.RATE_HZ)), 160, 441)[: length - start]
        sound[start : start + len(one)] += rng.uniform(0.2, 1) * one
    return sound


def _dishes(rng: np.random.Generator, length: int, *, per_s: float) -> np.ndarray:
    """Metal and china that strike each other."""
    return _scattered(rng, length, sound_models.struck_bar, per_s=per_s, each_s=0.4)


def _strings(rng: np.random.Generator, length: int) -> np.ndarray:
    """Plucked strings, one after the other."""
    return _unit(_scattered(rng, length, sound_models.plucked_string, per_s=2, each_s=0.6))


def _voices(rng: np.random.Generator, length: int, count: int) -> np.ndarray:
    """People who talk without a pause, some nearer than others."""
    return _unit(sum(rng.uniform(0.3, 1) * _talk(rng, length, voice) for voice in rng.permutation(VOICES)[:count]))


def _talk(rng: np.random.Generator, length: int, voice: str) -> np.ndarray:
    """One voice, heard from amid a sentence on."""
    pitch, said = int(rng.integers(30, 70)), np.zeros(0)
    while len(said) < length:
        waveform, rate_hz = speak(str(rng.choice(BABBLE)), voice, rate_wpm=160, pitch=pitch, pitch_range=50)
        said = np.concatenate([said, resample_poly(waveform, RATE_HZ // 50, rate_hz // 50)])
    return np.roll(said, rng.integers(len(said)))[:length]
