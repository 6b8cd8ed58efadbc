"""Room of networks: a head behind the learned front end that makes its frames, so that waveforms can be attacked."""

from torch import Tensor, nn


class Encoded(nn.Module):
    """Waveforms, and texts where the head takes them, to logits; `takes` names the inputs.

    `front_end` makes frames and their numbers of `audio` (examples, samples) and `audio_length` (examples,).
    """

    def __init__(self, front_end: nn.Module, head: nn.Module):
        super().__init__()
        self.front_end, self.head = front_end, head
        self.takes = ("audio", "text") if head.takes_text else ("audio",)

    def prepare(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """What is attacked: the waveforms as they are."""
        return inputs

    def forward(self, inputs: dict[str, Tensor]) -> Tensor:
        """Logits (examples, labels)."""
        frames, lengths = self.front_end(inputs["audio"], inputs["audio_length"])
        text = (inputs["text"], inputs["text_length"]) if self.head.takes_text else ()
        return self.head(frames, lengths, *text)
