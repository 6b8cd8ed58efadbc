"""Room of pretraining: a vocabulary of word pieces learned from text, always the same from the same text.

The package tokenizers learns one too, but breaks ties at random. It splits text by the vocabulary learned here.
"""

from collections import Counter
from itertools import pairwise
from typing import Any

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
INSIDE = "##"  # marks a piece that does not begin a word


def tokeniser(lines: list[str], size: int) -> Any:
    """A tokeniser in transformers' form, lower case, with the vocabulary that the lines teach."""
    from tokenizers import BertWordPieceTokenizer
    from transformers import BertTokenizerFast

    splitter = BertWordPieceTokenizer(lowercase=True)
    counts: Counter[str] = Counter()
    for line in lines:
        text = splitter.normalizer.normalize_str(line)
        counts.update(word for word, _ in splitter.pre_tokenizer.pre_tokenize_str(text))
    numbers = {piece: number for number, piece in enumerate([*SPECIAL, *vocabulary(counts, size - len(SPECIAL))])}
    return BertTokenizerFast(
        tokenizer_object=BertWordPieceTokenizer(vocab=numbers, lowercase=True)._tokenizer, do_lower_case=True
    )


def vocabulary(counts: dict[str, int], size: int) -> list[str]:
    """Pieces of words that occur so often: all letters, then the most frequent pairs joined (Sennrich et al. 2016).

    Of pairs that are equally frequent the first in the alphabet is joined. There are no more pieces than `size`, unless
    there are more letters.
    """
    words = {word: (word[0], *(INSIDE + letter for letter in word[1:])) for word in counts}
    found = sorted({piece for pieces in words.values() for piece in pieces})
    while len(found) < size:
        pairs: Counter[tuple[str, str]] = Counter()
        for word, pieces in words.items():
            for pair in pairwise(pieces):
                pairs[pair] += counts[word]
        if not pairs:
            break
        first, second = min(pairs, key=lambda pair: (-pairs[pair], pair))
        words = {word: _joined(pieces, first, second) for word, pieces in words.items()}
        found.append(first + second.removeprefix(INSIDE))
    return list(dict.fromkeys(found))


def _joined(pieces: tuple[str, ...], first: str, second: str) -> tuple[str, ...]:
    made: list[str] = []
    for piece in pieces:
        if made and made[-1] == first and piece == second:
            made[-1] = first + second.removeprefix(INSIDE)
        else:
            made.append(piece)
    return tuple(made)
