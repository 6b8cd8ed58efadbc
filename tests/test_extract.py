"""A clip that can't be read stops the stage with one line, or is counted and listed if that is wished."""

import numpy as np
import pytest
import soundfile
import yaml

from stages import extract, prepare
from stages.frame.errors import UserError
from stages.frame.shards import ShardSet


@pytest.fixture
def corpus(tmp_path, monkeypatch):
    """Four clips, of which one is cut short in the middle of its samples and one is missing."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SCRATCH", str(tmp_path / "scratch"))
    (tmp_path / "sounds").mkdir()
    rows = ["file,label,split"]
    for number in range(4):
        path = tmp_path / "sounds" / f"{number}.wav"
        soundfile.write(path, 0.1 * np.random.default_rng(number).standard_normal(4000), 8000)
        rows.append(f"{number}.wav,noise,train")
    (tmp_path / "sounds" / "1.wav").write_bytes((tmp_path / "sounds" / "1.wav").read_bytes()[:3000])
    (tmp_path / "sounds" / "2.wav").unlink()
    (tmp_path / "sounds" / "clips.csv").write_text("\n".join(rows) + "\n")

    def parameters(**changes):
        section = {
            "reader": "folder",
            "root": "sounds",
            "recorded_at_hz": None,
            "average_channels": False,
            "sample_rate_hz": 16000,
            "skip_unreadable": False,
            "validation_share": 0.0,
        }
        (tmp_path / "params.yaml").write_text(yaml.safe_dump({"corpora": {"events": section | changes}}))

    return parameters


def test_it_stops_with_one_line_and_leaves_nothing_half_written(corpus, tmp_path):
    corpus()
    prepare.main("events")
    with pytest.raises(UserError, match=r"sounds/1\.wav: expected .*; found .*; ") as caught:
        extract.main("events")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "data" / "events" / "audio").exists()


def test_if_so_wished_they_are_listed_with_what_is_wrong(corpus):
    corpus(skip_unreadable=True)
    prepare.main("events")
    extract.main("events")
    clips = ShardSet("data/events/audio")
    problems = dict(zip(clips.table.key, clips.table.problem))
    assert problems["0"] == problems["3"] == ""
    assert "1.wav" in problems["1"]
    assert "2.wav" in problems["2"]
    assert len(clips.load("0")["audio"]) == 8000
    assert clips.load("1") == {}


def test_a_wrong_rate_names_what_was_expected(corpus):
    corpus(recorded_at_hz=44100)
    prepare.main("events")
    with pytest.raises(UserError, match=r"0\.wav: expected .*44100.*; found .*8000"):
        extract.main("events")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"root": "nowhere"}, r"corpora.events.root: expected the corpus's folder; found nothing at nowhere"),
        ({"reader": "fsd"}, r"corpora.events.reader: expected a file stages/corpora/<name>.py .*found 'fsd'"),
        ({"validation_shar": 0.1}, r"corpora.events.validation_shar: .*did you mean 'validation_share'"),
        ({"validation_share": 2}, r"corpora.events.validation_share: expected a number >= 0 and <= 1; found 2"),
    ],
)
def test_a_wrong_parameter_is_one_line(corpus, changes, message):
    corpus(**changes)
    with pytest.raises(UserError, match=message):
        prepare.main("events")
