"""Room of features: what a BERT makes of the pieces of a text (Devlin et al. 2019)."""

from pathlib import Path
from typing import Any

import numpy as np

from stages.frame.errors import UserError


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
        UserError: there is no model, or it has no such layer.
    """
    import transformers
    from transformers import AutoTokenizer, BertModel

    if not (folder / "config.json").is_file():
        raise UserError(folder, "a pretrained model", "no config.json", "run dvc repro")
    # It would report that the layer that predicts words is left out.
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    model = BertModel.from_pretrained(folder, add_pooling_layer=False, use_safetensors=True).eval().to(device)
    count = model.config.num_hidden_layers
    if not -count - 1 <= layer <= count:
        raise UserError("params.yaml: layer of bert", f"from {-count - 1} to {count}", f"{layer}", "correct it")
    return Read(model, AutoTokenizer.from_pretrained(folder), layer)


def _own(vectors: np.ndarray, words: list[int | None]) -> dict[str, np.ndarray]:
    kept = [place for place, word in enumerate(words) if word is not None]
    return {"text": vectors[kept], "word": np.array([words[place] for place in kept], np.int64)}
