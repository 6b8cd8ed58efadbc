"""The loop of all training: rounds, and steps down a loss."""

import io
import math

import pytest
import torch
from safetensors.torch import load_file, save_file
from tqdm import tqdm

from stages.frame.errors import UserError
from stages.learning import loop


def test_rounds_share_out_all_iterations():
    assert loop.rounds_of(7, 3) == [range(0, 3), range(3, 6), range(6, 7)]
    assert loop.rounds_of(6, 3) == [range(0, 3), range(3, 6)]
    assert loop.rounds_of(2, 3) == [range(0, 2)]


def descent(rate=1.0):
    module = torch.nn.Linear(2, 1, bias=False)
    torch.nn.init.ones_(module.weight)
    bar = tqdm(total=9, file=io.StringIO())
    return loop.Descent(module, torch.optim.SGD(module.parameters(), rate), bar)


def test_a_step_goes_down_the_gradient_at_its_rate_and_counts():
    made = descent()
    inputs = torch.tensor([[3.0, 4.0]], requires_grad=True)
    for number in (1, 2):
        loss = made.step(made.module(inputs).sum(), 0.1)
        assert not loss.requires_grad
        assert torch.allclose(made.module.weight, 1 - number * 0.1 * inputs.detach())
    assert made.bar.n == 2
    # Only the weights get gradients: what a method has made of its inputs is its own.
    assert inputs.grad is None


def test_a_large_gradient_is_cut_to_its_norm():
    made = descent()
    made.step(made.module(torch.tensor([[3.0, 4.0]])).sum(), 1.0, largest_gradient=0.5)
    assert torch.allclose(1 - made.module.weight, torch.tensor([[0.3, 0.4]]), atol=1e-5)
    assert (1 - made.module.weight).norm().item() == pytest.approx(0.5, abs=1e-5)


def network():
    torch.manual_seed(0)
    module = torch.nn.Linear(3, 2)
    return module, torch.optim.Adam(module.parameters(), 0.1)


def run(scratch, rounds, work=None):
    """So many rounds of one step each, or of what `work` does with the module; returns module and history."""
    module, optimiser = network()

    def step(number):
        loss = (module(torch.full((1, 3), 1.0 + number)) - 1).square().sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        return {"round": number, "loss": loss.item()}

    do = step if work is None else lambda number: work(module, step(number))
    return module, loop.run(module, optimiser, rounds, do, scratch=scratch)


def test_it_goes_on_where_it_was_with_the_same_weights(tmp_path):
    whole, history = run(tmp_path / "whole", 4)
    run(tmp_path / "parts", 2)
    parts, again = run(tmp_path / "parts", 4)
    assert again == history == loop.done(tmp_path / "parts")
    assert torch.equal(parts.weight, whole.weight)
    assert torch.equal(loop.kept(tmp_path / "parts", 3)["weight"], whole.weight)


@pytest.mark.parametrize(("name", "value"), [("validation", math.nan), ("loss", math.inf), ("loss", -math.inf)])
def test_a_round_whose_numbers_are_not_finite_is_an_error_and_counts_as_not_done(tmp_path, name, value):
    def work(module, row):
        return row | ({name: value} if row["round"] == 2 else {})

    with pytest.raises(UserError, match=rf"{tmp_path}, round 3: expected finite numbers as {name}; .*learning rate"):
        run(tmp_path, 4, work)
    assert [row["round"] for row in loop.done(tmp_path)] == [0, 1]
    assert torch.equal(run(tmp_path, 4)[0].weight, run(tmp_path / "whole", 4)[0].weight)


def test_weights_that_are_not_finite_are_an_error_whatever_the_loss(tmp_path):
    def work(module, row):
        module.bias.data[1] = math.nan
        return row

    with pytest.raises(UserError, match="round 1: expected finite numbers as bias; found 1 that are not"):
        run(tmp_path, 1, work)


def resaved(change):
    return lambda path: save_file(change(load_file(path)), path)


@pytest.mark.parametrize(
    ("file", "damage", "message"),
    [
        ("history.json", lambda path: path.write_text("[{"), "expected the rounds that are done; found no JSON"),
        ("history.json", lambda path: path.write_text("{}"), "expected an entry 'rounds'"),
        ("history.json", lambda path: path.write_text('{"rounds": [1]}'), "rounds: expected a list of"),
        ("round-0001.safetensors", lambda path: path.unlink(), "found no round-0001.safetensors"),
        ("round-0001.safetensors", lambda path: path.write_bytes(path.read_bytes()[:-1]), "found a damaged file"),
        ("round-0001.safetensors", resaved(lambda own: {"weight": own["weight"]}), "found .*Missing key"),
        ("round-0001.safetensors", resaved(lambda own: own | {"bias": own["bias"].half()}), "found torch.float16"),
        ("optimiser-0001.safetensors", lambda path: path.write_bytes(b"x"), "found a damaged file"),
        ("optimiser-0001.safetensors", resaved(lambda own: {"x:step": torch.ones(())}), "found 'x:step'"),
        ("optimiser-0001.safetensors", resaved(lambda own: {"9:step": torch.ones(())}), "found '9:step'"),
        ("optimiser-0001.safetensors", resaved(lambda own: {"0:exp_avg": torch.ones(1)}), "found '0:exp_avg'"),
        (
            "optimiser-0001.safetensors",
            resaved(lambda own: {"0:exp_avg": own["0:exp_avg"] / 0}),
            "finite numbers as 0:exp",
        ),
    ],
)
def test_what_an_interrupted_run_left_is_told_where_it_is_damaged(tmp_path, file, damage, message):
    run(tmp_path, 2)
    damage(tmp_path / file)
    with pytest.raises(UserError, match=f"{message}.*; delete this folder and run the same command again"):
        run(tmp_path, 4)
