"""Room of networks: recognisers by CTC from transformers: wav2vec 2.0, HuBERT and WavLM."""

from typing import Any

from stages.networks.extracted import Extracted, front_end, without_weights
from stages.networks.wav2vec2_ctc import Wav2vec2Ctc


def build(
    number_of_labels: int,
    *,
    sample_rate_hz: int,
    configuration: dict[str, Any],
    features: dict[str, Any],
    order: list[int],
) -> Wav2vec2Ctc:
    """The recogniser without its weights, which the method `hugging_face` gives it with all of its parameters.

    Args:
        number_of_labels: the characters that it writes.
        sample_rate_hz: of the clips.
        configuration: `config.json` of the model's folder.
        features: settings of its feature extractor.
        order: which output is each character, and last the blank.

    Raises:
        UserError: another sampling rate or feature extractor.
    """
    model = without_weights("AutoModelForCTC", configuration)
    convolutions = list(zip(model.config.conv_kernel, model.config.conv_stride))
    return Wav2vec2Ctc(Extracted(front_end(features, sample_rate_hz), model), order, convolutions)
