"""Room of features: differentiable decibel log-mel spectrograms, in chunks of one length where clips are longer."""

import torch
from torch import Tensor, nn

CHUNK_FRAMES, LEAST_FRAMES = 128, 32


class LogMel(nn.Module):
    """Mel spectrogram in decibels relative to each clip's own maximum.

    Equal to librosa's `power_to_db(melspectrogram(..., pad_mode="constant"), ref=np.max, top_db=...)` with Slaney's
    filters and a Hann window. Power is re² + im² and floored before the logarithm, so that silence has a zero gradient
    and not NaN. The clip's maximum stays in the graph.
    """

    AMIN = 1e-10

    def __init__(
        self,
        *,
        sample_rate_hz: int,
        window_length: int = 1024,
        hop_length: int = 512,
        mels: int = 64,
        magnitude: bool = False,
        top_db: float | None = None,
    ):
        super().__init__()
        from torchaudio.functional import melscale_fbanks

        self.window_length, self.hop_length = window_length, hop_length
        self.magnitude, self.top_db = magnitude, top_db
        filters = melscale_fbanks(
            window_length // 2 + 1, 0.0, sample_rate_hz / 2, mels, sample_rate_hz, norm="slaney", mel_scale="slaney"
        )
        self.register_buffer("filters", filters.T.contiguous(), persistent=False)
        self.register_buffer("window", torch.hann_window(window_length), persistent=False)

    def frames(self, lengths: Tensor) -> Tensor:
        """Number of frames of clips of so many samples."""
        return lengths // self.hop_length + 1

    def forward(self, waveform: Tensor, lengths: Tensor) -> Tensor:
        """Decibels <= 0 of shape (clips, mels, frames) of waveforms (clips, samples) that are zero after `lengths`.

        Frames after a clip's end hold the clip's minimum.
        """
        spectrum = torch.stft(
            waveform,
            self.window_length,
            self.hop_length,
            window=self.window,
            center=True,
            pad_mode="constant",
            return_complex=True,
        )
        power = spectrum.real.square() + spectrum.imag.square()
        if self.magnitude:
            power = power.clamp_min(self.AMIN**2).sqrt()
        log_mel = 10 * (self.filters @ power).clamp_min(self.AMIN).log10()
        if self.magnitude:
            log_mel = 2 * log_mel
        after_end = torch.arange(log_mel.shape[-1]) >= self.frames(lengths)[:, None]
        after_end = after_end.to(log_mel.device)[:, None, :]
        log_mel = log_mel - log_mel.masked_fill(after_end, -torch.inf).amax((1, 2), keepdim=True)
        if self.top_db is not None:
            log_mel = log_mel.clamp_min(-self.top_db)
        minimum = log_mel.masked_fill(after_end, torch.inf).amin((1, 2), keepdim=True)
        return torch.where(after_end, minimum, log_mel)


class LogMelChunks(nn.Module):
    """Clips to log-mel chunks (chunks, 1, 64, 128), standardised by one mean and deviation from training."""

    def __init__(self, sample_rate_hz: int):
        super().__init__()
        self.log_mel = LogMel(sample_rate_hz=sample_rate_hz)
        self.register_buffer("mean", torch.zeros(()))
        self.register_buffer("deviation", torch.ones(()))

    def forward(self, waveform: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Chunks of the waveforms (clips, samples), and the clip that each was cut from."""
        log_mel = self.log_mel(waveform, lengths)
        missing = max(0, CHUNK_FRAMES - log_mel.shape[-1])
        minimum = log_mel.amin((1, 2))[:, None, None].expand(-1, log_mel.shape[1], missing)
        log_mel = torch.cat([log_mel, minimum], -1)
        chunks, owners = cut(log_mel, self.log_mel.frames(lengths), size=CHUNK_FRAMES, least=LEAST_FRAMES)
        return (chunks[:, None] - self.mean) / self.deviation, owners


def starts(length: int, size: int, least: int) -> list[int]:
    """Where the chunks of a sequence begin.

    Full chunks follow one another; a remainder of at least `least` is covered by one more chunk that ends where the
    sequence ends, a shorter one is left out; a sequence shorter than a chunk gives one (Iqbal et al., DCASE 2018).
    """
    whole, remainder = divmod(length, size)
    if whole == 0:
        return [0]
    return [size * number for number in range(whole)] + ([length - size] if remainder >= least else [])


def cut(sequences: Tensor, lengths: Tensor, *, size: int, least: int) -> tuple[Tensor, Tensor]:
    """Chunks (chunks, ..., size) of sequences (clips, ..., time), and the clip that each was cut from (chunks,).

    `sequences` must be at least `size` long, and hold after each length what short ones are to be filled with.
    """
    plan = [(clip, start) for clip, length in enumerate(lengths.tolist()) for start in starts(length, size, least)]
    owners, begins = torch.tensor(plan).T
    if len(plan) == len(sequences) and not begins.any():
        return sequences[..., :size], owners
    owners, begins = owners.to(sequences.device), begins.to(sequences.device)
    columns = begins[:, None] + torch.arange(size, device=sequences.device)
    columns = columns.view(len(plan), *[1] * (sequences.dim() - 2), size).expand(-1, *sequences.shape[1:-1], -1)
    return sequences.index_select(0, owners).gather(-1, columns), owners
