"""Room of pretraining: NSNet2 and DNSMOS from the ONNX files that their makers publish."""

from dataclasses import dataclass
from typing import Literal

from stages import victim
from stages.frame import weights
from stages.learning import foreign, onnx_file
from stages.learning.work import Work

SIGNAL = {"sample_rate_hz": 16_000}
# As of a model that is trained here.
CONFIG = {"labels": [], "decides": "label", "attacked_on": "logits", "signal": SIGNAL, "bounds": {"audio": [-1.0, 1.0]}}
ADDRESS = "the file of https://github.com/microsoft/DNS-Challenge"


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Which file is converted.

    Args:
        file: in the folder of downloaded models.
        network: what it is of.
        sha256: what the file's must be, null to trust it.
    """

    file: str
    network: Literal["nsnet2", "dnsmos"]
    sha256: str | None


def learn(work: Work, recipe: Recipe) -> None:
    """Writes the network of the graph like one that is trained here.

    Raises:
        UserError: the file is missing, another one or damaged, or has operators that are not known here.
    """
    path = work.root / recipe.file
    foreign.check_file(path, address=ADDRESS, sha256=recipe.sha256)
    graph, state = onnx_file.read(path)
    parameters = {"graph": graph}
    network = victim.build(recipe.network, 0, parameters, where=str(path), signal=SIGNAL)
    weights.fit(network.graph, state, path, expected="the tensors of its graph", do=onnx_file.DO)
    weights.save(work.finished, network, CONFIG | {"network": recipe.network, "parameters": parameters})
