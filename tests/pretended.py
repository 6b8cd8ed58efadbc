"""A device that is not there: tensors on it hold their values on the CPU, and refuse to be mixed with the CPU's.

What leaves a tensor on the CPU fails on a GPU, and here. Its name is that of a device on which PyTorch starts nothing.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map_only

DEVICE = "meta"


class There(torch.Tensor):
    """A tensor on the device; `held` has its values."""

    @staticmethod
    def __new__(cls, held: torch.Tensor) -> "There":
        layout = {"strides": held.stride(), "storage_offset": held.storage_offset(), "dtype": held.dtype}
        return torch.Tensor._make_wrapper_subclass(cls, held.size(), **layout, device=DEVICE)

    def __init__(self, held: torch.Tensor):
        self.held = held

    def __repr__(self) -> str:
        return f"There({self.held})"

    @classmethod
    def __torch_function__(cls, function: Any, types: Any, given: tuple = (), named: dict | None = None) -> Any:
        # PyTorch makes lists of no tensor that is not its own.
        if function is torch.Tensor.tolist:
            return given[0].held.tolist()
        with torch._C.DisableTorchFunctionSubclass():
            return function(*given, **(named or {}))

    @classmethod
    def __torch_dispatch__(cls, function: Any, types: Any, given: tuple = (), named: dict | None = None) -> Any:
        return _computed(function, given, named or {})


class _Device(TorchDispatchMode):
    def __torch_dispatch__(self, function: Any, types: Any, given: tuple = (), named: dict | None = None) -> Any:
        return _computed(function, given, named or {})


@contextlib.contextmanager
def device() -> Iterator[str]:
    """The device's name, for as long as the block lasts."""
    with _Device():
        yield DEVICE


def _computed(function: Any, given: tuple, named: dict[str, Any]) -> Any:
    """What the function gives, on the device of what it is given, or on that which is asked for.

    Raises:
        RuntimeError: it is given tensors of both, and not just the CPU's single numbers.
    """
    tensors = [one for one in tree_flatten((given, named))[0] if isinstance(one, torch.Tensor)]
    there = any(isinstance(one, There) for one in tensors)
    moves = function in (torch.ops.aten._to_copy.default, torch.ops.aten.copy_.default)
    strange = [one for one in tensors if not isinstance(one, There) and one.dim() > 0]
    # An index may lie on the CPU.
    indexes = function.overloadpacket in (torch.ops.aten.index, torch.ops.aten.index_put_, torch.ops.aten.index_put)
    if there and strange and not moves and not (indexes and isinstance(given[0], There)):
        raise RuntimeError(f"{function}: tensors on two devices, on the CPU one of shape {tuple(strange[0].shape)}")
    asked = named.get("device")
    lands_there = torch.device(asked).type == DEVICE if asked is not None else there
    if function is torch.ops.aten.copy_.default:
        lands_there = isinstance(given[0], There)
    held = tree_map_only(There, lambda one: one.held, (given, named))
    held[1].update({"device": "cpu"} if asked is not None else {})
    made = function(*held[0], **held[1])
    if not lands_there:
        return made
    changed = {id(one.held): one for one in tensors if isinstance(one, There)}
    return tree_map_only(torch.Tensor, lambda one: changed.get(id(one)) or There(one), made)
