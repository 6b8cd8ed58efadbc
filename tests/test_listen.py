"""The verb listen: the files of clips that can be heard and seen, and the same bytes again."""

import itertools
import subprocess

import numpy as np
import pandas as pd
import pytest
import small_events
import soundfile
from matplotlib import image
from small_faces import CROP

from stages import listen, report
from stages.frame import shards
from stages.frame.errors import UserError
from stages.frame.ffmpeg import binary
from stages.reporting.sound import Clip, Sound


def test_sounds_are_written_as_they_are_and_a_difference_is_raised(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    small_events.make()
    listen.main("events")
    folder = tmp_path / "reports/events/listening"
    table = pd.read_csv(folder / "listening.csv", keep_default_na=False).set_index("sound")
    assert list(table.index) == ["original", "adversarial", "difference", "none", "noise_20dB"]
    assert set(table.entry) == {"vgg13-deepfool"} and set(table.clip_id) == {"c2"}
    peaks = {}
    for name, stem in table.stem.items():
        samples, rate_hz = soundfile.read(folder / f"{stem}.wav")
        peaks[name] = float(np.abs(samples).max())
        assert rate_hz == small_events.SAMPLE_RATE_HZ and (folder / f"{stem}.png").stat().st_size > 500
    told = {"original": 0.25, "adversarial": 0.35, "difference": 0.5, "none": 0.1, "noise_20dB": 0.1}
    assert peaks == pytest.approx(told, abs=1e-3)
    assert table.gain_db.to_dict() == dict.fromkeys(told, 0.0) | {"difference": pytest.approx(14, abs=0.1)}
    # Tones of .25, .35, .5, .1 and .1: all are lowered to .1, by 20 dB at most but here by less.
    lowered = {"original": -8.0, "adversarial": -10.9, "difference": -14.0, "none": 0.0, "noise_20dB": 0.0}
    assert table.matched_db.to_dict() == pytest.approx(lowered, abs=0.1)
    assert set(table.sample_rate_hz) == {small_events.SAMPLE_RATE_HZ} and set(table.duration_s) == {0.05}
    assert "reports/events/index.html" in capsys.readouterr().out.splitlines()[-1]
    report.main("events")
    page = (tmp_path / "reports/events/index.html").read_text()
    assert all(f"listening/{stem}.wav" in page for stem in table.stem) and "raised by 14" in page


def test_of_versions_that_last_otherwise_the_pictures_have_one_scale_of_time(tmp_path):
    tone = np.sin(np.arange(16000)).astype("f4")
    clip = Clip("c", "", "", "", 16000, [Sound("short", tone[:8000]), Sound("long", tone)])
    rows = listen._written(clip, "both", tmp_path)
    assert [row["duration_s"] for row in rows] == [1.0, 1.0]
    short, long = (image.imread(tmp_path / f"both-{name}.png")[:, :, :3].sum(axis=(0, 2)) for name in ("short", "long"))
    middle = len(long) // 2
    assert len(short) == len(long) and short[: middle - 4] == pytest.approx(long[: middle - 4])
    assert (short[middle + 4 :] < short[:middle].min() / 10).all()


def test_names_of_ones_own_become_harmless_names_of_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    small_events.make()
    path = tmp_path / "data/events/scores/vgg13-deepfool/clips.csv"
    scores = pd.read_csv(path, dtype=str, keep_default_na=False)
    scores.assign(treatment=scores.treatment.replace("noise_20dB", "mp3 4.8/k#?%41")).to_csv(path, index=False)
    listen.main("events")
    folder = tmp_path / "reports/events/listening"
    table = pd.read_csv(folder / "listening.csv", keep_default_na=False)
    assert table.stem[:4].tolist() == [
        "vgg13-deepfool-original",
        "vgg13-deepfool-adversarial",
        "vgg13-deepfool-difference",
        "vgg13-deepfool-none",
    ]
    assert table.sound.iloc[4] == "mp3 4.8/k#?%41" and table.stem.iloc[4].startswith("vgg13-deepfool-mp3_4.8_k_41-")
    assert {path.stem for path in folder.glob("*.wav")} == set(table.stem)
    report.main("events")
    assert f'src="listening/{table.stem.iloc[4]}.wav"' in (tmp_path / "reports/events/index.html").read_text()


def test_of_a_set_without_clips_there_is_nothing_to_hear(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    small_events.make()
    clips = tmp_path / "data/events/adversarial/vgg13-deepfool/clips.csv"
    clips.write_text(clips.read_text().splitlines()[0] + "\n")
    listen.main("events")
    assert "nothing to hear of vgg13-deepfool: no such entry, or no clip" in capsys.readouterr().out
    report.main("events")
    assert 'id="listen"' not in (tmp_path / "reports/events/index.html").read_text()


def test_what_listening_names_is_a_list(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    small_events.make()
    params = tmp_path / "params.yaml"
    params.write_text(params.read_text().replace("listening:\n  - vgg13-deepfool", "listening: vgg13-deepfool"))
    with pytest.raises(UserError, match=r"events\.listening: expected a list of text; found 'vgg13-deepfool'"):
        listen.main("events")


def test_what_is_not_there_is_left_out_and_told_once(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    small_events.make()
    params = tmp_path / "params.yaml"
    params.write_text(params.read_text().replace("  - vgg13-deepfool", "  - vgg13-y\n  - vgg13-z\n  - vgg13-deepfool"))
    listen.main("events")
    assert capsys.readouterr().out.count("nothing to hear of vgg13-y, vgg13-z: ") == 1
    assert set(pd.read_csv(tmp_path / "reports/events/listening/listening.csv").entry) == {"vgg13-deepfool"}


def test_a_clip_of_each_can_be_seen_and_heard(faces_home, monkeypatch):
    monkeypatch.chdir(faces_home)
    listen.main("audiovisual")
    folder = faces_home / "reports/audiovisual/listening"
    table = pd.read_csv(folder / "listening.csv", keep_default_na=False)
    sounds = ("benign", "attacked", "added")
    assert list(zip(table.entry, table.sound)) == list(itertools.product(("words", "sentences"), sounds))
    files = {file.name: file.read_bytes() for file in folder.iterdir()}
    written = {f"{stem}.{kind}" for stem in table.stem for kind in ("wav", "png", "webm")}
    assert set(files) == {"listening.csv"} | written
    assert set(table.width_px) == set(table.height_px) == {listen.ENLARGED * CROP}
    for row in table.itertuples():
        command = (binary(), "-v", "error", "-i", folder / row.video, "-f", "rawvideo", "-pix_fmt", "gray", "-")
        pictures = subprocess.run(command, capture_output=True, check=True).stdout
        enlarged = np.frombuffer(pictures, "u1").reshape(-1, listen.ENLARGED * CROP, listen.ENLARGED * CROP)
        clip = shards.ShardSet(faces_home / "data/audiovisual" / row.entry).load(row.clip_id)["video"]
        assert len(enlarged) == len(clip)
        if row.sound == "benign":
            means = enlarged.reshape(len(clip), CROP, listen.ENLARGED, CROP, listen.ENLARGED).mean((2, 4))
            assert np.corrcoef(means.ravel(), clip.ravel())[0, 1] > 0.8
    listen.main("audiovisual")
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == files
