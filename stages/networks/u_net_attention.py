"""Room of networks: U-Net_At, a Wave-U-Net with self-attention on its way up (Yang et al., ICASSP 2020).

What the paper says (section 3.1, Eq. 4): a gate in the up-sampling block(s) encodes what comes from below, x_t, into
queries h_t^Q and keys [h_0 .. h_t]; scaled dot-product attention by them over the skip x_c gives the context c_t; the
block's output takes c_t, x_t and the cropped x_c. What it leaves open, and how it is taken here:

* Which blocks have gates: a parameter. Time and memory grow with the square of the steps, so the deepest are the place.
* Whether a step sees later ones. The keys' indices end at t, which is `causal`; the U-Net around the gate is not.
* The encoder, and whether queries and keys share it: a convolution of one tap for each.
* x_t is taken at its doubled rate, at which it has as many steps as x_c. The values are x_c itself, not projected.
* One head, no code of the place: what is near is told from what is far by the convolutions alone.
"""

from torch import Tensor, nn
from torch.nn.functional import pad, scaled_dot_product_attention

from stages.frame.errors import UserError
from stages.frame.parameters import Count
from stages.networks.wave_u_net import Conv1d, WaveUNet


def build(
    number_of_labels: int,
    *,
    sample_rate_hz: int,
    layers: Count,
    filters: Count,
    down_kernel: Count,
    up_kernel: Count,
    fold: Count,
    attention_levels: list[Count],
    attention_units: Count,
    causal: bool,
) -> nn.Module:
    """The untrained enhancer.

    Args:
        number_of_labels, sample_rate_hz, layers, filters, down_kernel, up_kernel, fold: as of `wave_u_net`.
        attention_levels: which blocks on the way up have a gate: 1 is the last, at the full rate, `layers` the deepest.
        attention_units: of queries and keys.
        causal: whether a step attends to itself and those before it alone.

    Raises:
        UserError: no level, one twice, or one below the deepest.
    """
    if sorted(attention_levels) != sorted(set(attention_levels) & set(range(1, layers + 1))) or not attention_levels:
        raise UserError(
            "network u_net_attention",
            f"different attention_levels of 1 to {layers}",
            f"{attention_levels}",
            "correct the victim's parameters",
        )
    widths = [filters * (level + 1) for level in range(layers + 1)]
    gates = {level - 1: Gate(widths[level], attention_units, causal) for level in attention_levels}
    return WaveUNet(widths, gates, down_kernel=down_kernel, up_kernel=up_kernel, fold=fold)


class Gate(nn.Module):
    """The attention gate (Eq. 4)."""

    def __init__(self, channels: int, units: int, causal: bool):
        super().__init__()
        self.query, self.key = Conv1d(channels, units, 1), Conv1d(channels, units, 1)
        self.causal = causal

    def forward(self, coming: Tensor, skip: Tensor, inside: Tensor) -> Tensor:
        """The context, of the shape of `skip` (clips, channels, steps), from `coming`, of as many steps.

        Keys outside `inside` (clips, 1, steps) get no weight, contexts there are zero. Where it is causal no step
        inside sees one outside anyway.
        """
        query, key, value = (values.mT for values in (self.query(coming), self.key(coming), skip))
        mask = None if self.causal else inside[:, None].expand(-1, -1, query.shape[1], -1)
        # Zeros make all three as wide: only then PyTorch has one kernel for it all, on a CPU too.
        units, channels = query.shape[2], value.shape[2]
        wide = (pad(values, (0, max(units, channels) - values.shape[2]))[:, None] for values in (query, key, value))
        context = scaled_dot_product_attention(*wide, attn_mask=mask, is_causal=self.causal, scale=units**-0.5)
        return context[:, 0, :, :channels].mT * inside
