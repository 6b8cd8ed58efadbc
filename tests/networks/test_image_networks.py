"""Classifiers of images: torchvision's and the paper's plans, training, standardisation, who has no influence."""

import pytest
import torch
from torch import nn
from torchvision.models import resnet, vgg

from stages import victim
from stages.frame import weights
from stages.frame.errors import UserError

SMALL = {
    "cnn4": {"width": 0.125, "layers": 4},
    "resnet50": {"width": 0.0625, "blocks": [1, 1, 1, 1]},
    "vgg16": {
        "width": 0.0625, "convolutions": [1, 1, 2, 2, 2], "batch_norm": True,
        "hidden_units": 64, "dropout": 0.2, "pooled": 1,
    },
}  # fmt: skip
PAPER = {
    "cnn4": {"width": 1.0, "layers": 4},
    "resnet50": {"width": 1.0, "blocks": [3, 4, 6, 3]},
    "vgg16": {
        "width": 1.0, "convolutions": [2, 2, 3, 3, 3], "batch_norm": False,
        "hidden_units": 4096, "dropout": 0.5, "pooled": 7,
    },
}  # fmt: skip
# Four convolutions of 25ab weights, four batch norms of 2b, and the last layer.
CNN4 = 25 * (64 + 64 * 128 + 128 * 256 + 256 * 512) + 2 * (64 + 128 + 256 + 512) + 512 * 7 + 7
EVERY = pytest.mark.parametrize("network", SMALL)


def build(network, values=None, **changes):
    torch.manual_seed(0)
    return victim.build(network, 7, {**(values or SMALL[network]), **changes}, where="test", signal={"mels": 64})


def images(count, frames=64):
    return torch.randn(count, frames, 64, generator=torch.Generator().manual_seed(1))


def size(module):
    return sum(p.numel() for p in module.parameters())


@EVERY
def test_shapes_of_features_and_logits(network):
    module = build(network).eval()
    for frames in (64, 91):
        vector, logits = module.vector_and_logits(images(3, frames))
        assert vector.shape == (3, module.last.in_features)
        assert logits.shape == (3, 7)
        assert torch.equal(module({"log_mel": images(3, frames)}), logits)
        assert torch.equal(module.last(vector), logits)


def test_parameters_at_paper_size():
    """torchvision's, less what the two missing input channels would need."""
    assert size(build("cnn4", PAPER["cnn4"])) == CNN4
    expected = size(resnet.resnet50(num_classes=7)) - 2 * 64 * 49
    assert size(build("resnet50", PAPER["resnet50"])) == expected == 23_516_103
    with torch.device("meta"):
        assert size(build("vgg16", PAPER["vgg16"])) == size(vgg.vgg16(num_classes=7)) - 2 * 64 * 9


@pytest.mark.parametrize("network", ["cnn4", "resnet50"])
def test_the_paper_size_takes_the_papers_images(network):
    module = build(network, PAPER[network])
    logits = module({"log_mel": images(2, 373)})
    nn.functional.cross_entropy(logits, torch.tensor([3, 5])).backward()
    assert logits.shape == (2, 7)
    assert all(p.grad is not None and p.grad.isfinite().all() for p in module.parameters())


def same_weights(ours, theirs):
    """Gives `theirs`, whose layers come in the same order, the weights of `ours`."""
    values = [value for name, value in ours.state_dict().items() if name not in ("mean", "deviation")]
    theirs.load_state_dict(dict(zip(theirs.state_dict(), values, strict=True)))
    return theirs.eval()


def test_resnet_computes_what_torchvisions_does():
    ours = build("resnet50", width=1.0, blocks=[1, 2, 1, 1]).eval()
    theirs = resnet.ResNet(resnet.Bottleneck, [1, 2, 1, 1], num_classes=7)
    theirs.conv1 = nn.Conv2d(1, 64, 7, stride=2, padding=3, bias=False)
    with torch.no_grad():
        assert torch.allclose(ours({"log_mel": images(2)}), same_weights(ours, theirs)(images(2)[:, None]), atol=1e-4)


@pytest.mark.parametrize("batch_norm", [False, True])
def test_vgg_computes_what_torchvisions_does(batch_norm):
    channels = (64, 128, 256)
    ours = build("vgg16", width=1.0, convolutions=[1, 2, 1], batch_norm=batch_norm, pooled=2, hidden_units=32).eval()
    plan = [channels[0], "M", channels[1], channels[1], "M", channels[2], "M"]
    theirs = vgg.VGG(vgg.make_layers(plan, batch_norm=batch_norm), num_classes=7)
    theirs.features[0] = nn.Conv2d(1, 64, 3, padding=1)
    theirs.avgpool = nn.AdaptiveAvgPool2d(2)
    for index, layer in ((0, nn.Linear(1024, 32)), (3, nn.Linear(32, 32)), (6, nn.Linear(32, 7))):
        theirs.classifier[index] = layer
    with torch.no_grad():
        assert torch.allclose(ours({"log_mel": images(2)}), same_weights(ours, theirs)(images(2)[:, None]), atol=1e-4)


@EVERY
def test_training_lowers_the_loss(network):
    module, x, labels = build(network), images(16), torch.arange(16) % 7
    x += labels[:, None, None] * torch.linspace(-0.3, 0.3, 64)
    optimiser = torch.optim.Adam(module.parameters(), 3e-3)
    losses = []
    for _ in range(12):
        loss = nn.functional.cross_entropy(module({"log_mel": x}), labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]


@EVERY
def test_an_image_does_not_depend_on_its_batch_mates(network):
    module = build(network).eval()
    x = images(5) * torch.tensor([1.0, 50.0, 0.0, 1.0, 2.0])[:, None, None]
    with torch.no_grad():
        together = module({"log_mel": x})
        alone = torch.cat([module({"log_mel": one[None]}) for one in x])
    assert torch.allclose(together, alone, rtol=1e-4, atol=1e-4)


@EVERY
def test_standardisation_is_kept_with_the_weights_and_undone_exactly(network, tmp_path):
    module, log_mel = build(network).eval(), 3 * images(4) - 7
    assert torch.equal(module.standardised(log_mel), log_mel)
    module.mean.copy_(log_mel.mean((0, 1)))
    module.deviation.copy_(log_mel.std((0, 1)))
    standardised = module.standardised(log_mel)
    assert torch.allclose(standardised.mean((0, 1)), torch.zeros(64), atol=1e-4)
    assert torch.allclose(standardised.std((0, 1)), torch.ones(64), atol=1e-4)
    assert torch.allclose(module.unstandardised(standardised), log_mel, atol=1e-4)
    config = {
        "network": network,
        "parameters": SMALL[network],
        "labels": list("abcdefg"),
        "decides": "label",
        "signal": {"mels": 64},
    }
    weights.save(tmp_path, module, {**config, "bounds": {"log_mel": None}})
    loaded = victim.load(tmp_path, device="cpu")
    assert torch.equal(loaded.module.standardised(log_mel), standardised)
    assert torch.equal(loaded.logits({"log_mel": standardised}), module({"log_mel": standardised}))
    assert set(module.state_dict()) >= {"mean", "deviation", "last.weight", "last.bias"}


@EVERY
def test_first_weights_come_from_torchs_seed(network):
    assert all(torch.equal(a, b) for a, b in zip(build(network).parameters(), build(network).parameters()))


def test_cnn4_starts_with_the_groups_weights():
    module = build("cnn4", PAPER["cnn4"])
    for layer in (*(layer for layer in module.body if isinstance(layer, nn.Conv2d)), module.last):
        limit = (3 * 2 / layer.weight[0].numel()) ** 0.5
        assert 0.95 * limit < layer.weight.abs().max() <= limit
    assert (module.last.bias == 0).all()


def test_vggs_linear_layers_start_scaled_to_their_inputs():
    module = build("vgg16", hidden_units=256, pooled=2)
    for layer in [layer for layer in (*module.body, module.last) if isinstance(layer, nn.Linear)]:
        assert layer.weight.std().item() == pytest.approx((2 / layer.in_features) ** 0.5, rel=0.1)
        assert (layer.bias == 0).all()


@pytest.mark.parametrize(
    ("network", "changes", "message"),
    [
        ("cnn4", {"layers": 5}, r"test.layers: expected a whole number >= 1 and <= 4; found 5"),
        ("resnet50", {"blocks": [1] * 5}, r"blocks of resnet50: expected 1 to 4 numbers; found 5"),
        ("resnet50", {"blocks": [1, 0]}, r"test.blocks: expected a list of a whole number >= 1"),
        ("vgg16", {"convolutions": []}, r"convolutions of vgg16: expected 1 to 5 numbers; found 0"),
        ("vgg16", {"dropout": 1.5}, r"test.dropout"),
    ],
)
def test_a_wrong_parameter_says_what_is_right(network, changes, message):
    with pytest.raises(UserError, match=message):
        build(network, **changes)
