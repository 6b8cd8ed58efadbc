"""Room of training: the method `published_recogniser`, which trains nothing: it takes a recogniser of torchaudio's."""

from dataclasses import dataclass
from pathlib import Path

from torch import Tensor, nn

from stages import victim
from stages.frame import weights
from stages.frame.errors import UserError
from stages.learning import foreign
from stages.networks.wav2vec2_ctc import ALPHABET
from stages.training import recognised
from stages.training.task import Outcome, Task

NETWORK = "wav2vec2_ctc"


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Where the weights are.

    Args:
        weights: path of the bundle's file, as torchaudio publishes it.
    """

    weights: str


def train(task: Task, recipe: Recipe) -> Outcome:
    """Writes the one model, and its decisions on all validation and test clips that have a text.

    The model's labels are the bundle's characters, whatever those of the clips' texts are.

    Raises:
        UserError: another network, weights that are missing or not the bundle's, a text of other characters.
    """
    network, parameters = task.config["network"], task.config["parameters"]
    if network != NETWORK:
        raise UserError(
            "method published_recogniser", f"the network {NETWORK}", network, "correct the victim's network or method"
        )
    signal = task.clips.about["signal"]
    module = victim.build(network, len(ALPHABET), parameters, where="the victim's parameters", signal=signal)
    _load(module, parameters["bundle"], Path(recipe.weights))
    weights.save(task.finished, module, task.config | {"labels": ALPHABET})
    return recognised.judged(task)


def _load(module: nn.Module, bundle: str, path: Path) -> None:
    """Gives the module a bundle's published weights, without the outputs that no character was ever trained for."""
    import torchaudio

    pipeline = getattr(torchaudio.pipelines, bundle)
    address = foreign.TORCHAUDIO + pipeline._path
    state = foreign.read_checkpoint(path, address=address, sha256=None)
    for name in ("aux.weight", "aux.bias"):
        values = state.get(name) if isinstance(state, dict) else None
        if isinstance(values, Tensor) and values.dim():
            state[name] = values[[row for row in range(len(values)) if row not in pipeline._remove_aux_axis]]
    foreign.take(module.network.model, state, path, expected=bundle, address=address)
