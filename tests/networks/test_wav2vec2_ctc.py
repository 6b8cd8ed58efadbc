"""torchaudio's recognisers as this house's, with small layers in the place of their own."""

import typing

import pytest
import torch
import torchaudio

from stages import victim
from stages.frame.errors import UserError
from stages.networks import wav2vec2_ctc

SMALL = {
    "encoder_embed_dim": 16,
    "encoder_num_layers": 2,
    "encoder_num_heads": 2,
    "encoder_ff_interm_features": 16,
    "encoder_pos_conv_groups": 2,
    "extractor_conv_layer_config": [(8, 10, 5), (8, 3, 2), (8, 3, 2)],
}
# One with layers that normalise groups, over time, and one that normalises the waveform.
TWO = ["WAV2VEC2_ASR_BASE_960H", "HUBERT_ASR_LARGE"]


@pytest.fixture
def network(request, monkeypatch):
    pipeline = getattr(torchaudio.pipelines, request.param)
    monkeypatch.setattr(pipeline, "_params", pipeline._params | SMALL)
    torch.manual_seed(0)
    return wav2vec2_ctc.build(28, sample_rate_hz=16000, bundle=request.param).eval(), pipeline


def clips(*lengths):
    audio = 0.1 * torch.randn(len(lengths), max(lengths), generator=torch.Generator().manual_seed(1))
    return {"audio": audio, "audio_length": torch.tensor(lengths)}


def test_every_bundle_writes_the_alphabet():
    for name in typing.get_args(wav2vec2_ctc.BUNDLES):
        pipeline = getattr(torchaudio.pipelines, name)
        assert sorted(pipeline.get_labels()[1:], key=lambda one: one.replace("|", " ")) == [
            one.upper().replace(" ", "|") for one in wav2vec2_ctc.ALPHABET
        ]
        assert pipeline.sample_rate == wav2vec2_ctc.SAMPLE_RATE_HZ


@pytest.mark.parametrize("network", TWO, indirect=True)
def test_logits_are_torchaudios_in_the_order_of_the_characters(network):
    module, pipeline = network
    inputs = clips(3000)
    # torchaudio's own module with its normalisation; get_model would download.
    utils = torchaudio.pipelines._wav2vec2.utils
    own = utils._extend_model(module.network.model, normalize_waveform=pipeline._normalize_waveform)
    expected, logits = own(inputs["audio"])[0], module(inputs)
    assert logits.shape == (1, *module.steps_of(torch.tensor([3000])).tolist(), 29)
    for place, label in enumerate([*wav2vec2_ctc.ALPHABET, "-"]):
        output = pipeline.get_labels().index(label.upper().replace(" ", "|"))
        assert torch.allclose(logits[..., place], expected[..., output], atol=1e-5)


@pytest.mark.parametrize("network", TWO, indirect=True)
def test_clips_are_as_if_alone_and_end_in_certain_blanks(network):
    module, _ = network
    inputs = clips(3000, 1700, 3000, 40, 1690)
    logits = module(inputs)
    for row, (length, steps) in enumerate(zip([3000, 1700, 3000, 40, 1690], [149, 84, 149, 1, 83])):
        alone = module({"audio": inputs["audio"][row : row + 1, :length], "audio_length": torch.tensor([length])})
        assert alone.shape[1] == steps
        assert torch.allclose(logits[row, :steps], alone[0], atol=1e-5)
        assert (logits[row, steps:, -1] == 30).all()
        assert (logits[row, steps:, :-1] == 0).all()


@pytest.mark.parametrize("network", TWO, indirect=True)
def test_too_short_a_clip_is_silent(network):
    module, _ = network
    logits = module(clips(20, 3))
    assert logits.shape == (2, 1, 29)
    assert (logits.argmax(-1) == 28).all()


@pytest.mark.parametrize("network", TWO, indirect=True)
def test_the_loss_reaches_each_clips_own_samples(network):
    module, _ = network
    attacked = victim.Transcriber(module, wav2vec2_ctc.ALPHABET, bounds={"audio": (-1.0, 1.0)})
    inputs = clips(3000, 1700)
    inputs["audio"].requires_grad_()
    goal = victim.Goal(attacked.encode(["it's", "go on"]), targeted=True)
    attacked.loss(attacked.logits(inputs), goal).sum().backward()
    gradient = inputs["audio"].grad
    assert gradient[0, :2990].abs().gt(0).float().mean() > 0.9
    assert gradient[1, :1690].abs().gt(0).float().mean() > 0.9
    assert (gradient[1, 1700:] == 0).all()


def test_another_rate_or_alphabet_is_told():
    with pytest.raises(UserError, match="expected clips at 16000 Hz; found 8000 Hz"):
        wav2vec2_ctc.build(28, sample_rate_hz=8000, bundle=TWO[0])
    with pytest.raises(UserError, match=r"expected 28 labels.*found 27; name the method published_recogniser"):
        wav2vec2_ctc.build(27, sample_rate_hz=16000, bundle=TWO[0])
