"""Room of learning: the loop that all training runs in, resumable, the same bytes with or without a break.

A round is an epoch or some iterations, whatever the method likes. All randomness of a round must come from the seed and
the round's number; after each round the state is kept, so an interrupted run goes on with the next one.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn
from torch.optim import Optimizer
from tqdm import tqdm

History = list[dict[str, Any]]


@dataclass(frozen=True)
class Descent:
    """A module on its way down a loss: with its optimiser, and the bar that counts its steps."""

    module: nn.Module
    optimiser: Optimizer
    bar: tqdm

    def step(self, loss: Tensor, rate: float, *, largest_gradient: float | None = None) -> Tensor:
        """One step down `loss`, a number, which is returned without its graph; see `move`."""
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward(inputs=list(self.module.parameters()))
        self.move(rate, largest_gradient=largest_gradient)
        return loss.detach()

    def move(self, rate: float, *, largest_gradient: float | None = None) -> None:
        """One step by the gradients there are, at a learning rate, their norm cut to `largest_gradient`."""
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        if largest_gradient is not None:
            nn.utils.clip_grad_norm_(self.module.parameters(), largest_gradient)
        self.optimiser.step()
        self.bar.update()


def rounds_of(iterations: int, each: int) -> list[range]:
    """The iterations of each round, `each` of them and in the last round what is left."""
    return [range(start, min(start + each, iterations)) for start in range(0, iterations, each)]


def run(
    module: nn.Module,
    optimiser: Optimizer,
    rounds: int,
    work: Callable[[int], dict[str, Any]],
    *,
    scratch: Path,
    device: str,
    keep_every_round: bool = False,
) -> History:
    """Does `work(number)` for each round not yet done; its results are the rows of the history.

    The module's weights after the last round stay in `scratch`, with `keep_every_round` those after each; see
    `weights`.
    """
    scratch.mkdir(parents=True, exist_ok=True)
    history = done(scratch)
    if history:
        _restore(module, optimiser, len(history) - 1, scratch, device)
    for number in range(len(history), rounds):
        history.append(work(number))
        _keep(module, optimiser, history, scratch)
        if number > 0:
            _optimiser_file(scratch, number - 1).unlink(missing_ok=True)
            if not keep_every_round:
                weights(scratch, number - 1).unlink(missing_ok=True)
    return history


def done(scratch: Path) -> History:
    """The history of the rounds that are done."""
    path = scratch / "history.json"
    return json.loads(path.read_text()) if path.exists() else []


def weights(scratch: Path, number: int) -> Path:
    """The file of the module's weights after a round."""
    return scratch / f"round-{number:04d}.safetensors"


def _optimiser_file(scratch: Path, number: int) -> Path:
    return scratch / f"optimiser-{number:04d}.safetensors"


def _keep(module: nn.Module, optimiser: Optimizer, history: History, scratch: Path) -> None:
    from safetensors.torch import save_file

    number = len(history) - 1
    state = {name: value.detach().contiguous().clone() for name, value in module.state_dict().items()}
    save_file(state, weights(scratch, number))
    moments = {
        f"{index}:{name}": value.contiguous()
        for index, named in optimiser.state_dict()["state"].items()
        for name, value in named.items()
    }
    save_file(moments, _optimiser_file(scratch, number))
    # The history comes last: it is what says that the round is done.
    unfinished = scratch / "history.json.unfinished"
    unfinished.write_text(json.dumps(history))
    unfinished.rename(scratch / "history.json")


def _restore(module: nn.Module, optimiser: Optimizer, number: int, scratch: Path, device: str) -> None:
    from safetensors.torch import load_file

    module.load_state_dict(load_file(weights(scratch, number), device))
    state: dict[int, dict[str, Tensor]] = {}
    for entry, value in load_file(_optimiser_file(scratch, number), device).items():
        index, name = entry.split(":")
        state.setdefault(int(index), {})[name] = value
    optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})
