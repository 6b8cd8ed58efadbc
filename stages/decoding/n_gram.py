"""Room of decoding: n-gram models of words, learned or read, and prefix beam search that minds them."""

import gzip
import math
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from stages.decoding import ctc
from stages.frame.errors import UserError

START, END, UNKNOWN = "<s>", "</s>", "<unk>"


@dataclass(frozen=True)
class NGram:
    """How probable each word is after the words before it, in the form of an ARPA file, but in natural logarithms.

    `log_p_of` has the n-grams that are known, by their words; `backoff` is what is added where a longer n-gram is not
    known and its first word is forgotten. `END` and `UNKNOWN` are words as all others, `START` is only ever before one.
    """

    order: int
    log_p_of: dict[tuple[str, ...], float]
    backoff: dict[tuple[str, ...], float]

    def log_p(self, word: str, history: Sequence[str]) -> float:
        """The log probability of a word, or of `END`, after `history`, which begins with `START` where a sentence does.

        A word that the model does not know is `UNKNOWN`, in the history as well.
        """
        *context, word = (
            one if (one,) in self.log_p_of or one == START else UNKNOWN
            for one in (*history[max(0, len(history) - self.order + 1) :], word)
        )
        total = 0.0
        while (*context, word) not in self.log_p_of:
            total += self.backoff.get(tuple(context), 0.0)
            del context[0]
        return total + self.log_p_of[*context, word]


def learn(texts: list[str], *, order: int) -> NGram:
    """The model of words of `texts`, a sentence each, smoothed after Witten and Bell, interpolated.

    After a history h that came n times and was followed by t different words, p(w|h) = (n(hw) + t p(w|h')) / (n + t),
    with h' the history without its first word (Chen and Goodman 1998, section 2.6). Below single words all that can
    come are alike: the words of the texts, the end of a sentence, and any unknown word.

    Raises:
        UserError: there are no texts.
    """
    if not texts:
        raise UserError("a language model", "texts to learn from", "none", "give it some")
    seen: Counter[tuple[str, ...]] = Counter()
    for text in texts:
        words = (START, *text.split(), END)
        for end in range(2, len(words) + 1):
            seen.update(words[start:end] for start in range(max(0, end - order), end))
    followed, kinds = Counter(), Counter()
    for gram, times in seen.items():
        followed[gram[:-1]] += times
        kinds[gram[:-1]] += 1
    backoff = {history: math.log(kinds[history] / (followed[history] + kinds[history])) for history in followed}
    alike = 1 / (kinds[()] + 1)
    p_of: dict[tuple[str, ...], float] = {}
    for gram in sorted([*seen, (UNKNOWN,)], key=lambda gram: (len(gram), gram)):
        history, shorter = gram[:-1], p_of[gram[1:]] if len(gram) > 1 else alike
        p_of[gram] = (seen[gram] + kinds[history] * shorter) / (followed[history] + kinds[history])
    return NGram(order, {gram: math.log(p) for gram, p in p_of.items()}, backoff)


def read_arpa(path: str | Path) -> NGram:
    """The model in an ARPA file, or in one packed as .gz; its words in lower case.

    Where the file has no unknown word, that is made as probable as the least probable word.

    Raises:
        UserError: the file is missing, damaged or no ARPA file, or has a word both in upper and in lower case.
    """
    path, number = Path(path), 0
    with _open(path) as lines:
        order, announced, log_p_of, backoff = 0, {}, {}, {}
        for number, line in enumerate(lines, 1):
            fields = line.split()
            if line.startswith("ngram ") and not order:
                length, _, count = line[6:].partition("=")
                announced[int(length)] = int(count)
            elif line.startswith("\\") and line.rstrip().endswith("-grams:"):
                order = int(line[1 : line.index("-")])
            elif line.startswith("\\end\\"):
                break
            elif order and fields:
                gram, values = _read(order, fields, f"{path}, line {number}")
                if gram in log_p_of:
                    raise _no_arpa(f"{path}, line {number}", f"{' '.join(gram)!r} for the second time")
                log_p_of[gram], *rest = values
                backoff.update((gram, value) for value in rest)
        else:
            raise _no_arpa(path, f"no \\end\\ in {number} lines")
        for _ in lines:
            pass  # at its end a packed file is compared with its sum
    held = Counter(map(len, log_p_of))
    if held != announced or not held:
        raise _no_arpa(path, f"n-grams {dict(held)} where {announced} are announced")
    words = [p for gram, p in log_p_of.items() if len(gram) == 1 and gram != (START,)]
    if not words:
        raise _no_arpa(path, "not a single word")
    return NGram(max(announced), {(UNKNOWN,): min(words)} | log_p_of, backoff)


def _read(order: int, fields: list[str], where: str) -> tuple[tuple[str, ...], list[float]]:
    """The words of a line, and its log probability with, where they can be a history, their backoff."""
    if len(fields) not in (order + 1, order + 2):
        raise _no_arpa(where, f"{len(fields)} fields for a {order}-gram")
    values = [float(value) * math.log(10) for value in (fields[0], *fields[order + 1 :])]
    if not all(map(math.isfinite, values)) or values[0] > 0:
        raise _no_arpa(where, f"no logarithms of a probability and of what is kept for others: {' '.join(fields)[:60]}")
    return tuple(word.lower() for word in fields[1 : order + 1]), values


@contextmanager
def _open(path: Path) -> Iterator[Iterator[str]]:
    """The lines of a file, packed or not; what is wrong with its bytes or numbers is told in one line."""
    try:
        with (gzip.open if path.suffix == ".gz" else open)(path, "rt", encoding="utf-8-sig") as lines:
            yield lines
    except (FileNotFoundError, IsADirectoryError) as error:
        raise _no_arpa(path, "no such file") from error
    except (ValueError, EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise _no_arpa(path, str(error)) from error


def _no_arpa(where: object, found: str) -> UserError:
    return UserError(where, "an n-gram model as an ARPA file", found, "name another file")


def beam(
    log_probabilities: np.ndarray, *, width: int, alphabet: list[str], model: NGram, weight: float, word_bonus: float
) -> str:
    """The text of one clip whose log p(text | clip) + weight log p(words) + word_bonus words is highest.

    Prefix beam search (Hannun et al. 2014): a word counts once a space or the end of the clip completes it, and there
    the sentence's end does, too.

    Args:
        log_probabilities: (steps, characters + 1), of each class at each step, the blank last.
        width: how many prefixes go on after each step.
        alphabet: the characters.
        model: of words.
        weight: of the model's log probabilities.
        word_bonus: natural logarithm of what each word is favoured by, against a model's taste for few words.
    """

    @cache
    def completed(text: str) -> float:
        """The score of the words of a text, the last one's included."""
        if not text:
            return 0.0
        head, _, word = text.rpartition(" ")
        return completed(head) + (weight * model.log_p(word, (START, *head.split())) + word_bonus if word else 0.0)

    def spelt(prefix: tuple[int, ...]) -> str:
        return "".join([alphabet[label] for label in prefix])

    def ended(prefix: tuple[int, ...]) -> float:
        text = spelt(prefix)
        return completed(text) + weight * model.log_p(END, (START, *text.split()))

    language = ctc.Language(
        separator=alphabet.index(" ") if " " in alphabet else ctc.NONE,
        completed=lambda prefix: completed(spelt(prefix)),
        ended=ended,
    )
    (best, _), *_ = ctc.beam(log_probabilities, width=width, language=language)
    return spelt(best)
