"""Room of networks: sequences of different lengths, padded, to one vector each; the padding has no influence."""

import torch
from torch import Tensor


def inside(values: Tensor, lengths: Tensor) -> Tensor:
    """Which steps (examples, steps) of values (examples, steps, features) are an example's own."""
    return torch.arange(values.shape[-2], device=values.device) < lengths.to(values.device)[..., None]


def mean(values: Tensor, own: Tensor) -> Tensor:
    """The mean (examples, features) over an example's own steps."""
    mask = own[..., None].to(values)
    return (values * mask).sum(-2) / mask.sum(-2)


def maximum(values: Tensor, own: Tensor) -> Tensor:
    """The maximum (examples, features) over an example's own steps."""
    return values.masked_fill(~own[..., None], -torch.inf).amax(-2)


def weights(scores: Tensor, own: Tensor) -> Tensor:
    """Softmax of scores (examples, ..., steps) over an example's own steps (examples, ..., steps); zero elsewhere."""
    return scores.masked_fill(~own, -torch.inf).softmax(-1)


def weighted(values: Tensor, shares: Tensor) -> Tensor:
    """The sum (examples, features) of values (examples, steps, features) by their shares (examples, steps)."""
    return (shares[..., None, :] @ values)[..., 0, :]
