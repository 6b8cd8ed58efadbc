"""Room of pretraining: a small BERT that predicts masked words (Devlin et al. 2019), with a vocabulary of its own."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from stages.frame import progress
from stages.frame.clip_table import stable_hash
from stages.frame.errors import UserError
from stages.frame.parameters import Count, NonNegativeInt, Positive, Share
from stages.frame.text import read_lines
from stages.learning import loop
from stages.learning.batches import in_random_order
from stages.learning.work import Work
from stages.pretraining import word_pieces

UPDATES_PER_ROUND = 50
# Of the words to predict so many are seen as a mask and so many as another word; the others are seen as they are.
MASKED, REPLACED = 0.8, 0.1


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How the model is trained.

    Args:
        seed: of weights, batches and masks.
        vocabulary: pieces of words, at most.
        longest: pieces of a text that the model can take in.
        hidden_units: of each layer; what lies between is four times as wide.
        layers: of the model.
        attention_heads: of a layer.
        updates: of the weights.
        batch_size: lines in a batch.
        learning_rate: Adam's, which falls to zero in a line.
        masked_share: of the pieces, which are to be predicted.
        held_out_share: of the lines, by a hash of each, on which it is judged after each round.
    """

    seed: NonNegativeInt
    vocabulary: Count
    longest: Count
    hidden_units: Count
    layers: Count
    attention_heads: Count
    updates: Count
    batch_size: Count
    learning_rate: Positive
    masked_share: Share
    held_out_share: Share


def learn(work: Work, recipe: Recipe) -> None:
    """Writes the model and the tokeniser that a text file, one sentence a line, teaches, and its history.

    Both are as transformers saves them.

    Raises:
        UserError: the text can't be read, or there are no two different lines.
    """
    import transformers

    lines = read_lines(work.root)
    train, held_out = _split([line for line in lines if line.strip()], recipe.held_out_share, work.root)
    tokeniser = word_pieces.tokeniser(train, recipe.vocabulary)
    torch.manual_seed(recipe.seed)
    model = _untrained(tokeniser, recipe).to(work.device)
    optimiser = torch.optim.AdamW(model.parameters(), recipe.learning_rate)
    pieces, judged_on = (_padded(tokeniser, part, recipe.longest) for part in (train, held_out))
    game = _Game(model, tokeniser, recipe.masked_share, work.device)
    rounds = loop.rounds_of(recipe.updates, UPDATES_PER_ROUND)
    done = len(loop.done(work.scratch)) * UPDATES_PER_ROUND
    with progress.bar(recipe.updates, "pretraining", "update", done=done) as bar:
        descent = loop.Descent(model, optimiser, bar)

        def one_round(number: int) -> dict[str, Any]:
            own = rounds[number]
            torch.manual_seed(stable_hash(f"{recipe.seed}/{number}"))  # for dropout
            model.train()
            total = torch.zeros((), device=work.device)
            for update, rows in zip(own, in_random_order(len(pieces), recipe.batch_size, own, [recipe.seed])):
                loss, _ = game.played(pieces[rows], np.random.default_rng([recipe.seed, 1, update]))
                total += descent.step(loss.mean(), recipe.learning_rate * (1 - update / recipe.updates))
            return {"update": own.stop, "loss": total.item() / len(own)} | _judged(game, judged_on, recipe)

        history = loop.run(model, optimiser, len(rounds), one_round, scratch=work.scratch)
    transformers.utils.logging.disable_progress_bar()
    model.save_pretrained(work.finished)
    tokeniser.save_pretrained(work.finished)
    pd.DataFrame(history).to_csv(work.finished / "history.csv", index=False)


def _untrained(tokeniser: Any, recipe: Recipe) -> Any:
    from transformers import BertConfig, BertForMaskedLM

    return BertForMaskedLM(
        BertConfig(
            vocab_size=len(tokeniser),
            hidden_size=recipe.hidden_units,
            num_hidden_layers=recipe.layers,
            num_attention_heads=recipe.attention_heads,
            intermediate_size=4 * recipe.hidden_units,
            max_position_embeddings=recipe.longest,
            pad_token_id=tokeniser.pad_token_id,
        )
    )


def _split(lines: list[str], held_out_share: float, root: Path) -> tuple[list[str], list[str]]:
    """Different lines, those to learn from and those to judge on."""
    order = sorted(dict.fromkeys(lines), key=stable_hash)
    held_out = max(1, round(held_out_share * len(order)))
    if len(order) <= held_out:
        raise UserError(root, "at least two different lines of text", f"{len(order)}", "add some")
    return sorted(order[held_out:]), sorted(order[:held_out])


def _padded(tokeniser: Any, lines: list[str], longest: int) -> np.ndarray:
    """Numbers of pieces (lines, longest line)."""
    return np.array(tokeniser(lines, padding=True, truncation=True, max_length=longest)["input_ids"])


@dataclass(frozen=True)
class _Game:
    """A model that predicts such a share of the pieces, masked by its tokeniser's mask."""

    model: Any
    tokeniser: Any
    masked_share: float
    device: str

    def played(self, pieces: np.ndarray, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """The cross-entropy of each piece that was to be predicted, and whether it was predicted.

        `pieces` are the numbers of those of texts (texts, longest), padded.
        """
        padding = self.tokeniser.pad_token_id
        pieces = pieces[:, : (pieces != padding).sum(1).max()]
        special = np.isin(pieces, self.tokeniser.all_special_ids)
        chosen = (rng.random(pieces.shape) < self.masked_share) & ~special
        # A batch without any piece to predict would have no loss.
        chosen[0, 1] |= not chosen.any()
        fate = rng.random(pieces.shape)
        seen = np.where(chosen & (fate < MASKED), self.tokeniser.mask_token_id, pieces)
        replaced = chosen & (fate >= MASKED) & (fate < MASKED + REPLACED)
        seen = np.where(replaced, rng.integers(len(self.tokeniser), size=pieces.shape), seen)
        seen, wanted, own, chosen = (
            torch.from_numpy(one).to(self.device) for one in (seen, pieces[chosen], pieces != padding, chosen)
        )
        logits = self.model(input_ids=seen, attention_mask=own).logits[chosen]
        return torch.nn.functional.cross_entropy(logits, wanted, reduction="none"), logits.argmax(-1) == wanted


@torch.no_grad()
def _judged(game: _Game, pieces: np.ndarray, recipe: Recipe) -> dict[str, float]:
    """Loss and accuracy on lines that were not learned from, always with the same masks."""
    game.model.eval()
    rng, size = np.random.default_rng(recipe.seed), recipe.batch_size
    parts = [pieces[start : start + size] for start in range(0, len(pieces), size)]
    losses, right = zip(*(game.played(part, rng) for part in parts))
    return {
        "held_out_loss": torch.cat(losses).mean().item(),
        "held_out_accuracy": torch.cat(right).float().mean().item(),
    }
