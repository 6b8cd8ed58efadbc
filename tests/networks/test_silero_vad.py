"""Silero VAD: windows are heard as its makers' code does, and a clip has speech where 256 ms have."""

from pathlib import Path

import numpy as np
import pytest
import torch

from stages import victim
from stages.frame.errors import UserError
from stages.networks.silero_vad import SileroVad

PACKAGE = Path("data/pretrained/real/silero_vad/data")


def network() -> SileroVad:
    torch.manual_seed(0)
    return SileroVad().eval()


def test_a_window_is_heard_with_what_was_before_it_and_never_with_what_comes():
    model, audio = network(), torch.randn(1, 5 * 512) / 10
    with torch.no_grad():
        whole, changed = model.of_windows(audio), audio.clone()
        changed[:, 3 * 512 :] = 0
        # The first window begins with silence, each other one with the last 64 samples of the one before.
        first = model.of_windows(torch.nn.functional.pad(audio[:, :500], (0, 12)))
        assert whole.shape == (1, 5)
        torch.testing.assert_close(model.of_windows(changed)[:, :3], whole[:, :3])
        torch.testing.assert_close(model.of_windows(audio[:, :500]), first)


def test_the_logit_is_the_highest_mean_of_eight_windows_and_has_gradients_in_silence():
    model, audio = network(), torch.zeros(2, 20 * 512)
    audio[1, 4000:8000] = torch.randn(4000) / 10
    audio.requires_grad_()
    logits, of_windows = model(audio), model.of_windows(audio)
    runs = np.lib.stride_tricks.sliding_window_view(of_windows.detach().numpy(), 8, axis=1).mean(-1)
    np.testing.assert_allclose(logits.detach().numpy(), np.stack([[0, 0], runs.max(1)], 1), atol=1e-6)
    (gradient,) = torch.autograd.grad(logits[:, 1].sum(), audio)
    assert gradient.isfinite().all() and gradient[1].any()


def test_of_a_clip_of_less_than_eight_windows_all_count():
    model, audio = network(), torch.randn(1, 1000) / 10
    torch.testing.assert_close(model(audio)[:, 1], model.of_windows(audio).mean(1))


def test_other_labels_are_told():
    with pytest.raises(UserError, match="silero_vad: expected two labels at 16000 Hz; found 3 at 16000 Hz"):
        victim.build("silero_vad", 3, {}, where="t", signal={"sample_rate_hz": 16000})


@pytest.mark.skipif(not PACKAGE.is_dir(), reason="the package of Silero VAD is not here (make real)")
def test_with_the_makers_weights_it_hears_what_their_own_code_does():
    """Those of their TorchScript, as those of the safetensors beside it are of another training."""
    theirs = torch.jit.load(PACKAGE / "silero_vad.jit")
    names = {"stft_conv.weight": "stft.forward_basis_buffer"}
    for number in range(4):
        for kind in ("weight", "bias"):
            names[f"conv{number + 1}.{kind}"] = f"encoder.{number}.reparam_conv.{kind}"
            names[f"final_conv.{kind}"] = f"decoder.decoder.2.{kind}"
    names |= {f"lstm_cell.{one}": f"decoder.rnn.{one}" for one in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")}
    model, state = network(), theirs.state_dict()
    model.load_state_dict({own: state[f"_model.{name}"] for own, name in names.items()})
    audio = 0.1 * torch.randn(20 * 512)
    told = torch.stack([theirs(window, 16000)[0, 0] for window in audio.split(512)])
    torch.testing.assert_close(model.of_windows(audio[None])[0].sigmoid(), told, rtol=0, atol=1e-5)
