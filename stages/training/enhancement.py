"""Room of training: the method `enhancement`, which teaches an enhancer clean speech from mixtures with noise.

Its loss J is the mean squared error of the waveform (Macartney and Weyde 2018), also of the regression of spectra. Its
literature has that of the log-power spectra, which made small networks worse than no enhancement from 10 dB on.

`harden` goes on by Eq. 6 of Yang et al. 2020, alpha J(x, y) + (1 - alpha) J(x + epsilon sign(gradient), y) with x noisy
and y clean. What the paper leaves open:

* Which gradient. The equation has that of J itself, the enhancer's; the text speaks of adversarial examples of the
  recogniser put into the training data. `gradient_of` decides.
* What is perturbed: the noisy mixture, as the equation says, or clean speech, as the paper's adversarial examples are.
  `inputs` decides. The first term has the mixture in any case.
* epsilon: a signal-to-noise ratio is drawn for each clip, and epsilon is the amplitude that it asks for.

The recogniser's gradient is of the loss of what was said, upward, through the recogniser alone, and of whole clips,
which are then cut; the enhancer's is of the cut pieces.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.optim import Adam

from stages.frame import progress, weights
from stages.frame.errors import UserError
from stages.frame.parameters import Count, NonNegativeInt, Positive, Share
from stages.learning import loop
from stages.learning.batches import in_random_order
from stages.measures.perturbation import snr_db
from stages.training.task import Outcome, Task, check_outputs, check_room, check_splits
from stages.victim import Inputs, Victim, ctc, padded_batch

# Share of the iterations in which the learning rate rises to its full size, and of that rate what is left at the end.
# Full steps at the start can drive a U-Net's last tanh to its ends, from where it does not come back.
WARM_UP, LAST_RATE = 0.05, 0.02

Loss = Callable[[pd.DataFrame, np.random.Generator], Tensor]


@dataclass(frozen=True, kw_only=True)
class Perturbation:
    """What Eq. 6 adds, the part of a recipe that is for `harden`.

    Args:
        alpha: weight of the loss on mixtures; that on what is perturbed has the rest.
        snr_db: the lowest and the highest signal-to-noise ratio of a perturbation.
        gradient_of: whose loss the perturbation raises.
        inputs: what is perturbed, mixtures or clean speech; `both`: of each example one or the other, at random.

    Raises:
        UserError: `snr_db` is no lowest and highest value.
    """

    alpha: Share
    snr_db: list[float]
    gradient_of: Literal["enhancer", "recogniser"]
    inputs: Literal["noisy", "clean", "both"]

    def __post_init__(self) -> None:
        if len(self.snr_db) != 2 or self.snr_db[0] > self.snr_db[1]:
            raise UserError(
                "params.yaml: recipes.*.adversarial.snr_db",
                "the lowest and the highest",
                f"{self.snr_db}",
                "correct it",
            )


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How an enhancer is trained.

    Args:
        seed: of weights, batches, crops and perturbations.
        iterations: batches in all.
        iterations_per_round: after so many the validation mixtures are enhanced and the state is kept.
        batch_size: clips in a batch.
        learning_rate: Adam's largest, after the first twentieth; from there it falls as a cosine to a fiftieth.
        crop_s: of each clip so much is learned from at a time, of a shorter one all.
        adversarial: null for `train`.
    """

    seed: NonNegativeInt
    iterations: Count
    iterations_per_round: Count
    batch_size: Count
    learning_rate: Positive
    crop_s: Positive
    adversarial: Perturbation | None


def train(task: Task, recipe: Recipe) -> Outcome:
    """Writes the one network, its history, and `decisions.csv`: of each validation and test mixture the signal-to-noise
    ratio before, `snr_in_db`, and after, `snr_out_db`.

    Raises:
        UserError: a recipe for `harden`, or a split without mixtures.
    """
    if recipe.adversarial is not None:
        raise UserError(
            "params.yaml: recipes.*.adversarial", "null to train from scratch", "a mapping", "say what it starts_from"
        )
    torch.manual_seed(recipe.seed)
    module = task.build().to(task.device)
    if hasattr(module, "fit"):
        table = task.clips.table
        module.fit(task.clips.load(key)["audio"] for key in table.key[table.split == "train"])

    def loss(rows: pd.DataFrame, rng: np.random.Generator) -> Tensor:
        mixtures, clean = _batch(task, rows)
        mixtures, clean = cut([mixtures, clean], recipe.crop_s * _rate_hz(task), rng)
        return squared_error(module, mixtures, clean).mean()

    return _fit(module, task, recipe, loss)


def harden(task: Task, recipe: Recipe, start: Victim, against: Victim | None) -> Outcome:
    """Goes on from the model `start` by Eq. 6, and writes what `train` does; `against` is the recogniser.

    Raises:
        UserError: a recipe for `train`, no recogniser where its gradient is wanted, or a split without mixtures.
    """
    how = recipe.adversarial
    if how is None:
        raise UserError(
            "params.yaml: recipes.*.adversarial",
            "a mapping, to train further",
            "null",
            "say alpha, snr_db, gradient_of and inputs",
        )
    if how.gradient_of == "recogniser":
        if against is None:
            expected = "a recogniser, whose gradient is wanted"
            raise UserError("params.yaml: victims.*.against", expected, "none", "name it")
        _check_room(task, against)
    module = start.module.requires_grad_(True)

    def loss(rows: pd.DataFrame, rng: np.random.Generator) -> Tensor:
        mixtures, clean = _batch(task, rows)
        attacked = _chosen(how.inputs, mixtures, clean, rng)
        ratios = torch.from_numpy(rng.uniform(*how.snr_db, len(rows))).to(attacked["audio"])
        if how.gradient_of == "recogniser":
            said = against.encode(list(rows.text))
            attacked = perturbed(attacked, ratios, lambda inputs: ctc(against.logits(inputs), said))
        mixtures, clean, attacked = cut([mixtures, clean, attacked], recipe.crop_s * _rate_hz(task), rng)
        if how.gradient_of == "enhancer":
            attacked = perturbed(attacked, ratios, lambda inputs: squared_error(module, inputs, clean))
        losses = (squared_error(module, inputs, clean).mean() for inputs in (mixtures, attacked))
        return weighted(*losses, how.alpha)

    return _fit(module, task, recipe, loss)


def squared_error(module: nn.Module, inputs: Inputs, clean: Inputs) -> Tensor:
    """J: the mean squared error of each enhanced clip over its own length (clips,)."""
    return (module(inputs) - clean["audio"]).square().sum(1) / inputs["audio_length"].to(clean["audio"])


def weighted(mixture: Tensor, attacked: Tensor, alpha: float) -> Tensor:
    """Eq. 6 of the two losses."""
    return alpha * mixture + (1 - alpha) * attacked


def perturbed(inputs: Inputs, snr_db: Tensor, loss: Callable[[Inputs], Tensor]) -> Inputs:
    """The clips one step of the same size in each sample up the gradient of `loss` (clips,), at these ratios (clips,).

    A sample without gradient, such as one after a clip's end, stays as it is; no one passes full scale.
    """
    audio = inputs["audio"].detach().requires_grad_()
    (gradient,) = torch.autograd.grad(loss(inputs | {"audio": audio}).sum(), audio)
    power = audio.detach().square().sum(1) / inputs["audio_length"].to(audio)
    epsilon = power.sqrt() * 10 ** (-snr_db / 20)
    return inputs | {"audio": (audio.detach() + epsilon[:, None] * gradient.sign()).clamp(-1, 1)}


def cut(batches: list[Inputs], samples: float, rng: np.random.Generator) -> list[Inputs]:
    """So many samples of each clip from a random place on, the same one in all batches; all of a shorter clip."""
    samples, lengths = round(samples), batches[0]["audio_length"]
    starts = torch.from_numpy(rng.integers((lengths - samples).clamp_min(0).numpy() + 1))
    left = (lengths - starts).clamp_max(samples)
    places = starts[:, None] + torch.arange(int(left.max()))
    # After its end a clip is padded with zeros, but only up to the longest one's.
    places = places.clamp_max(batches[0]["audio"].shape[1] - 1).to(batches[0]["audio"].device)
    inside = torch.arange(places.shape[1]) < left[:, None]
    return [
        {"audio": one["audio"].gather(1, places) * inside.to(one["audio"]), "audio_length": left} for one in batches
    ]


def _check_room(task: Task, recogniser: Victim) -> None:
    """Passes training clips whose texts have room in their steps: of others there is no gradient."""
    rows = task.clips.table[task.clips.table.split == "train"]
    samples = torch.tensor((rows.duration_s * _rate_hz(task)).round().to_numpy()).long()
    check_room(list(rows.key), recogniser.encode(list(rows.text)), recogniser.module.steps_of(samples))


def _rate_hz(task: Task) -> int:
    return task.config["signal"]["sample_rate_hz"]


def _batch(task: Task, rows: pd.DataFrame) -> tuple[Inputs, Inputs]:
    """Mixtures and their clean speech, whole clips."""
    loaded = [task.clips.load(key) for key in rows.key]
    return tuple(padded_batch([one[name] for one in loaded], task.device) for name in ("audio", "clean"))


def _chosen(which: str, mixtures: Inputs, clean: Inputs, rng: np.random.Generator) -> Inputs:
    """Mixtures or clean speech, or of each example one or the other at random."""
    if which != "both":
        return mixtures if which == "noisy" else clean
    noisy = torch.from_numpy(rng.random(len(mixtures["audio"])) < 0.5).to(mixtures["audio"].device)
    return mixtures | {"audio": torch.where(noisy[:, None], mixtures["audio"], clean["audio"])}


def _fit(module: nn.Module, task: Task, recipe: Recipe, loss: Loss) -> Outcome:
    """Goes down `loss` of batches of training rows, and writes what `train` says."""
    table = task.clips.table
    check_splits(task, table, "mixtures")
    rows = table[table.split == "train"]
    optimiser = Adam(module.parameters(), recipe.learning_rate)
    rounds = loop.rounds_of(recipe.iterations, recipe.iterations_per_round)
    finished = min(len(loop.done(task.scratch)) * recipe.iterations_per_round, recipe.iterations)
    with progress.bar(recipe.iterations, "training", "batch", done=finished) as bar:
        descent = loop.Descent(module, optimiser, bar)

        def work(number: int) -> dict[str, float]:
            own, rng = rounds[number], np.random.default_rng([recipe.seed, 1, number])
            module.train()
            total = torch.zeros((), device=task.device)
            batches = in_random_order(len(rows), recipe.batch_size, own, [recipe.seed, 0])
            for iteration, chosen in zip(own, batches):
                total += descent.step(loss(rows.iloc[chosen], rng), _rate(iteration / recipe.iterations, recipe))
            gain = _gain_db(_judged(module, task, "validation", recipe))
            return {"iteration": own.stop, "loss": total.item() / len(own), "validation_gain_db": gain}

        history = loop.run(module, optimiser, len(rounds), work, scratch=task.scratch)
    weights.save(task.finished, module, task.config)
    pd.DataFrame(history).to_csv(task.finished / "history.csv", index=False)
    judged = pd.concat([_judged(module, task, split, recipe) for split in ("validation", "test")])
    judged.to_csv(task.finished / "decisions.csv", index=False)
    return _outcome(judged[judged.split == "test"])


def _gain_db(judged: pd.DataFrame) -> float:
    return float((judged.snr_out_db - judged.snr_in_db).mean())


def _outcome(judged: pd.DataFrame) -> Outcome:
    gain = _gain_db(judged)
    told = f"signal-to-noise ratio {gain:+.2f} dB on {len(judged)} test mixtures"
    return Outcome(told, "leaving them as they are" if gain <= 0 else "")


def _rate(done: float, recipe: Recipe) -> float:
    falling = LAST_RATE + (1 - LAST_RATE) * (1 + math.cos(math.pi * done)) / 2
    return recipe.learning_rate * falling * min(1.0, (done + 1 / recipe.iterations) / WARM_UP)


@torch.no_grad()
def _judged(module: nn.Module, task: Task, split: str, recipe: Recipe) -> pd.DataFrame:
    """Signal-to-noise ratios of the mixtures of a split before and after, clips of like length enhanced together."""
    module.eval()
    rows = task.clips.table[task.clips.table.split == split].sort_values(["duration_s", "key"])
    ratios = []
    for start in range(0, len(rows), recipe.batch_size):
        mixtures, clean = _batch(task, rows.iloc[start : start + recipe.batch_size])
        enhanced = module(mixtures)
        check_outputs(enhanced, list(rows.key[start : start + recipe.batch_size]))
        # After a clip's end all three are zero.
        for before, after, speech in zip(*(one.cpu().numpy() for one in (mixtures["audio"], enhanced, clean["audio"]))):
            ratios.append((snr_db(speech, before - speech), snr_db(speech, after - speech)))
    columns = rows[["key", "clip_id", "split", "noise", "snr_db"]]
    return columns.assign(**dict(zip(("snr_in_db", "snr_out_db"), zip(*ratios)))).sort_values("key")
