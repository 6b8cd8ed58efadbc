"""Room of pretraining: SyncNet as its authors have published it, `syncnet_v2.model`, key for key."""

import json
from pathlib import Path

from stages.frame.errors import UserError
from stages.networks import syncnet
from stages.pretraining import foreign

ADDRESS = "https://www.robots.ox.ac.uk/~vgg/software/lipsync/data/syncnet_v2.model"
SIGNAL = {"sample_rate_hz": 16_000, "frames_per_s": 25, "crop": syncnet.SyncNet.side}


def learn(root: Path, finished: Path, scratch: Path, device: str, *, file: str, sha256: str | None) -> None:
    """Writes the network of the checkpoint as `victim.save` would.

    Args:
        root: the folder of downloaded models.
        finished: where the model goes.
        scratch: not needed here.
        device: not needed here.
        file: in `root`.
        sha256: what the file's must be, null to trust it.

    Raises:
        UserError: the file is missing, another one, damaged, of another architecture, or would run code.
    """
    path = root / file
    state = foreign.read_checkpoint(path, address=ADDRESS, sha256=sha256)
    if not isinstance(state, dict):
        raise UserError(path, expected="tensors by name", found=type(state).__name__, do=f"fetch {ADDRESS} again")
    # As a plain dict: what old torch wrote says nothing of batches seen, and a plain dict need not.
    foreign.write(finished, "syncnet", {}, syncnet.build(0, **SIGNAL), dict(state), path)
    bounds = {"faces": [0, 255], "audio": [-1.0, 1.0]}
    config = {"network": "syncnet", "parameters": {}, "labels": [], "decides": "label", "signal": SIGNAL}
    (finished / "config.json").write_text(json.dumps(config | {"bounds": bounds}, indent=1) + "\n", encoding="utf-8")
