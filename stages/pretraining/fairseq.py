"""Room of pretraining: wav2vec as fairseq has published it, converted key for key."""

from pathlib import Path
from typing import Literal

from stages.frame.errors import UserError
from stages.networks import wav2vec
from stages.pretraining import foreign

SIZES = {"base": wav2vec.BASE, "large": wav2vec.LARGE}
ADDRESS = "https://dl.fbaipublicfiles.com/fairseq/wav2vec/wav2vec_large.pt"
PREDICTIONS = "wav2vec_predictions."


def learn(
    root: Path,
    finished: Path,
    scratch: Path,
    device: str,
    *,
    file: str,
    sha256: str | None,
    size: Literal["base", "large"],
) -> None:
    """Writes the network of a checkpoint; what predicts future frames, which features do not need, is left out.

    Args:
        root: the folder of downloaded models.
        finished: where the model goes.
        scratch: not needed here.
        device: not needed here.
        file: in `root`.
        sha256: what the file's must be, null to trust it.
        size: which of the two published architectures it is.

    Raises:
        UserError: the file is missing, another one, damaged, of another architecture, or would run code.
    """
    path = root / file
    checkpoint = foreign.read_checkpoint(path, address=ADDRESS, sha256=sha256)
    if not isinstance(checkpoint, dict) or "model" not in checkpoint:
        found = ", ".join(map(str, checkpoint)) if isinstance(checkpoint, dict) else type(checkpoint).__name__
        raise UserError(path, expected="fairseq's entry 'model'", found=found[:100], do=f"fetch {ADDRESS} again")
    state = {name: value for name, value in checkpoint["model"].items() if not name.startswith(PREDICTIONS)}
    foreign.write(finished, "wav2vec", SIZES[size], wav2vec.build(**SIZES[size]), state, path)
