"""Ground floor: a model's folder, its weights and what it says of itself, which may be damaged or another one's."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stages.frame import finite
from stages.frame.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor, nn

FILE, CONFIG = "weights.safetensors", "config.json"
# How many times its weights a network may take while it is built: some throw away what they do not need.
SPARE = 4


def save(folder: Path, module: "nn.Module", config: dict[str, Any]) -> None:
    """Writes a model's folder: `weights.safetensors`, all parameters and buffers, and `config.json`.

    Args:
        folder: there already.
        module: of any device.
        config: what `about.MODEL` or `about.PRETRAINED` asks for, and more.

    Raises:
        UserError: a value of the module is not finite.
    """
    from safetensors.torch import save_file

    state = {name: value.detach().contiguous() for name, value in module.state_dict().items()}
    for name, value in state.items():
        finite.check(value, folder, name, do="train it otherwise, such as at a lower learning rate")
    save_file(state, folder / FILE)
    (folder / CONFIG).write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")


def read(path: Path, *, do: str) -> dict[str, "Tensor"]:
    """All tensors of a safetensors file; `do` is what the user can do about a wrong one.

    Raises:
        UserError: the file is missing, cut or damaged.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except FileNotFoundError as error:
        raise UserError(path.parent, "weights of a trained model", f"no {path.name}", do) from error
    except (SafetensorError, OSError) as error:
        raise UserError(path, "weights of a trained model", f"a damaged file: {error}", do) from error


def load(make: Callable[[], "nn.Module"], folder: Path, *, do: str) -> "nn.Module":
    """The module that `make` builds, with the weights in a model's folder; one that takes much more room is told.

    Raises:
        UserError: the file is missing, cut, damaged or of another module, or nothing can be built.
    """
    from torch.nn.modules.module import register_module_parameter_registration_hook

    state = read(folder / FILE, do=do)
    left = SPARE * sum(value.numel() for value in state.values())

    def count(_module: Any, _name: str, parameter: "Tensor | None") -> None:
        nonlocal left
        left -= 0 if parameter is None else parameter.numel()
        if left < 0:
            raise UserError(folder, f"a network of about as many weights as {FILE} has", "more", do)

    # A parameter takes no memory before its first values, which it gets after this.
    counting = register_module_parameter_registration_hook(count)
    try:
        module = make()
    except (ArithmeticError, AttributeError, LookupError, MemoryError, RuntimeError, TypeError, ValueError) as error:
        raise UserError(folder, "parameters of a network", f"{type(error).__name__}: {error}", do) from error
    finally:
        counting.remove()
    fit(module, state, folder / FILE, expected="weights of this network", do=do)
    return module


def fit(module: "nn.Module", state: dict[str, "Tensor"], where: object, *, expected: str, do: str) -> None:
    """Gives `module` its tensors; where they come from, what they are expected to be and what to do is for errors.

    Raises:
        UserError: they have other names, shapes or types, or values that are not finite.
    """
    own = module.state_dict()
    for name, value in state.items():
        if name in own and value.dtype != own[name].dtype:
            raise UserError(where, f"{own[name].dtype} as {name}", f"{value.dtype}", do)
    try:
        module.load_state_dict(state)
    except RuntimeError as error:
        raise UserError(where, expected, " ".join(str(error).split())[:200], do) from error
    for name, value in state.items():
        finite.check(value, where, name, do=do)
