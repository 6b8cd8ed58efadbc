"""A folder of a BERT: opened whole, or told in one line what of it is missing, damaged or another's."""

import json
import math
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from stages.features import bert
from stages.frame.errors import UserError
from stages.pretraining import word_pieces


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    from transformers import BertConfig, BertModel

    folder = tmp_path_factory.mktemp("bert")
    tokeniser = word_pieces.tokeniser(["the sun is warm", "the rain is cold"], 30)
    sizes = {"hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 8}
    torch.manual_seed(0)
    model = BertModel(BertConfig(vocab_size=len(tokeniser), max_position_embeddings=16, **sizes))
    model.save_pretrained(folder)
    tokeniser.save_pretrained(folder)
    return folder


def test_a_whole_folder_is_opened(whole):
    made = bert.load(whole, "cpu", layer=-1)(["The rain"])[0]
    assert made["text"].shape == (len(made["word"]), 8) and set(made["word"]) == {0, 1}


def config(file="config.json", **changed):
    def write(folder):
        path = folder / file
        path.write_text(json.dumps(json.loads(path.read_text()) | changed))

    return write


def weights(change):
    def write(folder):
        path = folder / "model.safetensors"
        state = {name: change(name, value) for name, value in load_file(path).items()}
        save_file({name: value for name, value in state.items() if value is not None}, path, metadata={"format": "pt"})

    return write


def cut(name):
    return lambda folder: (folder / name).write_bytes((folder / name).read_bytes()[:300])


FIRST = "embeddings.LayerNorm.bias"


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: shutil.rmtree(folder), r"expected a pretrained model; found no config\.json"),
        (cut("config.json"), r"config\.json: expected a pretrained model; found no JSON"),
        (lambda folder: (folder / "config.json").write_text("[1]"), "found no mapping but list"),
        (lambda folder: (folder / "config.json").write_text("{}"), "expected an entry 'model_type'"),
        (config(model_type="gpt2"), "expected a BERT; found a model of the type 'gpt2'"),
        (config(hidden_size="x"), "hidden_size: expected a whole number >= 1; found 'x'"),
        (config(num_hidden_layers=-1), "num_hidden_layers: expected a whole number >= 1 and <= 100; found -1"),
        (config(num_hidden_layers=1), r"all weights of the BERT that .*; found encoder\.layer\.1\..* besides"),
        (config(num_hidden_layers=3), r"all weights of the BERT that .*; found no encoder\.layer\.2\."),
        (config(hidden_act="zz"), "expected a BERT and its tokeniser as transformers saves them; found KeyError"),
        (config(hidden_size=16), "expected a BERT and its tokeniser as transformers saves them; found RuntimeError"),
        (lambda folder: (folder / "model.safetensors").unlink(), r"expected weights .*; found no model\.safetensors"),
        (cut("model.safetensors"), "expected weights of a trained model; found a damaged file"),
        (weights(lambda name, value: None if name == FIRST else value), f"found no {FIRST}"),
        (weights(lambda name, value: value.to(torch.int8)), f"expected floats as {FIRST}; found torch.int8"),
        (weights(lambda name, value: value * math.nan), f"expected finite numbers as {FIRST}; found 8"),
        (
            lambda folder: (folder / "tokenizer.json").unlink(),
            r"a tokeniser that knows words \(tokenizer\.json\); found",
        ),
        (config("tokenizer_config.json", model_max_length="9"), "tokeniser's model_max_length; found '9'"),
        (cut("tokenizer.json"), "expected a BERT and its tokeniser as transformers saves them; found JSONDecodeError"),
        (lambda folder: (folder / "tokenizer.json").write_text("{}"), "tokeniser as transformers saves them; found"),
        (
            lambda folder: word_pieces.tokeniser(["abcdefghijklmnopqrstuvwxyz"], 40).save_pretrained(folder),
            "at most the",
        ),
    ],
)
def test_what_is_no_whole_bert_is_one_line(whole, tmp_path, damage, message):
    folder = tmp_path / "mine"
    shutil.copytree(whole, folder)
    damage(folder)
    with pytest.raises(UserError, match=message) as caught:
        bert.load(folder, "cpu", layer=-1)
    assert str(folder) in str(caught.value) and str(caught.value).isprintable()
