"""Room of networks: the steps of GRU layers (Cho et al. 2014) as few operations, for the CPU.

There PyTorch's own take twice as long for 4 examples, and a fifth longer for 16; on a GPU cuDNN's are used. Models that
are trained as one stack (`torch.func.vmap`) have `stages.networks.recurrent` instead.
"""

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.functional import linear

# An input to the update gate that closes it for certain: the state stays.
CERTAIN = 1e4


def both_ways(layers: nn.GRU, values: Tensor, inside: Tensor) -> Tensor:
    """What bidirectional `layers` without dropout give of values (examples, steps, inputs): (examples, steps, 2 units).

    It is zero where not `inside` (examples, steps). An example's steps come first and what pads them last, which has
    no influence.
    """
    values, inside = values.transpose(0, 1), inside.transpose(0, 1)[..., None].to(values)
    # The backward direction begins in the padding, where its state is zero and stays so.
    closed = CERTAIN * (1 - torch.stack([inside, inside.flip(0)], 1))
    directions = layers.all_weights
    for ahead, back in zip(directions[::2], directions[1::2]):
        given = torch.stack([linear(values, ahead[0], ahead[2]), linear(values, back[0], back[2]).flip(0)], 1)
        reset, update, new = given.chunk(3, -1)
        given = torch.cat([reset, update + closed, new], -1)
        weight, bias = torch.stack([ahead[1].T, back[1].T]), torch.stack([ahead[3], back[3]])[:, None]
        states = _Steps.apply(given, weight, bias)
        values = torch.cat([states[:, 0], states[:, 1].flip(0)], -1) * inside
    return values.transpose(0, 1)


class _Steps(torch.autograd.Function):
    """The states (steps, 2, examples, units) of cells, from zero on.

    Takes what the inputs give to reset gate, update gate and new state (steps, 2, examples, 3 units), and of what the
    states give to them the weights (2, units, 3 units) and biases (2, 1, 3 units). All of the gradients that does not
    have to go step by step is computed for all steps at once.
    """

    @staticmethod
    def forward(ctx, given: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        units = weight.shape[1]
        state = torch.zeros_like(given[0, ..., :units])
        kept = []
        for to_gates, to_new in zip(given[..., : 2 * units], given[..., 2 * units :]):
            recurrent = torch.baddbmm(bias, state, weight)
            gates = (to_gates + recurrent[..., : 2 * units]).sigmoid_()
            recurrent = recurrent[..., 2 * units :]
            new = torch.addcmul(to_new, gates[..., :units], recurrent).tanh_()
            state = torch.lerp(new, state, gates[..., units:])
            kept.append((state, gates, new, recurrent))
        kept = [torch.stack(one) for one in zip(*kept)]
        ctx.save_for_backward(weight, *kept)
        return kept[0]

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, Tensor | None, Tensor | None]:
        weight, states, gates, new, recurrent = ctx.saved_tensors
        units = weight.shape[1]
        reset, update = gates.split(units, -1)
        before = torch.cat([torch.zeros_like(states[:1]), states[:-1]])
        by_new = (1 - update) * (1 - new.square())
        by_update = (before - new) * update * (1 - update)
        by_reset = by_new * recurrent * reset * (1 - reset)
        # By these a state's gradient becomes that of what the state before gave to each gate.
        factors = torch.stack([by_reset, by_update, by_new * reset], -2)
        back, by_state = weight.transpose(1, 2), gradient[-1]
        by_states = [by_state]
        for step in range(len(gradient) - 1, 0, -1):
            by_gates = (factors[step] * by_state[..., None, :]).flatten(-2)
            by_state = torch.baddbmm(torch.addcmul(gradient[step - 1], by_state, update[step]), by_gates, back)
            by_states.append(by_state)
        by_states = torch.stack(by_states[::-1])
        by_gates = (factors * by_states[..., None, :]).flatten(-2)
        given = torch.cat([by_gates[..., : 2 * units], by_new * by_states], -1)
        if not ctx.needs_input_grad[1]:
            return given, None, None
        seen, by_gates = (one.transpose(0, 1).flatten(1, 2) for one in (before, by_gates))
        return given, seen.transpose(1, 2) @ by_gates, by_gates.sum(1, keepdim=True)
