"""A device that is not there: tensors on it hold their values on the CPU, and refuse to be mixed with the CPU's.

What leaves a tensor on the CPU fails on a GPU, and here. Its name is that of a device on which PyTorch starts nothing.
"""

import contextlib
from collections.abc import Callable, Iterator
from operator import itemgetter
from typing import Any

import pytest
import torch
from torch.overrides import TorchFunctionMode
from torch.utils._mode_utils import no_dispatch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map, tree_map_only

from stages.training import stacks

DEVICE = "meta"
aten = torch.ops.aten
MOVES = (aten._to_copy, aten.copy_)
# An index may lie on the CPU, and lengths of sequences must.
TAKE_CPUS = (
    *(aten.index, aten.index_put, aten.index_put_, aten._pack_padded_sequence, aten._pack_padded_sequence_backward),
    *(aten._ctc_loss, aten._ctc_loss_backward),
)


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
        # Of lists it makes indices where no mode sees it.
        if function is torch.Tensor.__getitem__:
            parts = given[1] if isinstance(given[1], tuple) else (given[1],)
            given = (given[0], tuple(torch.tensor(one) if isinstance(one, list) else one for one in parts))
        with torch._C.DisableTorchFunctionSubclass():
            return function(*given, **(named or {}))

    @classmethod
    def __torch_dispatch__(cls, function: Any, types: Any, given: tuple = (), named: dict | None = None) -> Any:
        return _computed(function, given, named or {})


class _Device(TorchDispatchMode):
    def __torch_dispatch__(self, function: Any, types: Any, given: tuple = (), named: dict | None = None) -> Any:
        return _computed(function, given, named or {})


class _Made(TorchFunctionMode):
    def __torch_function__(self, function: Any, types: Any, given: tuple = (), named: dict | None = None) -> Any:
        # What is made of numbers is moved where no mode sees it.
        if function in (torch.tensor, torch.as_tensor) and str((named or {}).get("device")) == DEVICE:
            return function(*given, **named | {"device": "cpu"}).to(DEVICE)
        return function(*given, **(named or {}))


class _Generator:
    """Chance of the device, which is the CPU's, as the values are."""

    def __new__(cls, device: str = "cpu") -> torch.Generator:
        return torch._C.Generator("cpu")


@contextlib.contextmanager
def device() -> Iterator[str]:
    """The device's name, for as long as the block lasts.

    Views of what was made in inference mode are for PyTorch's own tensors alone; without gradients all is as well. So
    is what `vmap` takes as one: here modules of a stack come one after another.
    """
    with _Device(), _Made(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch, "inference_mode", torch.no_grad)
        patch.setattr(torch, "Generator", _Generator)
        patch.setattr(stacks, "vmap", _one_by_one)
        yield DEVICE


def _one_by_one(
    function: Callable, in_dims: int | tuple[int | None, ...] = 0, randomness: str = "error"
) -> Callable[..., torch.Tensor]:
    """The function of each example by itself, along the first dimension of those given that have 0 in `in_dims`."""

    def mapped(*given: Any) -> torch.Tensor:
        dims = in_dims if isinstance(in_dims, tuple) else (in_dims,) * len(given)
        count = len(tree_flatten(given[dims.index(0)])[0][0])
        return torch.stack([function(*(_example(n, *one) for one in zip(given, dims))) for n in range(count)])

    return mapped


def _example(number: int, given: Any, dim: int | None) -> Any:
    return given if dim is None else tree_map(itemgetter(number), given)


def _computed(function: Any, given: tuple, named: dict[str, Any]) -> Any:
    """What the function gives, on the device of what it is given, or on that which is asked for.

    Raises:
        RuntimeError: it is given tensors of both, and not just the CPU's single numbers.
    """
    tensors = [one for one in tree_flatten((given, named))[0] if isinstance(one, torch.Tensor)]
    mine = {id(one.held): one for one in tensors if isinstance(one, There)}
    strange = [one for one in tensors if not isinstance(one, There) and one.dim() > 0]
    packet = function.overloadpacket
    if mine and strange and packet not in MOVES and not (packet in TAKE_CPUS and isinstance(given[0], There)):
        raise RuntimeError(f"{function}: tensors on two devices, on the CPU one of shape {tuple(strange[0].shape)}")
    held = tree_map_only(There, lambda one: one.held, (given, named))
    asked = named.get("device")
    if asked is not None:
        held[1]["device"] = "cpu"
    # Of what lies on this device PyTorch does not ask how its values lie, and views what others would copy.
    made = (torch.reshape if function is aten.view.default else function)(*held[0], **held[1])
    if torch.Tag.inplace_view in function.tags and isinstance(given[0], There):
        # Where a function changes how values lie, the tensor that holds them is to say so.
        with no_dispatch():
            function(*given, **named)
    if packet is aten._pack_padded_sequence:
        return There(made[0]), made[1]
    lands = isinstance(given[0], There) if packet is aten.copy_ else mine if asked is None else str(asked) == DEVICE
    if not lands:
        return made
    # What a function changes in place stays the tensor that it was.
    return tree_map_only(torch.Tensor, lambda one: mine[id(one)] if id(one) in mine else There(one), made)
