"""Room of training: the method `cross_validation`: small heads on features, each leaving out one fold after another.

All models of one head, for every fold, number of examples and draw, are stacked and trained as one: each step is one
pass for all of them. No model sees another's examples.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.optim import Adam
from tqdm import tqdm

from stages.frame import progress, weights
from stages.frame.clip_table import stable_hash
from stages.frame.errors import UserError
from stages.frame.memory import Kept
from stages.frame.names import file_name
from stages.frame.parameters import Count, NonNegativeInt, Positive
from stages.frame.shards import Arrays
from stages.learning import loop
from stages.learning.batches import in_random_order
from stages.measures.recall import uar
from stages.training import folds, stacks
from stages.training.folds import Member
from stages.training.task import Outcome, Task, by_share, check_outputs, check_two_labels

ITERATIONS_PER_ROUND = 50
CLIPS_AT_ONCE = 32
SHUFFLED = "-shuffled"


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How heads are trained.

    Args:
        seed: of weights, draws, batches and dropout.
        iterations: batches that each model is trained on, however many examples it has.
        batch_size: clips in a batch.
        learning_rate: Adam's.
        draws: how often examples (and, of all examples, initial weights) are drawn.
        models: for each model what is special in the victim's parameters.
        few: how many examples there are when there are few, null for no such models; all models are also trained on
            all.
        curve: further numbers of examples, for the models `curve_of`.
        curve_of: see `curve`.
        shuffled_texts_of: models of which there is a control, whose clips have each other's texts.

    Raises:
        UserError: `curve_of` or `shuffled_texts_of` names an unknown model.
    """

    seed: NonNegativeInt
    iterations: Count
    batch_size: Count
    learning_rate: Positive
    draws: Count
    models: dict[str, dict[str, Any]]
    few: Count | None
    curve: list[Count]
    curve_of: list[str]
    shuffled_texts_of: list[str]

    def __post_init__(self) -> None:
        strange = [name for name in (*self.curve_of, *self.shuffled_texts_of) if name not in self.models]
        if strange:
            raise UserError(
                f"params.yaml: the model {strange[0]!r} in curve_of or shuffled_texts_of",
                f"one of {', '.join(self.models)}",
                "none of this name",
                "correct it",
            )

    def sizes(self, model: str) -> list[str]:
        """The numbers of examples that a model is trained on, as text, `all` the last."""
        sizes = [] if self.few is None else [self.few]
        if model in self.curve_of:
            sizes = sorted({*sizes, *self.curve})
        return [*map(str, sizes), "all"]


@dataclass(frozen=True)
class Run:
    """The models of one head, perhaps with the texts of other clips."""

    name: str
    shuffled: bool
    members: list[Member]

    @property
    def label(self) -> str:
        """The name under which its decisions are told."""
        return self.name + SHUFFLED * self.shuffled


@dataclass(frozen=True)
class Moments:
    """Of each clip how many frames it has, (clips,), and the sums of their values and squares, (clips, features)."""

    count: Tensor
    total: Tensor
    squares: Tensor


@dataclass(frozen=True)
class Values:
    """Frames of clips, or pieces of their texts, which are read as they are needed.

    `read` gives the `values` (longest, features) of a clip, zero after its end; how long each is lies on the device.
    """

    read: Callable[[int], Arrays]
    lengths: Tensor

    def of(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Values (..., longest, features) of the clips `rows` (of any shape), on the device, and how long each is."""
        values = np.stack([self.read(row)["values"] for row in rows.flatten().tolist()])
        return torch.from_numpy(values).to(self.lengths.device).unflatten(0, rows.shape), self.lengths[rows]


@dataclass(frozen=True)
class Data:
    """All clips: their frames, and their texts where they have some.

    `moments` are of each clip's frames, then of its text. `text_of` says for each clip whose text it has when texts are
    shuffled: another clip's of the same fold.
    """

    table: pd.DataFrame
    targets: Tensor
    frames: Values
    texts: Values | None
    text_of: Tensor
    moments: list[Moments]

    def inputs(self, rows: Tensor, *, takes_text: bool, shuffled: bool) -> tuple[Tensor, ...]:
        """What a head takes in of the clips `rows` (of any shape)."""
        own = self.frames.of(rows)
        return (*own, *self.texts.of(self.text_of[rows] if shuffled else rows)) if takes_text else own


def train(task: Task, recipe: Recipe) -> Outcome:
    """Writes the decision of every model on the fold that it did not see, and the models that can be attacked.

    These are those that hear speech, of the first draw on all examples: a folder each, and a row of `members.csv`
    (member, variant, judged_by, judged_on, attacked_at, kept). The others leave their decisions alone.
    """
    check_two_labels(task)
    data = _load(task, recipe)
    plan = {name: folds.members(data.table, recipe.sizes(name), recipe.draws, recipe.seed) for name in recipe.models}
    runs = [Run(name, False, plan[name]) for name in recipe.models]
    runs += [Run(name, True, [one for one in plan[name] if one.size == "all"]) for name in recipe.shuffled_texts_of]
    decisions, history, saved = [], [], []
    with progress.bar(len(runs) * recipe.iterations, "training", "batch") as bar:
        for run in runs:
            stack, rounds = _fit(task, recipe, data, run, bar)
            history += [{"model": run.label, **row} for row in rounds]
            decisions.append(_decided(stack, data, run, task.labels))
            saved += [] if run.shuffled else _saved(task, recipe, stack, run)
    columns = ["model", "size", "examples", "draw", "fold", "clip_id", "label", "speaker", "decision", "confidence"]
    decided = pd.concat(decisions)[columns]
    decided.to_csv(task.finished / "decisions.csv", index=False)
    pd.DataFrame(history).to_csv(task.finished / "history.csv", index=False)
    columns = ["member", "variant", "judged_by", "judged_on", "attacked_at", "kept"]
    pd.DataFrame(saved, columns=columns).to_csv(task.finished / "members.csv", index=False)
    return _outcome(decided)


def _load(task: Task, recipe: Recipe) -> Data:
    table = task.clips.table.reset_index(drop=True)
    if (table.fold == "").any() or table.fold.nunique() < 2:
        raise UserError(
            task.clips.folder,
            "a fold for each clip, and at least two folds",
            f"{table.fold.nunique()}, {(table.fold == '').sum()} clips without one",
            "take a corpus whose reader gives folds, such as iemocap",
        )
    name = task.clips.folder.name
    frames = _values(lambda row: task.clips.load(table.key[row])[name], len(table), task.device)
    texts = None
    if "text" in task.beside.load(table.key[0]):
        texts = _values(lambda row: task.beside.load(table.key[row])["text"], len(table), task.device)
    text_of = np.arange(len(table))
    if recipe.shuffled_texts_of:
        text_of = folds.exchanged(table.fold, [recipe.seed, stable_hash("shuffled texts")])
    moments = [_moments(values) for values in (frames, texts) if values]
    targets = torch.tensor([task.labels.index(label) for label in table.label], device=task.device)
    return Data(table, targets, frames, texts, torch.from_numpy(text_of).to(task.device), moments)


def _values(load: Callable[[int], np.ndarray], count: int, device: str) -> Values:
    """What `load` gives of each of so many clips (its length, features), padded to the longest of all."""
    lengths = [len(load(row)) for row in range(count)]
    longest = max(lengths)

    def read(row: int) -> Arrays:
        own = load(row)
        values = np.zeros((longest, own.shape[1]), np.float32)
        values[: len(own)] = own
        return {"values": values}

    return Values(read, torch.tensor(lengths, device=device))


def _moments(values: Values) -> Moments:
    # What pads a clip is zero and adds nothing.
    parts = (values.of(rows)[0] for rows in torch.arange(len(values.lengths)).split(CLIPS_AT_ONCE))
    total, squares = zip(*((one.sum(1, dtype=torch.float64), one.double().square().sum(1)) for one in parts))
    return Moments(values.lengths.double(), torch.cat(total), torch.cat(squares))


def _fit(task: Task, recipe: Recipe, data: Data, run: Run, bar: tqdm) -> tuple[nn.Module, loop.History]:
    """The stack of all members, trained."""
    stack = stacks.stacked([_untrained(task, recipe, data, run.name, one) for one in run.members]).to(task.device)
    data = _condensed(data, stack)
    descent = loop.Descent(stack, Adam(stack.parameters(), recipe.learning_rate), bar)
    rounds = loop.rounds_of(recipe.iterations, ITERATIONS_PER_ROUND)

    def one_round(number: int) -> dict[str, float]:
        # For dropout.
        torch.manual_seed(stable_hash(f"{recipe.seed}/{run.name}/{run.shuffled}/{number}"))
        stack.train()
        total = torch.zeros((), device=task.device)
        for batch in _batches(run.members, recipe.batch_size, rounds[number]):
            rows = torch.from_numpy(batch).to(task.device)
            inputs = data.inputs(rows, takes_text=stack.takes_text, shuffled=run.shuffled)
            losses = stacks.losses(stack, inputs, data.targets[rows])
            descent.step(losses.sum(), recipe.learning_rate)
            total += losses.detach().mean()
        return {"iteration": rounds[number].stop, "loss": total.item() / len(rounds[number])}

    scratch = task.scratch / run.label
    bar.update(min(len(loop.done(scratch)) * ITERATIONS_PER_ROUND, recipe.iterations))
    history = loop.run(stack, descent.optimiser, len(rounds), one_round, scratch=scratch)
    return stack, history


def _condensed(data: Data, stack: nn.Module) -> Data:
    """The same, with what of the frames the heads look at, whatever their weights are."""

    def condensed(row: int) -> Arrays:
        frames, length = stack.condensed(*data.frames.of(torch.tensor([row])))
        return {"values": frames[0].cpu().numpy(), "length": length.cpu().numpy()}

    read = Kept(condensed)
    lengths = [int(read(row)["length"][0]) for row in range(len(data.table))]
    return replace(data, frames=Values(read, torch.tensor(lengths, device=data.targets.device)))


def _changes(task: Task, recipe: Recipe, name: str) -> dict[str, Any]:
    """What is special in a model's parameters, and what a head is told of the texts."""
    about = task.beside.about["signal"]
    return recipe.models[name] | ({"text_features": about["features"]} if "features" in about else {})


def _untrained(task: Task, recipe: Recipe, data: Data, name: str, member: Member) -> nn.Module:
    torch.manual_seed(stable_hash(f"{name}/{member.size}/{member.seed}"))
    module = task.build(**_changes(task, recipe, name)).to(task.device)
    rows = torch.from_numpy(member.rows).to(task.device)
    for prefix, moments in zip(("", "text_") if module.takes_text else ("",), data.moments):
        _standardise(module, prefix, moments, rows)
    return module


def _standardise(module: nn.Module, prefix: str, moments: Moments, rows: Tensor) -> None:
    """Sets mean and deviation of each feature over the frames of the clips that the member learns from."""
    count = moments.count[rows].sum()
    mean = moments.total[rows].sum(0) / count
    variance = moments.squares[rows].sum(0) / count - mean.square()
    module.get_buffer(f"{prefix}mean").copy_(mean)
    module.get_buffer(f"{prefix}deviation").copy_(variance.clamp_min(1e-12).sqrt())


def _batches(members: list[Member], batch_size: int, iterations: range) -> np.ndarray:
    """Rows of the table (iterations, members, batch_size)."""
    own = [one.rows[in_random_order(len(one.rows), batch_size, iterations, one.seed)] for one in members]
    return np.stack(own, 1)


@torch.no_grad()
def _decided(stack: nn.Module, data: Data, run: Run, labels: list[str]) -> pd.DataFrame:
    """The decision of each member on each clip of its fold."""
    stack.eval()
    data, made = _condensed(data, stack), []
    for fold, own in data.table.groupby("fold"):
        judges = [number for number, one in enumerate(run.members) if one.fold == fold]
        parts = torch.tensor(own.index).split(CLIPS_AT_ONCE)
        inputs = (data.inputs(part, takes_text=stack.takes_text, shuffled=run.shuffled) for part in parts)
        logits = torch.cat([stacks.logits(stack, judges, one) for one in inputs], 1)
        check_outputs(logits.transpose(0, 1), list(own.key))
        confidence, decided = logits.softmax(-1).max(-1)
        for judge, decisions, confidences in zip(judges, decided.tolist(), confidence.tolist()):
            member = run.members[judge]
            made.append(
                own[["fold", "clip_id", "label", "speaker"]].assign(
                    size=member.size,
                    examples=len(member.rows),
                    draw=member.draw,
                    decision=[labels[index] for index in decisions],
                    confidence=confidences,
                )
            )
    return pd.concat(made).assign(model=run.label)


def _saved(task: Task, recipe: Recipe, stack: nn.Module, run: Run) -> list[tuple]:
    """Writes the models of a stack whose speech can be attacked, and gives their rows of `members.csv`."""
    rows = []
    for number, member in enumerate(run.members):
        if not stack.hears or member.size != "all" or member.draw > 0:
            continue
        changes = _changes(task, recipe, run.name)
        module = task.build(**changes)
        module.load_state_dict({key: value[number] for key, value in stack.state_dict().items()})
        folder = task.finished / file_name(f"{run.name}-{member.fold}")
        folder.mkdir()
        weights.save(folder, module, task.config | {"parameters": task.config["parameters"] | changes})
        rows.append((folder.name, run.name, "fold", member.fold, "", True))
    return rows


def _outcome(decided: pd.DataFrame) -> Outcome:
    """Of the best head, trained on all examples."""
    whole = decided[(decided["size"] == "all") & ~decided.model.str.endswith(SHUFFLED)]
    recalls = {name: uar(own.label, own.decision) for name, own in whole.groupby("model")}
    best = max(recalls, key=recalls.get)
    clips = whole[whole.model == best].clip_id.nunique()
    return by_share(f"UAR of {best}", recalls[best], chance=1 / whole.label.nunique(), clips=clips)
