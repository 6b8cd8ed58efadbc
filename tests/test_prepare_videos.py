"""A small corpus of videos goes to mouths, the same whoever cuts them out; a clip that can't is one line, or listed."""

import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
import yaml

from stages import prepare
from stages.features import mouth_crops
from stages.frame.errors import UserError
from stages.frame.ffmpeg import binary
from stages.frame.shards import ShardSet

PORTRAIT = ("-loop", "1", "-framerate", "25", "-i", Path(mpl.get_data_path(), "sample_data", "grace_hopper.jpg"))
WALL = ("-f", "lavfi", "-i", "color=gray:s=450x360:r=25")
TONE = ("-f", "lavfi", "-i", "sine=f=300:r=44100")


def film(path: Path, picture: tuple, *, frames: int = 25, x: str = "0", sound_s: float = 1.2) -> None:
    """A clip like GRID's, of a picture seen from `x`, which may depend on the time t."""
    filters = ("-vf", f"crop=450:360:'{x}':0,scale=360:288", "-af", f"atrim=duration={sound_s}")
    codecs = ("-c:v", "mpeg1video", "-q:v", "3", "-c:a", "mp2", "-frames:v", str(frames))
    subprocess.run([binary(), "-v", "error", "-nostdin", *picture, *TONE, *filters, *codecs, path], check=True)


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    """Clips of 25 frames, of which one lacks a frame and some sound, one has no face and one is no video."""
    folder = tmp_path_factory.mktemp("videos")
    film(folder / "still.mpg", PORTRAIT, x="40")
    film(folder / "moving.mpg", PORTRAIT, x="30+20*sin(4*t)")
    film(folder / "short.mpg", PORTRAIT, x="60-40*t", frames=24, sound_s=0.5)
    film(folder / "wall.mpg", WALL)
    (folder / "text.mpg").write_text("no video")
    return folder


@pytest.fixture
def corpus(root, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SCRATCH", str(tmp_path / "scratch"))
    monkeypatch.setattr(os, "cpu_count", lambda: 1)  # each process that is started imports MediaPipe

    def parameters(*names: str, skip_unreadable: bool = False, **changes: object) -> None:
        # The list lies beside the videos' folder, in which other tests' lists would be in the way.
        (tmp_path / "corpus").mkdir(exist_ok=True)
        for path in root.iterdir():
            if not (tmp_path / "corpus" / path.name).exists():
                (tmp_path / "corpus" / path.name).symlink_to(path)
        rows = [f"{name}.mpg,said,train\n" for name in names]
        (tmp_path / "corpus" / "clips.csv").write_text("file,label,split\n" + "".join(rows))
        section = {
            "reader": "folder",
            "root": "corpus",
            "skip_unreadable": skip_unreadable,
            "parameters": {"validation_share": 0.0},
            "decoder": "mouth_crops",
            "decoding": {"size": 48, "face_size": None, "frames_per_clip": 25} | changes,
        }
        (tmp_path / "params.yaml").write_text(yaml.safe_dump({"speech": {"corpora": {"mouths": section}}}))

    return parameters


@pytest.fixture
def in_process(monkeypatch):
    """Where processes are not the point."""
    monkeypatch.setattr(mouth_crops, "pool", lambda: ThreadPoolExecutor(1))


@pytest.mark.usefixtures("in_process")
def test_mouths_and_what_was_mended(corpus, root):
    corpus("moving", "short", face_size=64)
    prepare.main("speech", "mouths")
    mouths = ShardSet("data/speech/mouths")
    assert mouths.about == {
        "signal": {"sample_rate_hz": 16000, "frames_per_s": 25, "crop": 48},
        "bounds": {"audio": [-1.0, 32767 / 32768], "video": [0.0, 255.0]},
        "quantum": {"audio": 1 / 32768, "video": 1.0},
    }
    rows = mouths.table.set_index("key")
    counted = rows[list(mouth_crops.COUNTED)].drop(columns="silent_samples_added")
    assert counted.loc["moving"].tolist() == [1.0, 0, 0, 0, 0, 0, False]
    assert counted.loc["short"].tolist() == [1.0, 0, 0, 1, 0, 0, False]
    # MPEG's sound is some hundredths of a second longer or shorter than what went in.
    assert rows.silent_samples_added["moving"] < 640
    assert rows.silent_samples_added["short"] == pytest.approx(8000, abs=640)
    assert (rows.problem == "").all()
    arrays = mouths.load("moving")
    assert {name: (array.shape, array.dtype.name) for name, array in arrays.items()} == {
        "audio": ((16000,), "float32"),
        "video": ((25, 48, 48), "uint8"),
        "faces": ((25, 64, 64, 3), "uint8"),
        "frame_to_mouth": ((25, 2, 3), "float32"),
        "frame_to_face": ((25, 2, 3), "float32"),
    }
    # Whole numbers of 16 bits, and the tone that was recorded.
    assert np.array_equal(arrays["audio"] * 32768, np.rint(arrays["audio"] * 32768))
    assert np.abs(np.fft.rfft(arrays["audio"])).argmax() == 300


def test_clips_do_not_depend_on_who_cut_them_out(corpus, root, monkeypatch):
    names = ["moving", "short", "still"]
    found = []
    for processes, order in ((1, names), (2, names[::-1])):
        monkeypatch.setattr(os, "cpu_count", lambda count=processes: count)
        corpus(*order)
        prepare.main("speech", "mouths")
        mouths = ShardSet("data/speech/mouths")
        found.append({name: mouths.load(name) for name in names})
    here = {
        name: mouth_crops.decode(root / f"{name}.mpg", size=48, face_size=None, frames_per_clip=25)[0] for name in names
    }
    for name in names:
        for kind, array in here[name].items():
            assert all(np.array_equal(one[name][kind], array) for one in found), (name, kind)


@pytest.mark.parametrize(("name", "message"), [("wall", "expected a face"), ("text", "expected a video"), ("gone", "")])
def test_it_stops_with_one_line_and_leaves_nothing_half_written(corpus, root, name, message):
    corpus("still", name)
    with pytest.raises(UserError, match=rf"corpus/{name}\.mpg: {message}.*; found .*; ") as caught:
        prepare.main("speech", "mouths")
    assert "\n" not in str(caught.value)
    assert not Path("data/speech/mouths").exists()


@pytest.mark.usefixtures("in_process")
def test_if_so_wished_they_are_listed_with_what_is_wrong(corpus):
    corpus("still", "wall", "text", skip_unreadable=True, limits={"longest_s": 2})
    prepare.main("speech", "mouths")
    mouths = ShardSet("data/speech/mouths")
    rows = mouths.table.set_index("key")
    assert rows.problem["still"] == "" and rows.duration_s["still"] == 1
    assert "wall.mpg: expected a face" in rows.problem["wall"]
    assert "text.mpg: expected a video" in rows.problem["text"]
    assert mouths.load("wall") == {} and rows.duration_s["wall"] == 0
    assert mouths.load("still")["video"].shape == (25, 48, 48)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"frames_per_clips": 25}, "speech.corpora.mouths.decoding.frames_per_clips: .*did you mean 'frames_per_clip'"),
        (
            {"limits": {"longest_s": 0}},
            "speech.corpora.mouths.decoding.limits.longest_s: expected a number > 0; found 0; ",
        ),
        ({"size": 0}, "speech.corpora.mouths.decoding.size: expected a whole number >= 1; found 0"),
    ],
)
def test_a_wrong_parameter_is_one_line(corpus, changes, message):
    corpus("still", **changes)
    with pytest.raises(UserError, match=message):
        prepare.main("speech", "mouths")
