"""Room of networks: DNSMOS P.835, what listeners would say of speech, told from the sound alone (Reddy et al. 2022)."""

from typing import Any

import torch
from torch import Tensor, nn

from stages.frame.errors import UserError
from stages.networks.onnx_graph import Graph

SAMPLE_RATE_HZ = 16_000
# The window of 9.01 s, and how far one is from the next.
WINDOW, HOP = 144_160, 16_000
# The makers' polynomials from the network's outputs to opinions (of the speech, of the background, of all), from the
# constant up.
POLYNOMIALS = ((0.0052439, 1.22083953, -0.08397278), (-0.39604546, 1.60915514, -0.13166888))
POLYNOMIALS += ((0.04602535, 1.11546468, -0.06766283),)


class Dnsmos(nn.Module):
    """Waveforms to mean opinion scores of each of `names`, from about 1 to 5; made by `build`."""

    takes, names = ("audio",), ("speech", "background", "overall")

    def __init__(self, graph: Graph):
        super().__init__()
        self.graph = graph
        self.register_buffer("polynomials", torch.tensor(POLYNOMIALS).T, persistent=False)

    def forward(self, inputs: dict[str, Tensor]) -> Tensor:
        """Opinions (clips, 3), see `names`, of `audio` (clips, samples) in [-1, 1] and `audio_length` (clips,)."""
        lengths = inputs["audio_length"].tolist()
        return torch.stack([self._of(clip[:length]) for clip, length in zip(inputs["audio"], lengths)])

    def _of(self, clip: Tensor) -> Tensor:
        """The mean over windows; a shorter clip is doubled until it fills one, as the makers do."""
        while len(clip) < WINDOW:
            clip = clip.repeat(2)
        # So many whole seconds fit beside a window, by the makers' count.
        count = int(len(clip) // SAMPLE_RATE_HZ - WINDOW / SAMPLE_RATE_HZ) + 1
        windows = [clip[start : start + WINDOW] for start in range(0, count * HOP, HOP)]
        # One by one: of nine windows together the graph's tensors take 4 GB.
        raw = torch.cat([self.graph(one[None]) for one in windows if len(one) == WINDOW])
        powers = torch.stack([raw**power for power in range(len(self.polynomials))])
        return (self.polynomials[:, None] * powers).sum(0).mean(0)


def build(number_of_labels: int, *, sample_rate_hz: int, graph: dict[str, Any]) -> Dnsmos:
    """The measure without its weights, which `stages.pretraining.onnx_model` takes from its makers' file.

    Args:
        number_of_labels: of no meaning to a measure.
        sample_rate_hz: 16000.
        graph: see `onnx_graph.Graph`.

    Raises:
        UserError: another sampling rate, or a graph of other operators.
    """
    if sample_rate_hz != SAMPLE_RATE_HZ:
        do = "correct the sample_rate_hz of the corpus's decoding"
        raise UserError("network dnsmos", f"clips at {SAMPLE_RATE_HZ} Hz", f"{sample_rate_hz} Hz", do)
    return Dnsmos(Graph(**graph))
