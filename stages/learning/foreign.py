"""Room of learning: what all that takes in PyTorch checkpoints of others shares."""

import hashlib
import re
import warnings
import zipfile
from argparse import Namespace
from pathlib import Path
from typing import Any

from torch import Tensor, nn, strided

from stages.frame import weights
from stages.frame.errors import UserError

# Where torchaudio publishes the weights of its bundles.
TORCHAUDIO = "https://download.pytorch.org/torchaudio/models/"


def read_checkpoint(path: Path, *, address: str, sha256: str | None) -> Any:
    """What a PyTorch checkpoint holds: tensors, plain values and argument namespaces; no other object is made.

    Args:
        path: of the file.
        address: where it can be had, for errors.
        sha256: of the whole file, null to trust it.

    Raises:
        UserError: the file is missing, another one, damaged, or would run code.
    """
    import torch

    check_file(path, address=address, sha256=sha256)
    try:
        if sha256 is None and zipfile.is_zipfile(path):
            _check_sums(path)
        # What torch warns of, such as a pickle of another protocol, is an error or of no account.
        with torch.serialization.safe_globals([Namespace]), warnings.catch_warnings(action="ignore"):
            return torch.load(path, map_location="cpu", weights_only=True)
    # A damaged pickle is a program of another meaning, and ends in whatever error.
    except Exception as error:
        strange = re.search(r"GLOBAL ([\w.]+)", str(error))
        if strange:
            found, do = f"an object {strange[1]}", f"save its tensors alone where you trust it, or fetch {address}"
        else:
            found, do = f"a damaged file ({type(error).__name__})", f"fetch {address} again"
        raise UserError(path, "tensors and plain values alone", found, do) from error


def check_file(path: Path, *, address: str, sha256: str | None) -> None:
    """Passes a file that is there and, unless `sha256` is null, the one that it is to be.

    Raises:
        UserError: it is not.
    """
    if not path.is_file():
        raise UserError(path, "a checkpoint", "no such file", f"fetch {address}")
    if sha256 is None:
        return
    with path.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if found != sha256:
        raise UserError(path, f"the SHA-256 {sha256}", found, f"fetch {address} again")


def _check_sums(path: Path) -> None:
    """Compares a zip file's parts with the sums that it keeps of them, which torch does not."""
    with zipfile.ZipFile(path) as archive:
        damaged = archive.testzip()
    if damaged is not None:
        raise zipfile.BadZipFile(damaged)


def take(module: nn.Module, state: Any, source: Path, *, expected: str, address: str) -> None:
    """Gives `module` the weights of a checkpoint, as its own kind of floats.

    Args:
        module: of the architecture that is expected.
        state: what is to be tensors by the names that the module gives them.
        source: the file that they come from, for errors.
        expected: the architecture, for errors.
        address: where its weights can be had, for errors.

    Raises:
        UserError: they are no tensors by name, another architecture's, or not finite.
    """
    do = f"name the file of this architecture, or the architecture of this file; it is at {address}"
    own = module.state_dict()
    if not isinstance(state, dict):
        raise UserError(source, f"tensors by the names of {expected}", f"a {type(state).__name__}", do)
    for name, value in state.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            found = f"a {type(value).__name__} named {name!r}"
        elif value.layout is not strided or value.is_quantized or value.device.type != "cpu":
            found = f"a tensor of another kind named {name!r}"
        elif name in own and value.is_floating_point() != own[name].is_floating_point():
            found = f"{value.dtype} as {name!r}"
        else:
            continue
        raise UserError(source, f"tensors by the names of {expected}", found, do)
    # A plain dict: what old torch wrote says nothing of batches seen, and a plain dict need not.
    state = {name: value.to(own[name].dtype) if name in own else value for name, value in state.items()}
    weights.fit(module, state, source, expected=f"weights of {expected}", do=do)
