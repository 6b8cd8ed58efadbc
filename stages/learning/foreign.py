"""Room of learning: what all that takes in PyTorch checkpoints of others shares."""

import hashlib
import json
from argparse import Namespace
from pathlib import Path
from typing import Any

from torch import nn

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
    from pickle import UnpicklingError

    import torch

    if not path.is_file():
        raise UserError(path, "a checkpoint", "no such file", f"fetch {address}")
    if sha256 is not None:
        with path.open("rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
        if found != sha256:
            raise UserError(path, f"the SHA-256 {sha256}", found, f"fetch {address} again")
    try:
        with torch.serialization.safe_globals([Namespace]):
            return torch.load(path, map_location="cpu", weights_only=True)
    except (UnpicklingError, RuntimeError, EOFError) as error:
        raise UserError(
            path,
            "tensors and plain values alone",
            (str(error).strip() or "an empty file").splitlines()[0],
            f"do not trust this file; fetch {address} again",
        ) from error


def write(folder: Path, module: nn.Module, state: dict, source: Path, config: dict[str, Any]) -> None:
    """Writes `state` as the weights of `module` into `folder`, with what is needed to build it again.

    Args:
        folder: where the model goes.
        module: of the architecture that `config` names.
        state: tensors by the names that the module gives them.
        source: the file that they come from, for errors.
        config: what `config.json` says: at least `network` and its `parameters`.

    Raises:
        UserError: they are another architecture's.
    """
    from safetensors.torch import save_file

    try:
        module.load_state_dict(state)
    except RuntimeError as error:
        raise UserError(
            source,
            f"weights of {config['network']} {json.dumps(config['parameters'])[:80]}",
            " ".join(str(error).split())[:200],
            "name the file of this architecture, or the architecture of this file",
        ) from error
    save_file({name: value.contiguous() for name, value in module.state_dict().items()}, folder / "weights.safetensors")
    (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
