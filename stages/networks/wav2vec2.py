"""Room of networks: the wav2vec 2.0 family as torchaudio has it, one layer's vectors as features."""

from typing import Literal

import torch
from torch import Tensor, nn

from stages.frame.errors import UserError
from stages.frame.parameters import Count

BUNDLES = Literal["WAV2VEC2_BASE", "WAV2VEC2_LARGE", "WAV2VEC2_LARGE_LV60K", "HUBERT_BASE", "HUBERT_LARGE"]


class Wav2vec2(nn.Module):
    """A model of torchaudio's; `shortest` samples give one frame, `hop_length` is from one to the next."""

    def __init__(self, model: nn.Module, layer: int, normalise: bool, shape: dict):
        super().__init__()
        self.model, self.layer, self.normalise = model, layer, normalise
        self.dimensions = shape["encoder_embed_dim"]
        self.convolutions = shape["extractor_conv_layer_config"]
        self.hop_length, self.shortest = 1, 1
        for _, kernel, stride in self.convolutions:
            self.shortest += (kernel - 1) * self.hop_length
            self.hop_length *= stride

    def frames_of(self, lengths: Tensor) -> Tensor:
        """Frames of clips of so many samples."""
        for _, kernel, stride in self.convolutions:
            lengths = (lengths - kernel).div(stride, rounding_mode="floor") + 1
        return lengths

    def forward(self, audio: Tensor, audio_length: Tensor) -> tuple[Tensor, Tensor]:
        """The layer's vectors (clips, frames, dimensions) of waveforms (clips, samples) at 16 kHz, and how many.

        Clips of the same length go through at once, others not: these models normalise over time, padding included.
        """
        frames = self.frames_of(audio_length)
        made = audio.new_zeros(len(audio), int(frames.max()), self.dimensions)
        for length in audio_length.unique().tolist():
            own = (audio_length == length).nonzero()[:, 0].to(audio.device)
            waveforms = audio[own, :length]
            if self.normalise:
                waveforms = nn.functional.layer_norm(waveforms, waveforms.shape[1:])
            values = self.model.extract_features(waveforms, num_layers=self.layer)[0][-1]
            made = made.index_put((own[:, None], torch.arange(values.shape[1], device=audio.device)), values)
        return made, frames


def build(*, bundle: BUNDLES, layer: Count) -> Wav2vec2:
    """The network without its weights.

    Args:
        bundle: a name in `torchaudio.pipelines`.
        layer: whose vectors the features are, from 1.

    Raises:
        UserError: there is no such layer.
    """
    import torchaudio

    pipeline = getattr(torchaudio.pipelines, bundle)
    count = pipeline._params["encoder_num_layers"]
    if layer > count:
        raise UserError("params.yaml: layer of a bundle", f"1 to {count}", f"{layer}", "correct it")
    model = torchaudio.models.wav2vec2_model(**pipeline._params)
    return Wav2vec2(model, layer, pipeline._normalize_waveform, pipeline._params)
