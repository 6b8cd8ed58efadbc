"""Room of training: the method `hugging_face`, which takes in a model of transformers that was trained elsewhere."""

import json
from dataclasses import dataclass, replace
from typing import Any

from torch import nn

from stages import victim
from stages.frame import weights
from stages.frame.errors import UserError
from stages.learning.hugging_face import Source
from stages.training import finished, recognised
from stages.training.task import Outcome, Task

CLASSIFIER, CTC, WHISPER = "transformers_classifier", "transformers_ctc", "transformers_whisper"
WAV2VEC = ("wav2vec2", "hubert", "wavlm")
# For each network the class of transformers, the types of models, and what is decided.
NETWORKS = {
    CLASSIFIER: ("AutoModelForAudioClassification", ("audio-spectrogram-transformer", *WAV2VEC), "label"),
    CTC: ("AutoModelForCTC", WAV2VEC, "text"),
    WHISPER: ("AutoModelForSpeechSeq2Seq", ("whisper",), "text"),
}


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Which model is taken.

    Args:
        source: its folder as transformers saves it, or its name on the Hugging Face hub.
        revision: of the hub's repository, null for its newest.
        language: what a multilingual Whisper is to write, such as `english`.
    """

    source: str
    revision: str | None = None
    language: str | None = None


def train(task: Task, recipe: Recipe) -> Outcome:
    """Writes the one model, and its decisions, by which its accuracy or its word error rate is told.

    Raises:
        UserError: another network, a model that is missing, damaged, of another type or with code of its own, or one
            that does not fit the corpus.
    """
    network = task.config["network"]
    auto, types = _of_network(network, task.config["decides"])
    source = Source(recipe.source, recipe.revision)
    source.configuration(types)
    features, model = source.part("AutoFeatureExtractor").to_dict(), source.model(auto)
    # One tensor by two names can't be saved. As nobody trains them, two are as good.
    model.config.tie_word_embeddings = False
    configuration = json.loads(model.config.to_json_string(use_diff=False)) | {"_name_or_path": ""}
    parameters = {"configuration": configuration, "features": features}
    labels = task.labels
    if network == CLASSIFIER:
        labels = [model.config.id2label[number] for number in range(model.config.num_labels)]
        finished.check(task, labels, features["sampling_rate"])
    elif network == CTC:
        labels, parameters["order"] = _characters(source, model)
    else:
        parameters |= _tokens(source, model, recipe.language)
    task = replace(task, config=task.config | {"parameters": task.config["parameters"] | parameters})
    module = _module(task, labels, model, source)
    if network == CLASSIFIER:
        return finished.judged(task, module, labels)
    weights.save(task.finished, module, task.config | {"labels": labels})
    return recognised.judged(task)


def _of_network(network: str, decides: str) -> tuple[str, tuple[str, ...]]:
    """The class of transformers and the types of models of a network that decides this."""
    if network not in NETWORKS:
        do = "correct the victim's network or method"
        raise UserError("method hugging_face", f"one of the networks {', '.join(NETWORKS)}", network, do)
    auto, types, decided = NETWORKS[network]
    if decides != decided:
        raise UserError(f"network {network}", f"clips with a {decided}", f"clips with a {decides}", "name another one")
    return auto, types


def _characters(source: Source, model: nn.Module) -> tuple[list[str], list[int]]:
    """The characters that a CTC model writes, in lower case where none is written in both, and its order of outputs."""
    tokenizer = source.part("AutoTokenizer")
    space = getattr(tokenizer, "word_delimiter_token", None)
    silent = {*tokenizer.all_special_tokens, tokenizer.pad_token, tokenizer.unk_token} - {space}
    output_of = {" " if token == space else token: number for token, number in tokenizer.get_vocab().items()}
    output_of = {token: number for token, number in output_of.items() if token not in silent}
    longer = [token for token in output_of if len(token) > 1]
    if longer or not output_of or max(output_of.values()) >= model.config.vocab_size:
        found = repr(longer[0]) if longer else f"{len(output_of)} characters for {model.config.vocab_size} outputs"
        raise UserError(source.name, "a tokenizer of the model's single characters", found, "name another model")
    lower = [token.lower() for token in output_of]
    return lower if len(set(lower)) == len(lower) else list(output_of), [*output_of.values(), tokenizer.pad_token_id]


def _tokens(source: Source, model: nn.Module, language: str | None) -> dict[str, Any]:
    """The parameters of a network of Whisper that say how it writes."""
    told = model.generation_config
    if bool(getattr(told, "is_multilingual", False)) != (language is not None):
        expected = "no language of a model of English alone" if language else "the language of a multilingual model"
        raise UserError(source.name, expected, f"{language or 'none'}", "correct `language` in the victim's training")
    tokenizer = source.part("WhisperTokenizer", language=language, task="transcribe" if language else None)
    return {
        "tokenizer": tokenizer.backend_tokenizer.to_str(),
        "prefix": tokenizer.prefix_tokens,
        "suppressed": list(told.suppress_tokens or []),
        "suppressed_first": list(told.begin_suppress_tokens or []),
    }


def _module(task: Task, labels: list[str], model: nn.Module, source: Source) -> nn.Module:
    """The network of this house around what transformers made."""
    given = {"where": "the victim's parameters", "signal": task.clips.about["signal"]}
    module = victim.build(task.config["network"], len(labels), task.config["parameters"], **given)
    inner = next(one for one in module.modules() if isinstance(one, type(model)))
    weights.fit(inner, model.state_dict(), source.name, expected=f"weights of {type(model).__name__}", do=source.do)
    return module.eval().to(task.device)
