"""Room of training: the method `adversarial`, which trains a classifier of images on real and adversarial data (Ren et al. 2020).

One victim is a family of models: for each purpose, `development` (trained on the split train, to be judged on
validation) and `test` (trained on both, to be judged on test), one model for each strength of the regime.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from stages import victim
from stages.frame import progress
from stages.frame.clip_table import check_labels_everywhere
from stages.frame.errors import UserError
from stages.frame.parameters import Count, NonNegativeInt, Positive, Share
from stages.frame.shards import ShardSet
from stages.training import loop
from stages.training.batches import in_random_order
from stages.training.task import Task
from stages.victim import padded_batch

TRAINED_ON = {"development": ("train",), "test": ("train", "validation")}
JUDGED_ON = {"development": "validation", "test": "test"}


@dataclass(frozen=True)
class Recipe:
    """How a family is trained; made by `recipe`."""

    regime: str
    seed: int
    iterations: int
    adversarial_from: int
    batch_size: int
    learning_rate: float
    decay: float
    decay_every_iterations: int
    standardise: str
    epsilons: list[float]
    eta: float | None
    alpha: float
    beta: float
    gamma: float
    compared: str
    noise_snr_db: float
    noise_deviation: float

    def variants(self) -> list[str]:
        """What tells the models of one purpose apart: the epsilon as text, the kind of noise, or nothing."""
        if self.regime == "single":
            return [""]
        return ["audio", "log_mel"] if self.regime == "noise" else [f"{epsilon:g}" for epsilon in self.epsilons]


def recipe(
    *,
    regime: Literal["single", "vanilla", "similarity", "noise"],
    seed: NonNegativeInt,
    iterations: Count,
    batch_size: Count,
    learning_rate: Positive,
    decay: Share,
    decay_every_iterations: Count,
    standardise: Literal["per_bin", "global", "none"],
    adversarial_from: NonNegativeInt,
    epsilons: list[Positive],
    eta: Positive | None,
    alpha: Share,
    beta: Share,
    gamma: Share,
    compared: Literal["logits", "features"],
    noise_snr_db: float,
    noise_deviation: Positive,
) -> Recipe:
    """The recipe with checked values.

    Args:
        regime: single (real data alone), vanilla (Eq. 3), similarity (Eq. 4), or noise: Eq. 3 with random noise in the
            place of the attack, on the raw audio and on the image.
        seed: of weights, batches and noise.
        iterations: batches in all.
        batch_size: clips in a batch.
        learning_rate: Adam's.
        decay: factor on the learning rate every `decay_every_iterations`.
        decay_every_iterations: see `decay`; also how often the state is kept.
        standardise: whether mean and deviation are of each mel bin, of all, or 0 and 1. It decides what epsilon means.
        adversarial_from: the iteration from which the regime is in force.
        epsilons: one model each, of vanilla and similarity.
        eta: how far an adversarial value may lie from its own; null for epsilon.
        alpha: weight of the loss on real data, vanilla and noise.
        beta: weight of the loss on real data, similarity.
        gamma: weight of the loss on adversarial data, similarity; the distance has what remains to 1.
        compared: the vectors whose distance is taken: the last layer's output or its input.
        noise_snr_db: of the noise on the raw audio.
        noise_deviation: of the noise on the standardised image.

    Raises:
        UserError: the regime needs epsilons and there are none, or beta and gamma sum to more than 1.
    """
    if regime in ("vanilla", "similarity") and not epsilons:
        raise UserError(
            f"params.yaml: epsilons of a {regime} regime", expected="at least one", found="none", do="add it"
        )
    if beta + gamma > 1:
        raise UserError("params.yaml: beta + gamma", expected="at most 1", found=f"{beta + gamma:g}", do="lower one")
    return Recipe(**locals())


def train(task: Task, recipe: Recipe) -> None:
    """Writes a folder for each model and `members.csv`: member, regime, purpose, variant, training_epsilon, judged_by, judged_on.

    A model is judged on the clips whose column `judged_by` says `judged_on`.
    """
    check_labels_everywhere(task.clips.table, task.clips.folder)
    images, table = _load(task)
    rows = []
    total = len(TRAINED_ON) * (recipe.iterations * len(recipe.variants()))
    with progress.bar(total, "training", "batch") as bar:
        for purpose, splits in TRAINED_ON.items():
            chosen = np.flatnonzero(table.split.isin(splits))
            own = _Data(images[chosen], table.iloc[chosen].reset_index(drop=True), task)
            for variant in recipe.variants():
                member = f"{purpose}-{variant}" if variant else purpose
                _fit_member(task, recipe, own, purpose, variant, bar, task.finished / member)
                epsilon = float(variant) if recipe.regime in ("vanilla", "similarity") else 0.0
                rows.append((member, recipe.regime, purpose, variant, epsilon, "split", JUDGED_ON[purpose]))
    columns = ["member", "regime", "purpose", "variant", "training_epsilon", "judged_by", "judged_on"]
    pd.DataFrame(rows, columns=columns).to_csv(task.finished / "members.csv", index=False)


class _Data:
    """What one model learns from: all images (clips, frames, mels) on the device, and what raw-audio noise needs."""

    def __init__(self, images: Tensor, table: pd.DataFrame, task: Task):
        self.images, self.keys = images, list(table.key)
        index_of = {label: index for index, label in enumerate(task.labels)}
        self.targets = torch.tensor([index_of[label] for label in table.label], device=task.device)
        self.task = task

    def noisy_images(self, rows: np.ndarray, snr_db: float, generator: torch.Generator) -> Tensor:
        """Unstandardised images of the clips with white noise on their waveforms."""
        clips, front_end = self._audio()
        inputs = padded_batch([clips.load(self.keys[row])["audio"] for row in rows], self.task.device)
        audio, lengths = inputs["audio"], inputs["audio_length"]
        inside = torch.arange(audio.shape[-1]) < lengths[:, None]
        noise = torch.randn(audio.shape, generator=generator).to(audio) * inside.to(audio)
        power = audio.square().sum(1, keepdim=True) / noise.square().sum(1, keepdim=True)
        return front_end(audio + noise * (power * 10 ** (-snr_db / 10)).sqrt(), lengths)

    def _audio(self) -> tuple[ShardSet, nn.Module]:
        if not hasattr(self, "_opened"):
            made_by = self.task.config["front_end"]
            front_end = victim.front_end(made_by["feature"], made_by["parameters"], where="the features' about.json")
            self._opened = self.task.beside, front_end.to(self.task.device)
        return self._opened


def _load(task: Task) -> tuple[Tensor, pd.DataFrame]:
    table = task.clips.table[task.clips.table.split.isin(TRAINED_ON["test"])].reset_index(drop=True)
    images = np.stack([task.clips.load(key)["log_mel"] for key in table.key])
    return torch.from_numpy(images).to(task.device), table


def _fit_member(task: Task, recipe: Recipe, data: _Data, purpose: str, variant: str, bar, folder: Path) -> None:
    """Trains and saves one model. The rounds before the regime are the same for all variants, and are done once."""
    torch.manual_seed(recipe.seed)
    module = task.build().to(task.device)
    _fit_standardisation(module, data.images, recipe.standardise)
    optimiser = torch.optim.Adam(module.parameters(), recipe.learning_rate)
    every = recipe.decay_every_iterations
    rounds = -(-recipe.iterations // every)

    def work(number: int) -> dict[str, float]:
        for group in optimiser.param_groups:
            group["lr"] = recipe.learning_rate * recipe.decay**number
        iterations = range(number * every, min((number + 1) * every, recipe.iterations))
        return _round(module, optimiser, recipe, data, variant, iterations, bar)

    scratch, shared = task.scratch / f"variant-{purpose}-{variant}", task.scratch / f"shared-{purpose}"
    common = min(rounds, recipe.adversarial_from // every)
    if variant and common and not scratch.exists():
        bar.update(min(len(loop.done(shared)) * every, recipe.iterations))
        loop.run(module, optimiser, common, work, scratch=shared, device=task.device)
        arriving = scratch.with_suffix(".arriving")
        shutil.copytree(shared, arriving, dirs_exist_ok=True)
        arriving.rename(scratch)
    else:
        bar.update(min(len(loop.done(scratch)) * every, recipe.iterations))
    history = loop.run(module, optimiser, rounds, work, scratch=scratch, device=task.device)
    folder.mkdir()
    victim.save(folder, module, task.config)
    pd.DataFrame(history).to_csv(folder / "history.csv", index=False)


def _fit_standardisation(module: nn.Module, images: Tensor, standardise: str) -> None:
    if standardise == "none":
        return
    over = (0, 1) if standardise == "per_bin" else (0, 1, 2)
    deviation, mean = torch.std_mean(images.double(), dim=over, correction=0)
    module.mean.copy_(mean)
    module.deviation.copy_(deviation.clamp_min(1e-6))


def _round(module, optimiser, recipe: Recipe, data: _Data, variant: str, iterations: range, bar) -> dict[str, float]:
    """Some iterations; their mean loss, and after which iteration it is."""
    torch.manual_seed(recipe.seed + 1_000_003 * (1 + iterations.start))  # for dropout
    module.train()
    total = torch.zeros((), device=data.images.device)
    batches = in_random_order(len(data.keys), recipe.batch_size, iterations, [recipe.seed])
    for iteration, rows in zip(iterations, batches):
        chosen = torch.from_numpy(rows).to(data.images.device)
        images, targets = module.standardised(data.images[chosen]), data.targets[chosen]
        if recipe.regime == "single" or iteration < recipe.adversarial_from:
            loss = cross_entropy(module.vector_and_logits(images)[1], targets)
        elif recipe.regime == "noise":
            noisy = _noisy(module, images, data, rows, recipe, variant, iteration)
            loss = vanilla_loss(
                *(cross_entropy(module.vector_and_logits(x)[1], targets) for x in (images, noisy)), recipe
            )
        else:
            loss = adversarial_loss(module, images, targets, float(variant), recipe)
        optimiser.zero_grad(set_to_none=True)
        loss.backward(inputs=list(module.parameters()))
        optimiser.step()
        total += loss.detach()
        bar.update()
    return {"iteration": iterations.stop, "loss": total.item() / len(iterations)}


def adversarial_loss(module: nn.Module, images: Tensor, targets: Tensor, epsilon: float, recipe: Recipe) -> Tensor:
    """Eq. 3 or 4 on standardised images (examples, frames, mels), the adversarial ones made of the module as it is (Eq. 1, 2).

    The attack takes the gradient of the very loss on the real data that training goes down, so its forward pass serves
    both: two forward passes, one backward to the images, one through both graphs.
    """
    images = images.detach().requires_grad_()
    vector, logits = module.vector_and_logits(images)
    real_loss = cross_entropy(logits, targets)
    (gradient,) = torch.autograd.grad(real_loss, images, retain_graph=True)
    # Clipping one signed step to +- eta (Eq. 2) is a step of the smaller of the two.
    adversarial = images.detach() + min(epsilon, recipe.eta or epsilon) * gradient.sign()
    adversarial_vector, adversarial_logits = module.vector_and_logits(adversarial)
    losses = real_loss, cross_entropy(adversarial_logits, targets)
    if recipe.regime == "vanilla":
        return vanilla_loss(*losses, recipe)
    compared = (logits, adversarial_logits) if recipe.compared == "logits" else (vector, adversarial_vector)
    distance = (compared[0] - compared[1]).norm(dim=1).mean()
    return recipe.beta * losses[0] + recipe.gamma * losses[1] + (1 - recipe.beta - recipe.gamma) * distance


def vanilla_loss(real: Tensor, other: Tensor, recipe: Recipe) -> Tensor:
    """Eq. 3."""
    return recipe.alpha * real + (1 - recipe.alpha) * other


def _noisy(
    module, images: Tensor, data: _Data, rows: np.ndarray, recipe: Recipe, variant: str, iteration: int
) -> Tensor:
    generator = torch.Generator().manual_seed(recipe.seed + 1_000_003 * (1 + iteration))
    if variant == "audio":
        return module.standardised(data.noisy_images(rows, recipe.noise_snr_db, generator))
    return images + recipe.noise_deviation * torch.randn(images.shape, generator=generator).to(images)
