"""Room of networks: NSNet2, an enhancer of speech by a mask (Braun and Tashev 2020), the baseline of the DNS challenge.

Its own framing: 20 ms, every 10 ms from the clip's start, under the root of a Hann window on both ways.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import fold, pad

from stages.frame.errors import UserError
from stages.networks.onnx_graph import Graph
from stages.victim import inside

SAMPLE_RATE_HZ = 16_000
FRAME, HOP = 320, 160
LEAST_POWER = 1e-12
# Nothing is made quieter than by 80 dB.
LEAST_GAIN = 1e-4


class Nsnet2(nn.Module):
    """Noisy waveforms to enhanced ones; made by `build`.

    Takes `audio` (clips, samples) in [-1, 1) and `audio_length` (clips,), gives (clips, samples), zero after each
    clip's end. The mask of a frame follows from that frame and those before it.
    """

    takes = ("audio",)

    def __init__(self, graph: Graph):
        super().__init__()
        self.graph = graph
        window = torch.hann_window(FRAME, periodic=False).sqrt()
        self.register_buffer("window", window, persistent=False)

    def forward(self, inputs: dict[str, Tensor]) -> Tensor:
        """Enhanced waveforms (clips, samples)."""
        own, samples = inside(inputs), inputs["audio"].shape[1]
        audio = pad(inputs["audio"] * own, (0, -samples % HOP + HOP))
        spectrum = torch.fft.rfft(audio.unfold(1, FRAME, HOP) * self.window)
        power = torch.view_as_real(spectrum).square().sum(-1)
        gain = self.graph(power.clamp_min(LEAST_POWER).log10()).clamp(LEAST_GAIN, 1)
        frames = torch.fft.irfft(spectrum * gain, FRAME) * self.window
        whole = fold(frames.mT, (1, audio.shape[1]), (1, FRAME), stride=(1, HOP))
        return whole.flatten(1)[:, :samples] * own


def build(number_of_labels: int, *, sample_rate_hz: int, graph: dict[str, Any]) -> Nsnet2:
    """The enhancer without its weights, which `stages.pretraining.onnx_model` takes from its makers' file.

    Args:
        number_of_labels: of no meaning to an enhancer.
        sample_rate_hz: 16000.
        graph: of the mask, see `onnx_graph.Graph`.

    Raises:
        UserError: another sampling rate, or a graph of other operators.
    """
    if sample_rate_hz != SAMPLE_RATE_HZ:
        do = "correct the sample_rate_hz of the corpus's decoding"
        raise UserError("network nsnet2", f"clips at {SAMPLE_RATE_HZ} Hz", f"{sample_rate_hz} Hz", do)
    return Nsnet2(Graph(**graph))
