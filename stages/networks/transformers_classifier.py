"""Room of networks: classifiers of sound from transformers, such as AST, wav2vec 2.0, HuBERT and WavLM."""

from typing import Any

from stages.networks.extracted import Extracted, front_end, without_weights
from stages.networks.waveform_classifier import WaveformClassifier


def build(
    number_of_labels: int, *, sample_rate_hz: int, configuration: dict[str, Any], features: dict[str, Any]
) -> WaveformClassifier:
    """The classifier without its weights, which the method `hugging_face` gives it with all of its parameters.

    Args:
        number_of_labels: as many as the configuration says.
        sample_rate_hz: of the clips.
        configuration: `config.json` of the model's folder.
        features: settings of its feature extractor.

    Raises:
        UserError: another sampling rate or feature extractor.
    """
    heard = front_end(features, sample_rate_hz)
    return WaveformClassifier(Extracted(heard, without_weights("AutoModelForAudioClassification", configuration)))
