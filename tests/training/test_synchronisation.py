"""Training a SyncNet: it learns what goes together, both losses by hand, the same bytes with or without a break."""

import math

import numpy as np
import pandas as pd
import pytest
import torch
from breaks import interrupted

from stages import victim
from stages.detection import lip_sync
from stages.frame import parameters, shards
from stages.frame.devices import Worker
from stages.frame.errors import UserError
from stages.training import synchronisation
from stages.training.task import Task

SIGNAL = {"sample_rate_hz": 16000, "frames_per_s": 25, "crop": 20}
SMALL = {"side": 16, "width": 0.25, "dimensions": 16}
CLIPS, HELD_OUT = 40, 12


def recipe(**changed):
    values = {"seed": 1, "epochs": 4, "batch_size": 4, "learning_rate": 5e-3, "loss": "multiway", "margin": 1.0}
    return parameters.bind(synchronisation.Recipe, "recipes.t", values | {"noise": None} | changed)()


def written(folder, lengths):
    """Noise of a wandering loudness, and pictures that are as bright; clips have so many frames in turn."""
    splits = ["test"] * HELD_OUT + ["validation"] * HELD_OUT + ["train"] * CLIPS
    table = pd.DataFrame({"key": [f"clip{number}" for number in range(len(splits))], "split": splits})

    def compute(part):
        made = []
        for number in part.index:
            rng = np.random.default_rng(number)
            frames = lengths[number % len(lengths)]
            level = rng.uniform(0, 1, frames)
            audio = 0.2 * np.repeat(level, 640) ** 2 * rng.standard_normal(640 * frames)
            video = 60 + 150 * level[:, None, None] + rng.normal(0, 5, (frames, 20, 20))
            made.append({"video": video.clip(0, 255).astype(np.uint8), "audio": audio.astype("f").clip(-1, 1)})
        return part, made

    write = {"inputs": [], "settings": lengths, "worker": Worker(), "description": "t", "about": {"signal": SIGNAL}}
    shards.write_set(table, folder / "mouths", compute, **write)
    return shards.ShardSet(folder / "mouths")


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    return written(tmp_path_factory.mktemp("clips"), (40, 37))


def train(clips, folder, network="syncnet_mouth", values=SMALL, **changed):
    (folder / "finished").mkdir(parents=True, exist_ok=True)

    def build():
        return victim.build(network, 0, values, where="t", signal=SIGNAL)

    config = {"network": network, "parameters": values, "labels": [], "decides": "label", "signal": SIGNAL}
    config |= {"bounds": {"video": [0, 255], "audio": [-1, 1]}}
    task = Task(clips, clips, [], build, config, "cpu", folder / "scratch", folder / "finished")
    outcome = synchronisation.train(task, recipe(**changed))
    found = pd.read_csv(folder / "finished/offsets.csv")
    own = found[(found.split == "test") & found.true_offset.notna()]
    within = ((own.offset - own.true_offset).abs() <= 1).mean()
    assert outcome.told == f"offsets within one frame {within:.3f} on {HELD_OUT} test clips"
    return folder / "finished"


@pytest.fixture(scope="module")
def trained(clips, tmp_path_factory):
    return train(clips, tmp_path_factory.mktemp("trained"))


def test_it_learns_what_goes_together(clips, trained):
    history = pd.read_csv(trained / "history.csv")
    assert len(history) == 4
    assert history.loss.iloc[-1] < 0.7 * history.loss.iloc[0]
    assert history.validation_confidence.iloc[-1] > 2 * history.validation_confidence_of_others.iloc[-1]
    found = pd.read_csv(trained / "offsets.csv")
    assert found.split.value_counts().to_dict() == {"validation": 22 * HELD_OUT, "test": 22 * HELD_OUT}
    own, others = found[found.true_offset.notna()], found[found.true_offset.isna()]
    assert set(own.true_offset) == set(range(-10, 11))
    assert ((own.offset - own.true_offset).abs() <= 1).mean() >= 0.95
    assert (own.audio_of == own.key).all() and (others.audio_of != others.key).all()
    splits = dict(zip(clips.table.key, clips.table.split))
    assert (others.audio_of.map(splits) == others.split).all()


def test_a_true_offset_is_that_of_clips_that_were_cut(clips, trained):
    """The sound, or the picture, cut at its beginning and sent through the network anew."""
    network = victim.load(trained, device="cpu").module
    found = synchronisation.offsets(network, clips, ["clip0", "clip1", "clip3"], 2, "cpu").set_index(
        ["key", "true_offset"]
    )
    for key in ("clip0", "clip1"):
        arrays = clips.load(key)
        for late in (-10, -3, 0, 7):
            video, audio = arrays["video"][max(0, -late) :], arrays["audio"][640 * max(0, late) :]
            frames = min(len(video), len(audio) // 640)
            inputs = victim.padded_batch([video[:frames]], "cpu", "video")
            inputs |= victim.padded_batch([audio[: 640 * frames]], "cpu")
            with torch.no_grad():
                again = lip_sync.of_clips(network, inputs, shifts=15, pairs="valid")
            row = found.loc[(key, late)]
            assert int(again.offset) == row.offset
            # Where a cut clip ends, its last window hears 80 samples of silence.
            assert float(again.confidence) == pytest.approx(row.confidence, abs=0.02)


def test_interrupted_it_ends_with_equal_bytes(clips, tmp_path):
    given = {"epochs": 3, "noise": {"audio_levels": 1024.0, "video_levels": 16.0, "share": 0.6}}
    whole = train(clips, tmp_path / "whole", **given)
    with interrupted(2):
        train(clips, tmp_path / "cut", **given)
    resumed = train(clips, tmp_path / "cut", **given)
    for name in ("weights.safetensors", "config.json", "history.csv", "offsets.csv"):
        assert (whole / name).read_bytes() == (resumed / name).read_bytes()
    clean = train(clips, tmp_path / "clean", epochs=3)
    assert (whole / "weights.safetensors").read_bytes() != (clean / "weights.safetensors").read_bytes()


def test_the_contrastive_loss_lowers_too(clips, tmp_path):
    history = pd.read_csv(train(clips, tmp_path, loss="contrastive", epochs=3) / "history.csv")
    assert history.loss.iloc[-1] < 0.8 * history.loss.iloc[0]


def test_both_losses_by_hand():
    video = torch.tensor([[[1.0, 0.0], [0.0, 2.0]]])
    audio = torch.tensor([[[3.0, 0.0], [1.0, 1.0]]])
    cosines = np.array([[1, math.sqrt(0.5)], [0, math.sqrt(0.5)]])

    def cross_entropy(row, truth):
        return math.log(sum(math.exp(2 * one) for one in row)) - 2 * row[truth]

    by_hand = [cross_entropy(rows[n], n) for rows in (cosines, cosines.T) for n in range(2)]
    found = synchronisation.multiway(video, audio, torch.tensor(2.0))
    assert float(found) == pytest.approx(np.mean(by_hand), abs=1e-6)
    # Those together are 2 and sqrt(2) apart; the first window and the second sound 1, the second window and the first
    # sound sqrt(13), which is beyond the margin.
    found = synchronisation.contrastive(video, audio, torch.tensor([[1, 0]]), margin=1.5)
    assert float(found) == pytest.approx((4 + 2 + 0.5**2) / 4, abs=1e-4)


def test_what_it_cannot_learn_from_is_one_line(clips, tmp_path):
    with pytest.raises(UserError, match=r"recipes.t.noise.share: expected a number >= 0 and <= 1; found 2"):
        recipe(noise={"audio_levels": 1.0, "video_levels": 1.0, "share": 2.0})
    with pytest.raises(UserError, match=r"expected a network that sees mouths; found one that sees faces"):
        train(clips, tmp_path, network="syncnet", values={})
    half = shards.ShardSet(clips.folder)
    half.table = half.table[half.table.split != "test"]
    with pytest.raises(UserError, match=r"expected at least 2 clips in the split test; found 0"):
        train(half, tmp_path)
    with pytest.raises(UserError, match=r"clip clip\d+: expected at least 15 frames; found 14; leave it out"):
        train(written(tmp_path, (20, 14)), tmp_path)
