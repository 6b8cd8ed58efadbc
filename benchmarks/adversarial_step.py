"""Benchmarks: a step of adversarial training beside its bare passes: `python -m benchmarks.adversarial_step`."""

import time
from collections.abc import Callable
from statistics import median

from benchmarks import ROOT, table

BATCH, WARM_UP, ROUNDS = 16, 3, 40
FRAMES, MELS, LABELS = 64, 64, 7


def main() -> None:
    """Prints medians of a step of both sides, taken in turn, and of their ratio, for each network and regime."""
    import torch

    torch.set_num_threads(1)
    rows = []
    for network in ("cnn4", "resnet50", "vgg16"):
        for regime in ("vanilla", "similarity"):
            sides = _sides(network, regime)
            seconds: dict[str, list[float]] = {name: [] for name in sides}
            for number in range(WARM_UP + ROUNDS):
                for name, step in sides.items():
                    start = time.perf_counter()
                    step()
                    if number >= WARM_UP:
                        seconds[name].append(time.perf_counter() - start)
            ours, bare = (median(taken) for taken in seconds.values())
            ratio = median(one / other for one, other in zip(*seconds.values()))
            rows.append([network, regime, f"{1000 * ours:.1f}", f"{1000 * bare:.1f}", f"{ratio:.3f}"])
    print(f"batches of {BATCH} images of {FRAMES} x {MELS}, networks as in params.yaml, one thread\n")
    print(table(["network", "regime", "step, ms", "bare passes, ms", "ratio"], rows))


def _sides(network: str, regime: str) -> dict[str, Callable[[], None]]:
    """A step with its FGSM batch; two forward passes, a backward pass to the images, one through both, an Adam step."""
    import torch

    from stages import victim
    from stages.frame import parameters
    from stages.training import adversarial

    values = parameters.section(f"emotion.victims.{network}", ROOT / "params.yaml")
    given = parameters.section(f"emotion.recipes.{values['recipe']}", ROOT / "params.yaml") | {"regime": regime}
    recipe = parameters.bind(adversarial.Recipe, "recipe", given)()
    module = victim.build(network, LABELS, values["parameters"], where=network, signal={"mels": MELS}).train()
    weights = list(module.parameters())
    optimiser = torch.optim.Adam(weights, recipe.learning_rate)
    images, targets = torch.randn(BATCH, FRAMES, MELS), torch.arange(BATCH) % LABELS

    def finish(loss: torch.Tensor) -> None:
        optimiser.zero_grad(set_to_none=True)
        loss.backward(inputs=weights)
        optimiser.step()

    def ours() -> None:
        finish(adversarial.adversarial_loss(module, images, targets, recipe.epsilons[0], recipe))

    def bare() -> None:
        x = images.clone().requires_grad_()
        first = module({"log_mel": x}).sum()
        (gradient,) = torch.autograd.grad(first, x, retain_graph=True)
        finish(first + module({"log_mel": gradient}).sum())

    return {"ours": ours, "bare": bare}


if __name__ == "__main__":
    main()
