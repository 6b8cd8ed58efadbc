"""Room of pretraining: a small BERT that predicts masked words (Devlin et al. 2019), with a vocabulary of its own."""

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
from stages.pretraining import word_pieces
from stages.training import loop
from stages.training.batches import in_random_order

UPDATES_PER_ROUND = 50
# Of the words to predict so many are seen as a mask and so many as another word; the others are seen as they are.
MASKED, REPLACED = 0.8, 0.1
IGNORED = -100


def learn(
    root: Path,
    finished: Path,
    scratch: Path,
    device: str,
    *,
    seed: NonNegativeInt,
    vocabulary: Count,
    longest: Count,
    hidden_units: Count,
    layers: Count,
    attention_heads: Count,
    updates: Count,
    batch_size: Count,
    learning_rate: Positive,
    masked_share: Share,
    held_out_share: Share,
) -> None:
    """Writes the model and the tokeniser that a text teaches, as transformers saves them, and its history.

    Args:
        root: a text file, one sentence a line.
        finished: where the model goes.
        scratch: where unfinished work stays.
        device: where it runs.
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

    Raises:
        UserError: there are no two different lines.
    """
    import transformers
    from transformers import BertConfig, BertForMaskedLM

    lines = root.read_text(encoding="utf-8").split("\n")
    train, held_out = _split([line for line in lines if line.strip()], held_out_share, root)
    tokeniser = word_pieces.tokeniser(train, vocabulary)
    torch.manual_seed(seed)
    model = BertForMaskedLM(
        BertConfig(
            vocab_size=len(tokeniser),
            hidden_size=hidden_units,
            num_hidden_layers=layers,
            num_attention_heads=attention_heads,
            intermediate_size=4 * hidden_units,
            max_position_embeddings=longest,
            pad_token_id=tokeniser.pad_token_id,
        )
    ).to(device)
    optimiser = torch.optim.AdamW(model.parameters(), learning_rate)
    pieces, judged_on = (_padded(tokeniser, part, longest) for part in (train, held_out))
    rounds = -(-updates // UPDATES_PER_ROUND)
    with progress.bar(updates, "pretraining", "update", done=len(loop.done(scratch)) * UPDATES_PER_ROUND) as bar:

        def work(number: int) -> dict[str, Any]:
            own = range(number * UPDATES_PER_ROUND, min((number + 1) * UPDATES_PER_ROUND, updates))
            torch.manual_seed(stable_hash(f"{seed}/{number}"))  # for dropout
            model.train()
            total = torch.zeros((), device=device)
            for update, rows in zip(own, in_random_order(len(pieces), batch_size, own, [seed])):
                for group in optimiser.param_groups:
                    group["lr"] = learning_rate * (1 - update / updates)
                rng = np.random.default_rng([seed, 1, update])
                loss = _losses(model, tokeniser, pieces[rows], masked_share, rng, device)[0].mean()
                optimiser.zero_grad(set_to_none=True)
                loss.backward()
                optimiser.step()
                total += loss.detach()
                bar.update()
            row = {"update": own.stop, "loss": total.item() / len(own)}
            return row | _judged(model, tokeniser, judged_on, batch_size, masked_share, seed, device)

        history = loop.run(model, optimiser, rounds, work, scratch=scratch, device=device)
    transformers.utils.logging.disable_progress_bar()
    model.save_pretrained(finished)
    tokeniser.save_pretrained(finished)
    pd.DataFrame(history).to_csv(finished / "history.csv", index=False)


def _split(lines: list[str], held_out_share: float, root: Path) -> tuple[list[str], list[str]]:
    """Different lines, those to learn from and those to judge on."""
    order = sorted(dict.fromkeys(lines), key=stable_hash)
    held_out = max(1, round(held_out_share * len(order)))
    if len(order) <= held_out:
        raise UserError(root, expected="at least two different lines of text", found=f"{len(order)}", do="add some")
    return sorted(order[held_out:]), sorted(order[:held_out])


def _padded(tokeniser: Any, lines: list[str], longest: int) -> np.ndarray:
    """Numbers of pieces (lines, longest line)."""
    return np.array(tokeniser(lines, padding=True, truncation=True, max_length=longest)["input_ids"])


def _losses(
    model: Any, tokeniser: Any, pieces: np.ndarray, masked_share: float, rng: np.random.Generator, device: str
) -> tuple[Tensor, Tensor]:
    """The cross-entropy of each piece that was to be predicted, and whether it was predicted."""
    pieces = pieces[:, : (pieces != tokeniser.pad_token_id).sum(1).max()]
    special = np.isin(pieces, tokeniser.all_special_ids)
    chosen = (rng.random(pieces.shape) < masked_share) & ~special
    # A batch without any piece to predict would have no loss.
    chosen[0, 1] |= not chosen.any()
    fate = rng.random(pieces.shape)
    seen = np.where(chosen & (fate < MASKED), tokeniser.mask_token_id, pieces)
    replaced = chosen & (fate >= MASKED) & (fate < MASKED + REPLACED)
    seen = np.where(replaced, rng.integers(len(tokeniser), size=pieces.shape), seen)
    seen, wanted = torch.from_numpy(seen).to(device), torch.from_numpy(pieces[chosen]).to(device)
    own = torch.from_numpy(pieces != tokeniser.pad_token_id).to(device)
    logits = model(input_ids=seen, attention_mask=own).logits[torch.from_numpy(chosen).to(device)]
    return torch.nn.functional.cross_entropy(logits, wanted, reduction="none"), logits.argmax(-1) == wanted


@torch.no_grad()
def _judged(
    model: Any, tokeniser: Any, pieces: np.ndarray, batch_size: int, masked_share: float, seed: int, device: str
) -> dict[str, float]:
    """Loss and accuracy on lines that were not learned from, always with the same masks."""
    model.eval()
    rng = np.random.default_rng(seed)
    parts = [pieces[start : start + batch_size] for start in range(0, len(pieces), batch_size)]
    losses, right = zip(*(_losses(model, tokeniser, part, masked_share, rng, device) for part in parts))
    return {
        "held_out_loss": torch.cat(losses).mean().item(),
        "held_out_accuracy": torch.cat(right).float().mean().item(),
    }
