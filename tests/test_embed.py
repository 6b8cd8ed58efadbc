"""The verb embed: a corpus is there whole or not at all, and a faulty entry is one line."""

import pytest
import yaml

from stages import embed
from stages.corpora.embedded import rooms
from stages.frame.errors import UserError

HALL = {"writer": "rooms.write_great_hall", "output": "data/hall.wav", "seed": 1}


@pytest.fixture
def entry(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def write(**changes):
        values = {key: value for key, value in (HALL | changes).items() if value is not None}
        (tmp_path / "params.yaml").write_text(yaml.safe_dump({"events": {"embedded": {"hall": values}}}))

    return write


def test_it_writes_what_the_entry_names_where_it_says(entry, tmp_path, capsys):
    entry()
    embed.main("events", "hall")
    assert capsys.readouterr().out == "events hall: data/hall.wav, files: 1\n"
    rooms.write_great_hall(tmp_path / "alone.wav", seed=1)
    assert (tmp_path / "data/hall.wav").read_bytes() == (tmp_path / "alone.wav").read_bytes()
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["hall.wav"]


def test_what_an_interrupted_run_left_is_not_taken_for_a_part(entry, tmp_path):
    entry(writer="simulated_rooms.write", output="data/rooms", rooms=1)
    (tmp_path / "data/.rooms.arriving").mkdir(parents=True)
    (tmp_path / "data/.rooms.arriving/room-007.wav").write_bytes(b"half")
    embed.main("events", "hall")
    assert [path.name for path in (tmp_path / "data/rooms").iterdir()] == ["room-000.wav"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"writer": None}, "events.embedded.hall.writer: expected a value; found none"),
        ({"output": "../hall.wav"}, r"events.embedded.hall.output: expected text that a file of ours can have; found"),
        ({"output": 3}, r"events.embedded.hall.output: expected text that a file of ours can have; found 3"),
        ({"writer": 3}, "events.embedded.hall.writer: expected text; found 3"),
        ({"writer": "halls.write"}, "hall.writer: expected a file stages/corpora/embedded/<name>.py .*found 'halls'"),
        ({"writer": "rooms.write"}, "rooms.py: expected a function 'write'; found none"),
        ({"seed": -1}, "events.embedded.hall.seed: expected a whole number >= 0; found -1"),
        ({"sed": 1}, "events.embedded.hall.sed: .*did you mean 'seed'"),
    ],
)
def test_a_faulty_entry_is_one_line_and_leaves_nothing(entry, tmp_path, changes, message):
    entry(**changes)
    with pytest.raises(UserError, match=message):
        embed.main("events", "hall")
    assert not (tmp_path / "data").exists()
