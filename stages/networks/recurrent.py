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
        """Outputs (examples, steps, 2 units) of values (examples, steps, inputs); zero where not `inside` (examples, steps).

        An example's steps come first and what pads them last; the padding has no influence.
        """
        both = torch.stack([values, values.flip(1)])
        mask = torch.stack([inside, inside.flip(1)])[..., None].to(values)
        projected = both @ self.input_weight.transpose(1, 2)[:, None] + self.input_bias[:, None, None]
        step = self._lstm if self.cell == "lstm" else self._gru
        hidden = memory = torch.zeros_like(projected[:, :, 0, : self.hidden_weight.shape[-1]])
        outputs = []
        for given, counts in zip(projected.unbind(2), mask.unbind(2)):
            recurrent = hidden @ self.hidden_weight.transpose(1, 2) + self.hidden_bias[:, None]
            new_hidden, new_memory = step(given, recurrent, hidden, memory)
            # The backward direction begins in the padding, and has to leave it as it began.
            hidden, memory = hidden + counts * (new_hidden - hidden), memory + counts * (new_memory - memory)
            outputs.append(hidden)
        stacked = torch.stack(outputs, 2)
        return torch.cat([stacked[0], stacked[1].flip(1)], -1) * inside[..., None].to(values)

    @staticmethod
    def _lstm(given: Tensor, recurrent: Tensor, hidden: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        enter, forget, cell, leave = (given + recurrent).chunk(4, -1)
        memory = forget.sigmoid() * memory + enter.sigmoid() * cell.tanh()
        return leave.sigmoid() * memory.tanh(), memory

    @staticmethod
    def _gru(given: Tensor, recurrent: Tensor, hidden: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        units = hidden.shape[-1]
        reset, update = (given[..., : 2 * units] + recurrent[..., : 2 * units]).sigmoid().chunk(2, -1)
        new = (given[..., 2 * units :] + reset * recurrent[..., 2 * units :]).tanh()
        return new + update * (hidden - new), memory
