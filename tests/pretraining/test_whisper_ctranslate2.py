"""A Whisper in the file format of CTranslate2 becomes the one of transformers that it was."""

import json
import struct
from pathlib import Path

import numpy as np
import pytest
import small_transformers
import torch
import transformers

from stages.frame.errors import UserError
from stages.learning.work import Work
from stages.pretraining import whisper_ctranslate2

KINDS = [np.dtype(kind) for kind in ("f4", "i1", "i2", "i4", "f2")]


def text(value: str) -> bytes:
    return struct.pack("<H", len(value) + 1) + value.encode() + b"\0"


def written(variables: dict[str, np.ndarray], *, version=6, spec="WhisperSpec", revision=3) -> bytes:
    """The file, with no aliases."""
    parts = [struct.pack("<I", version), text(spec), struct.pack("<II", revision, len(variables))]
    for name, value in variables.items():
        head = struct.pack(f"<B{value.ndim}IBI", value.ndim, *value.shape, KINDS.index(value.dtype), value.nbytes)
        parts += [text(name), head, value.tobytes()]
    return b"".join([*parts, struct.pack("<I", 0)])


def variables_of(model) -> dict[str, np.ndarray]:
    """What CTranslate2 keeps of a model, in float32: a weight and a bias of each of its layers, heads as numbers."""
    found = {}

    def put(name, *layers):
        for kind in ("weight", "bias"):
            biases = [torch.zeros(len(one.weight)) if one.bias is None else one.bias for one in layers]
            values = [one.weight for one in layers] if kind == "weight" else biases
            norm = {"weight": "gamma", "bias": "beta"} if isinstance(layers[0], torch.nn.LayerNorm) else {}
            found[f"{name}/{norm.get(kind, kind)}"] = torch.cat(values).detach().numpy()

    for part, stack in (("encoder", model.model.encoder), ("decoder", model.model.decoder)):
        found[f"{part}/num_heads"] = np.array(2, "i2")
        found[f"{part}/position_encodings/encodings"] = stack.embed_positions.weight.detach().numpy()
        put(f"{part}/layer_norm", stack.layer_norm)
        for number, layer in enumerate(stack.layers):
            at = f"{part}/layer_{number}"
            own = layer.self_attn
            put(f"{at}/self_attention/layer_norm", layer.self_attn_layer_norm)
            put(f"{at}/self_attention/linear_0", own.q_proj, own.k_proj, own.v_proj)
            put(f"{at}/self_attention/linear_1", own.out_proj)
            if part == "decoder":
                other = layer.encoder_attn
                put(f"{at}/attention/layer_norm", layer.encoder_attn_layer_norm)
                put(f"{at}/attention/linear_0", other.q_proj)
                put(f"{at}/attention/linear_1", other.k_proj, other.v_proj)
                put(f"{at}/attention/linear_2", other.out_proj)
            put(f"{at}/ffn/layer_norm", layer.final_layer_norm)
            put(f"{at}/ffn/linear_0", layer.fc1)
            put(f"{at}/ffn/linear_1", layer.fc2)
    put("encoder/conv1", model.model.encoder.conv1)
    put("encoder/conv2", model.model.encoder.conv2)
    found["decoder/embeddings/weight"] = model.model.decoder.embed_tokens.weight.detach().numpy()
    return found


def in_eight_bits(variables: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The matrices with a scale for each row, as `ct2-transformers-converter --quantization int8` keeps them."""
    found = {}
    for name, value in variables.items():
        found[name] = value
        if value.ndim == 2 and name.endswith("weight"):
            scale = (127 / np.abs(value).max(1)).astype("f4")
            found |= {name: np.rint(value * scale[:, None]).astype("i1"), f"{name}_scale": scale}
    return found


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return small_transformers.whisper(tmp_path_factory.mktemp("whisper") / "model", steps=0)


@pytest.fixture
def root(tmp_path, source):
    """The folder of downloaded models, with one in CTranslate2's format in `w`, but for its model.bin."""
    told = json.loads((source / "generation_config.json").read_text())
    (tmp_path / "root/w").mkdir(parents=True)
    (tmp_path / "finished").mkdir()
    suppressed = {"suppress_ids": told["suppress_tokens"], "suppress_ids_begin": told["begin_suppress_tokens"]}
    (tmp_path / "root/w/config.json").write_text(json.dumps(suppressed))
    (tmp_path / "root/w/tokenizer.json").write_bytes((source / "tokenizer.json").read_bytes())
    return tmp_path / "root"


def learn(root: Path, sha256: str | None = None) -> Path:
    finished = root.parent / "finished"
    recipe = whisper_ctranslate2.Recipe(folder="w", sha256=sha256)
    whisper_ctranslate2.learn(Work(root, finished, root.parent, "cpu"), recipe)
    return finished


@pytest.mark.parametrize(
    ("kept", "tolerance"),
    [
        (lambda one: one, 1e-6),
        (lambda one: {name: v.astype("f2") if v.dtype == "f4" else v for name, v in one.items()}, 1e-3),
        (in_eight_bits, 2e-2),
    ],
)
def test_the_model_is_what_it_was(root, source, kept, tolerance):
    model = transformers.WhisperForConditionalGeneration.from_pretrained(source)
    (root / "w/model.bin").write_bytes(written(kept(variables_of(model))))
    finished = learn(root)
    made = transformers.WhisperForConditionalGeneration.from_pretrained(finished)
    given = torch.randn(1, 8, 100, generator=torch.Generator().manual_seed(0))
    tokens = torch.tensor([[3, 5, 7]])
    expected, found = (one(input_features=given, decoder_input_ids=tokens).logits for one in (model, made))
    assert (found - expected).abs().max() < tolerance * expected.abs().max()
    assert made.config.eos_token_id == model.config.eos_token_id
    assert made.generation_config.suppress_tokens == model.generation_config.suppress_tokens
    assert made.generation_config.begin_suppress_tokens == model.generation_config.begin_suppress_tokens
    assert made.generation_config.max_length == model.config.max_target_positions
    prefixes = [transformers.WhisperTokenizer.from_pretrained(one).prefix_tokens for one in (source, finished)]
    assert prefixes[0] == prefixes[1]


def test_what_is_wrong_is_told(root, source):
    with pytest.raises(UserError, match=r"model\.bin: expected a checkpoint; found no such file"):
        learn(root)
    variables = variables_of(transformers.WhisperForConditionalGeneration.from_pretrained(source))
    whole = written(variables)
    for content, told in [
        (written(variables, version=5), "expected version 6, WhisperSpec of revision 3; found version 5"),
        (written(variables, spec="TransformerSpec"), "found version 6, TransformerSpec of revision 3"),
        (written(variables, revision=2), "found version 6, WhisperSpec of revision 2"),
        (whole[:-5000], r"expected \d+ bytes; found \d+; fetch it again"),
        (written({name: one for name, one in variables.items() if "conv1" not in name}), "the variables of a Whisper"),
        (written(variables | {"encoder/conv3/weight": np.ones(2, "f4")}), "Unexpected key.*conv3"),
    ]:
        (root / "w/model.bin").write_bytes(content)
        with pytest.raises(UserError, match=told):
            learn(root)
    (root / "w/model.bin").write_bytes(whole)
    with pytest.raises(UserError, match=r"expected the SHA-256 beef; found [0-9a-f]{64}; fetch the folder"):
        learn(root, "beef")
    (root / "w/tokenizer.json").write_text("{")
    with pytest.raises(UserError, match="expected a tokenizer; found"):
        learn(root)
