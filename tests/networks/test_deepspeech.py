"""DeepSpeech: its shapes and size, clips beside longer ones, what it does to features, gradients, very short clips."""

import numpy as np
import pytest
import torch

from stages import victim
from stages.features.context import windows
from stages.features.mfcc import Mfcc
from stages.frame.errors import UserError
from stages.networks.deepspeech import CERTAIN, Bidirectional, standardised
from stages.victim import padded_batch

SIGNAL = {"sample_rate_hz": 16000}
SMALL = {
    "coefficients": 13,
    "window_s": 0.025,
    "hop_s": 0.02,
    "context": 2,
    "hidden_units": [16, 12, 20],
    "lstm_units": 8,
    "last_units": 10,
    "dropout": 0.3,
}
PAPER = SMALL | {"coefficients": 26, "context": 9, "hidden_units": [2048, 2048, 4096]}
PAPER |= {"lstm_units": 2048, "last_units": 2048}
LABELS = 28
SAMPLES = (8000, 12345, 3000)


def network(**changed):
    """An untrained network in evaluation mode."""
    torch.manual_seed(0)
    return victim.build("deepspeech", LABELS, SMALL | changed, where="t", signal=SIGNAL).eval()


def batch(*samples):
    """Clips of so many samples; a clip is the same whatever is beside it."""
    return padded_batch([0.1 * np.random.default_rng(count).standard_normal(count) for count in samples], "cpu")


@torch.no_grad()
def test_a_step_every_20_ms_and_a_certain_blank_after_the_end():
    module, inputs = network(), batch(*SAMPLES)
    logits, steps = module(inputs), module.steps_of(inputs["audio_length"])
    # One frame of 400 samples, then one every 320, the last of which is not whole.
    assert steps.tolist() == [1 + 24, 1 + 38, 1 + 9]
    assert logits.shape == (3, 39, LABELS + 1)
    for own, count in zip(logits, steps):
        after = own[count:]
        assert (after[:, -1] == CERTAIN).all() and (after[:, :-1] == 0).all()
        assert (own[:count].abs() < CERTAIN / 2).all() and own[:count].std() > 0.01


@torch.no_grad()
def test_alone_and_beside_longer_clips_it_is_the_same():
    module, inputs = network(), batch(*SAMPLES)
    together = module(inputs)
    spoilt = {name: value.clone() for name, value in inputs.items()}
    for row, count in enumerate(SAMPLES):
        spoilt["audio"][row, count:] = 0.7
    assert torch.allclose(module(spoilt), together, atol=1e-5)
    for own, count in zip(together, SAMPLES):
        alone = module(batch(count))[0]
        assert torch.allclose(own[: len(alone)], alone, atol=1e-5)


def test_gradients_reach_every_sample_and_none_after_the_end():
    module, inputs = network(), batch(*SAMPLES)
    inputs["audio"].requires_grad_()
    transcriber = victim.Transcriber(module, list("abcdefghijklmnopqrstuvwxyz '"), bounds={})
    goal = victim.Goal(transcriber.encode(["ab", "cd e", "f"]), targeted=True)
    transcriber.loss(transcriber.logits(inputs), goal).sum().backward()
    for gradient, count in zip(inputs["audio"].grad, SAMPLES):
        assert gradient.isfinite().all() and (gradient[count:] == 0).all()
        assert (gradient[:count] != 0).float().mean() > 0.99


@pytest.mark.parametrize("samples", [1, 50, 400, 16000])
def test_silence_and_clips_shorter_than_a_frame(samples):
    module = network()
    for level in (0.0, 2**-15, 0.5):
        audio = torch.full((1, samples), level, requires_grad=True)
        logits = module({"audio": audio, "audio_length": torch.tensor([samples])})
        logits.square().sum().backward()
        assert logits.shape[1] == (1 if samples <= 400 else 50)
        assert logits.isfinite().all() and audio.grad.isfinite().all()


def test_windows_by_hand():
    frames = torch.tensor([[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]])
    assert windows(frames, 1)[0].tolist() == [[0, 0, 1, 2, 3, 4], [1, 2, 3, 4, 5, 6], [3, 4, 5, 6, 0, 0]]
    assert torch.equal(windows(frames, 0), frames)


@torch.no_grad()
def test_a_clip_is_standardised_over_all_its_steps_and_values():
    values = torch.tensor([[[1.0, 3.0], [5.0, 7.0], [100.0, 100.0]]])
    made = standardised(values, torch.tensor([[True, True, False]]))
    assert torch.allclose(made[0, :2].flatten(), (torch.tensor([1.0, 3, 5, 7]) - 4) / 5**0.5)
    # As a whole: the first layer sees the coefficients' windows as numpy makes them, zeros of the context included.
    module, inputs, seen = network(), batch(8000), []
    module.dense.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    module(inputs)
    mfcc = Mfcc(hop_s=0.02, coefficients=13, filters=13)
    coefficients = np.pad(mfcc(**inputs)[0].numpy(), ((2, 2), (0, 0)))
    expected = np.stack([coefficients[start : start + 5].ravel() for start in range(25)])
    assert np.allclose(seen[0][0].numpy(), (expected - expected.mean()) / expected.std(), atol=1e-4)


@torch.no_grad()
def test_the_recurrent_layer_is_torchs_bidirectional_one_and_does_not_forget_at_first():
    layer, steps = Bidirectional(5, 3), torch.tensor([4, 7])
    values = torch.randn(2, 7, 5)
    both = torch.nn.LSTM(5, 3, batch_first=True, bidirectional=True)
    for own, suffix in ((layer.ahead, ""), (layer.back, "_reverse")):
        for name, parameter in own.named_parameters():
            getattr(both, name + suffix).copy_(parameter)
        assert ((own.bias_ih_l0 + own.bias_hh_l0)[3:6] == 1).all()
    packed = torch.nn.utils.rnn.pack_padded_sequence(values, steps, batch_first=True, enforce_sorted=False)
    expected, _ = torch.nn.utils.rnn.pad_packed_sequence(both(packed)[0], batch_first=True)
    made = layer(values, steps)
    for row, count in enumerate(steps):
        assert torch.allclose(made[row, :count], expected[row, :count], atol=1e-6)


def test_dropout_is_of_training_alone():
    module, inputs = network(), batch(8000)
    assert torch.equal(module(inputs), module(inputs))
    module.train()
    assert not torch.equal(module(inputs), module(inputs))


def test_it_has_three_dense_layers():
    with pytest.raises(UserError, match="hidden_units of 3 layers; found 2"):
        network(hidden_units=[8, 8])


def test_the_published_size_takes_a_step_of_training():
    module = network(**PAPER).train()
    dense = 494 * 2048 + 2048 * 2048 + 2048 * 4096 + 2048 + 2048 + 4096
    # Four gates a direction, with torch's two biases each.
    recurrent = 2 * (4 * 2048 * (4096 + 2048) + 2 * 4 * 2048)
    last = 4096 * 2048 + 2048 + 2048 * (LABELS + 1) + LABELS + 1
    assert sum(parameter.numel() for parameter in module.parameters()) == dense + recurrent + last
    optimiser = torch.optim.SGD(module.parameters(), 1e-3)
    target = torch.tensor([[0, 1, 2]])
    before = module.decision.bias.detach().clone()
    victim.ctc(module(batch(3000)), target).sum().backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in module.parameters())
    optimiser.step()
    assert not torch.equal(module.decision.bias, before)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_on_a_gpu_it_says_the_same_and_has_gradients_in_evaluation_mode():
    module, inputs = network(), batch(*SAMPLES)
    with torch.no_grad():
        expected = module(inputs)
    audio = inputs["audio"].cuda().requires_grad_()
    logits = module.cuda()(inputs | {"audio": audio})
    assert torch.allclose(logits.cpu(), expected, atol=1e-3)
    logits.square().sum().backward()
    assert audio.grad.abs().sum() > 0
