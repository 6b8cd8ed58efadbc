"""A folder from the Hugging Face hub: none of its code is run, none is asked about, and it comes with its words."""

import json
import os
import pty
import subprocess
import sys

import pytest
from clones import LIMIT_S, ROOT

from stages.frame.errors import UserError
from stages.learning.work import Work
from stages.pretraining import hugging_face

EVIL = "open(r'{}', 'w')\nfrom transformers import BertConfig\nclass C(BertConfig): model_type = 'evil'\n"
LEARN = """
import sys
from pathlib import Path
from stages.frame.errors import told_in_one_line
from stages.learning.work import Work
from stages.pretraining import hugging_face
here = Path(sys.argv[1])
with told_in_one_line():
    hugging_face.learn(Work(here, here / "out", here, "cpu"), hugging_face.Recipe(name="m", revision=None))
"""


@pytest.mark.parametrize("kind", ["evil", "bert"])
def test_code_of_the_folder_is_not_run_and_nobody_is_asked_on_a_terminal(tmp_path, kind):
    (tmp_path / "m").mkdir()
    (tmp_path / "m/evil.py").write_text(EVIL.format(tmp_path / "ran"))
    config = {"model_type": kind, "auto_map": {"AutoConfig": "evil.C", "AutoModel": "evil.M"}}
    (tmp_path / "m/config.json").write_text(json.dumps(config))
    (tmp_path / "m/tokenizer_config.json").write_text(json.dumps({"auto_map": {"AutoTokenizer": ["evil.T", None]}}))
    ours, theirs = pty.openpty()
    os.write(ours, b"y\n")  # what would be answered
    made = subprocess.run(
        [sys.executable, "-c", LEARN, tmp_path],
        cwd=ROOT,
        stdin=theirs,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        env=os.environ | {"HF_HUB_OFFLINE": "1"},
    )
    assert made.returncode == 1
    told = {"evil": "expected a BERT; found a model of the type 'evil'", "bert": "found no model.safetensors"}[kind]
    assert told in made.stderr and made.stderr.count("\n") == 1
    assert "[y/N]" not in made.stdout + made.stderr
    assert not (tmp_path / "ran").exists()


def test_a_model_without_its_tokeniser_is_an_error(tmp_path):
    from transformers import BertConfig, BertModel

    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}
    BertModel(BertConfig(vocab_size=30, max_position_embeddings=16, **sizes)).save_pretrained(tmp_path / "m")
    (tmp_path / "out").mkdir()
    with pytest.raises(
        UserError, match=r"m: expected a tokeniser that knows words \(tokenizer\.json\); .*add the file"
    ):
        recipe = hugging_face.Recipe(name="m", revision=None)
        hugging_face.learn(Work(tmp_path, tmp_path / "out", tmp_path, "cpu"), recipe)
    assert not list((tmp_path / "out").iterdir())
