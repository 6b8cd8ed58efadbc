"""Room of training: modules of the same shape stacked into one, which trains all of them at once (torch.func)."""

import copy

from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap
from torch.nn.functional import cross_entropy

# What a module is told of its inputs: they are what its own `condensed` made of them, once for all modules.
CONDENSED = {"condensed": True}


def stacked(modules: list[nn.Module]) -> nn.Module:
    """A module whose parameters and buffers are those of all modules, one after another."""
    stack = copy.deepcopy(modules[0])
    parameters, buffers = stack_module_state(modules)
    for path, value in parameters.items():
        owner, _, leaf = path.rpartition(".")
        setattr(stack.get_submodule(owner), leaf, nn.Parameter(value.detach()))
    for path, value in buffers.items():
        owner, _, leaf = path.rpartition(".")
        setattr(stack.get_submodule(owner), leaf, value)
    return stack


def losses(stack: nn.Module, inputs: tuple[Tensor, ...], targets: Tensor) -> Tensor:
    """The cross-entropy of each module (modules,), each of its own inputs (modules, examples, ...) and targets."""

    def loss(parameters, buffers, inputs, targets):
        return cross_entropy(functional_call(stack, (parameters, buffers), inputs, CONDENSED), targets)

    state = dict(stack.named_parameters()), dict(stack.named_buffers())
    return vmap(loss, randomness="different")(*state, inputs, targets)


def logits(stack: nn.Module, chosen: list[int], inputs: tuple[Tensor, ...]) -> Tensor:
    """What the `chosen` modules say (modules, examples, labels) of the same inputs (examples, ...)."""

    def said(parameters, buffers, inputs):
        return functional_call(stack, (parameters, buffers), inputs, CONDENSED)

    state = [
        {name: value[chosen] for name, value in named} for named in (stack.named_parameters(), stack.named_buffers())
    ]
    return vmap(said, (0, 0, None))(*state, inputs)
