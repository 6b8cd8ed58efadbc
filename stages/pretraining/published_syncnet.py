"""Room of pretraining: SyncNet as its authors have published it, `syncnet_v2.model`, key for key."""

from dataclasses import dataclass

from stages.frame import weights
from stages.learning import foreign
from stages.learning.work import Work
from stages.networks import syncnet

ADDRESS = "https://www.robots.ox.ac.uk/~vgg/software/lipsync/data/syncnet_v2.model"
SIGNAL = {"sample_rate_hz": 16_000, "frames_per_s": 25, "crop": syncnet.SyncNet.side}
# As of a model that is trained here.
CONFIG = {
    "network": "syncnet",
    "parameters": {},
    "labels": [],
    "decides": "label",
    "attacked_on": "logits",
    "signal": SIGNAL,
    "bounds": {"faces": [0, 255], "audio": [-1.0, 1.0]},
}


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Which checkpoint is converted.

    Args:
        file: in the folder of downloaded models.
        sha256: what the file's must be, null to trust it.
    """

    file: str
    sha256: str | None


def learn(work: Work, recipe: Recipe) -> None:
    """Writes the network of the checkpoint like one that is trained here.

    Raises:
        UserError: the file is missing, another one, damaged, of another architecture, or would run code.
    """
    path = work.root / recipe.file
    state = foreign.read_checkpoint(path, address=ADDRESS, sha256=recipe.sha256)
    network = syncnet.build(0, **SIGNAL)
    foreign.take(network, state, path, expected="syncnet", address=ADDRESS)
    weights.save(work.finished, network, CONFIG)
