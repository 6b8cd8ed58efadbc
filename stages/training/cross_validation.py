"""Room of training: the method `cross_validation`, which trains small heads on features, leaving out one fold after another.

All models of one head, for every fold, number of examples and draw, are stacked and trained as one (torch.func): each
step is one pass for all of them. No model sees another's examples.
"""

import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap
from torch.nn.functional import cross_entropy

from stages import victim
from stages.frame import progress
from stages.frame.clip_table import stable_hash
from stages.frame.errors import UserError
from stages.frame.parameters import Count, NonNegativeInt, Positive
from stages.training import loop
from stages.training.batches import in_random_order
from stages.training.task import Task

ITERATIONS_PER_ROUND = 50
CLIPS_AT_ONCE = 32
SHUFFLED = "-shuffled"


@dataclass(frozen=True)
class Recipe:
    """How heads are trained; made by `recipe`."""

    seed: int
    iterations: int
    batch_size: int
    learning_rate: float
    draws: int
    models: dict[str, dict[str, Any]]
    few: int | None
    curve: list[int]
    curve_of: list[str]
    shuffled_texts_of: list[str]


def recipe(
    *,
    seed: NonNegativeInt,
    iterations: Count,
    batch_size: Count,
    learning_rate: Positive,
    draws: Count,
    models: dict[str, dict],
    few: Count | None,
    curve: list[Count],
    curve_of: list[str],
    shuffled_texts_of: list[str],
) -> Recipe:
    """The recipe with checked values.

    Args:
        seed: of weights, draws, batches and dropout.
        iterations: batches that each model is trained on, however many examples it has.
        batch_size: clips in a batch.
        learning_rate: Adam's.
        draws: how often examples (and, of all examples, initial weights) are drawn.
        models: for each model what is special in the victim's parameters.
        few: how many examples there are when there are few, null for no such models; all models are also trained on all.
        curve: further numbers of examples, for the models `curve_of`.
        curve_of: see `curve`.
        shuffled_texts_of: models of which there is a control, whose clips have each other's texts.

    Raises:
        UserError: `curve_of` or `shuffled_texts_of` names an unknown model.
    """
    values = dict(locals())
    strange = [name for name in (*curve_of, *shuffled_texts_of) if name not in models]
    if strange:
        raise UserError(
            f"params.yaml: the model {strange[0]!r} in curve_of or shuffled_texts_of",
            expected=f"one of {', '.join(models)}",
            found="none of this name",
            do="correct it",
        )
    return Recipe(**values)


@dataclass(frozen=True)
class Member:
    """One model: the fold that it is judged on, the rows that it learns from, and how they came about."""

    fold: str
    size: str
    draw: int
    rows: np.ndarray
    seed: list[int]


@dataclass(frozen=True)
class Moments:
    """Of each clip how many frames it has, (clips,), and the sums of their values and squares, (clips, features)."""

    count: Tensor
    total: Tensor
    squares: Tensor


@dataclass(frozen=True)
class Data:
    """All clips on the device, padded: frames (clips, longest, features), the same of texts, and how long each is.

    `moments` are of each clip's frames, then of its text. `text_of` says for each clip whose text it has when texts are shuffled: another clip's of the same fold.
    """

    table: pd.DataFrame
    targets: Tensor
    frames: Tensor
    lengths: Tensor
    texts: tuple[Tensor, Tensor] | None
    text_of: Tensor
    moments: list["Moments"]

    def inputs(self, rows: Tensor, *, takes_text: bool, shuffled: bool) -> tuple[Tensor, ...]:
        """What a head takes in of the clips `rows` (of any shape)."""
        own = self.frames[rows], self.lengths[rows]
        if not takes_text:
            return own
        text_rows = self.text_of[rows] if shuffled else rows
        return *own, *(values[text_rows] for values in self.texts)


def train(task: Task, recipe: Recipe) -> None:
    """Writes the decision of every model on the fold that it did not see, and the models that can be attacked.

    These are those that hear speech, of the first draw on all examples, a folder each, listed in `members.csv` as the method `adversarial` lists
    its own; the others leave their decisions alone.
    """
    data = _load(task, recipe.seed)
    plan = _plan(data.table, recipe)
    runs = [(name, False) for name in recipe.models] + [(name, True) for name in recipe.shuffled_texts_of]
    decisions, history, saved = [], [], []
    with progress.bar(len(runs) * recipe.iterations, "training", "batch") as bar:
        for name, shuffled in runs:
            members = [one for one in plan[name] if one.size == "all" or not shuffled]
            module, rounds = _fit(task, recipe, data, name, members, shuffled, bar)
            label = name + SHUFFLED * shuffled
            history += [{"model": label, **row} for row in rounds]
            decisions.append(_decided(module, data, members, task.labels, shuffled).assign(model=label))
            if not shuffled:
                saved += [_saved(task, recipe, module, name, number, one) for number, one in enumerate(members)]
    columns = ["model", "size", "examples", "draw", "fold", "clip_id", "label", "speaker", "decision", "confidence"]
    pd.concat(decisions)[columns].to_csv(task.finished / "decisions.csv", index=False)
    pd.DataFrame(history).to_csv(task.finished / "history.csv", index=False)
    pd.DataFrame([row for row in saved if row]).to_csv(task.finished / "members.csv", index=False)


def _load(task: Task, seed: int) -> Data:
    table = task.clips.table.reset_index(drop=True)
    if (table.fold == "").any() or table.fold.nunique() < 2:
        raise UserError(
            task.clips.folder,
            expected="a fold for each clip, and at least two folds",
            found=f"{table.fold.nunique()}, {(table.fold == '').sum()} clips without one",
            do="take a corpus whose reader gives folds, such as iemocap",
        )
    name = task.clips.folder.name
    frames, lengths = _padded([task.clips.load(key)[name] for key in table.key], task.device)
    texts = None
    if "text" in task.beside.load(table.key[0]):
        texts = _padded([task.beside.load(key)["text"] for key in table.key], task.device)
    rng = np.random.default_rng([seed, stable_hash("shuffled texts")])
    text_of = np.arange(len(table))
    for own in table.groupby("fold").indices.values():
        text_of[own] = rng.permutation(own)
    moments = [_moments(*values) for values in ((frames, lengths), texts) if values]
    targets = torch.tensor([task.labels.index(label) for label in table.label], device=task.device)
    return Data(table, targets, frames, lengths, texts, torch.from_numpy(text_of).to(task.device), moments)


def _padded(arrays: list[np.ndarray], device: str) -> tuple[Tensor, Tensor]:
    batch = victim.padded_batch(arrays, device, "values")
    return batch["values"], batch["values_length"].to(device)


def _moments(values: Tensor, lengths: Tensor) -> Moments:
    # What pads a clip is zero and adds nothing.
    return Moments(lengths.double(), values.sum(1, dtype=torch.float64), values.double().square().sum(1))


def _plan(table: pd.DataFrame, recipe: Recipe) -> dict[str, list[Member]]:
    """The members of each model's stack."""
    return {
        name: [
            Member(fold, size, draw, rows, [recipe.seed, number, draw])
            for size in _sizes(name, recipe)
            for draw in range(recipe.draws)
            for number, fold in enumerate(sorted(table.fold.unique()))
            for rows in [_drawn(table, fold, size, [recipe.seed, number, draw])]
        ]
        for name in recipe.models
    }


def _sizes(name: str, recipe: Recipe) -> list[str]:
    sizes = [] if recipe.few is None else [recipe.few]
    if name in recipe.curve_of:
        sizes = sorted({*sizes, *recipe.curve})
    return [*map(str, sizes), "all"]


def _drawn(table: pd.DataFrame, left_out: str, size: str, seed: list[int]) -> np.ndarray:
    """Rows of so many examples of the other folds, of each label as many as of any other as long as it has some.

    Smaller draws of the same seed are parts of larger ones.

    Raises:
        UserError: there are not so many.
    """
    rows = np.flatnonzero(table.fold != left_out)
    if size == "all":
        return rows
    if int(size) > len(rows):
        raise UserError(
            "params.yaml: few or curve of a recipe",
            expected=f"at most the {len(rows)} examples outside {left_out}",
            found=size,
            do="lower it",
        )
    shuffled = pd.Series(np.random.default_rng(seed).permutation(rows))
    turn = shuffled.groupby(table.label.to_numpy()[shuffled]).cumcount()
    return np.sort(shuffled[turn.sort_values(kind="stable").index[: int(size)]].to_numpy())


def _fit(
    task: Task, recipe: Recipe, data: Data, name: str, members: list[Member], shuffled: bool, bar: Any
) -> tuple[nn.Module, loop.History]:
    """The stack of all members, trained: a module each of whose parameters and buffers has a first dimension of models."""
    module = _stacked([_untrained(task, recipe, data, name, one) for one in members]).to(task.device)
    optimiser = torch.optim.Adam(module.parameters(), recipe.learning_rate)

    def losses(parameters, buffers, inputs, targets):
        return cross_entropy(functional_call(module, (parameters, buffers), inputs), targets)

    def work(number: int) -> dict[str, float]:
        iterations = range(number * ITERATIONS_PER_ROUND, min((number + 1) * ITERATIONS_PER_ROUND, recipe.iterations))
        torch.manual_seed(stable_hash(f"{recipe.seed}/{name}/{shuffled}/{number}"))  # for dropout
        module.train()
        total = torch.zeros((), device=task.device)
        for batch in _batches(members, recipe.batch_size, iterations):
            rows = torch.from_numpy(batch).to(task.device)
            inputs = data.inputs(rows, takes_text=module.takes_text, shuffled=shuffled)
            state = dict(module.named_parameters()), dict(module.named_buffers())
            loss = vmap(losses, randomness="different")(*state, inputs, data.targets[rows])
            optimiser.zero_grad(set_to_none=True)
            loss.sum().backward()
            optimiser.step()
            total += loss.detach().mean()
            bar.update()
        return {"iteration": iterations.stop, "loss": total.item() / len(iterations)}

    scratch = task.scratch / f"{name}{SHUFFLED * shuffled}"
    bar.update(min(len(loop.done(scratch)) * ITERATIONS_PER_ROUND, recipe.iterations))
    rounds = -(-recipe.iterations // ITERATIONS_PER_ROUND)
    return module, loop.run(module, optimiser, rounds, work, scratch=scratch, device=task.device)


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


def _stacked(modules: list[nn.Module]) -> nn.Module:
    """A module whose parameters and buffers are those of all modules, one after another."""
    stack = copy.deepcopy(modules[0])
    parameters, buffers = stack_module_state(modules)
    for path, value in parameters.items():
        owner, _, leaf = path.rpartition(".")
        setattr(stack.get_submodule(owner), leaf, nn.Parameter(value.detach()))
    for path, value in buffers.items():
        owner, _, leaf = path.rpartition(".")
        setattr(stack.get_submodule(owner), leaf, value)
    return stack


def _batches(members: list[Member], batch_size: int, iterations: range) -> np.ndarray:
    """Rows of the table (iterations, members, batch_size)."""
    own = [one.rows[in_random_order(len(one.rows), batch_size, iterations, one.seed)] for one in members]
    return np.stack(own, 1)


@torch.no_grad()
def _decided(module: nn.Module, data: Data, members: list[Member], labels: list[str], shuffled: bool) -> pd.DataFrame:
    """The decision of each member on each clip of its fold."""
    module.eval()
    made = []
    for fold, own in data.table.groupby("fold"):
        judges = [number for number, one in enumerate(members) if one.fold == fold]
        state = [
            {name: value[judges] for name, value in named}
            for named in (module.named_parameters(), module.named_buffers())
        ]
        rows = torch.tensor(own.index).to(data.frames.device)
        logits = [
            vmap(
                lambda parameters, buffers, inputs: functional_call(module, (parameters, buffers), inputs), (0, 0, None)
            )(*state, data.inputs(part, takes_text=module.takes_text, shuffled=shuffled))
            for part in rows.split(CLIPS_AT_ONCE)
        ]
        confidence, decided = torch.cat(logits, 1).softmax(-1).max(-1)
        for judge, decisions, confidences in zip(judges, decided.tolist(), confidence.tolist()):
            made.append(
                own[["fold", "clip_id", "label", "speaker"]].assign(
                    size=members[judge].size,
                    examples=len(members[judge].rows),
                    draw=members[judge].draw,
                    decision=[labels[index] for index in decisions],
                    confidence=confidences,
                )
            )
    return pd.concat(made)


def _saved(
    task: Task, recipe: Recipe, stack: nn.Module, name: str, number: int, member: Member
) -> dict[str, Any] | None:
    """Writes one model of the stack, if it is one whose speech can be attacked, and gives its row in the list."""
    if not stack.hears or member.size != "all" or member.draw > 0:
        return None
    changes = _changes(task, recipe, name)
    module = task.build(**changes)
    module.load_state_dict({key: value[number] for key, value in stack.state_dict().items()})
    folder = task.finished / f"{name}-{member.fold}"
    folder.mkdir()
    victim.save(folder, module, task.config | {"parameters": task.config["parameters"] | changes})
    return {
        "member": folder.name,
        "regime": "single",
        "purpose": "test",
        "variant": name,
        "training_epsilon": 0.0,
        "judged_by": "fold",
        "judged_on": member.fold,
    }
