"""Ground floor: texts as connectionist temporal classification (CTC; Graves et al. 2006) has them, the blank last."""

import torch
from torch import Tensor
from torch.nn.functional import ctc_loss, pad

from stages.frame.errors import UserError

# What fills rows of characters up behind their ends.
PADDING = -1


def greedy(logits: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
    """The labelling of the best path through CTC outputs of each clip, and how sure of that path the network is.

    A path has one class for each step, the last one being blank; it stands for the labelling that is left when equal
    neighbours are merged and then blanks dropped (Graves et al. 2006).

    Args:
        logits: (clips, steps, classes).
        lengths: (clips,), valid steps of each clip.

    Returns:
        labels (clips, steps), long, each clip's in front and `PADDING` after them; and the confidence (clips,) in
        (0, 1], the geometric mean of the best path's probabilities over the valid steps, 1 where there are none.
    """
    clips, steps, classes = logits.shape
    best_log_p, path = logits.log_softmax(-1).max(-1)
    valid = torch.arange(steps, device=logits.device) < lengths.to(logits.device)[:, None]
    before = pad(path, (1, 0), value=classes - 1)[:, :-1]
    kept = valid & (path != before) & (path != classes - 1)
    # Labels go to their places one behind the other, all else to a column that is then cut off.
    place = torch.where(kept, kept.cumsum(1) - 1, steps)
    labels = path.new_full((clips, steps + 1), PADDING).scatter_(1, place, path)[:, :steps]
    mean_log_p = (best_log_p * valid).sum(1) / valid.sum(1).clamp(min=1)
    return labels, mean_log_p.exp()


def texts(labels: Tensor, alphabet: str | list[str]) -> list[str]:
    """The text of each row of `labels` (clips, steps), numbers of characters of `alphabet`, or negative for none."""
    return ["".join(alphabet[label] for label in row if label >= 0) for row in labels.tolist()]


def characters(sentences: list[str], alphabet: list[str]) -> Tensor:
    """The characters of texts as numbers (texts, longest), `PADDING` after each one's end.

    Raises:
        UserError: a character that is not of the alphabet.
    """
    index_of = {character: index for index, character in enumerate(alphabet)}
    rows = torch.full((len(sentences), max(1, *map(len, sentences))), PADDING)
    for row, text in zip(rows, sentences):
        strange = sorted(set(text) - set(alphabet))
        if strange:
            raise UserError(
                f"the text {text!r}", f"characters of {''.join(alphabet)!r}", repr(strange[0]), "spell it otherwise"
            )
        row[: len(text)] = torch.tensor([index_of[character] for character in text], dtype=torch.long)
    return rows


def steps_needed(labels: Tensor) -> Tensor:
    """How many steps of CTC texts (examples, longest) take: one a character, one more between two that are the same."""
    following = labels[:, 1:]
    return (labels != PADDING).sum(1) + ((following == labels[:, :-1]) & (following != PADDING)).sum(1)


def ctc(logits: Tensor, labels: Tensor) -> Tensor:
    """The loss (examples,) of CTC.

    Logits are (examples, steps, characters + 1) with the blank last, labels as `characters` makes them.
    A text that is too long for the steps, see `steps_needed`, has a loss of zero, and no gradient. It is computed in
    float64: over a hundred steps float32 rounds a hundred times as much, which attacks of many steps amplify.
    """
    steps = torch.full((len(logits),), logits.shape[1])
    lengths = (labels != PADDING).sum(1)
    log_probabilities = logits.double().log_softmax(-1).transpose(0, 1)
    blank = logits.shape[2] - 1
    loss = ctc_loss(log_probabilities, labels, steps, lengths, blank, reduction="none", zero_infinity=True)
    return loss.to(logits.dtype)
