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

from stages.frame import finite, json_files, weights
from stages.frame.errors import UserError

History = list[dict[str, Any]]
HISTORY = "history.json"
# For errors: what an interrupted run has left in scratch.
LEFT = {"what": "the rounds that are done", "do": "delete this folder and run the same command again"}


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
    keep_every_round: bool = False,
) -> History:
    """Does `work(number)` for each round not yet done; its results are the rows of the history.

    The module's weights after the last round stay in `scratch`, with `keep_every_round` those after each; see
    `weights_file`.

    Raises:
        UserError: what a round gives is not finite, and so worth nothing: training can go on from the one before; or
            what an interrupted run has left is damaged.
    """
    scratch.mkdir(parents=True, exist_ok=True)
    history = done(scratch)
    if history:
        _restore(module, optimiser, len(history) - 1, scratch)
    for number in range(len(history), rounds):
        history.append(work(number))
        _check_finite(module, history[-1], f"{scratch}, round {number + 1}")
        _keep(module, optimiser, history, scratch)
        if number > 0:
            _optimiser_file(scratch, number - 1).unlink(missing_ok=True)
            if not keep_every_round:
                weights_file(scratch, number - 1).unlink(missing_ok=True)
    return history


def done(scratch: Path) -> History:
    """The history of the rounds that are done."""
    path = scratch / HISTORY
    return json_files.read(path, {"rounds": list[dict[str, Any]]}, **LEFT)["rounds"] if path.exists() else []


def weights_file(scratch: Path, number: int) -> Path:
    """The file of the module's weights after a round."""
    return scratch / f"round-{number:04d}.safetensors"


def kept(scratch: Path, number: int) -> dict[str, Tensor]:
    """The module's weights after a round, on the CPU."""
    return weights.read(weights_file(scratch, number), do=LEFT["do"])


def _optimiser_file(scratch: Path, number: int) -> Path:
    return scratch / f"optimiser-{number:04d}.safetensors"


def _check_finite(module: nn.Module, row: dict[str, Any], where: str) -> None:
    """Passes what a round gives, if it is finite: of NaN no comparison is true, so that it would come out best."""
    do = "train it otherwise, such as at a lower learning rate"
    for name, value in (row | module.state_dict()).items():
        finite.check(value, where, name, do=do)


def _keep(module: nn.Module, optimiser: Optimizer, history: History, scratch: Path) -> None:
    from safetensors.torch import save_file

    number = len(history) - 1
    state = {name: value.detach().contiguous().clone() for name, value in module.state_dict().items()}
    save_file(state, weights_file(scratch, number))
    moments = {
        f"{index}:{name}": value.contiguous()
        for index, named in optimiser.state_dict()["state"].items()
        for name, value in named.items()
    }
    save_file(moments, _optimiser_file(scratch, number))
    # The history comes last: it is what says that the round is done.
    unfinished = scratch / f"{HISTORY}.unfinished"
    unfinished.write_text(json.dumps({"rounds": history}))
    unfinished.rename(scratch / HISTORY)


def _restore(module: nn.Module, optimiser: Optimizer, number: int, scratch: Path) -> None:
    path = weights_file(scratch, number)
    weights.fit(module, kept(scratch, number), path, expected="weights of this network", do=LEFT["do"])
    path, own = _optimiser_file(scratch, number), [one for group in optimiser.param_groups for one in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for entry, value in weights.read(path, do=LEFT["do"]).items():
        index, _, name = entry.partition(":")
        if not index.isdecimal() or int(index) >= len(own) or value.shape not in ((), own[int(index)].shape):
            raise UserError(path, "what the optimiser knows of each weight", repr(entry), LEFT["do"])
        finite.check(value, path, entry, do=LEFT["do"])
        state.setdefault(int(index), {})[name] = value
    optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})
