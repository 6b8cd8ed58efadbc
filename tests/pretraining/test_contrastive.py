"""Contrastive pretraining: what stands against what, that it learns, that a break changes nothing, and its errors."""

import numpy as np
import pandas as pd
import pretended
import pytest
import torch
from breaks import interrupted
from scipy.io import wavfile

from stages.features import wav2vec as features
from stages.frame import parameters
from stages.frame.errors import UserError
from stages.learning.work import Work
from stages.networks import wav2vec
from stages.pretraining import contrastive

SHAPE = {
    "encoder": [[8, 10, 5], [8, 8, 4], [8, 4, 4]],
    "context": [[8, 3], [8, 3]],
    "skip": True,
    "log_compression": False,
}
VALUES = SHAPE | {
    "seed": 1,
    "updates": 120,
    "batch_size": 4,
    "crop_s": 0.6,
    "learning_rate": 1e-2,
    "warm_up": 5,
    "steps": 3,
    "negatives": 4,
    "held_out_share": 0.2,
}


@pytest.fixture(scope="module")
def sounds(tmp_path_factory):
    """Slow sweeps of pitch, of which a moment foretells the next; some in a folder below."""
    root = tmp_path_factory.mktemp("sounds")
    (root / "more").mkdir()
    for number in range(15):
        rng = np.random.default_rng(number)
        time = np.arange(round(rng.uniform(0.5, 1.5) * 16000)) / 16000
        pitch = 300 + 1500 * (1 + np.sin(2 * np.pi * rng.uniform(0.7, 1.5) * time + rng.uniform(0, 6)))
        wave = 0.3 * np.sin(2 * np.pi * np.cumsum(pitch) / 16000) + 0.01 * rng.standard_normal(len(time))
        wavfile.write(root / ("more" if number % 3 else "") / f"{number}.wav", 16000, (wave * 32767).astype(np.int16))
    return root


def recipe(**changed):
    return parameters.bind(contrastive.Recipe, "pretraining.t", VALUES | changed)()


def learn(root, folder, device="cpu", **changed):
    finished, scratch = folder / "finished", folder / "scratch"
    finished.mkdir(parents=True, exist_ok=True)
    contrastive.learn(Work(root, finished, scratch, device), recipe(**changed))
    return finished


def test_it_learns_to_tell_the_future_from_other_frames_and_its_model_is_a_front_end(sounds, tmp_path):
    wider = {"encoder": [[16, 10, 5], [16, 8, 4], [16, 4, 4]], "context": [[16, 3], [16, 3]]}
    finished = learn(sounds, tmp_path, **wider, updates=380, learning_rate=3e-3)
    history = pd.read_csv(finished / "history.csv")
    assert history["update"].tolist() == [50, 100, 150, 200, 250, 300, 350, 380]
    assert history.held_out_accuracy.iloc[-1] > 0.3 > 1 / 5  # one of five is chance
    front_end = features.load(finished, "cpu", longest_s=0.5)
    assert (front_end.signal, front_end.reads) == ({"features": 16}, "audio")
    audio = torch.randn(2, 16000)
    frames, counts = front_end(audio, torch.tensor([16000, 4000]))
    assert frames.shape == (2, counts[0], 16)
    assert counts.tolist() == front_end.network.frames_of(torch.tensor([8000, 4000])).tolist()
    longer = audio.clone()
    longer[:, 8000:] = 1
    assert torch.equal(front_end(longer, torch.tensor([16000, 4000]))[0], frames)


def test_a_break_changes_no_byte(sounds, tmp_path):
    whole = learn(sounds, tmp_path / "whole", updates=100)
    with interrupted():
        learn(sounds, tmp_path / "broken", updates=100)
    broken = learn(sounds, tmp_path / "broken", updates=100)
    for name in ("weights.safetensors", "history.csv", "config.json"):
        assert (broken / name).read_bytes() == (whole / name).read_bytes(), name


def test_logits_are_products_with_the_true_frame_first_and_then_with_others_of_the_crop():
    torch.manual_seed(0)
    module = contrastive.Contrast(wav2vec.build(**SHAPE), 3)
    audio, lengths = torch.randn(2, 4000), torch.tensor([4000, 2500])
    draws = torch.rand(2, int(module.network.frames_of(lengths).max()), 6)
    logits, exists = module(audio, lengths, draws)
    encoded, frames = module.network.encode(audio, lengths)
    context = module.network.contextualise(encoded, frames)
    predicted = module.project(context.transpose(1, 2)).unflatten(2, (3, 8))
    assert module.offset == -(-module.network.shortest // module.network.hop_length)
    for crop in range(2):
        for step in range(3):
            for time in range(int(frames[0])):
                ahead = time + module.offset + step
                assert exists[crop, step, time] == (ahead < frames[crop])
                if ahead >= frames[crop]:
                    continue
                products = predicted[crop, time, step] @ encoded[crop][:, : frames[crop]]
                assert torch.allclose(logits[crop, step, time, 0], products[ahead], atol=1e-5)
                others = torch.cat([products[:ahead], products[ahead + 1 :]])
                for value in logits[crop, step, time, 1:]:
                    assert (others - value).abs().min() < 1e-5


def test_the_learning_rate_rises_and_falls():
    made = recipe(updates=110, learning_rate=0.5, warm_up=10)
    assert contrastive._rate(0, made) == pytest.approx(1e-7)
    assert contrastive._rate(5, made) == pytest.approx(0.25, rel=1e-3)
    assert contrastive._rate(10, made) == 0.5
    assert contrastive._rate(60, made) == pytest.approx(0.25)
    assert contrastive._rate(109, made) < 2e-4


def test_every_recording_is_learned_from_and_what_macos_leaves_is_not(tmp_path, capsys):
    names = ["a.WAV", "more/b.Mp3", "more/c.flac", "._a.WAV", "__MACOSX/a.wav", "film.mp4"]
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    train, held_out = contrastive._files(tmp_path, 0.3)
    assert sorted([*train, *held_out]) == [tmp_path / name for name in names[:3]]
    assert capsys.readouterr().err == f"{tmp_path}: not taken are 1 .mp4, such as '{tmp_path}/film.mp4'\n"


def test_an_empty_folder_and_a_short_crop_are_one_line(sounds, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"expected audio files .* found 0; add some, or correct pretrained"):
        learn(tmp_path / "empty", tmp_path)
    with pytest.raises(
        UserError, match=r"crop_s of contrastive: expected at least 0\.\d+, what 3 steps take; found 0.02"
    ):
        learn(sounds, tmp_path, crop_s=0.02)
    with pytest.raises(UserError, match=r"\.wav: expected at most 0\.6 s, the parameter longest_s"):
        learn(sounds, tmp_path, longest_s=0.6)


def test_an_unfinished_model_is_one_line(tmp_path):
    with pytest.raises(UserError, match=r"expected a pretrained model; found no config.json; run dvc repro"):
        features.load(tmp_path, "cpu", longest_s=None)


def test_on_another_device_it_learns_what_it_learns_here(sounds, tmp_path):
    learn(sounds, tmp_path / "here", updates=3)
    with pretended.device() as device:
        learn(sounds, tmp_path / "there", device, updates=3)
    here, there = (pd.read_csv(tmp_path / name / "finished/history.csv") for name in ("here", "there"))
    pd.testing.assert_frame_equal(there, here, rtol=1e-3)
