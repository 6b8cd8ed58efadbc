"""Room of learning: Adam by torch's own function, as its class imports a compiler with the first step (1.3 CPU-s)."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.adam import adam


class Adam:
    """What `torch.optim.Adam` does with its defaults, to the last bit, as far as training here asks for it."""

    def __init__(self, parameters: Iterable[nn.Parameter], lr: float):
        self.param_groups: list[dict[str, Any]] = [{"params": list(parameters), "lr": lr}]
        self._state: dict[int, dict[str, Tensor]] = {}

    def zero_grad(self, *, set_to_none: bool) -> None:
        """Forgets the gradients, or makes them zero."""
        for parameter in self.param_groups[0]["params"]:
            if set_to_none:
                parameter.grad = None
            elif parameter.grad is not None:
                parameter.grad.zero_()

    @torch.no_grad()
    def step(self) -> None:
        """One step of all parameters that have a gradient."""
        (group,) = self.param_groups
        own = [(number, one) for number, one in enumerate(group["params"]) if one.grad is not None]
        for number, one in own:
            if number not in self._state:
                moments = {name: torch.zeros_like(one) for name in ("exp_avg", "exp_avg_sq")}
                self._state[number] = {"step": torch.tensor(0.0), **moments}
        means, squares, steps = (
            [self._state[number][name] for number, _ in own] for name in ("exp_avg", "exp_avg_sq", "step")
        )
        parameters, gradients = [one for _, one in own], [one.grad for _, one in own]
        adam(
            *(parameters, gradients, means, squares, [], steps),
            amsgrad=False,
            beta1=0.9,
            beta2=0.999,
            lr=group["lr"],
            weight_decay=0.0,
            eps=1e-8,
            maximize=False,
        )

    def state_dict(self) -> dict[str, Any]:
        """The moments of each parameter by its number, and the learning rate."""
        return {"state": self._state, "param_groups": [{"lr": self.param_groups[0]["lr"]}]}

    def load_state_dict(self, given: dict[str, Any]) -> None:
        """Goes on from what `state_dict` gave."""
        self._state = {number: dict(named) for number, named in given["state"].items()}
