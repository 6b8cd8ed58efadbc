"""The enhancers: their sizes, attention by hand, clips of any length beside others, and spectra to sound and back."""

import math

import pytest
import torch
from torch.nn.functional import conv1d, mse_loss

from stages import victim
from stages.frame.errors import UserError
from stages.networks.dnn_regression import log_power
from stages.networks.u_net_attention import Gate
from stages.networks.wave_u_net import Conv1d, doubled
from stages.victim import padded_batch

SIGNAL = {"sample_rate_hz": 16000}
U_NET = {"layers": 3, "filters": 4, "down_kernel": 5, "up_kernel": 3, "fold": 1}
GATED = U_NET | {"attention_levels": [2, 3], "attention_units": 6, "causal": False}
DNN = {"window_s": 0.004, "hop_s": 0.002, "context": 2, "hidden_units": [8, 6], "residual": False}
PAPER_U_NET = {"filters": 24, "down_kernel": 15, "up_kernel": 5, "fold": 1}
SMALL = {
    "wave_u_net": ("wave_u_net", U_NET),
    "folded": ("wave_u_net", U_NET | {"fold": 4}),
    "u_net_attention": ("u_net_attention", GATED),
    "causal": ("u_net_attention", GATED | {"causal": True, "fold": 2}),
    "dnn_regression": ("dnn_regression", DNN),
    "residual": ("dnn_regression", DNN | {"residual": True}),
}
PAPER = {
    "wave_u_net_9": ("wave_u_net", PAPER_U_NET | {"layers": 9}),
    "wave_u_net_12": ("wave_u_net", PAPER_U_NET | {"layers": 12}),
    "u_net_attention_9": (
        "u_net_attention",
        PAPER_U_NET | {"layers": 9, "attention_levels": [8, 9], "attention_units": 128, "causal": True},
    ),
    "dnn_regression": (
        "dnn_regression",
        {"window_s": 0.032, "hop_s": 0.016, "context": 3, "hidden_units": [2048] * 3, "residual": False},
    ),
}
LENGTHS = (1, 7, 64, 333, 1000)


def network(name, values):
    """Untrained, with biases that would leave nothing zero, and statistics unlike those of an untrained DNN."""
    torch.manual_seed(0)
    module = victim.build(name, 3, values, where="t", signal=SIGNAL)
    with torch.no_grad():
        for key, value in [*module.named_parameters(), *module.named_buffers()]:
            if key.endswith("bias") or key == "mean":
                value.uniform_(-0.3, 0.3)
            elif key == "deviation":
                value.uniform_(0.5, 1.5)
    return module


@pytest.fixture(params=SMALL)
def small(request):
    return network(*SMALL[request.param])


def clip(length):
    return 0.1 * torch.randn(length, generator=torch.Generator().manual_seed(length)).numpy()


def test_as_many_parameters_as_published():
    for layers, count in ((9, 4.63), (12, 10.26)):
        module = victim.build("wave_u_net", 0, PAPER_U_NET | {"layers": layers}, where="t", signal=SIGNAL)
        assert round(sum(value.numel() for value in module.parameters()) / 1e6, 2) == count


def test_a_clip_alone_and_beside_others(small):
    """Also with rubbish after its end; what comes out is as long as what goes in, and zero after the clip's end."""
    batch = padded_batch([clip(length) for length in LENGTHS], "cpu")
    dirty = batch | {"audio": batch["audio"].clone()}
    for row, length in enumerate(LENGTHS):
        dirty["audio"][row, length:] = 0.5
    together = small(dirty)
    assert together.shape == batch["audio"].shape
    for row, length in enumerate(LENGTHS):
        alone = small(padded_batch([clip(length)], "cpu"))
        assert alone.shape == (1, length)
        assert alone.abs().max() > 1e-4
        torch.testing.assert_close(together[row, :length], alone[0], atol=1e-5, rtol=0)
        assert not together[row, length:].any()


def test_silence_and_gradients_are_finite(small):
    silence = {"audio": torch.zeros(2, 100, requires_grad=True), "audio_length": torch.tensor([100, 60])}
    enhanced = small(silence)
    enhanced.square().sum().backward()
    assert enhanced.isfinite().all()
    assert silence["audio"].grad.isfinite().all()
    assert not silence["audio"].grad[1, 60:].any()


def test_the_gradient_is_that_of_the_function(small):
    small = small.double()
    audio = torch.from_numpy(clip(40)).double()[None].requires_grad_()
    direction = torch.randn(1, 40, generator=torch.Generator().manual_seed(3), dtype=torch.float64)

    def energy(waveform):
        return small({"audio": waveform, "audio_length": torch.tensor([33])}).square().sum()

    (gradient,) = torch.autograd.grad(energy(audio), audio)
    step = 1e-6 * direction
    with torch.no_grad():
        by_difference = (energy(audio + step) - energy(audio - step)) / 2e-6
    assert (gradient * direction).sum().item() == pytest.approx(by_difference.item(), rel=1e-4)


@pytest.mark.parametrize("name", PAPER)
def test_at_the_papers_scale_it_takes_a_step(name):
    torch.manual_seed(0)
    file, values = PAPER[name]
    module = victim.build(file, 0, values, where="t", signal=SIGNAL)
    optimiser = torch.optim.SGD(module.parameters(), 1e-3)
    inputs = padded_batch([clip(5000)], "cpu")
    losses = []
    for _ in range(2):
        loss = mse_loss(module(inputs), torch.zeros(1, 5000))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert all(value.grad is not None and value.grad.isfinite().all() for value in module.parameters())
    assert losses[1] < losses[0]


def test_twice_the_rate():
    assert doubled(torch.tensor([[[2.0, 4.0, -2.0]]])).tolist() == [[[2.0, 3.0, 4.0, 1.0, -2.0, -1.0]]]


@pytest.mark.parametrize("kernel", [1, 5])
def test_a_convolution_of_parts_is_that_of_all_channels(kernel):
    layer, parts = Conv1d(7, 3, kernel), [torch.randn(2, channels, 9) for channels in (4, 1, 2)]
    whole = torch.cat(parts, 1).requires_grad_()
    expected = conv1d(whole, layer.weight, layer.bias, padding="same")
    torch.testing.assert_close(layer(*parts), expected)
    torch.testing.assert_close(layer(whole), expected)
    gradients = [torch.autograd.grad(made.square().sum(), whole)[0] for made in (layer(whole), expected)]
    torch.testing.assert_close(*gradients)


def test_a_u_net_by_hand():
    """One level, each convolution of one tap and one filter: 2 mixture + 1, then what is left of it on the way up."""
    values = {"layers": 1, "filters": 1, "down_kernel": 1, "up_kernel": 1, "fold": 1}
    module = victim.build("wave_u_net", 0, values, where="t", signal=SIGNAL)
    weights = {
        "down.0.weight": [2.0], "down.0.bias": [1.0], "down.1.weight": [1.0, -1.0], "down.1.bias": [0.0, 0.0],
        "up.0.convolution.weight": [1.0, 10.0, 0.5], "up.0.convolution.bias": [0.0],
        "output.weight": [0.1, 1.0], "output.bias": [0.0],
    }  # fmt: skip
    module.load_state_dict(
        {name: torch.tensor(weights[name]).view_as(old) for name, old in module.state_dict().items()}
    )
    enhanced = module({"audio": torch.tensor([[0.1, 0.2, -0.9]]), "audio_length": torch.tensor([3])})
    # Level 1: 1.2, 1.4, and -0.8 x 0.2 = -0.16. Bottleneck of 1.2 and -0.16: (1.2, -0.032) and (-0.24, 0.16).
    # Doubled: (1.2, 0.584, -0.032) and (-0.24, -0.04, 0.16).
    before = [1.2 - 2.4 + 0.6, 0.584 - 0.4 + 0.7, -0.032 + 1.6 - 0.08]
    left = [value if value > 0 else 0.2 * value for value in before]
    expected = [math.tanh(0.1 * value + mixture) for value, mixture in zip(left, (0.1, 0.2, -0.9))]
    assert enhanced[0].tolist() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("causal", [False, True])
def test_attention_by_hand(causal):
    """Queries, keys and softmax in plain loops; the third step of the first clip is after its end."""
    torch.manual_seed(0)
    gate = Gate(3, 4, causal)
    coming, skip = torch.randn(2, 3, 3), torch.randn(2, 2, 3)
    inside = torch.tensor([[[True, True, False]], [[True, True, True]]])
    made = gate(coming, skip, inside)
    query, key = (conv1d(coming, layer.weight, layer.bias) for layer in (gate.query, gate.key))
    for example in range(2):
        for step in range(2 + example):
            seen = [place for place in range(2 + example) if place <= step or not causal]
            scores = [(query[example, :, step] @ key[example, :, place]).item() / math.sqrt(4) for place in seen]
            weights = [math.exp(score) for score in scores]
            expected = sum(weight * skip[example, :, place] for weight, place in zip(weights, seen)) / sum(weights)
            torch.testing.assert_close(made[example, :, step], expected, atol=1e-6, rtol=0)


def test_wrong_levels_of_attention():
    for levels in ([], [4], [2, 2]):
        with pytest.raises(UserError, match="attention_levels of 1 to 3"):
            network("u_net_attention", GATED | {"attention_levels": levels})


@pytest.mark.parametrize("hop_s", [0.002, 0.001])
@pytest.mark.parametrize("length", [1, 31, 500])
def test_spectra_that_are_passed_on_give_the_same_sound(hop_s, length):
    """A residual network whose last layer says nothing."""
    module = network("dnn_regression", DNN | {"residual": True, "hop_s": hop_s})
    with torch.no_grad():
        for value in module.layers[-1].parameters():
            value.zero_()
    inputs = padded_batch([clip(length)], "cpu")
    torch.testing.assert_close(module(inputs), inputs["audio"], atol=1e-6, rtol=0)


def test_the_network_says_clean_spectra():
    """A network that says one and the same spectrum: standardised zero is the mean, here white, of every frame."""
    module = network("dnn_regression", DNN)
    with torch.no_grad():
        for value in module.layers[-1].parameters():
            value.zero_()
        module.mean.fill_(math.log(4.0))
    inputs = padded_batch([clip(640)], "cpu")
    noisy, inside = module.spectrum(inputs["audio"], inputs["audio_length"])
    expected = module.resynthesised(2 * noisy / noisy.abs(), inside, inputs)
    torch.testing.assert_close(module(inputs), expected, atol=1e-3, rtol=1e-3)


def test_statistics_of_noisy_spectra():
    module = network("dnn_regression", DNN)
    waveforms = [clip(640), clip(333)]
    module.fit(waveforms)
    frames = []
    for waveform in waveforms:
        inputs = padded_batch([waveform], "cpu")
        spectrum, inside = module.spectrum(inputs["audio"], inputs["audio_length"])
        frames.append(log_power(spectrum)[0][inside[0, :, 0]])
    expected = torch.std_mean(torch.cat(frames), 0, correction=0)
    torch.testing.assert_close((module.deviation, module.mean), expected, atol=1e-4, rtol=1e-4)
    assert {"mean", "deviation"} <= set(module.state_dict())


def test_frames_too_far_apart():
    with pytest.raises(UserError, match="half the window_s"):
        network("dnn_regression", DNN | {"hop_s": 0.003})
