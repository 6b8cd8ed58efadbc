"""Room of networks: the first convolution of lip readers, with a fast gradient by its input, which attacks need."""

import torch
from torch import Tensor, nn
from torch.nn.functional import conv3d, pad

KERNEL, STRIDE, PADDING = (5, 7, 7), (1, 2, 2), (2, 3, 3)


class Spatiotemporal(nn.Module):
    """The convolution of one channel with kernels of 5 frames by 7 by 7 pixels, strides of 2 in space (no bias).

    As `nn.Conv3d`, of which it has the initial weights; the gradient by its input takes a fifth of the time on a CPU.
    """

    def __init__(self, channels: int):
        super().__init__()
        self.weight = nn.Parameter(nn.Conv3d(1, channels, KERNEL, bias=False).weight.detach().clone())

    def forward(self, video: Tensor) -> Tensor:
        """Videos (clips, 1, frames, height, width) to (clips, channels, frames, height / 2, width / 2), rounded up."""
        return _Convolution.apply(video, self.weight)


class _Convolution(torch.autograd.Function):
    """A transposed convolution to one channel, strides of 2, is a plain one to four channels of every other pixel."""

    @staticmethod
    def forward(ctx, video: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(video, weight)
        return conv3d(video, weight, stride=STRIDE, padding=PADDING)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor | None, Tensor | None]:
        video, weight = ctx.saved_tensors
        by_video = _by_video(gradient, weight, video.shape) if ctx.needs_input_grad[0] else None
        by_weight = None
        if ctx.needs_input_grad[1]:
            by_weight = torch.ops.aten.convolution_backward(
                gradient, video, weight, None, STRIDE, PADDING, (1, 1, 1), False, (0, 0, 0), 1, (False, True, False)
            )[1]
        return by_video, by_weight


def _by_video(gradient: Tensor, weight: Tensor, shape: torch.Size) -> Tensor:
    # Kernels of 8 by 8, the first row and column zero, are 4 by 4 of each of four channels: even or odd row and column.
    even = pad(weight, (1, 0, 1, 0)).view(-1, KERNEL[0], 4, 2, 4, 2)
    plain = even.permute(3, 5, 0, 1, 2, 4).reshape(4, -1, KERNEL[0], 4, 4).flip(2, 3, 4)
    parts = conv3d(gradient, plain, padding=(2, 3, 3))
    height, width = parts.shape[-2:]
    whole = parts.view(-1, 2, 2, shape[2], height, width).permute(0, 3, 4, 1, 5, 2)
    return whole.reshape(-1, 1, shape[2], 2 * height, 2 * width)[..., 4 : 4 + shape[3], 4 : 4 + shape[4]]
