"""Room of pretraining: a model of the wav2vec 2.0 family that torchaudio offers."""

from pathlib import Path
from urllib.error import URLError

from stages.frame.errors import UserError
from stages.frame.parameters import Count
from stages.networks import wav2vec2
from stages.pretraining import foreign

ADDRESS = "https://download.pytorch.org/torchaudio/models/"


def learn(root: Path, finished: Path, scratch: Path, device: str, *, bundle: wav2vec2.BUNDLES, layer: Count) -> None:
    """Writes the network with its published weights.

    Args:
        root: where the bundle's file is looked for first; else it is downloaded.
        finished: where the model goes.
        scratch: not needed here.
        device: not needed here.
        bundle: a name in `torchaudio.pipelines`.
        layer: whose vectors the features are to be.

    Raises:
        UserError: the file is neither there nor to be had, damaged, another's, or would run code.
    """
    import torch
    import torchaudio

    network = wav2vec2.build(bundle=bundle, layer=layer)
    name = getattr(torchaudio.pipelines, bundle)._path
    path, address = root / name, ADDRESS + name
    if not path.is_file():
        path = Path(torch.hub.get_dir()) / "checkpoints" / name
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            torch.hub.download_url_to_file(address, str(path))
        except (URLError, OSError) as error:
            raise UserError(
                f"the bundle {bundle}",
                expected=f"its weights at {root / name}, or a way to {address}",
                found=str(error),
                do=f"fetch them where you are online, and put them into {root}",
            ) from error
    state = foreign.read_checkpoint(path, address=address, sha256=None)
    state = {f"model.{key}": value for key, value in state.items()}
    foreign.write(finished, "wav2vec2", {"bundle": bundle, "layer": layer}, network, state, path)
