"""A model's folder: what was saved comes back, and no weights that are damaged, foreign or not finite."""

import json
import math

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from stages.frame import weights
from stages.frame.errors import UserError


def made(width=3):
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv1d(1, width, 2), nn.BatchNorm1d(width))


@pytest.fixture
def folder(tmp_path):
    weights.save(tmp_path, made(), {"network": "t"})
    return tmp_path


def load(folder, make=made):
    torch.manual_seed(1)
    return weights.load(make, folder, do="train it again")


def test_what_is_saved_comes_back(folder):
    loaded = load(folder)
    assert all(torch.equal(value, loaded.state_dict()[name]) for name, value in made().state_dict().items())
    assert json.loads((folder / "config.json").read_text()) == {"network": "t"}
    assert (folder / "config.json").read_bytes() == b'{\n "network": "t"\n}\n'


def test_a_module_that_is_not_finite_is_not_saved(tmp_path):
    module = made()
    module[0].bias.data[1] = math.nan
    with pytest.raises(
        UserError, match=r"expected finite numbers as 0\.bias; found 1 that are not; train it otherwise"
    ):
        weights.save(tmp_path, module, {})
    assert not list(tmp_path.iterdir())


def changed(name, change):
    def write(path):
        state = load_file(path)
        state[name] = change(state[name])
        save_file(state, path)

    return write


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: path.unlink(), r"expected weights of a trained model; found no weights\.safetensors"),
        (lambda path: path.write_bytes(b""), "found a damaged file: .*header too small"),
        (lambda path: path.write_bytes(path.read_bytes()[:-1]), "found a damaged file: .*not fully covered"),
        (lambda path: path.write_bytes(path.read_bytes()[:60]), "found a damaged file"),
        (lambda path: (path.unlink(), path.mkdir()), "found a damaged file"),
        (lambda path: save_file({"x": torch.ones(99)}, path), "expected weights of this network; found .*Missing key"),
        (changed("0.weight", lambda own: own[:2].clone()), "found .*size mismatch for 0.weight"),
        (changed("0.weight", lambda own: own.to(torch.int8)), "expected torch.float32 as 0.weight; found torch.int8"),
        (changed("0.weight", lambda own: own.half()), "expected torch.float32 as 0.weight; found torch.float16"),
        (changed("1.num_batches_tracked", lambda own: own.double()), "expected torch.int64 as 1.num_batches_tracked"),
        (changed("0.weight", lambda own: own * math.nan), "expected finite numbers as 0.weight; found 6 that are not"),
        (changed("1.running_var", lambda own: own / 0), "expected finite numbers as 1.running_var; found 3"),
    ],
)
def test_weights_that_are_not_this_modules_are_one_line(folder, damage, message):
    damage(folder / "weights.safetensors")
    with pytest.raises(UserError, match=f"{message}.*; train it again") as caught:
        load(folder)
    assert str(folder) in str(caught.value) and "\n" not in str(caught.value)


def test_a_network_much_larger_than_its_file_is_told_before_it_takes_memory(folder):
    started = []

    def huge():
        started.append(nn.Linear(1000, 1000))

    with pytest.raises(UserError, match=r"expected a network of about as many weights as weights\.safetensors has"):
        load(folder, huge)
    assert not started
    nn.Linear(1000, 1000)  # What counted is gone.


def test_parameters_that_build_nothing_are_one_line(folder):
    with pytest.raises(UserError, match=r"expected parameters of a network; found ValueError: .*; train it again"):
        load(folder, lambda: nn.Conv1d(3, 4, 1, groups=2))
    with pytest.raises(UserError, match=r"expected parameters of a network; found ZeroDivisionError"):
        load(folder, lambda: 1 // 0)
