"""Room of training: the method `classification`, which fits a clip classifier to labelled waveforms."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from stages import victim
from stages.frame import progress
from stages.frame.clip_table import check_labels_everywhere
from stages.frame.parameters import Count, NonNegative, NonNegativeInt, Positive, Share
from stages.frame.shards import ShardSet
from stages.training import loop
from stages.training.task import Task
from stages.victim import padded_batch


@dataclass(frozen=True)
class Recipe:
    """How a classifier is trained; made by `recipe`."""

    seed: int
    epochs: int
    batch_size: int
    learning_rate: float
    decay: float
    decay_every_epochs: int
    mixup_alpha: float
    masked_above: float
    averaged_epochs: int


def recipe(
    *,
    seed: NonNegativeInt,
    epochs: Count,
    batch_size: Count,
    learning_rate: Positive,
    decay: Share,
    decay_every_epochs: Count,
    mixup_alpha: NonNegative,
    masked_above: Share,
    averaged_epochs: Count,
) -> Recipe:
    """The recipe with checked values.

    Args:
        seed: of weights, batches and mixup.
        epochs: each draws as many clips as there are, from the labels in turn.
        batch_size: clips in a batch.
        learning_rate: Adam's.
        decay: factor on the learning rate every `decay_every_epochs` epochs.
        decay_every_epochs: see `decay`.
        mixup_alpha: parameter of mixup's Beta distribution; 0 is no mixup.
        masked_above: examples with an unverified label whose loss exceeds this share of the batch's largest are left
            out (Jeong and Lim); 1 leaves out none.
        averaged_epochs: the weights are the mean of those after this many epochs of best validation.
    """
    return Recipe(**locals())


def train(task: Task, recipe: Recipe) -> None:
    """Writes the one model, its history, and its decision on every clip of the corpus."""
    check_labels_everywhere(task.clips.table, task.clips.folder)
    torch.manual_seed(recipe.seed)
    module = task.build()
    history = fit(module, task.clips, task.labels, recipe, device=task.device, scratch=task.scratch)
    victim.save(task.finished, module, task.config)
    pd.DataFrame(history).to_csv(task.finished / "history.csv", index=False)
    decided = decisions(module, task.clips, task.labels, recipe.batch_size, task.device)
    decided.to_csv(task.finished / "decisions.csv", index=False)


def fit(
    module: nn.Module, clips: ShardSet, labels: list[str], recipe: Recipe, *, device: str, scratch: Path
) -> loop.History:
    """Trains `module` in place on the split `train`; a row of history for each epoch.

    A front end that standardises gets its mean and deviation from the training clips first.
    """
    train, validation = (clips.table[clips.table.split == split] for split in ("train", "validation"))
    module.to(device)
    _fit_standardisation(module, clips, train, recipe.batch_size, device)
    optimiser = torch.optim.Adam(module.network.parameters(), recipe.learning_rate)
    steps = -(-len(train) // recipe.batch_size)
    finished = len(loop.done(scratch)) * steps
    with progress.bar(recipe.epochs * steps, "training", "batch", done=finished) as bar:

        def epoch(number: int) -> dict[str, float]:
            for group in optimiser.param_groups:
                group["lr"] = recipe.learning_rate * recipe.decay ** (number // recipe.decay_every_epochs)
            loss = _epoch(module, optimiser, clips, train, labels, recipe, number, device, bar)
            accuracy, precision = _validate(module, clips, validation, labels, recipe.batch_size, device)
            return {"epoch": number, "loss": loss, "validation_accuracy": accuracy, "validation_map": precision}

        history = loop.run(
            module, optimiser, recipe.epochs, epoch, scratch=scratch, device=device, keep_every_round=True
        )
    _average_best(module, history, recipe.averaged_epochs, scratch)
    return history


def decisions(module: nn.Module, clips: ShardSet, labels: list[str], batch_size: int, device: str) -> pd.DataFrame:
    """Decision and confidence for every clip, in columns beside key, split, label and verified."""
    table = clips.table.sort_values(["duration_s", "key"], ignore_index=True)
    rows = []
    for keys, logits in predict(module, clips, list(table.key), batch_size, device):
        confidence, decided = logits.softmax(-1).max(-1)
        rows += zip(keys, [labels[index] for index in decided.tolist()], confidence.tolist())
    decided = pd.DataFrame(rows, columns=["key", "decision", "confidence"])
    return clips.table[["key", "split", "label", "verified", "duration_s"]].merge(decided, on="key")


@torch.no_grad()
def predict(
    module: nn.Module, clips: ShardSet, keys: list[str], batch_size: int, device: str
) -> Iterator[tuple[list[str], Tensor]]:
    """Logits on the CPU, batch by batch, of the clips named."""
    module.eval()
    for start in range(0, len(keys), batch_size):
        batch = keys[start : start + batch_size]
        yield batch, module(padded_batch([clips.load(key)["audio"] for key in batch], device)).cpu()


def balanced_order(labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Indices of as many draws as there are labels given, the classes in turn, each class's members in random order."""
    classes = np.unique(labels)
    rounds = -(-len(labels) // len(classes))
    members = [np.flatnonzero(labels == one) for one in classes]
    passes = [np.concatenate([rng.permutation(own) for _ in range(-(-rounds // len(own)))])[:rounds] for own in members]
    turns = np.stack([rng.permutation(column) for column in np.stack(passes, 1)])
    return turns.ravel()[: len(labels)]


def _epoch(module, optimiser, clips, train, labels, recipe, epoch, device, bar) -> float:
    rng = np.random.default_rng([recipe.seed, epoch])
    index_of = {label: index for index, label in enumerate(labels)}
    order = balanced_order(train.label.to_numpy(), rng)
    module.train()
    total = 0.0
    for start in range(0, len(order), recipe.batch_size):
        rows = train.iloc[order[start : start + recipe.batch_size]]
        inputs = padded_batch([clips.load(key)["audio"] for key in rows.key], device)
        with torch.no_grad():
            examples, owners = module.examples(inputs)
        examples = examples[_one_of_each(owners, len(rows), rng)]
        targets = torch.tensor([index_of[label] for label in rows.label], device=device)
        verified = torch.tensor(rows.verified.to_numpy(dtype=bool), device=device)
        loss = _loss(module.network, examples, targets, verified, recipe, rng)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        total += loss.item() * len(rows)
        bar.update()
    return total / len(order)


def _one_of_each(owners: Tensor, count: int, rng: np.random.Generator) -> Tensor:
    """One chunk of each clip, drawn at random."""
    owners = owners.cpu().numpy()
    first, last = np.searchsorted(owners, np.arange(count)), np.searchsorted(owners, np.arange(count), side="right")
    return torch.from_numpy(rng.integers(first, last))


def _loss(network, examples: Tensor, targets: Tensor, verified: Tensor, recipe: Recipe, rng) -> Tensor:
    if recipe.mixup_alpha > 0:
        weight = torch.from_numpy(rng.beta(recipe.mixup_alpha, recipe.mixup_alpha, len(examples))).to(examples)
        partner = torch.from_numpy(rng.permutation(len(examples))).to(examples.device)
        shaped = weight.view(-1, *[1] * (examples.dim() - 1))
        logits = network(shaped * examples + (1 - shaped) * examples[partner])
        losses = weight * cross_entropy(logits, targets, reduction="none")
        losses = losses + (1 - weight) * cross_entropy(logits, targets[partner], reduction="none")
        verified = verified & verified[partner]
    else:
        losses = cross_entropy(network(examples), targets, reduction="none")
    kept = verified | (losses <= recipe.masked_above * losses.max())
    return (losses * kept).sum() / kept.sum().clamp_min(1)


def _validate(module, clips, validation, labels, batch_size, device) -> tuple[float, float]:
    """Accuracy and mean average precision (the mean reciprocal rank of the one true label) on whole clips."""
    ordered = validation.sort_values(["duration_s", "key"])
    index_of = {label: index for index, label in enumerate(labels)}
    truth = torch.tensor([index_of[label] for label in ordered.label])
    logits = torch.cat([batch for _, batch in predict(module, clips, list(ordered.key), batch_size, device)])
    rank = 1 + (logits > logits.gather(1, truth[:, None])).sum(1)
    return (rank == 1).float().mean().item(), rank.float().reciprocal().mean().item()


@torch.no_grad()
def _fit_standardisation(module, clips, train, batch_size: int, device: str) -> None:
    front_end = module.front_end
    if not hasattr(front_end, "deviation"):
        return
    count, total, squares = 0, 0.0, 0.0
    keys = list(train.sort_values(["duration_s", "key"]).key)
    for start in range(0, len(keys), batch_size):
        batch = padded_batch([clips.load(key)["audio"] for key in keys[start : start + batch_size]], device)
        values = module.examples(batch)[0].double()
        count, total, squares = count + values.numel(), total + values.sum(), squares + values.square().sum()
    mean = total / count
    front_end.mean.copy_(mean)
    front_end.deviation.copy_((squares / count - mean.square()).sqrt())


def _average_best(module, history: loop.History, count: int, scratch: Path) -> None:
    from safetensors.torch import load_file

    ranked = sorted(history, key=lambda row: (-row["validation_map"], -row["epoch"]))[:count]
    states = [load_file(loop.weights(scratch, row["epoch"])) for row in ranked]
    mean = {
        name: torch.stack([state[name] for state in states]).double().mean(0).to(value.dtype)
        for name, value in states[0].items()
    }
    module.load_state_dict(mean)
