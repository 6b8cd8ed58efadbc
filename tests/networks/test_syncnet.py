"""SyncNet: the published keys and windows, its checkpoint and what only looks like one, the small one's alignment."""

import os
import pickle

import pytest
import torch

from stages import victim
from stages.frame.errors import UserError
from stages.learning.work import Work
from stages.networks import syncnet, syncnet_mouth
from stages.pretraining import published_syncnet

SIGNAL = {"sample_rate_hz": 16000, "frames_per_s": 25, "crop": 48}
SMALL = {"side": 44, "width": 0.25, "dimensions": 16}
# Layers with parameters, and which of these are batch normalisation, as the published code numbers them.
CONVOLUTIONS, NORMS = (0, 4, 8, 11, 14, 18), (1, 5, 9, 12, 15, 19)


@pytest.fixture(scope="module")
def network():
    """The published architecture with random weights and statistics, so that every layer matters."""
    torch.manual_seed(0)
    module = syncnet.build(0, **SIGNAL).eval()
    for name, value in module.named_buffers():
        if "running" in name:
            value.copy_(0.5 + torch.rand_like(value))
    return module


def clip(frames: int, seed: int = 0):
    generator = torch.Generator().manual_seed(seed)
    faces = 255 * torch.rand(1, frames, 224, 224, 3, generator=generator)
    return faces, 0.1 * torch.randn(1, 640 * frames, generator=generator)


def test_the_state_has_the_published_names_and_shapes(network):
    state = network.state_dict()
    expected = set()
    for branch in ("netcnnaud", "netcnnlip", "netfcaud", "netfclip"):
        convolutional = branch.startswith("netcnn")
        for index in CONVOLUTIONS if convolutional else (0, 3):
            expected |= {f"{branch}.{index}.{name}" for name in ("weight", "bias")}
        for index in NORMS if convolutional else (1,):
            names = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
            expected |= {f"{branch}.{index}.{name}" for name in names}
    assert set(state) == expected
    assert state["netcnnlip.0.weight"].shape == (96, 3, 5, 7, 7)
    assert state["netcnnlip.18.weight"].shape == (512, 256, 1, 6, 6)
    assert state["netcnnaud.18.weight"].shape == (512, 256, 5, 4)
    assert state["netfclip.3.weight"].shape == state["netfcaud.3.weight"].shape == (1024, 512)


@torch.no_grad()
def test_a_whole_clip_gives_what_its_windows_give_one_by_one(network):
    """As the published code calls them: five frames, and 20 columns from the fourth of those for each frame."""
    faces, audio = clip(8)
    seen, heard = network.video_embeddings(faces), network.audio_embeddings(audio)
    assert seen.shape == heard.shape == (1, 4, 1024)
    coefficients = network.mfcc(audio, torch.tensor([audio.shape[1]])).transpose(1, 2)
    for v in range(8 - 5):  # it leaves out the last
        window = faces[:, v : v + 5].permute(0, 4, 1, 2, 3)
        lips = network.netfclip(network.netcnnlip(window).flatten(1))
        assert torch.allclose(seen[0, v], lips[0], atol=1e-4)
        sound = network.netfcaud(network.netcnnaud(coefficients[:, None, :, 4 * v : 4 * v + 20]).flatten(1))
        assert torch.allclose(heard[0, v], sound[0], atol=1e-4)
    last = network.video_embeddings(faces[:, 3:])
    assert torch.allclose(seen[:, 3:], last, atol=1e-4)


class Malicious:
    """Unpickled it would make a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


def learned(tmp_path, **changed):
    (tmp_path / "finished").mkdir(exist_ok=True)
    recipe = published_syncnet.Recipe(**{"file": "s.model", "sha256": None} | changed)
    published_syncnet.learn(Work(tmp_path, tmp_path / "finished", tmp_path, "cpu"), recipe)
    return victim.load(tmp_path / "finished", device="cpu").module


@torch.no_grad()
def test_a_checkpoint_of_the_published_form_is_read(tmp_path, network):
    """An old file without counts of batches."""
    state = {name: value for name, value in network.state_dict().items() if "num_batches" not in name}
    torch.save(state, tmp_path / "s.model", _use_new_zipfile_serialization=False)
    _, audio = clip(6)
    assert torch.equal(learned(tmp_path).audio_embeddings(audio), network.audio_embeddings(audio))


def test_what_is_no_such_checkpoint_is_one_line(tmp_path, network):
    with pytest.raises(
        UserError, match=r"s.model: expected a checkpoint; found no such file; fetch https://www.robots"
    ):
        learned(tmp_path)
    torch.save([1.0], tmp_path / "s.model")
    with pytest.raises(UserError, match=r"s.model: expected tensors by the names of syncnet; found a list"):
        learned(tmp_path)
    state = dict(network.state_dict())
    del state["netfclip.3.bias"]
    for wrong in (state, dict(syncnet_mouth.build(0, **SIGNAL, **SMALL).state_dict())):
        torch.save(wrong, tmp_path / "s.model")
        with pytest.raises(UserError, match=r"s.model: expected weights of syncnet; found .*Missing key") as caught:
            learned(tmp_path)
        assert "\n" not in str(caught.value)
    for data in (pickle.dumps(Malicious(tmp_path / "ran"), protocol=2), b"nonsense"):
        (tmp_path / "s.model").write_bytes(data)
        with pytest.raises(UserError, match="expected tensors and plain values alone"):
            learned(tmp_path)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("sizes", [(48, 44, 1.0, 128), (96, 88, 0.5, 32)])
@torch.no_grad()
def test_the_small_ones_embeddings_are_of_length_one_and_of_their_own_windows(sizes):
    crop, side, width, dimensions = sizes
    torch.manual_seed(0)
    values = {"side": side, "width": width, "dimensions": dimensions}
    module = syncnet_mouth.build(0, **SIGNAL | {"crop": crop}, **values).eval()
    video, audio = 255 * torch.rand(2, 12, crop, crop), 0.1 * torch.randn(2, 12 * 640)
    seen, heard = module.video_embeddings(video), module.audio_embeddings(audio)
    assert seen.shape == heard.shape == (2, 8, dimensions)
    for made in (seen, heard):
        assert torch.allclose(made.norm(dim=2), torch.ones(2, 8), atol=1e-5)
    margin = (crop - side) // 2
    inner = video[:, :, margin : margin + side, margin : margin + side]
    assert torch.allclose(module.video_embeddings(inner), seen, atol=1e-5)
    for v in (0, 3, 7):
        assert torch.allclose(module.video_embeddings(video[:, v : v + 5])[:, 0], seen[:, v], atol=1e-5)
        changed_video, changed_audio = video.clone(), audio.clone()
        changed_video[:, v + 5 :] = 0
        changed_video[:, :v] = 0
        # A window hears 80 samples more than its frames, and pre-emphasis the one before.
        changed_audio[:, 640 * v + 3280 :] = 0
        changed_audio[:, : max(0, 640 * v - 1)] = 0
        assert torch.allclose(module.video_embeddings(changed_video)[:, v], seen[:, v], atol=1e-5)
        assert torch.allclose(module.audio_embeddings(changed_audio)[:, v], heard[:, v], atol=1e-5)


def test_sizes_and_rates_that_do_not_fit_are_one_line():
    with pytest.raises(UserError, match=r"side of syncnet_mouth: expected 16 to 48, the side of the crops; found 50"):
        syncnet_mouth.build(0, **SIGNAL, **SMALL | {"side": 50})
    for module, values in ((syncnet, {}), (syncnet_mouth, SMALL)):
        with pytest.raises(UserError, match=r"expected clips of 25 frames a second and 16000 Hz; found 30 and 16000"):
            module.build(0, **SIGNAL | {"frames_per_s": 30}, **values)


def test_gradients_reach_video_and_audio():
    torch.manual_seed(0)
    module = syncnet_mouth.build(0, **SIGNAL, **SMALL).eval()
    video, audio = (255 * torch.rand(1, 9, 48, 48)).requires_grad_(), (0.1 * torch.randn(1, 9 * 640)).requires_grad_()
    (module.video_embeddings(video) * module.audio_embeddings(audio)).sum().backward()
    assert (video.grad[:, :, 2:-2, 2:-2] != 0).float().mean() > 0.9
    assert (audio.grad[0] != 0).float().mean() > 0.9
