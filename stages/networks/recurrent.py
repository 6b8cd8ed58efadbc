"""Room of networks: a bidirectional recurrent layer of which many can be trained as one stack.

`nn.LSTM` and `nn.GRU` do not run under `torch.func.vmap`; this layer does, and gives the same values.
"""

import math
from typing import Literal

import torch
from torch import Tensor, nn

GATES = {"lstm": 4, "gru": 3}


class Bidirectional(nn.Module):
    """One layer of LSTM (Hochreiter and Schmidhuber 1997) or GRU cells (Cho et al. 2014) in both directions.

    The parameters are those of PyTorch's layers, forward direction first, along a leading dimension of two.
    """

    def __init__(self, cell: Literal["lstm", "gru"], inputs: int, units: int):
        super().__init__()
        self.cell = cell
        bound = 1 / math.sqrt(units)
        shapes = {"input_weight": (inputs,), "input_bias": (), "hidden_weight": (units,), "hidden_bias": ()}
        for name, last in shapes.items():
            value = torch.empty(2, GATES[cell] * units, *last).uniform_(-bound, bound)
            self.register_parameter(name, nn.Parameter(value))

    def forward(self, values: Tensor, inside: Tensor) -> Tensor:
        """Outputs (examples, steps, 2 units) of values (examples, steps, inputs), zero where not `inside`.

        `inside` is (examples, steps). An example's steps come first and what pads them last, which has no influence.
        """
        both = torch.stack([values, values.flip(1)])
        mask = torch.stack([inside, inside.flip(1)])[..., None].to(values)
        projected = both @ self.input_weight.transpose(1, 2)[:, None] + self.input_bias[:, None, None]
        weight, bias = self.hidden_weight.transpose(1, 2), self.hidden_bias[:, None]
        step = _lstm if self.cell == "lstm" else _gru
        state = (torch.zeros_like(projected[:, :, 0, : weight.shape[1]]),) * (2 if self.cell == "lstm" else 1)
        outputs = []
        for given, counts in zip(projected.unbind(2), mask.unbind(2)):
            state = step(given, state[0] @ weight + bias, counts, *state)
            outputs.append(state[0])
        stacked = torch.stack(outputs, 2)
        return torch.cat([stacked[0], stacked[1].flip(1)], -1) * inside[..., None].to(values)


# A step where `counts` is 0 leaves the state as it was: the backward direction begins in the padding.


def _lstm(given: Tensor, recurrent: Tensor, counts: Tensor, hidden: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
    enter, forget, cell, leave = (given + recurrent).chunk(4, -1)
    new = forget.sigmoid() * memory + enter.sigmoid() * cell.tanh()
    return torch.lerp(hidden, leave.sigmoid() * new.tanh(), counts), torch.lerp(memory, new, counts)


def _gru(given: Tensor, recurrent: Tensor, counts: Tensor, hidden: Tensor) -> tuple[Tensor]:
    units = hidden.shape[-1]
    reset, update = (given[..., : 2 * units] + recurrent[..., : 2 * units]).sigmoid().chunk(2, -1)
    new = torch.addcmul(given[..., 2 * units :], reset, recurrent[..., 2 * units :]).tanh()
    return (torch.lerp(hidden, new, counts * (1 - update)),)
