"""Room of networks: DeepSpeech, a recogniser of speech, as Mozilla's release 0.1 has it (after Hannun et al. 2014).

That release: 26 coefficients every 20 ms, nine frames of context on either side, three dense layers of 2048, 2048 and
4096 units, 2048 LSTM units a direction, one more layer of 2048, dropout of .3.
"""

import torch
from torch import Tensor, nn

from stages.features.context import windows
from stages.features.mfcc import Mfcc
from stages.frame.errors import UserError
from stages.frame.parameters import Count, NonNegativeInt, Positive, Share

LARGEST_ACTIVATION = 20.0
DENSE_LAYERS = 3
# The logit of the blank after a clip's end, whose other logits are zero.
CERTAIN = 30.0
LEAST_VARIANCE = 1e-6


def build(
    number_of_labels: int,
    *,
    sample_rate_hz: int,
    coefficients: Count,
    window_s: Positive,
    hop_s: Positive,
    context: NonNegativeInt,
    hidden_units: list[Count],
    lstm_units: Count,
    last_units: Count,
    dropout: Share,
) -> nn.Module:
    """The untrained recogniser.

    Args:
        number_of_labels: characters, to which the blank is added.
        sample_rate_hz: of the waveforms.
        coefficients: of each frame, from as many filters; see `stages.features.mfcc`.
        window_s: of a frame.
        hop_s: from one frame to the next.
        context: frames seen beside each, on either side.
        hidden_units: of the three dense layers.
        lstm_units: of each direction.
        last_units: of the dense layer behind.
        dropout: after each of the four dense layers.

    Raises:
        UserError: not three `hidden_units`.
    """
    if len(hidden_units) != DENSE_LAYERS:
        raise UserError(
            "network deepspeech",
            f"hidden_units of {DENSE_LAYERS} layers",
            f"{len(hidden_units)}",
            "correct the victim's parameters",
        )
    seen = (2 * context + 1) * coefficients
    return DeepSpeech(
        Mfcc(
            sample_rate_hz=sample_rate_hz,
            window_s=window_s,
            hop_s=hop_s,
            coefficients=coefficients,
            filters=coefficients,
        ),
        context,
        dense=nn.Sequential(*(Dense(*sizes, dropout) for sizes in zip([seen, *hidden_units], hidden_units))),
        recurrent=Bidirectional(hidden_units[-1], lstm_units),
        last=Dense(2 * lstm_units, last_units, dropout),
        decision=nn.Linear(last_units, number_of_labels + 1),
    )


class DeepSpeech(nn.Module):
    """Waveforms to logits; made by `build`. Takes `audio` (clips, samples) in [-1, 1) and `audio_length` (clips,)."""

    takes = ("audio",)

    def __init__(
        self, mfcc: Mfcc, context: int, *, dense: nn.Module, recurrent: nn.Module, last: nn.Module, decision: nn.Module
    ):
        super().__init__()
        self.mfcc, self.context = mfcc, context
        self.dense, self.recurrent, self.last, self.decision = dense, recurrent, last, decision

    def prepare(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """What is attacked: the clips as they are."""
        return inputs

    def steps_of(self, lengths: Tensor) -> Tensor:
        """Steps of clips of so many samples."""
        return self.mfcc.frames_of(lengths)

    def steps(self, inputs: dict[str, Tensor]) -> Tensor:
        """Steps (clips,) before each clip's end."""
        return self.steps_of(inputs["audio_length"])

    def forward(self, inputs: dict[str, Tensor]) -> Tensor:
        """Logits (clips, steps, characters + 1), the blank last, and certain after a clip's end."""
        lengths = inputs["audio_length"].to(inputs["audio"].device)
        coefficients = self.mfcc(inputs["audio"][:, : int(lengths.max())], lengths)
        steps = self.steps_of(lengths)
        inside = torch.arange(coefficients.shape[1], device=steps.device) < steps[:, None]
        seen = standardised(windows(coefficients * inside[..., None], self.context), inside)
        logits = self.decision(self.last(self.recurrent(self.dense(seen), steps)))
        blank = torch.zeros_like(logits[0, 0])
        blank[-1] = CERTAIN
        return torch.where(inside[..., None], logits, blank)


def standardised(values: Tensor, inside: Tensor) -> Tensor:
    """Values (clips, steps, values) brought to mean zero and deviation one of each clip's steps that are `inside`."""
    counted = inside[..., None].to(values)
    count = counted.sum((1, 2), keepdim=True) * values.shape[2]
    centred = values - (values * counted).sum((1, 2), keepdim=True) / count
    variance = (centred.square() * counted).sum((1, 2), keepdim=True) / count
    return centred / variance.clamp_min(LEAST_VARIANCE).sqrt()


class Dense(nn.Module):
    """A dense layer, its activations between 0 and 20, then dropout."""

    def __init__(self, before: int, units: int, dropout: float):
        super().__init__()
        self.layer, self.dropout = nn.Linear(before, units), nn.Dropout(dropout)
        # With torch's own, smaller weights CTC takes much longer to leave its blanks.
        nn.init.kaiming_normal_(self.layer.weight, nonlinearity="relu")

    def forward(self, values: Tensor) -> Tensor:
        return self.dropout(self.layer(values).clamp(0, LARGEST_ACTIVATION))


class Bidirectional(nn.Module):
    """An LSTM each way over (clips, steps, values), to (clips, steps, 2 units), forget gates open to begin with.

    Backwards it reads each clip's own steps turned round, so padding comes last in both directions and has no
    influence. Packed sequences do the same in three times the time.
    """

    def __init__(self, values: int, units: int):
        super().__init__()
        self.ahead, self.back = (nn.LSTM(values, units, batch_first=True) for _ in range(2))
        with torch.no_grad():
            for layer in (self.ahead, self.back):
                layer.bias_ih_l0[units : 2 * units] = 1
                layer.bias_hh_l0[units : 2 * units] = 0

    def forward(self, values: Tensor, steps: Tensor) -> Tensor:
        """`steps` (clips,) are those before each clip's end; what comes after them is of no meaning."""
        place = torch.arange(values.shape[1], device=values.device)
        turned = torch.where(place < steps[:, None], steps[:, None] - 1 - place, place)[..., None]
        # cuDNN gives no gradients in evaluation mode, where attacks need them.
        with torch.backends.cudnn.flags(enabled=self.training):
            ahead, _ = self.ahead(values)
            back, _ = self.back(values.gather(1, turned.expand_as(values)))
        return torch.cat([ahead, back.gather(1, turned.expand_as(back))], -1)
