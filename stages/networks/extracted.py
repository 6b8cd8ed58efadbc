"""Room of networks: a network of transformers behind its own feature extraction, so that waveforms can be attacked."""

import json
from typing import Any

from torch import Tensor, nn

from stages.features import extractors
from stages.frame.errors import UserError


class Extracted(nn.Module):
    """Clips of one length (clips, samples) in [-1, 1] to a network's logits."""

    def __init__(self, front_end: extractors.FrontEnd, model: nn.Module):
        super().__init__()
        self.front_end, self.model = front_end, model

    def forward(self, audio: Tensor) -> Tensor:
        """Logits of waveforms."""
        return self.model(self.front_end(audio)).logits


def front_end(features: dict[str, Any], sample_rate_hz: int) -> extractors.FrontEnd:
    """The front end of a feature extractor's settings, for clips of this rate.

    Raises:
        UserError: the model hears sound of another rate, or by another extractor.
    """
    made = extractors.build(features)
    if sample_rate_hz != made.sample_rate_hz:
        expected, do = f"clips at {made.sample_rate_hz} Hz", "correct the sample_rate_hz of the corpus's decoding"
        raise UserError("a network of transformers", expected, f"{sample_rate_hz} Hz", do)
    return made


def without_weights(auto: str, configuration: dict[str, Any]) -> nn.Module:
    """The network that transformers' class `auto`, such as `AutoModelForCTC`, builds of a configuration."""
    import transformers

    # Plain mappings, as what is read from our own files is more than that.
    config = transformers.AutoConfig.for_model(**json.loads(json.dumps(configuration)))
    return getattr(transformers, auto).from_config(config)
