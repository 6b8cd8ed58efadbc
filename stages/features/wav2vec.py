"""Room of features: what a pretrained network of the wav2vec family hears in a waveform, differentiable."""

from pathlib import Path

from torch import Tensor, nn

from stages.frame import about, json_files, parameters, weights
from stages.frame.modules import find
from stages.frame.parameters import Positive


class Heard(nn.Module):
    """The frames of a network for no more than the beginning of each clip; see `load`.

    `signal` is what a network must know of the frames, `shortest` how many samples a clip must have.
    """

    reads = "audio"

    def __init__(self, network: nn.Module, longest: int | None):
        super().__init__()
        self.network, self.longest = network, longest
        self.signal, self.shortest = {"features": network.dimensions}, network.shortest

    def forward(self, audio: Tensor, audio_length: Tensor) -> tuple[Tensor, Tensor]:
        """Frames (clips, longest, features) of waveforms (clips, samples) at 16 kHz in [-1, 1], and their numbers."""
        if self.longest is not None:
            audio, audio_length = audio[:, : self.longest], audio_length.clamp_max(self.longest)
        return self.network(audio, audio_length)


def load(folder: Path, device: str, *, longest_s: Positive | None) -> Heard:
    """The front end of the model in `folder`, for use and not for training.

    Args:
        folder: with `config.json` (network, parameters, sample_rate_hz) and `weights.safetensors`.
        device: where it is to run.
        longest_s: what of a clip is heard, null for all.

    Raises:
        UserError: the folder is incomplete or damaged, or its weights are another network's.
    """
    config = json_files.read(folder / weights.CONFIG, about.PRETRAINED, what="a pretrained model", do="run dvc repro")
    build = find("networks", config["network"], "build", where=str(folder / "config.json"))
    make = parameters.bind(build, str(folder / "config.json"), config["parameters"])
    network = weights.load(make, folder, do="make it again")
    longest = None if longest_s is None else round(longest_s * config["sample_rate_hz"])
    return Heard(network, longest).eval().requires_grad_(False).to(device)
