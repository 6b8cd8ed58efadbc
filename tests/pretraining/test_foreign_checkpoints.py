"""Checkpoints of others: converted key for key, and refused where they are another's or would run code."""

import hashlib
import os
import pickle
from argparse import Namespace

import pytest
import torch

from stages.features import wav2vec as features
from stages.frame.errors import UserError
from stages.learning.work import Work
from stages.networks import wav2vec, wav2vec2
from stages.pretraining import fairseq, torchaudio_bundle

SMALL = {"encoder": [[4, 10, 5], [4, 8, 4]], "context": [[4, 2], [4, 3]], "skip": True, "log_compression": True}


@pytest.fixture
def small(monkeypatch):
    """The large architecture narrowed, so that the tests write no 130 MB."""
    monkeypatch.setitem(fairseq.SIZES, "large", SMALL)
    torch.manual_seed(0)
    return wav2vec.build(**SMALL)


def checkpoint(network, **more):
    state = dict(network.state_dict())
    state["wav2vec_predictions.project_to_steps.weight"] = torch.zeros(4, 4, 1, 12)
    state["wav2vec_predictions.project_to_steps.bias"] = torch.zeros(4)
    return {"args": Namespace(arch="wav2vec", lr=[0.005]), "model": state, "extra_state": {"epoch": 3}} | more


def learn(tmp_path, **changed):
    (tmp_path / "finished").mkdir(exist_ok=True)
    values = {"file": "w.pt", "sha256": None, "size": "large"} | changed
    fairseq.learn(Work(tmp_path, tmp_path / "finished", tmp_path, "cpu"), fairseq.Recipe(**values))
    return tmp_path / "finished"


def test_a_fairseq_checkpoint_becomes_a_front_end_with_its_weights(tmp_path, small):
    torch.save(checkpoint(small), tmp_path / "w.pt")
    finished = learn(tmp_path, sha256=hashlib.sha256((tmp_path / "w.pt").read_bytes()).hexdigest())
    front_end = features.load(finished, "cpu", longest_s=None)
    audio, length = torch.randn(1, 2000), torch.tensor([2000])
    assert torch.equal(front_end(audio, length)[0], small.eval()(audio, length)[0])


class Malicious:
    """Unpickled it would make a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


def test_a_pickle_that_would_run_code_is_refused_and_runs_none(tmp_path, small):
    torch.save(checkpoint(small, optimizer_history=Malicious(tmp_path / "ran")), tmp_path / "w.pt")
    with pytest.raises(UserError, match=r"w.pt: expected tensors and plain values alone; found an object posix.system"):
        learn(tmp_path)
    (tmp_path / "w.pt").write_bytes(pickle.dumps(Malicious(tmp_path / "ran")))
    with pytest.raises(UserError, match="expected tensors and plain values alone"):
        learn(tmp_path)
    assert not (tmp_path / "ran").exists()


def test_what_is_no_such_checkpoint_is_one_line(tmp_path, small):
    with pytest.raises(
        UserError, match=r"expected a checkpoint; found no such file; fetch https://dl.fbaipublicfiles.com"
    ):
        learn(tmp_path)
    torch.save({"state": {}}, tmp_path / "w.pt")
    with pytest.raises(UserError, match=r"w.pt: expected fairseq's entry 'model'; found state"):
        learn(tmp_path)
    with pytest.raises(UserError, match=r"w.pt: expected the SHA-256 00; found [0-9a-f]{64}"):
        learn(tmp_path, sha256="00")
    other = wav2vec.build(**SMALL | {"context": [[4, 2]]})
    torch.save(checkpoint(other), tmp_path / "w.pt")
    with pytest.raises(
        UserError, match=r"w.pt: expected weights of wav2vec .*found .*Missing key.*name the file"
    ) as caught:
        learn(tmp_path)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "finished" / "config.json").exists()


def test_a_bundle_is_read_from_the_folder_or_says_where_to_get_it(tmp_path, monkeypatch):
    import torchaudio

    bundle = torchaudio.pipelines.WAV2VEC2_BASE
    tiny = bundle._params | {
        "encoder_embed_dim": 16,
        "encoder_num_layers": 2,
        "encoder_num_heads": 2,
        "encoder_ff_interm_features": 16,
        "encoder_pos_conv_groups": 2,
        "extractor_conv_layer_config": [(8, 10, 5), (8, 3, 2)],
    }
    monkeypatch.setattr(bundle, "_params", tiny)
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path / "hub"))
    recipe = torchaudio_bundle.Recipe(bundle="WAV2VEC2_BASE", layer=2)
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")  # nothing answers there
    with pytest.raises(
        UserError, match=r"the bundle WAV2VEC2_BASE: expected its weights at .*wav2vec2_fairseq_base_ls960.pth"
    ):
        torchaudio_bundle.learn(Work(tmp_path, tmp_path, tmp_path, "cpu"), recipe)
    torch.manual_seed(0)
    model = torchaudio.models.wav2vec2_model(**tiny).eval()
    torch.save(model.state_dict(), tmp_path / bundle._path)
    (tmp_path / "finished").mkdir()
    torchaudio_bundle.learn(Work(tmp_path, tmp_path / "finished", tmp_path, "cpu"), recipe)
    front_end = features.load(tmp_path / "finished", "cpu", longest_s=None)
    audio = torch.randn(1, 3000)
    with torch.no_grad():
        expected = model.extract_features(audio)[0][1]
    assert torch.allclose(front_end(audio, torch.tensor([3000]))[0], expected, atol=1e-5)
    with pytest.raises(UserError, match=r"layer of a bundle: expected 1 to 2; found 3"):
        wav2vec2.build(bundle="WAV2VEC2_BASE", layer=3)
