"""Room of pretraining: what all converters of downloaded PyTorch checkpoints share."""

import hashlib
import json
from argparse import Namespace
from pathlib import Path
from typing import Any

from torch import nn

from stages.frame.errors import UserError


def read_checkpoint(path: Path, *, address: str, sha256: str | None) -> Any:
    """What a PyTorch checkpoint holds: tensors, plain values and argument namespaces; no other object is made.

    Args:
        path: of the file.
        address: where it can be had, for errors.
        sha256: of the whole file, null to trust it.

    Raises:
        UserError: the file is missing, another one, damaged, or would run code.
    """
    from pickle import UnpicklingError

    import torch

    if not path.is_file():
        raise UserError(path, expected="a checkpoint", found="no such file", do=f"fetch {address}")
    if sha256 is not None:
        with path.open("rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
        if found != sha256:
            raise UserError(path, expected=f"the SHA-256 {sha256}", found=found, do=f"fetch {address} again")
    try:
        with torch.serialization.safe_globals([Namespace]):
            return torch.load(path, map_location="cpu", weights_only=True)
    except (UnpicklingError, RuntimeError, EOFError) as error:
        raise UserError(
            path,
            expected="tensors and plain values alone",
            found=(str(error).strip() or "an empty file").splitlines()[0],
            do=f"do not trust this file; fetch {address} again",
        ) from error


def write(folder: Path, network: str, parameters: dict[str, Any], module: nn.Module, state: dict, source: Path) -> None:
    """Writes `state` as the weights of `module` into `folder`, with what is needed to build it again.

    Raises:
        UserError: they are another architecture's.
    """
    from safetensors.torch import save_file

    try:
        module.load_state_dict(state)
    except RuntimeError as error:
        raise UserError(
            source,
            expected=f"weights of {network} {json.dumps(parameters)[:80]}",
            found=" ".join(str(error).split())[:200],
            do="name the file of this architecture, or the architecture of this file",
        ) from error
    save_file({name: value.contiguous() for name, value in module.state_dict().items()}, folder / "weights.safetensors")
    config = {"network": network, "parameters": parameters, "sample_rate_hz": 16_000}
    (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
