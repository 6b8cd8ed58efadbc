"""The built-in small rooms: files, the same bytes twice, decay as asked for, direct sound first and largest."""

from itertools import islice

import numpy as np
import pytest
import soundfile

from stages.corpora.embedded import simulated_rooms


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rooms")
    simulated_rooms.write(folder, seed=1, rooms=8)
    return folder


def level_db(response):
    left = np.cumsum(response[::-1] ** 2)[::-1]  # Schroeder's backward integral
    return 10 * np.log10(left / left[0])


def test_files(written):
    paths = sorted(written.iterdir())
    assert [path.name for path in paths] == [f"room-{number:03d}.wav" for number in range(8)]
    for path in paths:
        info = soundfile.info(path)
        assert (info.samplerate, info.channels, info.subtype) == (16_000, 1, "PCM_24")
        response, _ = soundfile.read(path)
        # Sound takes .5 to 3 m to the microphone, and the simulation begins 40 samples before.
        direct = np.argmax(np.abs(response))
        assert 40 + 23 <= direct <= 40 + 141
        assert abs(response[direct]) == pytest.approx(0.9, abs=1e-6)
        before, whole = (np.sum(part**2) for part in (response[: direct - 8], response))
        assert before < 0.01 * whole  # a fractional delay rings a little on both sides
        assert 0.1 < info.duration < 0.8
        assert level_db(response)[-1] < -45


def test_rooms_decay_as_they_are_drawn_to():
    asked, found = [], []
    for number in range(10):
        room = next(simulated_rooms.candidates(2, number))
        assert (room.size_m >= (3, 3, 2.4)).all() and (room.size_m <= (8, 8, 3.2)).all()
        assert 0.5 <= np.linalg.norm(room.source_m - room.microphone_m) <= 3
        response = simulated_rooms.response(room)
        level = level_db(response[np.argmax(np.abs(response)) :])
        fitted = np.flatnonzero((level <= -5) & (level >= -35))
        asked.append(room.decay_s)
        found.append(-60 / np.polyfit(fitted / 16_000, level[fitted], 1)[0])
    assert found == pytest.approx(asked, rel=0.2)
    assert np.mean(np.divide(found, asked)) == pytest.approx(1, abs=0.05)
    assert 0.15 <= min(asked) < 0.25 < 0.4 < max(asked) <= 0.5


def test_rooms_differ_come_out_the_same_again_and_depend_on_no_other(written, tmp_path):
    simulated_rooms.write(tmp_path / "fewer", seed=1, rooms=3)
    simulated_rooms.write(tmp_path / "other", seed=2, rooms=3)
    fewer, other = ([path.read_bytes() for path in sorted((tmp_path / name).iterdir())] for name in ("fewer", "other"))
    assert fewer == [path.read_bytes() for path in sorted(written.iterdir())][:3]
    assert len({*fewer, *other}) == 6


def test_a_room_where_reflections_outdo_the_direct_sound_is_drawn_again(tmp_path):
    refused, taken = islice(simulated_rooms.candidates(35, 0), 2)

    def late_by(room, response):
        arrival = 40 + np.linalg.norm(room.source_m - room.microphone_m) / 343 * 16_000
        return np.argmax(np.abs(response)) - arrival

    assert late_by(refused, simulated_rooms.response(refused)) > 20
    simulated_rooms.write(tmp_path, seed=35, rooms=1)
    assert abs(late_by(taken, soundfile.read(tmp_path / "room-000.wav")[0])) < 1
