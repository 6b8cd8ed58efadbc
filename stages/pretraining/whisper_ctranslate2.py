"""Room of pretraining: a Whisper from the folder of CTranslate2, as faster-whisper deploys it, for transformers."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor

from stages.frame import json_files, weights
from stages.frame.errors import UserError
from stages.learning import ctranslate2, foreign
from stages.learning.work import Work

if TYPE_CHECKING:
    from tokenizers import Tokenizer

SCHEMA = {"suppress_ids": list[int], "suppress_ids_begin": list[int]}
DO = "fetch the folder again"
ADDRESS = "the folder, such as one that faster-whisper has fetched"
# From so many tokens on a Whisper knows other languages than English.
MULTILINGUAL = 51865
# Names of CTranslate2, and what transformers calls the same. What several matrices are in one is in `JOINED`.
NAMES = {
    r"(en|de)coder/layer_(\d+)/": r"model.\1coder.layers.\2.",
    r"(en|de)coder/": r"model.\1coder.",
    r"self_attention/layer_norm/": "self_attn_layer_norm.",
    r"attention/layer_norm/": "encoder_attn_layer_norm.",
    r"ffn/layer_norm/": "final_layer_norm.",
    r"ffn/linear_0/": "fc1.",
    r"ffn/linear_1/": "fc2.",
    r"position_encodings/encodings": "embed_positions.weight",
    r"embeddings/weight": "embed_tokens.weight",
    r"(conv\d|layer_norm)/": r"\1.",
    r"gamma$": "weight",
    r"beta$": "bias",
}
# Of attentions: which of queries, keys, values and outputs each matrix holds, one above the other.
JOINED = {
    "self_attention/linear_0": "qkv",
    "self_attention/linear_1": ("out",),
    "attention/linear_0": "q",
    "attention/linear_1": "kv",
    "attention/linear_2": ("out",),
}


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Which model is converted.

    Args:
        folder: in the folder of downloaded models, with `model.bin`, `config.json` and `tokenizer.json`.
        sha256: what that of `model.bin` must be, null to trust it.
    """

    folder: str
    sha256: str | None


def learn(work: Work, recipe: Recipe) -> None:
    """Writes the model, its tokenizer and its feature extractor as transformers saves them.

    Raises:
        UserError: a file is missing, damaged or of another kind of model.
    """
    import transformers

    folder = work.root / recipe.folder
    foreign.check_file(folder / "model.bin", address=ADDRESS, sha256=recipe.sha256)
    told = json_files.read(folder / "config.json", SCHEMA, what="a CTranslate2 Whisper", do=DO)
    tokenizer = _tokenizer(folder / "tokenizer.json")
    variables = ctranslate2.read(folder / "model.bin", spec="WhisperSpec", revision=3)
    try:
        config = _configuration(variables, tokenizer)
        state = {name: value for one in variables.items() for name, value in _renamed(*one).items()}
    except (KeyError, IndexError, ValueError) as error:
        raise UserError(folder / "model.bin", "the variables of a Whisper", f"{error!r}", DO) from error
    model = transformers.WhisperForConditionalGeneration(transformers.WhisperConfig(**config))
    state["proj_out.weight"] = state["model.decoder.embed_tokens.weight"]
    weights.fit(model, state, folder / "model.bin", expected="the variables of a Whisper", do=DO)
    model.generation_config.suppress_tokens = told["suppress_ids"]
    model.generation_config.begin_suppress_tokens = told["suppress_ids_begin"]
    model.generation_config.max_length = config["max_target_positions"]
    model.generation_config.no_timestamps_token_id = tokenizer.token_to_id("<|notimestamps|>")
    model.generation_config.is_multilingual = config["vocab_size"] >= MULTILINGUAL
    model.save_pretrained(work.finished)
    transformers.WhisperTokenizer(tokenizer_object=tokenizer).save_pretrained(work.finished)
    transformers.WhisperFeatureExtractor(feature_size=config["num_mel_bins"]).save_pretrained(work.finished)


def _tokenizer(path: Path) -> "Tokenizer":
    from tokenizers import Tokenizer

    try:
        return Tokenizer.from_file(str(path))
    # The library has no other.
    except Exception as error:
        raise UserError(path, "a tokenizer", str(error)[:200], DO) from error


def _configuration(variables: dict[str, Tensor], tokenizer: "Tokenizer") -> dict[str, Any]:
    """What transformers is told of the model: sizes, and its tokens of ends and starts."""
    vocabulary, size = variables["decoder/embeddings/weight"].shape
    end, start = (tokenizer.token_to_id(f"<|{name}|>") for name in ("endoftext", "startoftranscript"))
    told = {"vocab_size": vocabulary, "d_model": size, "num_mel_bins": variables["encoder/conv1/weight"].shape[1]}
    told |= {"pad_token_id": end, "bos_token_id": end, "eos_token_id": end, "decoder_start_token_id": start}
    for part, places in (("encoder", "max_source_positions"), ("decoder", "max_target_positions")):
        layers = {int(one[1]) for name in variables if (one := re.match(rf"{part}/layer_(\d+)/", name))}
        told[f"{part}_layers"] = max(layers, default=-1) + 1
        told[f"{part}_attention_heads"] = int(variables[f"{part}/num_heads"])
        told[f"{part}_ffn_dim"] = len(variables[f"{part}/layer_0/ffn/linear_0/bias"])
        told[places] = len(variables[f"{part}/position_encodings/encodings"])
    return told


def _renamed(name: str, value: Tensor) -> dict[str, Tensor]:
    """A variable as transformers names it: of what is no weight none, of joined matrices each."""
    if value.dim() == 0 or not value.is_floating_point():
        return {}
    joined = re.match(r"((en|de)coder)/layer_(\d+)/(self_attention|attention)/(linear_\d)/(weight|bias)", name)
    if not joined:
        for pattern, ours in NAMES.items():
            name = re.sub(pattern, ours, name)
        return {name: value}
    part, _, layer, attention, matrix, kind = joined.groups()
    holds = JOINED[f"{attention}/{matrix}"]
    inner = "self_attn" if attention == "self_attention" else "encoder_attn"
    parts = zip(holds, value.chunk(len(holds)))
    # Keys have no bias in transformers: it adds the same to all of a query's scores, and softmax takes it away.
    return {
        f"model.{part}.layers.{layer}.{inner}.{one}_proj.{kind}": own.contiguous()
        for one, own in parts
        if (one, kind) != ("k", "bias")
    }
