"""Room of networks: recognisers of English of the wav2vec 2.0 family as torchaudio has them (Baevski et al. 2020)."""

from typing import Literal

import torch
from torch import Tensor, nn

from stages.frame.errors import UserError

BUNDLES = Literal[
    "WAV2VEC2_ASR_BASE_10M",
    "WAV2VEC2_ASR_BASE_100H",
    "WAV2VEC2_ASR_BASE_960H",
    "WAV2VEC2_ASR_LARGE_10M",
    "WAV2VEC2_ASR_LARGE_100H",
    "WAV2VEC2_ASR_LARGE_960H",
    "WAV2VEC2_ASR_LARGE_LV60K_10M",
    "WAV2VEC2_ASR_LARGE_LV60K_100H",
    "WAV2VEC2_ASR_LARGE_LV60K_960H",
    "HUBERT_ASR_LARGE",
    "HUBERT_ASR_XLARGE",
]
# What all of them write, in the order of the logits here.
ALPHABET = [" ", "'", *"abcdefghijklmnopqrstuvwxyz"]
BLANK = "-"
SAMPLE_RATE_HZ = 16_000
# The logit of the blank after a clip's end, whose other logits are zero.
CERTAIN = 30.0


class Wav2vec2Ctc(nn.Module):
    """Waveforms to logits; made by `build`. Takes `audio` (clips, samples) in [-1, 1) and `audio_length` (clips,).

    `network` takes clips of one length to outputs (clips, steps, outputs), a step being what the `convolutions`, of
    each the kernel and the stride, make of samples. `order` says which output is each character, and last the blank.
    """

    takes = ("audio",)

    def __init__(self, network: nn.Module, order: list[int], convolutions: list[tuple[int, int]]):
        super().__init__()
        self.network, self.order, self.convolutions = network, order, convolutions

    def prepare(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """What is attacked: the clips as they are."""
        return inputs

    def steps_of(self, lengths: Tensor) -> Tensor:
        """Steps of clips of so many samples, none of those too short for one."""
        for kernel, stride in self.convolutions:
            lengths = (lengths - kernel).div(stride, rounding_mode="floor") + 1
        return lengths.clamp_min(0)

    def steps(self, inputs: dict[str, Tensor]) -> Tensor:
        """Steps (clips,) before each clip's end."""
        return self.steps_of(inputs["audio_length"])

    def forward(self, inputs: dict[str, Tensor]) -> Tensor:
        """Logits (clips, steps, characters + 1), the blank last, and certain after a clip's end.

        Clips of the same length go through at once, others not: these models normalise over time, padding included.
        """
        audio, lengths = inputs["audio"], inputs["audio_length"]
        steps = self.steps_of(lengths)
        logits = audio.new_zeros(len(audio), max(1, int(steps.max())), len(self.order))
        logits[..., -1] = CERTAIN
        for length in lengths[steps > 0].unique().tolist():
            own = (lengths == length).nonzero()[:, 0].to(audio.device)
            values = self.network(audio[own, :length])[..., self.order]
            logits = logits.index_put((own[:, None], torch.arange(values.shape[1], device=audio.device)), values)
        return logits


class OfTorchaudio(nn.Module):
    """A model of torchaudio's, which may ask for waveforms of mean 0 and variance 1, as clips to outputs."""

    def __init__(self, model: nn.Module, *, normalise: bool):
        super().__init__()
        self.model, self.normalise = model, normalise

    def forward(self, waveforms: Tensor) -> Tensor:
        """Outputs (clips, steps, outputs) of clips of one length."""
        if self.normalise:
            waveforms = nn.functional.layer_norm(waveforms, waveforms.shape[1:])
        return self.model(waveforms)[0]


def build(number_of_labels: int, *, sample_rate_hz: int, bundle: BUNDLES) -> nn.Module:
    """The recogniser without its weights, which the method `published_recogniser` gives it.

    Args:
        number_of_labels: those of `ALPHABET`.
        sample_rate_hz: 16000.
        bundle: a name in `torchaudio.pipelines`.

    Raises:
        UserError: another alphabet or sampling rate.
    """
    import torchaudio

    if sample_rate_hz != SAMPLE_RATE_HZ:
        raise UserError(
            "network wav2vec2_ctc",
            f"clips at {SAMPLE_RATE_HZ} Hz",
            f"{sample_rate_hz} Hz",
            "correct the corpus's sample_rate_hz",
        )
    if number_of_labels != len(ALPHABET):
        raise UserError(
            "network wav2vec2_ctc",
            f"{len(ALPHABET)} labels, {''.join(ALPHABET)!r}",
            f"{number_of_labels}",
            "name the method published_recogniser",
        )
    pipeline = getattr(torchaudio.pipelines, bundle)
    outputs = [label.lower().replace("|", " ") for label in pipeline.get_labels(blank=BLANK)]
    model = torchaudio.models.wav2vec2_model(**pipeline._params)
    return Wav2vec2Ctc(
        OfTorchaudio(model, normalise=pipeline._normalize_waveform),
        [outputs.index(label) for label in (*ALPHABET, BLANK)],
        [(kernel, stride) for _, kernel, stride in pipeline._params["extractor_conv_layer_config"]],
    )
