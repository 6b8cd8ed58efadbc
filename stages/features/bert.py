"""Room of features: what a BERT makes of the pieces of a text (Devlin et al. 2019)."""

from pathlib import Path
from typing import Annotated, Any

import numpy as np

from stages.frame import finite, json_files, weights
from stages.frame.errors import UserError
from stages.frame.parameters import Count, Range

SCHEMA = {"model_type": str, "num_hidden_layers": Annotated[int, Range(1, 100)]} | dict.fromkeys(
    ("vocab_size", "hidden_size", "num_attention_heads", "intermediate_size", "max_position_embeddings"), Count
)


class Read:
    """Texts to vectors of their pieces; see `load`. `signal` is what a network must know of them."""

    reads = "text"

    def __init__(self, model: Any, tokeniser: Any, layer: int):
        self.model, self.tokeniser, self.layer = model, tokeniser, layer
        self.signal = {"features": model.config.hidden_size}

    def __call__(self, texts: list[str]) -> list[dict[str, np.ndarray]]:
        """For each text `text` (pieces, features) and `word` (pieces,), which of the text's words a piece belongs to.

        Words are what white space separates. The model sees a piece before the first and one after the last that stand
        for no word and are left out here. The texts of a batch have no influence on each other.

        Raises:
            UserError: a text has no word, or more pieces than the model has places.
        """
        import torch

        self._check(texts)
        given = self.tokeniser(
            [text.split() for text in texts],
            is_split_into_words=True,
            padding=True,
            return_tensors="pt",
        )
        with torch.inference_mode():
            hidden = self.model(
                input_ids=given["input_ids"].to(self.model.device),
                attention_mask=given["attention_mask"].to(self.model.device),
                output_hidden_states=True,
            ).hidden_states[self.layer]
        hidden = hidden.cpu().numpy()
        words = [given.word_ids(number) for number in range(len(texts))]
        return [_own(vectors, own) for vectors, own in zip(hidden, words)]

    def _check(self, texts: list[str]) -> None:
        places = self.model.config.max_position_embeddings
        for text in texts:
            if not text.strip():
                raise UserError("a clip's text", "at least one word", repr(text), "leave the clip out of the corpus")
            pieces = len(self.tokeniser(text.split(), is_split_into_words=True)["input_ids"])
            if pieces > places:
                raise UserError(
                    f"the text {text[:40]!r}...",
                    f"at most {places} pieces of words, what the model has places for",
                    f"{pieces}",
                    "shorten it",
                )


def load(folder: Path, device: str, *, layer: int) -> Read:
    """The model in `folder`, for use and not for training.

    Args:
        folder: what transformers saved of a BERT and its tokeniser.
        device: where it is to run.
        layer: of which layer the vectors are: 0 is what enters the first layer, -1 what leaves the last, -2 what leaves
            the last but one.

    Raises:
        UserError: there is no such model, see `opened`, or it has no such layer.
    """
    model, tokeniser = opened(folder, do="run dvc repro")
    count = model.config.num_hidden_layers
    if not -count - 1 <= layer <= count:
        raise UserError("params.yaml: layer of bert", f"from {-count - 1} to {count}", f"{layer}", "correct it")
    return Read(model.eval().to(device), tokeniser, layer)


def opened(source: Path | str, *, revision: str | None = None, do: str) -> tuple[Any, Any]:
    """A BERT and its tokeniser; no code that may lie beside them is run, and nobody is asked whether to run it.

    Args:
        source: the folder, or as text a name on the Hugging Face hub.
        revision: of the hub's repository, null for its newest.
        do: what the user can do where they are missing or wrong, for errors.

    Raises:
        UserError: they are missing, damaged, of another architecture, without some weights or with others, or the
            tokeniser knows no words.
    """
    import transformers

    # It would report that the layer that predicts words is left out.
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    config = _file(source, "config.json", revision, do)
    kind = json_files.read(config, SCHEMA, what="a pretrained model", do=do)["model_type"]
    if kind != "bert":
        raise UserError(source, "a BERT", f"a model of the type {kind!r}", "correct its name")
    _check_weights(_file(source, "model.safetensors", revision, do), do)
    try:
        model, report = transformers.BertModel.from_pretrained(
            source, add_pooling_layer=False, use_safetensors=True, output_loading_info=True, revision=revision
        )
        tokeniser = transformers.AutoTokenizer.from_pretrained(source, revision=revision, trust_remote_code=False)
    # On damaged files the two end in many an error, and the tokeniser in a bare Exception.
    except Exception as error:
        found = f"{type(error).__name__}: {str(error).strip()[:200]}"
        raise UserError(source, "a BERT and its tokeniser as transformers saves them", found, do) from error
    _check_whole(source, report, do)
    _check_knows_words(source, tokeniser, model.config.vocab_size)
    return model, tokeniser


def _file(source: Path | str, name: str, revision: str | None, do: str) -> Path:
    """One of its files, from the hub or its cache where `source` is a name."""
    from transformers.utils import cached_file

    if isinstance(source, Path):
        return source / name
    try:
        return Path(cached_file(source, name, revision=revision))
    except (OSError, ValueError) as error:
        raise UserError(source, name, str(error).strip().splitlines()[0], do) from error


def _check_weights(path: Path, do: str) -> None:
    for name, value in weights.read(path, do=do).items():
        if not value.is_floating_point() and not name.endswith("position_ids"):
            raise UserError(path, f"floats as {name}", f"{value.dtype}", do)
        finite.check(value, path, name, do=do)


def _check_whole(source: Path | str, report: dict[str, Any], do: str) -> None:
    """Passes weights that are those of all layers, and of no further ones."""
    missing = sorted(report["missing_keys"])
    further = sorted(name for name in report["unexpected_keys"] if "encoder.layer" in name)
    if missing or further:
        found = f"no {missing[0]}" if missing else f"{further[0]} besides"
        raise UserError(source, "all weights of the BERT that config.json describes", found, do)


def _check_knows_words(source: Path | str, tokeniser: Any, pieces: int) -> None:
    """Passes a tokeniser that says which piece is of which word, and makes no piece that the model does not know."""
    vocabulary = tokeniser.get_vocab()
    words = set(vocabulary) - set(tokeniser.all_special_tokens)
    if not tokeniser.is_fast or not words or tokeniser.pad_token_id is None:
        found = f"one of {len(words)} pieces of words"
        raise UserError(source, "a tokeniser that knows words (tokenizer.json)", found, "add the file")
    if not isinstance(tokeniser.model_max_length, int | float):
        found = repr(tokeniser.model_max_length)
        raise UserError(source, "a number as the tokeniser's model_max_length", found, "add the model's own")
    if max(vocabulary.values()) >= pieces:
        found = f"one of {max(vocabulary.values()) + 1}"
        raise UserError(source, f"a tokeniser of at most the model's {pieces} pieces", found, "add the model's own")


def _own(vectors: np.ndarray, words: list[int | None]) -> dict[str, np.ndarray]:
    kept = [place for place, word in enumerate(words) if word is not None]
    return {"text": vectors[kept], "word": np.array([words[place] for place in kept], np.int64)}
