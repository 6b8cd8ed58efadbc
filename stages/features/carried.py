"""Room of features: what a perturbation of the mouth's crop is in the crop of the face of the same clip."""

import torch
import torch.nn.functional as f
from torch import Tensor


def carried(delta: Tensor, frame_to_mouth: Tensor, frame_to_face: Tensor, size: int) -> Tensor:
    """What a perturbation of the mouth's crop is in the face's crop; differentiable.

    Args:
        delta: (..., frames, height, width) float, of the mouth's crop.
        frame_to_mouth: (..., frames, 2, 3).
        frame_to_face: (..., frames, 2, 3).
        size: side of the face's crop.

    Returns:
        (..., frames, size, size), interpolated bilinearly, zero outside the mouth's crop.
    """
    images = delta.reshape(-1, 1, *delta.shape[-2:])
    face_to_mouth = _square(frame_to_mouth) @ _square(frame_to_face).inverse()
    to_shares = _pixels_to_shares(delta.shape[-1], delta.shape[-2]).to(face_to_mouth)
    from_shares = _pixels_to_shares(size, size).to(face_to_mouth).inverse()
    maps = (to_shares @ face_to_mouth @ from_shares)[:, :2].to(delta)
    grid = f.affine_grid(maps, [len(images), 1, size, size], align_corners=False)
    return f.grid_sample(images, grid, align_corners=False).reshape(*delta.shape[:-2], size, size)


def _square(maps: Tensor) -> Tensor:
    """(..., 2, 3) as (maps, 3, 3), in double precision."""
    last = torch.tensor([0.0, 0.0, 1.0], dtype=torch.double, device=maps.device)
    maps = maps.double().reshape(-1, 2, 3)
    return torch.cat([maps, last.expand(len(maps), 1, 3)], dim=1)


def _pixels_to_shares(width: int, height: int) -> Tensor:
    """From pixels to what `grid_sample` counts in: -1 at the left and upper edge, 1 at the others."""
    return torch.tensor([[2 / width, 0, 1 / width - 1], [0, 2 / height, 1 / height - 1], [0, 0, 1]])
