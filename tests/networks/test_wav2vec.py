"""wav2vec: fairseq's names and sizes, its receptive fields, and clips that do not see what pads them."""

import pytest
import torch
from torch import nn

from stages.networks import wav2vec, wav2vec2

SMALL = {
    "encoder": [[8, 10, 5], [8, 8, 4], [8, 4, 2]],
    "context": [[8, 3], [8, 3]],
    "skip": True,
    "log_compression": True,
}


def test_large_has_the_keys_and_sizes_of_the_published_checkpoint():
    network = wav2vec.build(**wav2vec.LARGE)
    shapes = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    expected = {}
    for number, (kernel, before) in enumerate(zip((10, 8, 4, 4, 4, 1, 1), (1, *[512] * 6))):
        expected[f"feature_extractor.conv_layers.{number}.0.weight"] = (512, before, kernel)
        expected |= {f"feature_extractor.conv_layers.{number}.2.{name}": (512,) for name in ("weight", "bias")}
    for number, kernel in enumerate(range(2, 14)):
        expected[f"feature_aggregator.conv_layers.{number}.1.weight"] = (512, 512, kernel)
        expected |= {
            f"feature_aggregator.conv_layers.{number}.{name}": (512,) for name in ("1.bias", "3.weight", "3.bias")
        }
    assert shapes == expected
    assert (network.shortest, network.hop_length, network.dimensions) == (465, 160, 512)
    assert network.frames_of(torch.tensor([80_000, 465, 464])).tolist() == [498, 1, 0]


class Fixed(nn.Module):
    """In the place of a normalisation: nothing, so that only convolutions couple samples."""

    def forward(self, values, own):
        return values


@pytest.mark.parametrize(("size", "context_ms"), [(wav2vec.BASE, 209.0625), (wav2vec.LARGE, 809.0625)])
def test_receptive_fields(size, context_ms):
    """The samples that reach a frame, by its gradient: about 210 ms for the base model, 810 ms for the large one."""
    narrow = {
        "encoder": [[4, *rest] for _, *rest in size["encoder"]],
        "context": [[4, *rest] for _, *rest in size["context"]],
    }
    torch.manual_seed(0)
    network = wav2vec.build(**size | narrow).double()
    for layers, place in ((network.feature_extractor, 2), (network.feature_aggregator, 3)):
        for layer in layers.conv_layers:
            layer[place] = Fixed()
            # Positive weights let nothing cancel out or be cut off by the rectifiers.
            for value in layer.parameters():
                value.data.abs_()
    audio = torch.rand(1, 16_000, dtype=torch.float64, requires_grad=True)
    values, _ = network(audio, torch.tensor([16_000]))
    (gradient,) = torch.autograd.grad(values[0, 90].sum(), audio)
    heard = gradient[0].nonzero()[:, 0]
    assert int(heard.max()) == 90 * 160 + 464  # nothing behind the frame's own window
    assert (int(heard.max()) - int(heard.min()) + 1) / 16 == context_ms
    encoded, _ = network.encode(audio, torch.tensor([16_000]))
    (gradient,) = torch.autograd.grad(encoded[0, :, 90].sum(), audio)
    assert len(gradient[0].nonzero()) == 465


def test_a_clip_alone_has_the_values_that_it_has_in_a_batch():
    torch.manual_seed(0)
    network = wav2vec.build(**SMALL)
    audio, lengths = torch.randn(3, 4000), torch.tensor([4000, 1717, 2900])
    together, frames = network(audio, lengths)
    for row, length, count in zip(range(3), lengths.tolist(), frames.tolist()):
        alone, own = network(audio[row : row + 1, :length], torch.tensor([length]))
        assert own.tolist() == [count] == [alone.shape[1]]
        assert torch.allclose(together[row, :count], alone[0], atol=1e-5)


def test_the_masked_normalisation_is_pytorchs_where_nothing_is_masked():
    torch.manual_seed(0)
    norm = wav2vec.OwnGroupNorm(6)
    nn.init.normal_(norm.weight)
    values = 3 + torch.randn(2, 6, 9)
    own = torch.ones(2, 9, dtype=torch.bool)
    expected = nn.functional.group_norm(values, 1, norm.weight, norm.bias)
    assert torch.allclose(norm(values, own), expected, atol=1e-6)
    own[1, 5:] = False
    masked = norm(values, own)
    assert torch.allclose(masked[0], expected[0], atol=1e-5)
    assert torch.allclose(
        masked[1, :, :5], nn.functional.group_norm(values[1:, :, :5], 1, norm.weight, norm.bias)[0], atol=1e-5
    )


def test_the_second_generation_gives_what_torchaudio_gives_for_each_clip_alone():
    import torchaudio

    torch.manual_seed(0)
    shape = torchaudio.pipelines.WAV2VEC2_BASE._params | {
        "encoder_embed_dim": 32,
        "encoder_num_layers": 2,
        "encoder_num_heads": 2,
        "encoder_ff_interm_features": 64,
        "extractor_conv_layer_config": [(16, 10, 5), (16, 3, 2)],
    }
    model = torchaudio.models.wav2vec2_model(**shape).eval()
    network = wav2vec2.Wav2vec2(model, 1, False, shape)
    audio, lengths = torch.randn(3, 3000), torch.tensor([3000, 1600, 3000])
    with torch.no_grad():
        together, frames = network(audio, lengths)
        for row, length, count in zip(range(3), lengths.tolist(), frames.tolist()):
            expected = model.extract_features(audio[row : row + 1, :length], num_layers=1)[0][0]
            assert expected.shape[1] == count
            assert torch.allclose(together[row, :count], expected[0], atol=1e-5)
    assert (network.hop_length, network.shortest) == (10, 20)


def test_the_real_bundles_shape():
    network = wav2vec2.build(bundle="WAV2VEC2_BASE", layer=12)
    assert (network.hop_length, network.shortest, network.dimensions) == (320, 400, 768)


def by_fairseq(network, audio):
    """What fairseq's `ConvFeatureExtractionModel` and `ConvAggegator` make of one waveform (samples,), step by step."""
    values = audio[None, None]
    for layer, (_, _, stride) in zip(network.feature_extractor.conv_layers, network.encoder_shape):
        values = nn.functional.conv1d(values, layer[0].weight, stride=stride)
        values = nn.functional.group_norm(values, 1, layer[2].weight, layer[2].bias).relu()
    values = (values.abs() + 1).log() if network.log_compression else values
    for layer in network.feature_aggregator.conv_layers:
        residual, kernel = values, layer[1].weight.shape[-1]
        padded = nn.functional.pad(values, (kernel - 1, 0), mode="replicate")
        values = nn.functional.conv1d(padded, layer[1].weight, layer[1].bias)
        values = nn.functional.group_norm(values, 1, layer[3].weight, layer[3].bias).relu()
        # fairseq's `residual_scale`, the square root of a half.
        values = (values + residual) * 0.7071067811865476 if network.skip else values
    return values[0].T


@pytest.mark.parametrize("log_compression", [True, False])
@pytest.mark.parametrize("skip", [True, False])
def test_its_vectors_are_those_of_fairseqs_code(skip, log_compression):
    torch.manual_seed(0)
    network = wav2vec.build(**SMALL | {"skip": skip, "log_compression": log_compression}).eval()
    for value in network.parameters():
        nn.init.normal_(value)
    audio = torch.randn(3000)
    with torch.no_grad():
        made, _ = network(audio[None], torch.tensor([3000]))
        assert torch.allclose(made[0], by_fairseq(network, audio), rtol=1e-4, atol=1e-4)
