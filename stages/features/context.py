"""Room of features: frames with their neighbours, as dense networks take them."""

from torch import Tensor
from torch.nn.functional import pad


def windows(frames: Tensor, context: int) -> Tensor:
    """Each frame of (clips, frames, values) with its neighbours, (clips, frames, (2 context + 1) values).

    Zeros stand before the first frame and after the last.
    """
    padded = pad(frames, (0, 0, context, context))
    return padded.unfold(1, 2 * context + 1, 1).transpose(2, 3).flatten(2)
