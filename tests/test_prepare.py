"""A clip that can't be read stops the stage with one line, or is counted and listed if that is wished."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import yaml
from small_folder import FOLDER

from stages import prepare
from stages.frame.clip_table import COLUMNS
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
        section = dict(FOLDER)
        for name, value in changes.items():
            part, _, key = name.partition("__")
            section |= {part: section[part] | {key: value} if key else value}
        (tmp_path / "params.yaml").write_text(yaml.safe_dump({"events": {"corpora": {"audio": section}}}))

    return parameters


def test_it_stops_with_one_line_and_leaves_nothing_half_written(corpus, tmp_path):
    corpus()
    with pytest.raises(UserError, match=r"sounds/1\.wav: expected .*; found .*; ") as caught:
        prepare.main("events", "audio")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "data" / "events" / "audio").exists()


def test_if_so_wished_they_are_listed_with_what_is_wrong_and_counted(corpus, capsys):
    soundfile.write("sounds/3.wav", np.ones(4000), 8000)
    corpus(skip_unreadable=True)
    prepare.main("events", "audio")
    clips = ShardSet("data/events/audio")
    problems = dict(zip(clips.table.key, clips.table.problem))
    assert problems["0"] == problems["3"] == ""
    assert "1.wav" in problems["1"]
    assert "2.wav" in problems["2"]
    assert capsys.readouterr().out == "events audio: 4 clips, 2 with a problem, 1 with clipped_samples\n"
    assert len(clips.load("0")["audio"]) == 8000
    assert clips.load("1") == {}
    assert clips.table.set_index("key").duration_s.to_dict() == {"0": 0.5, "1": 0.0, "2": 0.0, "3": 0.5}


def test_the_set_has_the_clip_table_and_says_what_files_hold(corpus, tmp_path):
    corpus(skip_unreadable=True)
    prepare.main("events", "audio")
    clips = ShardSet("data/events/audio")
    assert clips.table.columns.tolist() == [*COLUMNS, "key", "duration_s", "clipped_samples", "problem", "shard"]
    assert clips.table.label.tolist() == ["noise"] * 4 and clips.table.clip_id.tolist() == clips.table.key.tolist()
    assert clips.about == {
        "signal": {"sample_rate_hz": 16000},
        "bounds": {"audio": [-1.0, 32767 / 32768]},
        "quantum": {"audio": 1 / 32768},
    }


def test_a_wrong_rate_names_what_was_expected(corpus):
    corpus(decoding__recorded_at_hz=44100)
    with pytest.raises(UserError, match=r"0\.wav: expected .*44100.*; found .*8000"):
        prepare.main("events", "audio")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"root": "nowhere"}, r"events.corpora.audio.root: expected the corpus's folder; found nothing at nowhere"),
        ({"root": ""}, r"events.corpora.audio.root: expected the corpus's folder; found nothing at ;"),
        ({"root": None}, r"events.corpora.audio.root: expected text; found None"),
        ({"reader": None}, r"events.corpora.audio.reader: expected text; found None"),
        ({"reader": "embedded/events"}, r"audio.reader: expected a file .*\(csv_lists,.*found 'embedded/events'"),
        ({"reader": "../corpora/folder"}, r"corpora.audio.reader: expected a file .*found '../corpora/folder'"),
        ({"decoder": ""}, r"corpora.audio.decoder: expected a file .*found ''"),
        ({"reader": "fsd"}, r"events.corpora.audio.reader: expected a file stages/corpora/<name>.py .*found 'fsd'"),
        ({"decoder": "mp3"}, r"corpora.audio.decoder: expected a file stages/features/<name>.py .*found 'mp3'"),
        ({"decoder": "context"}, r"stages/features/context.py: expected a function 'decode'; found none"),
        ({"parameters__validation_shar": 1}, r"audio.parameters.validation_shar: .*did you mean 'validation_share'"),
        ({"parameters__validation_share": 2}, r"validation_share: expected a number >= 0 and <= 1; found 2"),
        (
            {"decoding__sample_rate_hz": 0},
            r"audio.decoding.sample_rate_hz: expected a whole number >= 1000 and <= .*; found 0",
        ),
        ({"skip_unreadable": "no"}, r"events.corpora.audio.skip_unreadable: expected true or false; found 'no'"),
        ({"skip_unredable": True}, r"events.corpora.audio.skip_unredable: .*did you mean 'skip_unreadable'"),
    ],
)
def test_a_wrong_parameter_is_one_line(corpus, changes, message):
    corpus(**changes)
    with pytest.raises(UserError, match=message):
        prepare.main("events", "audio")


def rows(*files):
    Path("sounds/clips.csv").write_text("file,label,split\n" + "".join(f"{file},noise,train\n" for file in files))


def test_recordings_that_are_not_taken_are_counted_and_said(corpus, tmp_path, capsys):
    corpus()
    rows("0.wav")
    for name in ("deeper/4.MP3", "5.m4a", "._0.wav", "__MACOSX/0.wav", "notes.txt"):
        (tmp_path / "sounds" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "sounds" / name).touch()
    prepare.main("events", "audio")
    assert "sounds: not taken are 2 .wav, 1 .m4a, 1 .MP3, such as 'sounds/1.wav'\n" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("listed", "there", "told"),
    [
        ("T\xfcr.wav", "Tu\u0308r.wav", r"'T\\xfcr.wav'; found 'Tu\\u0308r.wav'"),
        ("Tu\u0308r/0.wav", "T\xfcr/0.wav", r"'Tu\\u0308r'; found 'T\\xfcr'"),
        ("Bark.wav", "bark.WAV", "'Bark.wav'; found 'bark.WAV'"),
    ],
)
def test_a_file_whose_name_only_looks_like_that_in_the_list_is_told(corpus, tmp_path, listed, there, told):
    corpus(skip_unreadable=True)
    rows(listed)
    (tmp_path / "sounds" / there).parent.mkdir(exist_ok=True)
    (tmp_path / "sounds/0.wav").rename(tmp_path / "sounds" / there)
    with pytest.raises(UserError, match=f"expected a file of the name {told}; write the name in the list as that of"):
        prepare.main("events", "audio")
