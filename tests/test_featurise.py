"""Features of clips, and of a learned front end: what is kept, too long or too short, what a set says of itself."""

import copy

import numpy as np
import pytest
import small_emotion
import small_transfer
import torch
import yaml

from stages import featurise
from stages.features import wav2vec
from stages.frame import shards
from stages.frame.errors import UserError

LLD = {
    "feature": "low_level_descriptors",
    "longer_clips": "cut",
    "parameters": {"window_s": 0.05, "hop_s": 0.025, "longest_s": 0.2},
}


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder to work in, and a function that writes the features' section of a study's params.yaml."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DEVICE", "cpu")
    monkeypatch.setenv("SCRATCH", str(tmp_path / "scratch"))

    def write(study, features, **changes):
        features = copy.deepcopy(features)
        for name, value in changes.items():
            next(iter(features.values()))[name] = value
        (tmp_path / "params.yaml").write_text(yaml.safe_dump({study: {"features": features}}))

    return write


def test_images_are_the_front_ends_and_say_so(emotion_home):
    images = shards.ShardSet(emotion_home / "data/emotion/log_mel")
    assert images.load("c00")["log_mel"].shape == (20, 16)
    assert images.about == {
        "signal": {"mels": 16},
        "bounds": {"log_mel": None},
        "front_end": {
            "feature": "log_mel_image",
            "parameters": small_emotion.IMAGES | {"sample_rate_hz": 16000},
        },
    }


def test_a_clip_longer_than_the_frame_is_an_error_or_is_cut(here, tmp_path):
    small_emotion.write_audio(tmp_path, longest_s=0.5)
    here("emotion", small_emotion.EMOTION["features"], longer_clips="error")
    message = r"clip c\d\d: expected at most 20 frames; found (2[1-9]|3\d); raise emotion.features.log_mel.parameters"
    with pytest.raises(UserError, match=message):
        featurise.main("emotion", "log_mel")
    here("emotion", small_emotion.EMOTION["features"], longer_clips="cut")
    featurise.main("emotion", "log_mel")
    assert shards.ShardSet("data/emotion/log_mel").load("c00")["log_mel"].shape == (20, 16)


def test_a_set_is_made_of_the_one_that_its_entry_names(here, tmp_path, capsys):
    small_emotion.write_audio(tmp_path)
    (tmp_path / "data/emotion/audio").rename(tmp_path / "data/emotion/others")
    here("emotion", {"lld": LLD}, clips="others")
    featurise.main("emotion", "lld")
    made, others = (shards.ShardSet(f"data/emotion/{name}") for name in ("lld", "others"))
    assert capsys.readouterr().out == f"emotion lld: features of {len(others.table)} clips\n"
    assert list(made.table.key) == list(others.table.key) and made.load("c00")["lld"].shape[1] == 34


def test_frames_of_different_numbers_are_kept_as_they_are_and_a_clip_without_one_is_an_error(here, tmp_path):
    small_emotion.write_audio(tmp_path)
    here("emotion", {"lld": LLD})
    featurise.main("emotion", "lld")
    made, audio = shards.ShardSet("data/emotion/lld"), shards.ShardSet("data/emotion/audio")
    counts = {key: (min(len(audio.load(key)["audio"]), 3200) - 800) // 400 + 1 for key in audio.table.key}
    assert {key: made.load(key)["lld"].shape for key in made.table.key} == {key: (n, 34) for key, n in counts.items()}
    assert len(set(counts.values())) > 1
    here("emotion", {"lld": LLD}, parameters={"window_s": 0.18, "hop_s": 0.05, "longest_s": 0.2})
    with pytest.raises(UserError, match=r"clip c\d\d: expected at least 2880 samples, .*; found \d+; leave it out"):
        featurise.main("emotion", "lld")


def test_a_set_carries_its_front_end_and_holds_what_it_makes(transfer_home):
    data = transfer_home / "data/transfer"
    heard, audio = shards.ShardSet(data / "heard"), shards.ShardSet(data / "audio")
    assert heard.about["signal"] == {"features": 8}
    assert (heard.about["bounds"], heard.about["quantum"]) == ({"audio": [-1.0, 1 - 2**-15]}, {"audio": 2**-15})
    assert heard.about["front_end"] == {"feature": "wav2vec", "parameters": {"longest_s": 0.25}}
    assert heard.table.shard.nunique() == -(-len(heard.table) // 5)  # one for each batch
    front_end = wav2vec.load(data / "heard/front_end", "cpu", longest_s=0.25)
    for key in heard.table.key:
        if key == "c07":
            assert heard.load(key) == {} and "readable" in heard.table.set_index("key").problem[key]
            continue
        wave = torch.from_numpy(audio.load(key)["audio"])
        alone, count = front_end(wave[None], torch.tensor([len(wave)]))
        assert heard.load(key)["heard"].shape == (int(count), 8)
        assert np.allclose(heard.load(key)["heard"], alone[0].numpy(), atol=1e-5)


def test_a_clip_shorter_than_the_receptive_field_is_one_line(here, tmp_path):
    small_transfer.write_model(tmp_path / "models/transfer/pretrained/wav2vec")
    small_transfer.write_audio(tmp_path, shortest_s=0.001)
    here("transfer", small_transfer.TRANSFER["features"])
    with pytest.raises(UserError, match=r"clip c\d\d: expected at least 105 samples, .*; found \d+; leave it out"):
        featurise.main("transfer", "heard")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"feature": "log_mal"}, "emotion.features.lld.feature: expected a file stages/features/<name>.py .*'log_mal'"),
        ({"longer_clips": "tile"}, "features.lld.longer_clips: expected one of 'error', 'cut'; found 'tile'"),
        ({"batch_size": 0}, "features.lld.batch_size: expected a whole number >= 1; found 0"),
        ({"modle": "wav2vec"}, "features.lld.modle: .*did you mean 'model'"),
        ({"parameters": {"window": 0.05}}, "features.lld.parameters.window: .*did you mean 'window_s'"),
        ({"model": "gone"}, "models/emotion/pretrained/gone: expected a pretrained model; found no config.json"),
    ],
)
def test_a_wrong_parameter_is_one_line(here, tmp_path, changes, message):
    small_emotion.write_audio(tmp_path)
    if "model" in changes:
        changes |= {"feature": "wav2vec", "parameters": {"longest_s": None}}
    here("emotion", {"lld": LLD}, **changes)
    with pytest.raises(UserError, match=message):
        featurise.main("emotion", "lld")
