"""Victims: shapes, paper sizes, independence of batch mates, gradients, and what a wrong name says."""

import json

import numpy as np
import pytest
import torch

from stages import victim
from stages.frame import weights
from stages.frame.errors import UserError
from stages.victim import Goal, Victim, padded_batch

SMALL = {
    "vgg13": ("spectrogram_cnn", {"architecture": "vgg13", "width": 0.0625, "blocks": 3}),
    "gcnn": ("spectrogram_cnn", {"architecture": "gcnn", "width": 0.0625, "blocks": 3}),
    "crnn": ("spectrogram_cnn", {"architecture": "crnn", "width": 0.0625, "blocks": 3, "recurrent_units": 8}),
    "dense_mel": ("dense", {"architecture": "mel", "growth": 4, "modules": 3, "heads": 2, "hop_length": 512}),
    "dense_wav": ("dense", {"architecture": "wav", "growth": 4, "modules": 3, "heads": 2}),
}
# Weights and biases of the published plans, added up by hand: a 3x3 convolution has 9ab + b, a batch norm 2b.
PAPER = {
    "vgg13": ("spectrogram_cnn", {"architecture": "vgg13", "width": 1.0, "blocks": 5}, 9430761),
    "gcnn": ("spectrogram_cnn", {"architecture": "gcnn", "width": 1.0, "blocks": 5}, 18834601),
}


def module(name: str) -> torch.nn.Module:
    torch.manual_seed(0)
    network, values = SMALL[name]
    return victim.build(network, 5, values, where="test", signal={"sample_rate_hz": 32000})


def waveforms(lengths: list[int]) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [(0.1 * rng.standard_normal(n)).astype("f") for n in lengths]


@pytest.mark.parametrize("name", SMALL)
def test_a_clip_does_not_depend_on_its_batch_mates(name):
    model = module(name).eval()
    audio = waveforms([8000, 150000, 64000, 70000, 1000])
    with torch.no_grad():
        together = model(padded_batch(audio, "cpu"))
        alone = torch.cat([model(padded_batch([one], "cpu")) for one in audio])
    assert together.shape == (5, 5)
    assert torch.allclose(together, alone, atol=2e-4)


@pytest.mark.parametrize("name", SMALL)
def test_what_lies_after_a_clip_has_no_influence_and_no_gradient(name):
    model = module(name).eval()
    inputs = padded_batch(waveforms([8000, 20000]), "cpu")
    inputs["audio"][0, 8000:] = 0.3
    clean = padded_batch(waveforms([8000, 20000]), "cpu")
    assert torch.equal(model(inputs), model(clean))
    inputs["audio"].requires_grad_()
    model(inputs).square().sum().backward()
    assert (inputs["audio"].grad[0, 8000:] == 0).all()
    assert (inputs["audio"].grad[0, :8000] != 0).any()
    assert inputs["audio"].grad.isfinite().all()


@pytest.mark.parametrize("name", SMALL)
def test_the_gradient_to_the_waveform_is_right(name):
    model = module(name).double().eval()
    inputs = {"audio": torch.from_numpy(waveforms([6000])[0]).double()[None], "audio_length": torch.tensor([6000])}
    x = inputs["audio"].clone().requires_grad_()
    value = (model({**inputs, "audio": x}) * torch.arange(5)).sum()
    (gradient,) = torch.autograd.grad(value, x)
    torch.manual_seed(1)
    direction = torch.randn_like(x)
    step = 1e-7
    with torch.no_grad():
        ahead, behind = (
            (model({**inputs, "audio": x + sign * step * direction}) * torch.arange(5)).sum() for sign in (1, -1)
        )
    assert (gradient * direction).sum().item() == pytest.approx(((ahead - behind) / (2 * step)).item(), rel=1e-3)


@pytest.mark.parametrize("name", PAPER)
def test_the_paper_size_has_the_published_plan(name):
    network, values, expected = PAPER[name]
    model = victim.build(network, 41, values, where="test", signal={"sample_rate_hz": 32000})
    assert sum(p.numel() for p in model.parameters()) == expected


@pytest.mark.parametrize(
    ("network", "values"),
    [
        ("spectrogram_cnn", {"architecture": "crnn", "width": 1.0, "blocks": 5, "recurrent_units": 512}),
        ("dense", {"architecture": "mel", "growth": 16, "modules": 8, "heads": 8, "hop_length": 128}),
        ("dense", {"architecture": "wav", "growth": 16, "modules": 8, "heads": 8}),
    ],
)
def test_the_paper_size_takes_a_training_step(network, values):
    model = victim.build(network, 41, values, where="test", signal={"sample_rate_hz": 32000})
    logits = model(padded_batch(waveforms([64000, 30000]), "cpu"))
    torch.nn.functional.cross_entropy(logits, torch.tensor([3, 5])).backward()
    assert logits.shape == (2, 41)
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.network.parameters())


def test_a_clip_is_decided_by_the_geometric_mean_of_its_chunks():
    model = module("vgg13").eval()
    inputs = padded_batch(waveforms([150000]), "cpu")
    with torch.no_grad():
        examples, owners = model.examples(inputs)
        chunks = model.network(examples).softmax(1)
        mean = chunks.log().mean(0).exp()
        assert len(owners) > 1
        assert torch.allclose(model(inputs).softmax(1)[0], mean / mean.sum(), atol=1e-6)


def test_dense_logits_are_log_probabilities():
    with torch.no_grad():
        network = module("dense_mel").eval().network
        assert torch.allclose(network(torch.randn(2, 64000)).exp().sum(1), torch.ones(2), atol=1e-5)


def test_saved_and_loaded_a_victim_decides_the_same(tmp_path):
    model = module("dense_wav").eval()
    config = {
        "network": "dense",
        "parameters": SMALL["dense_wav"][1],
        "signal": {"sample_rate_hz": 32000},
        "labels": list("abcde"),
        "decides": "label",
        "bounds": {"audio": [-1.0, 1.0]},
        "attacked_on": "probabilities",
    }
    weights.save(tmp_path, model, config)
    inputs = padded_batch(waveforms([5000]), "cpu")
    loaded = victim.load(tmp_path, device="cpu")
    assert torch.equal(loaded.logits(inputs), model(inputs))
    assert torch.allclose(loaded.attacked_scores(loaded.logits(inputs)).sum(1), torch.ones(1, dtype=torch.float64))
    (tmp_path / "config.json").write_text(
        json.dumps(config | {"network": "spectrogram_cnn", "parameters": SMALL["vgg13"][1]})
    )
    with pytest.raises(UserError, match="expected weights of this network"):
        victim.load(tmp_path, device="cpu")
    with pytest.raises(UserError, match=r"no config\.json"):
        victim.load(tmp_path / "nowhere", device="cpu")


def test_the_maps_of_plain_blocks_lie_channels_last_also_behind_loaded_weights():
    model = module("vgg13")
    model.load_state_dict({name: value.contiguous() for name, value in model.state_dict().items()})
    maps = model.network[:6](torch.randn(2, 1, 64, 128))
    assert maps.is_contiguous(memory_format=torch.channels_last) and not maps.is_contiguous()


def test_classifiers_of_clips_say_what_they_take_and_are_attacked_on_it():
    model, inputs = module("vgg13"), padded_batch(waveforms([5000]), "cpu")
    assert model.takes == ("audio",)
    assert model.prepare(inputs) is inputs


def test_a_wrong_name_lists_the_right_ones():
    with pytest.raises(UserError, match=r"params.yaml: x.network: .*spectrogram_cnn.*found 'resnet'"):
        victim.build("resnet", 3, {}, where="x", signal={"sample_rate_hz": 32000})
    with pytest.raises(UserError, match=r"x.width: expected a number > 0"):
        victim.build(
            "spectrogram_cnn",
            3,
            {"architecture": "vgg13", "width": 0, "blocks": 1},
            where="x",
            signal={"sample_rate_hz": 32000},
        )


def test_goals_and_losses():
    logits = torch.tensor([[2.0, 0.0, 0.0], [0.0, 3.0, 0.0]])

    class Fixed(torch.nn.Module):
        def forward(self, inputs):
            return logits

    model = Victim(Fixed(), list("abc"), bounds={})
    decided, confidence = model.decode(logits)
    assert decided.tolist() == [0, 1]
    assert confidence[0].item() == pytest.approx(np.exp(2) / (np.exp(2) + 2))
    untargeted, targeted = Goal(torch.tensor([0, 0]), False), Goal(torch.tensor([0, 0]), True)
    assert untargeted.reached(decided).tolist() == [False, True]
    assert targeted.reached(decided).tolist() == [True, False]
    # The log odds of the first label: 2 against two others of 0, 0 against 3 and 0.
    assert model.loss(logits, targeted).tolist() == pytest.approx([np.log(2) - 2, np.log(np.exp(3) + 1)])
    assert torch.equal(model.loss(logits, untargeted), -model.loss(logits, targeted))
