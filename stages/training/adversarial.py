"""Room of training: the method `adversarial`: a classifier of images on real and attacked data (Ren et al. 2020).

One victim is a family of models: for each purpose, `development` (trained on the split train, to be judged on
validation) and `test` (trained on both, to be judged on test), one model for each strength of the regime.
"""

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.optim import Adam
from tqdm import tqdm

from stages import victim
from stages.frame import progress, weights
from stages.frame.clip_table import check_labels_everywhere
from stages.frame.errors import UserError
from stages.frame.parameters import Count, NonNegativeInt, Positive, Share
from stages.learning import loop
from stages.learning.batches import in_random_order
from stages.measures.recall import uar
from stages.training.task import Outcome, Task, by_share, check_outputs, check_two_labels
from stages.victim import padded_batch

TRAINED_ON = {"development": ("train",), "test": ("train", "validation")}
JUDGED_ON = {"development": "validation", "test": "test"}
CLIPS_AT_ONCE = 64
ATTACKED_REGIMES = ("vanilla", "similarity")
MEMBERS = (
    *("member", "regime", "purpose", "variant", "training_epsilon"),
    *("judged_by", "judged_on", "attacked_at", "kept"),
)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a family is trained.

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

    regime: Literal["single", "vanilla", "similarity", "noise"]
    seed: NonNegativeInt
    iterations: Count
    batch_size: Count
    learning_rate: Positive
    decay: Share
    decay_every_iterations: Count
    standardise: Literal["per_bin", "global", "none"]
    adversarial_from: NonNegativeInt
    epsilons: list[Positive]
    eta: Positive | None
    alpha: Share
    beta: Share
    gamma: Share
    compared: Literal["logits", "features"]
    noise_snr_db: float
    noise_deviation: Positive

    def __post_init__(self) -> None:
        if self.regime in ATTACKED_REGIMES and not self.epsilons:
            raise UserError(f"params.yaml: epsilons of a {self.regime} regime", "at least one", "none", "add it")
        if self.beta + self.gamma > 1:
            raise UserError("params.yaml: beta + gamma", "at most 1", f"{self.beta + self.gamma:g}", "lower one")

    def variants(self) -> list[str]:
        """What tells the models of one purpose apart: the epsilon as text, the kind of noise, or nothing."""
        if self.regime == "single":
            return [""]
        return ["audio", "log_mel"] if self.regime == "noise" else [f"{epsilon:g}" for epsilon in self.epsilons]


@dataclass(frozen=True)
class Member:
    """One model of a family."""

    purpose: str
    variant: str

    @property
    def name(self) -> str:
        """Of its folder."""
        return f"{self.purpose}-{self.variant}" if self.variant else self.purpose

    def row(self, regime: str) -> tuple:
        """Its row of `MEMBERS`: models that were trained on attacks are attacked at the same strength alone."""
        attacked = regime in ATTACKED_REGIMES
        attacked_at = self.variant if attacked else "never" if regime == "noise" else ""
        epsilon = float(self.variant) if attacked else 0.0
        judged_on = JUDGED_ON[self.purpose]
        own = (self.name, regime, self.purpose, self.variant, epsilon)
        return (*own, "split", judged_on, attacked_at, regime == "single")


def train(task: Task, recipe: Recipe) -> Outcome:
    """Writes a folder for each model and `members.csv`, whose columns are `MEMBERS`.

    A model is judged on the clips whose column `judged_by` says `judged_on`; `attacked_at` is the one epsilon that it
    is attacked at, empty for all of the plan's, `never` for none; `kept` says whether what attacks make may be kept.
    """
    check_two_labels(task)
    check_labels_everywhere(task.clips.table, task.clips.folder)
    rows, recalls = [], []
    total = len(TRAINED_ON) * (recipe.iterations * len(recipe.variants()))
    with progress.bar(total, "training", "batch") as bar:
        for purpose, splits in TRAINED_ON.items():
            data = Data(task.clips.table[task.clips.table.split.isin(splits)], task)
            for variant in recipe.variants():
                member = Member(purpose, variant)
                module = _fit_member(task, recipe, data, member, bar)
                rows.append(member.row(recipe.regime))
                if purpose == "test":
                    recalls.append(_recall(module, task))
    pd.DataFrame(rows, columns=MEMBERS).to_csv(task.finished / "members.csv", index=False)
    tested = (task.clips.table.split == JUDGED_ON["test"]).sum()
    return by_share("UAR", float(np.mean(recalls)), chance=1 / len(task.labels), clips=tested)


class Data:
    """What one model learns from: clips, whose images are read as they are needed, and what raw-audio noise needs."""

    def __init__(self, table: pd.DataFrame, task: Task):
        self.keys = list(table.key)
        self.targets = torch.tensor([task.labels.index(label) for label in table.label], device=task.device)
        self.task = task

    def images(self, rows: Sequence[int]) -> Tensor:
        """Images (clips, frames, mels) of the clips, on the device."""
        return _images(self.task, [self.keys[row] for row in rows])

    def parts(self) -> Iterator[Tensor]:
        """The images of all clips, some at a time."""
        for start in range(0, len(self.keys), CLIPS_AT_ONCE):
            yield _images(self.task, self.keys[start : start + CLIPS_AT_ONCE])

    def noisy_images(self, rows: np.ndarray, snr_db: float, generator: torch.Generator) -> Tensor:
        """Unstandardised images of the clips with white noise on their waveforms."""
        waveforms = [self.task.beside.load(self.keys[row])["audio"] for row in rows]
        inputs = padded_batch(waveforms, self.task.device)
        audio, lengths = inputs["audio"], inputs["audio_length"]
        inside = torch.arange(audio.shape[-1]) < lengths[:, None]
        noise = torch.randn(audio.shape, generator=generator).to(audio) * inside.to(audio)
        power = audio.square().sum(1, keepdim=True) / noise.square().sum(1, keepdim=True)
        return self._front_end(audio + noise * (power * 10 ** (-snr_db / 10)).sqrt(), lengths)

    @cached_property
    def _front_end(self) -> nn.Module:
        made_by = self.task.config["front_end"]
        front_end = victim.front_end(made_by["feature"], made_by["parameters"], where="the features' about.json")
        return front_end.to(self.task.device)


def _images(task: Task, keys: Sequence[str]) -> Tensor:
    return torch.from_numpy(np.stack([task.clips.load(key)["log_mel"] for key in keys])).to(task.device)


def _fit_member(task: Task, recipe: Recipe, data: Data, member: Member, bar: tqdm) -> nn.Module:
    """Trains and saves one model. The rounds before the regime are the same for all variants, and are done once."""
    torch.manual_seed(recipe.seed)
    module = task.build().to(task.device)
    _fit_standardisation(module, data, recipe.standardise)
    optimiser = Adam(module.parameters(), recipe.learning_rate)
    descent, loss = loop.Descent(module, optimiser, bar), _loss(module, recipe, data, member)
    every = recipe.decay_every_iterations
    rounds = loop.rounds_of(recipe.iterations, every)

    def work(number: int) -> dict[str, float]:
        own, rate = rounds[number], recipe.learning_rate * recipe.decay**number
        torch.manual_seed(recipe.seed + 1_000_003 * (1 + own.start))  # for dropout
        module.train()
        total = torch.zeros((), device=task.device)
        for iteration, rows in zip(own, in_random_order(len(data.keys), recipe.batch_size, own, [recipe.seed])):
            total += descent.step(loss(iteration, rows), rate)
        return {"iteration": own.stop, "loss": total.item() / len(own)}

    def run(count: int, scratch: Path) -> loop.History:
        return loop.run(module, optimiser, count, work, scratch=scratch)

    scratch = task.scratch / f"variant-{member.purpose}-{member.variant}"
    shared = task.scratch / f"shared-{member.purpose}"
    common = min(len(rounds), recipe.adversarial_from // every)
    alone = not (member.variant and common) or scratch.exists()
    bar.update(min(len(loop.done(scratch if alone else shared)) * every, recipe.iterations))
    if not alone:
        run(common, shared)
        arriving = scratch.with_suffix(".arriving")
        shutil.copytree(shared, arriving, dirs_exist_ok=True)
        arriving.rename(scratch)
    history = run(len(rounds), scratch)
    folder = task.finished / member.name
    folder.mkdir()
    weights.save(folder, module, task.config)
    pd.DataFrame(history).to_csv(folder / "history.csv", index=False)
    return module


def _fit_standardisation(module: nn.Module, data: Data, standardise: str) -> None:
    if standardise == "none":
        return
    over = (0, 1) if standardise == "per_bin" else (0, 1, 2)
    count, total, squares = 0, 0.0, 0.0
    for images in data.parts():
        count, total = count + images.numel(), total + images.double().sum(over)
    count //= total.numel()
    mean = total / count
    for images in data.parts():
        squares = squares + (images.double() - mean).square().sum(over)
    module.mean.copy_(mean)
    module.deviation.copy_((squares / count).sqrt().clamp_min(1e-6))


Loss = Callable[[int, np.ndarray], Tensor]


def _loss(module: nn.Module, recipe: Recipe, data: Data, member: Member) -> Loss:
    """The loss of a batch by the number of the iteration and the clips' rows."""

    def loss(iteration: int, rows: np.ndarray) -> Tensor:
        images = module.standardised(data.images(rows))
        targets = data.targets[torch.from_numpy(rows).to(data.targets.device)]
        if recipe.regime == "single" or iteration < recipe.adversarial_from:
            return cross_entropy(module.vector_and_logits(images)[1], targets)
        if recipe.regime != "noise":
            return adversarial_loss(module, images, targets, float(member.variant), recipe)
        generator = torch.Generator().manual_seed(recipe.seed + 1_000_003 * (1 + iteration))
        if member.variant == "audio":
            noisy = module.standardised(data.noisy_images(rows, recipe.noise_snr_db, generator))
        else:
            noisy = images + recipe.noise_deviation * torch.randn(images.shape, generator=generator).to(images)
        losses = (cross_entropy(module.vector_and_logits(one)[1], targets) for one in (images, noisy))
        return vanilla_loss(*losses, recipe)

    return loss


@torch.no_grad()
def _recall(module: nn.Module, task: Task) -> float:
    """The unweighted average recall on the test clips."""
    module.eval()
    table = task.clips.table[task.clips.table.split == JUDGED_ON["test"]]
    decided = []
    for start in range(0, len(table), CLIPS_AT_ONCE):
        images = module.standardised(_images(task, table.key.iloc[start : start + CLIPS_AT_ONCE]))
        logits = module.vector_and_logits(images)[1]
        check_outputs(logits, list(table.key[start : start + CLIPS_AT_ONCE]))
        decided += logits.argmax(-1).tolist()
    return uar(table.label, [task.labels[label] for label in decided])


def adversarial_loss(module: nn.Module, images: Tensor, targets: Tensor, epsilon: float, recipe: Recipe) -> Tensor:
    """Eq. 3 or 4 on standardised images (examples, frames, mels); adversarial ones by the module as it is (Eq. 1, 2).

    The attack takes the gradient of the same pass that training goes down, of the log odds, whose direction is that of
    the loss and lasts where the module is sure: two forward passes, one backward to the images, one through both.
    """
    images = images.detach().requires_grad_()
    vector, logits = module.vector_and_logits(images)
    real_loss = cross_entropy(logits, targets)
    (gradient,) = torch.autograd.grad(victim.log_odds(logits, targets).sum(), images, retain_graph=True)
    # Clipping one signed step to +- eta (Eq. 2) is a step of the smaller of the two.
    adversarial = images.detach() - min(epsilon, recipe.eta or epsilon) * gradient.sign()
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
