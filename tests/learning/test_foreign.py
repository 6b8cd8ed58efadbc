"""Checkpoints of others, damaged in every way: told in one line that names the file, and nothing in them is run."""

import hashlib
import io
import pickle

import numpy as np
import pytest
import torch
from torch import nn

from stages.frame.errors import UserError
from stages.learning import foreign


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv1d(1, 3, 2), nn.BatchNorm1d(3))


def read(path):
    return foreign.read_checkpoint(path, address="https://there", sha256=None)


def saved(value, **how):
    stream = io.BytesIO()
    torch.save(value, stream, **how)
    return stream.getvalue()


class Config:
    """Of a module that whoever reads a checkpoint need not have."""

    __module__ = "omegaconf.dictconfig"


def test_an_object_is_named_without_codes_for_terminals(tmp_path, monkeypatch):
    import sys
    import types

    module = types.ModuleType("omegaconf.dictconfig")
    module.Config = Config
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "omegaconf", types.ModuleType("omegaconf"))
        patch.setitem(sys.modules, "omegaconf.dictconfig", module)
        (tmp_path / "later.pt").write_bytes(saved({"cfg": Config(), "model": {}}))
    with pytest.raises(UserError) as caught:
        read(tmp_path / "later.pt")
    told = str(caught.value)
    assert f"{tmp_path}/later.pt: expected tensors and plain values alone" in told
    assert "; found an object omegaconf.dictconfig.Config; save its tensors alone" in told
    assert told.isprintable()


@pytest.mark.parametrize("old", [False, True])
def test_whatever_is_cut_or_flipped_is_read_or_told(tmp_path, old):
    whole = saved(dict(network().state_dict()), _use_new_zipfile_serialization=not old)
    rng, path, told = np.random.default_rng(0), tmp_path / "x.pt", 0
    for number in range(150):
        content = bytearray(whole[: rng.integers(len(whole))] if number % 2 else whole)
        for _ in range(0 if number % 2 else 3):
            content[rng.integers(len(content))] ^= 1 << rng.integers(8)
        path.write_bytes(content)
        try:
            foreign.take(network(), read(path), path, expected="t", address="there")
        except UserError as error:
            told += 1
            assert str(error).isprintable() and str(path) in str(error)
    assert told > 75


@pytest.mark.parametrize(
    "content", [b"", b"101\n", b"hello world\n", b"\x80\x02.", b"PK\x03\x04" + bytes(50), pickle.dumps([1, 2])[:-3]]
)
def test_what_is_no_checkpoint_is_one_line(tmp_path, content):
    (tmp_path / "x.pt").write_bytes(content)
    with pytest.raises(
        UserError, match=r"x\.pt: expected tensors and plain values alone; .*; fetch https://there again"
    ):
        read(tmp_path / "x.pt")


def test_a_weight_that_was_changed_on_its_way_is_told_by_the_files_own_sums_or_the_one_that_is_given(tmp_path):
    path, value = tmp_path / "x.pt", torch.full((4,), 0.123)
    content = saved({"weight": value})
    assert content.count(value.numpy().tobytes()) == 1
    path.write_bytes(content.replace(value.numpy().tobytes(), (2 * value).numpy().tobytes()))
    with pytest.raises(UserError, match=r"found a damaged file \(BadZipFile\); fetch https://there again"):
        read(path)
    known = hashlib.sha256(path.read_bytes()).hexdigest()
    assert torch.equal(foreign.read_checkpoint(path, address="there", sha256=known)["weight"], 2 * value)


def test_half_precision_and_what_old_torch_wrote_are_taken(tmp_path):
    module, state = network(), network().half().state_dict()
    del state["1.num_batches_tracked"]
    foreign.take(module, dict(state), tmp_path, expected="t", address="there")
    assert module[0].weight.dtype == torch.float32
    assert torch.equal(module[0].weight, state["0.weight"].float())


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda state: list(state), "a list"),
        (lambda state: {1: state["0.weight"]}, "a Tensor named 1"),
        (lambda state: state | {"0.weight": [1.0]}, "a list named '0.weight'"),
        (lambda state: state | {"0.weight": state["0.weight"].to(torch.int8)}, "torch.int8 as '0.weight'"),
        (
            lambda state: state | {"0.weight": state["0.weight"].to_sparse()},
            "a tensor of another kind named '0.weight'",
        ),
        (
            lambda state: state | {"0.weight": torch.empty(3, 1, 2, device="meta")},
            "a tensor of another kind named '0.weight'",
        ),
        (lambda state: state | {"0.weight": state["0.weight"] / 0}, "6 that are not"),
        (lambda state: state | {"0.weight": state["0.weight"][:2]}, ".*size mismatch for 0.weight"),
        (lambda state: state | {"2.weight": torch.ones(1)}, ".*Unexpected key.*2.weight"),
    ],
)
def test_weights_of_another_kind_are_one_line(tmp_path, change, found):
    with pytest.raises(UserError, match=rf"x\.pt: expected .*; found {found}.*; name the file of this architecture"):
        foreign.take(network(), change(network().state_dict()), tmp_path / "x.pt", expected="t", address="there")
