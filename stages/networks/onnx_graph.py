"""Room of networks: a graph of ONNX's operators, those that NSNet2 and DNSMOS have, computed so that gradients pass.

Each operator is as https://onnx.ai/onnx/operators says of versions 11 and 12. One that is not here is told.
"""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from stages.frame.errors import UserError

Node = dict[str, Any]
# Below this a square root's gradient, which is none at zero, is that of a constant.
LEAST_ROOT = 1e-30


class Graph(nn.Module):
    """One input to one output. `nodes` are in an order in which each finds its inputs, those of no name being left out.

    `constants` are the shapes and types of the weights and other tensors that the graph brings, by name; they are kept
    under numbers, as names of ONNX are no names of PyTorch.
    """

    def __init__(self, *, given: str, result: str, nodes: list[Node], constants: dict[str, Any]):
        super().__init__()
        self.given, self.result, self.nodes, self.names = given, result, nodes, list(constants)
        self.last = {name: place for place, node in enumerate(nodes) for name in node["inputs"]} | {result: len(nodes)}
        strange = sorted({node["operator"] for node in nodes} - OPERATORS.keys())
        if strange:
            expected = f"operators {', '.join(OPERATORS)}"
            raise UserError("an ONNX graph", expected, strange[0], "add it to stages/networks/onnx_graph.py")
        for number, (shape, kind) in enumerate(constants.values()):
            self.register_buffer(f"constant_{number}", torch.zeros(shape, dtype=getattr(torch, kind)))

    def forward(self, given: Tensor) -> Tensor:
        """The result of what is given, of the shapes that the graph's maker says."""
        values = {name: self.get_buffer(f"constant_{number}") for number, name in enumerate(self.names)}
        values[self.given] = given
        for place, node in enumerate(self.nodes):
            inputs = [values[name] if name else None for name in node["inputs"]]
            values[node["outputs"][0]] = OPERATORS[node["operator"]](*inputs, **node["attributes"])
            # What no later node asks for is let go: without gradients its memory is free.
            values = {name: value for name, value in values.items() if self.last.get(name, place) > place}
        return values[self.result]


def _convolution(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    strides: list[int],
    dilations: list[int],
    group: int = 1,
    pads: list[int] | None = None,
    kernel_shape: list[int] | None = None,
    auto_pad: str = "NOTSET",
) -> Tensor:
    convolve = {3: functional.conv1d, 4: functional.conv2d}[x.dim()]
    return convolve(_padded(x, pads, auto_pad), weight, bias, strides, 0, dilations, group)


def _max_pool(
    x: Tensor,
    *,
    kernel_shape: list[int],
    strides: list[int],
    pads: list[int] | None = None,
    auto_pad: str = "NOTSET",
    ceil_mode: int = 0,
) -> Tensor:
    pool = {3: functional.max_pool1d, 4: functional.max_pool2d}[x.dim()]
    return pool(_padded(x, pads, auto_pad, -math.inf), kernel_shape, strides, ceil_mode=bool(ceil_mode))


def _padded(x: Tensor, pads: list[int] | None, auto_pad: str, value: float = 0.0) -> Tensor:
    if auto_pad not in ("NOTSET", "VALID"):
        raise UserError("an ONNX graph", "auto_pad NOTSET or VALID", auto_pad, "convert the model otherwise")
    if not pads or not any(pads):
        return x
    pairs = list(zip(pads[: len(pads) // 2], pads[len(pads) // 2 :]))
    return functional.pad(x, [size for pair in reversed(pairs) for size in pair], value=value)


def _gru(
    x: Tensor,
    weight: Tensor,
    recurrence: Tensor,
    bias: Tensor,
    _lengths: None,
    state: Tensor,
    *,
    hidden_size: int,
    linear_before_reset: int,
) -> Tensor:
    """States (steps, 1, batch, units). Gates are update, reset, new in ONNX, and reset, update, new in PyTorch."""

    def ordered(values: Tensor) -> Tensor:
        update, reset, new = values.split(hidden_size)
        return torch.cat([reset, update, new])

    if not linear_before_reset:
        raise UserError("an ONNX graph", "a GRU with linear_before_reset", "one without", "convert the model otherwise")
    biases = [ordered(one) for one in bias[0].chunk(2)]
    weights = [ordered(weight[0]), ordered(recurrence[0]), *biases]
    return torch.gru(x, state, weights, True, 1, 0.0, False, False, False)[0][:, None]


def _slice(x: Tensor, starts: Tensor, ends: Tensor, axes: Tensor, steps: Tensor | None = None) -> Tensor:
    strides = [1] * len(starts) if steps is None else steps.tolist()
    for start, end, axis, step in zip(starts.tolist(), ends.tolist(), axes.tolist(), strides):
        x = x[(slice(None),) * (axis % x.dim()) + (slice(start, end, step),)]
    return x


def _reshape(x: Tensor, shape: Tensor) -> Tensor:
    return x.reshape([x.shape[axis] if size == 0 else size for axis, size in enumerate(shape.tolist())])


def _unsqueeze(x: Tensor, *, axes: list[int]) -> Tensor:
    for axis in sorted(axes):
        x = x.unsqueeze(axis)
    return x


def _gather(x: Tensor, index: Tensor, *, axis: int = 0) -> Tensor:
    return x.index_select(axis, index.flatten()).reshape([*x.shape[:axis], *index.shape, *x.shape[axis + 1 :]])


OPERATORS: dict[str, Callable[..., Tensor]] = {
    "Add": torch.add,
    "Concat": lambda *parts, axis: torch.cat(parts, axis),
    "ConstantOfShape": lambda shape, value: torch.full(shape.tolist(), value, device=shape.device),
    "Conv": _convolution,
    "Div": torch.div,
    "GRU": _gru,
    "Gather": _gather,
    "Log": torch.log,
    "MatMul": torch.matmul,
    "Max": torch.maximum,
    "MaxPool": _max_pool,
    "Mul": torch.mul,
    "Pow": torch.pow,
    "ReduceMax": lambda x, *, axes, keepdims=1: x.amax(axes, keepdim=bool(keepdims)),
    "Relu": torch.relu,
    "Reshape": _reshape,
    "Shape": lambda x: torch.tensor(x.shape, device=x.device),
    "Sigmoid": torch.sigmoid,
    "Slice": _slice,
    "Sqrt": lambda x: x.clamp_min(LEAST_ROOT).sqrt(),
    "Squeeze": lambda x, *, axes: x.squeeze(axes),
    "Transpose": lambda x, *, perm: x.permute(perm),
    "Unsqueeze": _unsqueeze,
}
