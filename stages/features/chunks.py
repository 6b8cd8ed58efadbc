"""Room of features: cuts sequences of different lengths into chunks of one length."""

import torch
from torch import Tensor


def starts(length: int, size: int, least: int) -> list[int]:
    """Where the chunks of a sequence begin.

    Full chunks follow one another; a remainder of at least `least` is covered by one more chunk that ends where the
    sequence ends, a shorter one is left out; a sequence shorter than a chunk gives one (Iqbal et al., DCASE 2018).
    """
    whole, remainder = divmod(length, size)
    if whole == 0:
        return [0]
    return [size * number for number in range(whole)] + ([length - size] if remainder >= least else [])


def cut(sequences: Tensor, lengths: Tensor, *, size: int, least: int) -> tuple[Tensor, Tensor]:
    """Chunks (chunks, ..., size) of sequences (clips, ..., time), and the clip that each was cut from (chunks,).

    `sequences` must be at least `size` long, and hold after each length what short ones are to be filled with.
    """
    plan = [(clip, start) for clip, length in enumerate(lengths.tolist()) for start in starts(length, size, least)]
    owners, begins = torch.tensor(plan).T
    if len(plan) == len(sequences) and not begins.any():
        return sequences[..., :size], owners
    owners, begins = owners.to(sequences.device), begins.to(sequences.device)
    columns = begins[:, None] + torch.arange(size, device=sequences.device)
    columns = columns.view(len(plan), *[1] * (sequences.dim() - 2), size).expand(-1, *sequences.shape[1:-1], -1)
    return sequences.index_select(0, owners).gather(-1, columns), owners
