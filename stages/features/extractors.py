"""Room of features: what the feature extractors of transformers make of waveforms, as modules that gradients pass.

Each front end takes clips of one length (clips, samples) at its `sample_rate_hz` and in [-1, 1], and gives what the
model of that extractor takes. `shortest` and `longest` (null for any) are the numbers of samples that a clip may have.
"""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from stages.frame.errors import UserError


class FrontEnd(nn.Module):
    """What all have in common: their `extract` is given clips that fit."""

    def __init__(self, sample_rate_hz: int, *, shortest: int = 1, longest: int | None = None):
        super().__init__()
        self.sample_rate_hz, self.shortest, self.longest = sample_rate_hz, shortest, longest

    def forward(self, audio: Tensor) -> Tensor:
        """What the model takes of waveforms (clips, samples).

        Raises:
            UserError: the clips are shorter or longer than the model's window.
        """
        samples, longest = audio.shape[1], self.longest or math.inf
        if self.shortest <= samples <= longest:
            return self.extract(audio)
        shortest_s, longest_s, found_s = (one / self.sample_rate_hz for one in (self.shortest, longest, samples))
        do = "leave it out; `longest_s` of the corpus's decoding leaves out what is longer"
        raise UserError("a clip", f"{shortest_s:g} to {longest_s:g} s, the model's window", f"{found_s:g} s", do)


class ZeroMean(FrontEnd):
    """Waveforms of mean 0 and variance 1 (`Wav2Vec2FeatureExtractor`), or as they are."""

    # What keeps silence finite.
    LEAST_VARIANCE = 1e-7

    def __init__(self, settings: Any):
        super().__init__(settings.sampling_rate)
        self.normalise = settings.do_normalize

    def extract(self, audio: Tensor) -> Tensor:
        """Waveforms (clips, samples)."""
        if not self.normalise:
            return audio
        variance, mean = torch.var_mean(audio, 1, correction=0, keepdim=True)
        return (audio - mean) / (variance + self.LEAST_VARIANCE).sqrt()


class KaldiMel(FrontEnd):
    """Kaldi's log-mel filter bank, filled up with zeros to a fixed number of frames (`ASTFeatureExtractor`)."""

    # Kaldi's frames of 25 ms, every 10 ms, of which none reaches beyond the clip.
    FRAME_S, HOP_S = 0.025, 0.01

    def __init__(self, settings: Any):
        frame, hop = (int(seconds * settings.sampling_rate) for seconds in (self.FRAME_S, self.HOP_S))
        longest = frame + settings.max_length * hop - 1
        super().__init__(settings.sampling_rate, shortest=frame, longest=longest)
        self.mels, self.frames = settings.num_mel_bins, settings.max_length
        self.mean, self.deviation = (settings.mean, settings.std) if settings.do_normalize else (0.0, 0.5)

    def extract(self, audio: Tensor) -> Tensor:
        """Standardised log-mel frames (clips, frames, mels), the deviation being a half."""
        from torchaudio.compliance.kaldi import fbank

        options = {"sample_frequency": self.sample_rate_hz, "window_type": "hanning", "num_mel_bins": self.mels}
        frames = torch.stack([fbank(clip[None], **options) for clip in audio])
        return (pad(frames, (0, 0, 0, self.frames - frames.shape[1])) - self.mean) / (2 * self.deviation)


class WhisperMel(FrontEnd):
    """Whisper's log-mel window, at most 80 dB below its loudest value (`WhisperFeatureExtractor`; Radford et al. 2023).

    What is behind a clip's end in the window is silence.
    """

    def __init__(self, settings: Any):
        super().__init__(settings.sampling_rate, longest=settings.n_samples)
        self.hop_length = settings.hop_length
        self.register_buffer("filters", torch.from_numpy(settings.mel_filters).float().T, persistent=False)
        self.register_buffer("window", torch.hann_window(settings.n_fft), persistent=False)

    def extract(self, audio: Tensor) -> Tensor:
        """Frames (clips, mels, frames) of the whole window."""
        audio = pad(audio, (0, self.longest - audio.shape[1]))
        spectrum = torch.stft(audio, len(self.window), self.hop_length, window=self.window, return_complex=True)
        power = torch.view_as_real(spectrum[..., :-1]).square().sum(-1)
        log_mel = (self.filters @ power).clamp_min(1e-10).log10()
        return (torch.maximum(log_mel, log_mel.amax((1, 2), keepdim=True) - 8) + 4) / 4


FRONT_ENDS = {
    "Wav2Vec2FeatureExtractor": ZeroMean,
    "ASTFeatureExtractor": KaldiMel,
    "WhisperFeatureExtractor": WhisperMel,
}


def build(features: dict[str, Any]) -> FrontEnd:
    """The front end of the feature extractor that transformers makes of these settings.

    Raises:
        UserError: it is none of those above.
    """
    import transformers

    kind = features.get("feature_extractor_type")
    if kind not in FRONT_ENDS:
        raise UserError(
            "a model's feature extractor", f"one of {', '.join(FRONT_ENDS)}", f"{kind}", "name another model"
        )
    return FRONT_ENDS[kind](getattr(transformers, kind).from_dict(features))
