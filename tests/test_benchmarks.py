"""Benchmarks: that passes are counted as they happen, and that every toolkit gets and gives back clips of one form."""

import ast
import importlib
import re

import pytest
import torch
from small_victims import affine

from benchmarks import ROOT, attacks, optimality, peers
from benchmarks.counting import Counting, bare_passes, inputs
from stages.attacking.problem import Setting
from stages.attacks import deepfool
from stages.frame import parameters
from stages.victim import Goal, Victim

SIZE, LABELS = 24, 12


@pytest.fixture
def network() -> Counting:
    return Counting(affine(LABELS, SIZE, seed=3).module.float(), [str(n) for n in range(LABELS)])


@pytest.fixture
def clips() -> torch.Tensor:
    return 0.1 * torch.randn(4, SIZE, generator=torch.Generator().manual_seed(5))


def test_counts_examples_and_every_backward_pass(network, clips):
    x = clips.clone().requires_grad_()
    logits = network(inputs(x))
    torch.autograd.grad(logits[:, 0].sum(), x, retain_graph=True)
    torch.autograd.grad((logits[:, 1] - logits[:, 2]).sum(), x)
    with torch.no_grad():
        network(inputs(clips[:1]))
    assert network.calls == [[4, True, 2], [1, False, 0]]
    assert (network.forwards, network.backwards) == (5, 8)


def test_counts_what_our_attacks_say_they_cost(network, clips):
    labels = attacks.decide(network.network, clips)
    victim = Victim(network, network.labels, bounds={"audio": (-1.0, 1.0)})
    values = parameters.section("events.attacks.deepfool.parameters", ROOT / "params.yaml")
    result = deepfool.attack(
        victim, inputs(clips), Goal(labels, False), setting=Setting(bounds=victim.bounds), **values
    )
    # One more forward pass a clip: the decision on what is returned.
    assert network.forwards == result.forwards.sum() + len(clips)
    assert network.backwards == result.backwards.sum() > 0


def test_bare_passes_are_as_many(network, clips):
    network(inputs(clips.clone().requires_grad_())).sum().backward()
    with torch.no_grad():
        network(inputs(clips[:2]))
    again = Counting(network.network, network.labels)
    bare_passes(again, clips, network.calls)
    assert again.calls == network.calls


@pytest.mark.parametrize(
    "contender",
    [one for one in attacks.contenders(2, 20) if one[1] != "ours" and one[2] not in ("step 0.001", "step 0.0001")],
    ids=lambda one: f"{one[0]}-{one[1]}",
)
def test_peers_return_clips_of_the_same_form(contender, network, clips):
    _, toolkit, _, function, values = contender
    pytest.importorskip(
        {"ART": "art"}.get(toolkit, toolkit), reason=f"{toolkit} is not installed: make benchmark sets it up"
    )
    labels = attacks.decide(network.network, clips)
    found = getattr(peers, function)(network, clips, labels, **values)
    assert found.shape == clips.shape and found.dtype == clips.dtype
    assert found.abs().max() <= 1 + 1e-6
    assert network.forwards >= len(clips) and network.backwards >= len(clips)
    if contender[0] == "DeepFool":
        assert (attacks.decide(network.network, found) != labels).float().mean() >= 0.75


@pytest.mark.parametrize(
    ("function", "values"),
    [("foolbox_ddn", {"steps": 20}), ("foolbox_fmn", {"steps": 20}), ("foolbox_brendel_bethge", {"steps": 5})],
)
def test_minimal_norm_peers_return_clips_of_the_same_form(function, values, network, clips):
    pytest.importorskip("foolbox", reason="foolbox is not installed: make benchmark sets it up")
    labels = attacks.decide(network.network, clips)
    found = getattr(peers, function)(network, clips, labels, **values)
    assert found.shape == clips.shape and found.dtype == clips.dtype
    assert (attacks.decide(network.network, found) != labels).any()


def test_optimality_is_the_area_between_the_curves():
    """Distances 1, 2 and 4 are the best. Up to 4 their curve is 1, 2/3, 1/3, 1/3 over each unit, 1 less which is 5/3.

    One who needs 2 and 3 for the first two and fails on the third is at 1, 1, 2/3, 1/3: 1 less which is 1.
    """
    smallest = [1.0, 2.0, 4.0]
    assert optimality.optimality(smallest, smallest) == 1
    assert optimality.optimality([2.0, 3.0, float("inf")], smallest) == pytest.approx(1 / (5 / 3))
    assert optimality.optimality([float("inf")] * 3, smallest) == 0


@pytest.mark.parametrize("passes", optimality.PASSES)
def test_every_contender_exists_and_takes_its_parameters(passes):
    import inspect

    for toolkit, function, values in optimality.contenders(passes):
        if toolkit != "ours":
            inspect.signature(getattr(peers, function)).bind(None, None, None, **values)
        assert all(value > 0 for value in values.values())


@pytest.mark.parametrize("file", sorted((ROOT / "benchmarks").glob("*.py")), ids=lambda file: file.stem)
def test_the_sections_it_names_are_in_params(file):
    for name in re.findall(r'parameters\.section\("([\w.]+)"', file.read_text(encoding="utf-8")):
        assert parameters.section(name, ROOT / "params.yaml")


@pytest.mark.parametrize("file", sorted((ROOT / "benchmarks").glob("*.py")), ids=lambda file: file.stem)
def test_what_it_imports_of_the_project_is_there(file):
    """Also within functions, which no test runs."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module.partition(".")[0] in ("stages", "benchmarks"):
            module = importlib.import_module(node.module)
            for name in node.names:
                if not hasattr(module, name.name):
                    importlib.import_module(f"{node.module}.{name.name}")
