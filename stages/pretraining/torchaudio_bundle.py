"""Room of pretraining: a model of the wav2vec 2.0 family that torchaudio offers."""

from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError

from stages.frame import weights
from stages.frame.errors import UserError
from stages.frame.parameters import Count
from stages.learning import foreign
from stages.learning.work import Work
from stages.networks import wav2vec2

SAMPLE_RATE_HZ = 16_000


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Which model is taken.

    Args:
        bundle: a name in `torchaudio.pipelines`.
        layer: whose vectors the features are to be, from 1.
    """

    bundle: wav2vec2.BUNDLES
    layer: Count


def learn(work: Work, recipe: Recipe) -> None:
    """Writes the network with its published weights: those in the folder of downloaded models, else downloaded ones.

    Raises:
        UserError: the file is neither there nor to be had, damaged, another's, or would run code.
    """
    import torchaudio

    network = wav2vec2.build(bundle=recipe.bundle, layer=recipe.layer)
    name = getattr(torchaudio.pipelines, recipe.bundle)._path
    path, address = work.root / name, foreign.TORCHAUDIO + name
    if not path.is_file():
        path = _downloaded(recipe.bundle, name, work.root)
    state = foreign.read_checkpoint(path, address=address, sha256=None)
    foreign.take(network.model, state, path, expected=recipe.bundle, address=address)
    shape = {"bundle": recipe.bundle, "layer": recipe.layer}
    config = {"network": "wav2vec2", "parameters": shape, "sample_rate_hz": SAMPLE_RATE_HZ}
    weights.save(work.finished, network, config)


def _downloaded(bundle: str, name: str, root: Path) -> Path:
    """The file of a bundle in torch's own folder of downloads, fetched if it is not there."""
    import torch

    path, address = Path(torch.hub.get_dir()) / "checkpoints" / name, foreign.TORCHAUDIO + name
    if path.is_file():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        torch.hub.download_url_to_file(address, str(path))
    except (URLError, OSError) as error:
        raise UserError(
            f"the bundle {bundle}",
            f"its weights at {root / name}, or a way to {address}",
            str(error),
            f"fetch them where you are online, and put them into {root}",
        ) from error
    return path
