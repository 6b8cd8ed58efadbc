"""Room of training: the method `classification`, which fits a clip classifier to labelled waveforms."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.optim import Adam

from stages.frame import progress, weights
from stages.frame.clip_table import check_labels_everywhere
from stages.frame.parameters import Count, NonNegative, NonNegativeInt, Positive, Share
from stages.learning import loop
from stages.training.task import Outcome, Task, by_share, check_outputs, check_two_labels
from stages.victim import Inputs, padded_batch


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a classifier is trained.

    Args:
        seed: of weights, batches and mixup.
        epochs: each draws as many clips as there are, from the labels in turn, or as many as `least_batches` take.
        batch_size: clips in a batch.
        learning_rate: Adam's.
        decay: factor on the learning rate every `decay_every_epochs` epochs.
        decay_every_epochs: see `decay`.
        mixup_alpha: parameter of mixup's Beta distribution; 0 is no mixup.
        masked_above: examples with an unverified label whose loss exceeds this share of the batch's largest are left
            out (Jeong and Lim); 1 leaves out none.
        averaged_epochs: the weights are the mean of those after this many epochs of best validation.
        least_batches: of an epoch; a small corpus is gone through several times.
    """

    seed: NonNegativeInt
    epochs: Count
    batch_size: Count
    learning_rate: Positive
    decay: Share
    decay_every_epochs: Count
    mixup_alpha: NonNegative
    masked_above: Share
    averaged_epochs: Count
    least_batches: Count = 25


@dataclass(frozen=True)
class Batch:
    """Examples (clips, ...), one of each clip, their labels (clips,), and whose label a person checked (clips,)."""

    examples: Tensor
    targets: Tensor
    verified: Tensor


def train(task: Task, recipe: Recipe) -> Outcome:
    """Writes the one model, its history, and its decision on every clip of the corpus.

    Raises:
        UserError: there is one label alone, or one without clips in a split, or training ends in NaN.
    """
    check_two_labels(task)
    check_labels_everywhere(task.clips.table, task.clips.folder)
    torch.manual_seed(recipe.seed)
    module = task.build()
    history = fit(module, task, recipe)
    weights.save(task.finished, module, task.config)
    pd.DataFrame(history).to_csv(task.finished / "history.csv", index=False)
    decided = decisions(module, task, recipe.batch_size)
    decided.to_csv(task.finished / "decisions.csv", index=False)
    test = decided[decided.split == "test"]
    chance = test.label.value_counts(normalize=True).max()
    return by_share("accuracy", (test.decision == test.label).mean(), chance=chance, clips=len(test))


def fit(module: nn.Module, task: Task, recipe: Recipe) -> loop.History:
    """Trains `module` in place on the split `train`; a row of history for each epoch.

    A front end that standardises gets its mean and deviation from the training clips first.
    """
    train, validation = (task.clips.table[task.clips.table.split == split] for split in ("train", "validation"))
    module.to(task.device)
    _fit_standardisation(module, task, train, recipe.batch_size)
    optimiser = Adam(module.network.parameters(), recipe.learning_rate)
    draws = max(len(train), recipe.least_batches * recipe.batch_size)
    steps = -(-draws // recipe.batch_size)
    finished = len(loop.done(task.scratch)) * steps
    with progress.bar(recipe.epochs * steps, "training", "batch", done=finished) as bar:
        descent = loop.Descent(module.network, optimiser, bar)

        def epoch(number: int) -> dict[str, float]:
            rate = recipe.learning_rate * recipe.decay ** (number // recipe.decay_every_epochs)
            rng = np.random.default_rng([recipe.seed, number])
            module.train()
            total = 0.0
            for rows in _batches(train, draws, recipe.batch_size, rng):
                loss = _loss(module.network, _batch(module, task, rows, rng), recipe, rng)
                total += descent.step(loss, rate).item() * len(rows)
            accuracy, precision = _validate(module, task, validation, recipe.batch_size)
            loss = total / draws
            return {"epoch": number, "loss": loss, "validation_accuracy": accuracy, "validation_map": precision}

        history = loop.run(module, optimiser, recipe.epochs, epoch, scratch=task.scratch, keep_every_round=True)
    _average_best(module, history, recipe.averaged_epochs, task)
    return history


def decisions(module: nn.Module, task: Task, batch_size: int) -> pd.DataFrame:
    """Decision and confidence for every clip, in columns beside key, split, label and verified."""
    table = task.clips.table.sort_values(["duration_s", "key"], ignore_index=True)
    rows = []
    for keys, logits in predict(module, task, list(table.key), batch_size):
        confidence, decided = logits.softmax(-1).max(-1)
        rows += zip(keys, [task.labels[index] for index in decided.tolist()], confidence.tolist())
    decided = pd.DataFrame(rows, columns=["key", "decision", "confidence"])
    return task.clips.table[["key", "split", "label", "verified", "duration_s"]].merge(decided, on="key")


@torch.no_grad()
def predict(module: nn.Module, task: Task, keys: list[str], batch_size: int) -> Iterator[tuple[list[str], Tensor]]:
    """Logits on the CPU, batch by batch, of the clips named.

    Raises:
        UserError: one is not finite.
    """
    module.eval()
    for start in range(0, len(keys), batch_size):
        batch = keys[start : start + batch_size]
        logits = module(_loaded(task, batch)).cpu()
        check_outputs(logits, batch)
        yield batch, logits


def balanced_order(labels: np.ndarray, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Indices of so many draws of clips with these labels, the classes in turn, each one's members in random order."""
    classes = np.unique(labels)
    rounds = -(-draws // len(classes))
    members = [np.flatnonzero(labels == one) for one in classes]
    passes = [np.concatenate([rng.permutation(own) for _ in range(-(-rounds // len(own)))])[:rounds] for own in members]
    turns = np.stack([rng.permutation(column) for column in np.stack(passes, 1)])
    return turns.ravel()[:draws]


def _batches(train: pd.DataFrame, draws: int, batch_size: int, rng: np.random.Generator) -> Iterator[pd.DataFrame]:
    """Rows of the training clips, batch by batch, so many draws in all."""
    order = balanced_order(train.label.to_numpy(), draws, rng)
    for start in range(0, len(order), batch_size):
        yield train.iloc[order[start : start + batch_size]]


def _batch(module: nn.Module, task: Task, rows: pd.DataFrame, rng: np.random.Generator) -> Batch:
    with torch.no_grad():
        examples, owners = module.examples(_loaded(task, rows.key))
    return Batch(
        examples[_one_of_each(owners, len(rows), rng)],
        torch.tensor([task.labels.index(label) for label in rows.label], device=task.device),
        torch.tensor(rows.verified.to_numpy(dtype=bool), device=task.device),
    )


def _loaded(task: Task, keys: list[str]) -> Inputs:
    return padded_batch([task.clips.load(key)["audio"] for key in keys], task.device)


def _one_of_each(owners: Tensor, count: int, rng: np.random.Generator) -> Tensor:
    """One chunk of each clip, drawn at random."""
    owners = owners.cpu().numpy()
    first, last = np.searchsorted(owners, np.arange(count)), np.searchsorted(owners, np.arange(count), side="right")
    return torch.from_numpy(rng.integers(first, last))


def _loss(network: nn.Module, batch: Batch, recipe: Recipe, rng: np.random.Generator) -> Tensor:
    examples, targets, verified = batch.examples, batch.targets, batch.verified
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


def _validate(module: nn.Module, task: Task, validation: pd.DataFrame, batch_size: int) -> tuple[float, float]:
    """Accuracy and mean average precision (the mean reciprocal rank of the one true label) on whole clips."""
    ordered = validation.sort_values(["duration_s", "key"])
    truth = torch.tensor([task.labels.index(label) for label in ordered.label])
    logits = torch.cat([batch for _, batch in predict(module, task, list(ordered.key), batch_size)])
    rank = 1 + (logits > logits.gather(1, truth[:, None])).sum(1)
    return (rank == 1).float().mean().item(), rank.float().reciprocal().mean().item()


@torch.no_grad()
def _fit_standardisation(module: nn.Module, task: Task, train: pd.DataFrame, batch_size: int) -> None:
    front_end = module.front_end
    if not hasattr(front_end, "deviation"):
        return
    count, total, squares = 0, 0.0, 0.0
    keys = list(train.sort_values(["duration_s", "key"]).key)
    for start in range(0, len(keys), batch_size):
        values = module.examples(_loaded(task, keys[start : start + batch_size]))[0].double()
        count, total, squares = count + values.numel(), total + values.sum(), squares + values.square().sum()
    mean = total / count
    front_end.mean.copy_(mean)
    front_end.deviation.copy_((squares / count - mean.square()).sqrt())


def _average_best(module: nn.Module, history: loop.History, count: int, task: Task) -> None:
    """Gives the module the mean of the weights after its best epochs."""
    ranked = sorted(history, key=lambda row: (-row["validation_map"], -row["epoch"]))[:count]
    states = [loop.kept(task.scratch, row["epoch"]) for row in ranked]
    mean = {
        name: torch.stack([state[name] for state in states]).double().mean(0).to(value.dtype)
        for name, value in states[0].items()
    }
    module.load_state_dict(mean)
