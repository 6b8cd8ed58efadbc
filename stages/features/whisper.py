"""Room of features: what a layer of Whisper's encoder hears in a waveform (Radford et al. 2023), differentiable."""

from pathlib import Path

import torch
from torch import Tensor, nn

from stages.features import extractors
from stages.frame.errors import UserError
from stages.frame.parameters import NonNegativeInt, Positive
from stages.learning.hugging_face import Source


class Heard(nn.Module):
    """The frames of a layer for no more than the beginning of each clip; see `load`.

    `signal` is what a network must know of the frames, `shortest` how many samples a clip must have.
    """

    reads, shortest = "audio", 1

    def __init__(self, encoder: nn.Module, front_end: extractors.FrontEnd, layer: int, longest: int | None):
        super().__init__()
        self.encoder, self.front_end, self.layer, self.longest = encoder, front_end, layer, longest
        # Frames of sound are joined in pairs.
        self.samples_per_frame = front_end.longest // encoder.config.max_source_positions
        self.signal = {"features": encoder.config.d_model}

    def forward(self, audio: Tensor, audio_length: Tensor) -> tuple[Tensor, Tensor]:
        """Frames (clips, longest, features) of waveforms (clips, samples) at 16 kHz in [-1, 1], and their numbers.

        Each clip is heard alone, with silence after it up to the end of the model's window, as it was trained.
        """
        if self.longest is not None:
            audio, audio_length = audio[:, : self.longest], audio_length.clamp_max(self.longest)
        numbers = (audio_length / self.samples_per_frame).ceil().long()
        clips = [self._of(clip[:length]) for clip, length in zip(audio, audio_length.tolist())]
        return torch.cat(clips)[:, : int(numbers.max())], numbers

    def _of(self, clip: Tensor) -> Tensor:
        """Frames (1, positions, features) of the window that begins with one clip (samples,)."""
        return self.encoder(self.front_end(clip[None]), output_hidden_states=True).hidden_states[self.layer]


def load(folder: Path, device: str, *, layer: NonNegativeInt, longest_s: Positive | None) -> Heard:
    """The front end of the Whisper in `folder`, for use and not for training.

    Args:
        folder: as transformers saves it.
        device: where it is to run.
        layer: of which layer the frames are: 0 is what enters the first.
        longest_s: what of a clip is heard, null for all.

    Raises:
        UserError: there is no such model, it is damaged, or it has no such layer.
    """
    source = Source(str(folder), None)
    source.configuration(("whisper",))
    front_end = extractors.build(source.part("AutoFeatureExtractor").to_dict())
    encoder = source.model("AutoModelForSpeechSeq2Seq").get_encoder()
    if layer > encoder.config.encoder_layers:
        expected = f"at most {encoder.config.encoder_layers}"
        raise UserError("params.yaml: layer of whisper", expected, f"{layer}", "correct it")
    longest = None if longest_s is None else round(longest_s * front_end.sample_rate_hz)
    return Heard(encoder, front_end, layer, longest).eval().requires_grad_(False).to(device)
