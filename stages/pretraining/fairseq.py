"""Room of pretraining: wav2vec as fairseq has published it, converted key for key."""

from dataclasses import dataclass
from typing import Literal

from stages.frame import weights
from stages.frame.errors import UserError
from stages.learning import foreign
from stages.learning.work import Work
from stages.networks import wav2vec

SIZES = {"base": wav2vec.BASE, "large": wav2vec.LARGE}
ADDRESS = "https://dl.fbaipublicfiles.com/fairseq/wav2vec/wav2vec_large.pt"
PREDICTIONS = "wav2vec_predictions."
SAMPLE_RATE_HZ = 16_000


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Which checkpoint is converted.

    Args:
        file: in the folder of downloaded models.
        sha256: what the file's must be, null to trust it.
        size: which of the two published architectures it is.
    """

    file: str
    sha256: str | None
    size: Literal["base", "large"]


def learn(work: Work, recipe: Recipe) -> None:
    """Writes the network of a checkpoint; what predicts future frames, which features do not need, is left out.

    Raises:
        UserError: the file is missing, another one, damaged, of another architecture, or would run code.
    """
    path, shape = work.root / recipe.file, SIZES[recipe.size]
    checkpoint = foreign.read_checkpoint(path, address=ADDRESS, sha256=recipe.sha256)
    if not isinstance(checkpoint, dict) or "model" not in checkpoint:
        found = ", ".join(map(str, checkpoint)) if isinstance(checkpoint, dict) else type(checkpoint).__name__
        raise UserError(path, "fairseq's entry 'model'", found[:100], f"fetch {ADDRESS} again")
    state = checkpoint["model"]
    if isinstance(state, dict):
        state = {name: value for name, value in state.items() if not str(name).startswith(PREDICTIONS)}
    network = wav2vec.build(**shape)
    foreign.take(network, state, path, expected=f"wav2vec {recipe.size}", address=ADDRESS)
    config = {"network": "wav2vec", "parameters": shape, "sample_rate_hz": SAMPLE_RATE_HZ}
    weights.save(work.finished, network, config)
