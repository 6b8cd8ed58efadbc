"""The audio-visual recogniser: its shapes, clips beside longer ones, one stream alone, and its first convolution."""

import pytest
import torch
from torch import nn

from stages import victim
from stages.frame.errors import UserError
from stages.networks.lip_reader import CERTAIN, centre
from stages.networks.spatiotemporal import KERNEL, PADDING, STRIDE, Spatiotemporal
from stages.victim import padded_batch

SIGNAL = {"sample_rate_hz": 16000, "frames_per_s": 25, "crop": 18}
SMALL = {
    "side": 16,
    "stem": 4,
    "widths": [4, 6],
    "blocks": [1, 1],
    "video_features": 8,
    "audio_channels": [8, 8, 8, 8, 8],
    "units": 6,
    "layers": 2,
    "steps_per_frame": 2,
    "dropout": 0.2,
}
PAPER = {
    "side": 88,
    "stem": 64,
    "widths": [64, 128, 256, 512],
    "blocks": [2, 2, 2, 2],
    "video_features": 256,
    "audio_channels": [32, 64, 128, 256, 512],
    "units": 512,
}
LABELS = 5
FRAMES = (7, 12, 9)


def network(decides, **changed):
    """An untrained network in evaluation mode, whose normalisations have seen clips: none leaves a zero zero."""
    torch.manual_seed(0)
    values = SMALL | {"decides": decides} | changed
    module = victim.build("lip_reader", LABELS, values, where="t", signal=SIGNAL)
    with torch.no_grad():
        for _ in range(20):
            module(batch(9, 10))
    return module.eval()


def batch(*frames):
    """Clips of so many frames; a clip is the same whatever is beside it."""
    arrays = []
    for count in frames:
        generator = torch.Generator().manual_seed(count)
        video = torch.randint(0, 256, (count, 18, 18), generator=generator)
        arrays.append((video.numpy(), 0.1 * torch.randn(640 * count, generator=generator).numpy()))
    video, audio = zip(*arrays)
    return padded_batch(list(video), "cpu", "video") | padded_batch(list(audio), "cpu")


def without(inputs, name):
    return {key: value for key, value in inputs.items() if not key.startswith(name)} | {
        "video_length": inputs["video_length"]
    }


@torch.no_grad()
def test_words_are_decided_by_the_mean_of_a_clips_frames():
    module, inputs = network("label"), batch(*FRAMES)
    logits, frames = module(inputs), module.frame_logits(inputs)
    assert logits.shape == (3, LABELS) and frames.shape == (3, 12, LABELS)
    for row, count in enumerate(FRAMES):
        assert torch.allclose(logits[row], frames[row, :count].mean(0), atol=1e-6)


@pytest.mark.parametrize("steps_per_frame", [1, 2, 3])
@torch.no_grad()
def test_sentences_have_several_steps_a_frame_and_a_certain_blank_after_their_end(steps_per_frame):
    module = network("text", steps_per_frame=steps_per_frame)
    logits = module(batch(*FRAMES))
    assert logits.shape == (3, 12 * steps_per_frame, LABELS + 1)
    for own, count in zip(logits, FRAMES):
        after = own[count * steps_per_frame :]
        assert (after[:, -1] == CERTAIN).all() and (after[:, :-1] == 0).all()
        assert (own[: count * steps_per_frame].abs() < 5).all()
    assert logits.softmax(-1)[0, -1, -1] == 1


@pytest.mark.parametrize("lacking", ["nothing", "audio", "video"])
@pytest.mark.parametrize("decides", ["label", "text"])
@torch.no_grad()
def test_alone_and_beside_longer_clips_it_is_the_same(decides, lacking):
    module, inputs = network(decides), without(batch(*FRAMES), lacking)
    together = module(inputs)
    # Neither does it matter what lies after a clip's end.
    spoilt = {name: value.clone() for name, value in inputs.items()}
    for row, count in enumerate(FRAMES):
        for name, end in (("video", count), ("audio", 640 * count)):
            if name != lacking:
                spoilt[name][row, end:] = 0.7
    assert torch.allclose(module(spoilt), together, atol=1e-6)
    for own, count in zip(together, FRAMES):
        alone = module(without(batch(count), lacking))[0]
        assert torch.allclose(own[: len(alone)], alone, atol=1e-6)


@pytest.mark.parametrize(("lacking", "recurrent"), [("audio", "audio_recurrent"), ("video", "video_recurrent")])
@torch.no_grad()
def test_a_stream_that_is_absent_is_one_that_says_nothing(lacking, recurrent):
    module, inputs = network("label"), batch(*FRAMES)
    alone = module(without(inputs, lacking))
    assert not torch.allclose(alone, module(inputs), atol=1e-3)
    for parameter in getattr(module, recurrent).parameters():
        parameter.zero_()
    assert torch.allclose(module(inputs), alone, atol=1e-6)


@pytest.mark.parametrize("decides", ["label", "text"])
def test_gradients_reach_all_of_both_streams_and_nothing_after_the_end(decides):
    module, inputs = network(decides), batch(*FRAMES)
    streams = [inputs[name].requires_grad_() for name in ("video", "audio")]
    seen, heard = torch.autograd.grad(module(inputs).softmax(-1)[..., 0].sum(), streams)
    for row, count in enumerate(FRAMES):
        assert (centre(seen, 16)[row, :count] != 0).float().mean() > 0.99
        assert (heard[row, : 640 * count] != 0).float().mean() > 0.99
        assert seen[row, count:].count_nonzero() == heard[row, 640 * count :].count_nonzero() == 0
    centre(seen, 16).zero_()
    assert seen.count_nonzero() == 0


def test_silence_has_a_gradient_too():
    module, inputs = network("label"), batch(8)
    audio = torch.zeros(1, 8 * 640, requires_grad=True)
    (gradient,) = torch.autograd.grad(module(inputs | {"audio": audio})[0, 0], audio)
    assert gradient.isfinite().all() and gradient.count_nonzero() > 0


@torch.no_grad()
def test_loudness_does_not_matter_but_silence_is_no_noise():
    module, inputs = network("label"), batch(8)
    assert torch.allclose(module(inputs | {"audio": inputs["audio"] / 8}), module(inputs), atol=1e-5)
    silent = module(inputs | {"audio": torch.zeros(1, 8 * 640)})
    barely = module(inputs | {"audio": 2**-18 * torch.randn(1, 8 * 640, generator=torch.Generator().manual_seed(0))})
    assert (barely - silent).abs().max() < 0.5 * (module(inputs) - silent).abs().max()


@pytest.mark.parametrize("size", [(5, 44, 44), (6, 9, 12), (1, 7, 8), (3, 1, 2)])
def test_the_first_convolution_is_pytorchs_with_its_gradients(size):
    torch.manual_seed(0)
    own, peer = Spatiotemporal(3).double(), nn.Conv3d(1, 3, KERNEL, STRIDE, PADDING, bias=False).double()
    peer.load_state_dict(own.state_dict())
    video = torch.randn(2, 1, *size, dtype=torch.float64, requires_grad=True)
    outputs, expected = own(video), peer(video)
    assert torch.equal(outputs, expected)
    weights = torch.randn_like(outputs)
    ours, theirs = (
        torch.autograd.grad((one * weights).sum(), (video, module.weight))
        for one, module in ((outputs, own), (expected, peer))
    )
    for mine, its in zip(ours, theirs):
        assert torch.allclose(mine, its, rtol=0, atol=1e-10)
    # Where its weights are fixed, as under attack, and where its input is, as in training.
    own.requires_grad_(False)
    assert torch.equal(torch.autograd.grad((own(video) * weights).sum(), video)[0], ours[0])
    own.requires_grad_(True)
    assert torch.equal(torch.autograd.grad((own(video.detach()) * weights).sum(), own.weight)[0], ours[1])


def test_the_papers_size_takes_a_step():
    torch.manual_seed(0)
    module = victim.build(
        "lip_reader", 28, SMALL | PAPER | {"decides": "text"}, where="t", signal=SIGNAL | {"crop": 96}
    )
    # Those of ResNet-18 but for its first convolution and normalisation and its last layer.
    assert sum(p.numel() for p in module.video.trunk.parameters()) == 11_689_512 - 9_408 - 128 - 513_000
    assert module.video_recurrent.layers.hidden_size == 512
    inputs = {"video": 255 * torch.rand(1, 2, 96, 96), "audio": 0.1 * torch.randn(1, 1280)}
    before = module.video.stem[0].weight.detach().clone()
    logits = module(inputs | {"video_length": torch.tensor([2])})
    assert logits.shape == (1, 4, 29)
    logits.logsumexp(-1).sum().backward()
    assert all(parameter.grad.isfinite().all() for parameter in module.parameters())
    torch.optim.SGD(module.parameters(), 1e-3).step()
    assert not torch.equal(module.video.stem[0].weight, before)


@pytest.mark.parametrize(
    ("signal", "values", "message"),
    [
        ({"frames_per_s": 30}, {}, "expected clips of 25 frames a second and 16000 Hz; found 30 and 16000"),
        ({"sample_rate_hz": 8000}, {}, "found 25 and 8000"),
        ({}, {"side": 19}, "found side 19 of 18"),
        ({}, {"blocks": [2]}, "found side 16 of 18, 2 widths, 1 blocks"),
        ({}, {"audio_channels": [8, 8]}, "5 audio_channels; found .* 2 audio_channels"),
        ({}, {"decides": "words"}, "expected one of 'label', 'text'; found 'words'"),
        ({}, {"dropout": 1.5}, "t.dropout: expected a number >= 0 and <= 1; found 1.5"),
    ],
)
def test_what_does_not_fit_is_one_line(signal, values, message):
    given = SMALL | {"decides": "text"} | values
    with pytest.raises(UserError, match=message):
        victim.build("lip_reader", LABELS, given, where="t", signal=SIGNAL | signal)
