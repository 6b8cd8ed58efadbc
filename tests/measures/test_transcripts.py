"""Word errors counted by hand, and against the shortest way found by enumeration."""

import itertools
import math

import numpy as np
import pytest

from stages.measures.transcripts import wer, word_error_counts


@pytest.mark.parametrize(
    ("reference", "hypothesis", "errors", "words"),
    [
        ("bin blue at f two now", "bin blue at f two now", 0, 6),
        ("bin blue at f two now", "bin blue at s two now please", 2, 6),
        ("bin blue at f two now", "blue at f two now", 1, 6),
        ("bin blue at f two now", "", 6, 6),
        ("", "bin blue", 2, 0),
        ("", "", 0, 0),
        ("a b c", "c a b", 2, 3),
        (" bin  blue ", "bin blue", 0, 2),
        ("bin", "Bin", 1, 1),
    ],
)
def test_word_errors_by_hand(reference, hypothesis, errors, words):
    assert word_error_counts([reference], [hypothesis]).tolist() == [[errors, words]]


def test_word_errors_are_levenshteins_distance():
    def distance(first: str, second: str) -> int:
        table = np.add.outer(np.arange(len(first) + 1), np.arange(len(second) + 1))
        for i, j in itertools.product(range(len(first)), range(len(second))):
            options = table[i, j] + (first[i] != second[j]), table[i, j + 1] + 1, table[i + 1, j] + 1
            table[i + 1, j + 1] = min(options)
        return int(table[-1, -1])

    texts = ["".join(word) for n in range(5) for word in itertools.product("ab", repeat=n)]
    pairs = list(itertools.product(texts, texts))
    counts = word_error_counts([" ".join(first) for first, _ in pairs], [" ".join(second) for _, second in pairs])
    assert counts.tolist() == [[distance(*pair), len(pair[0])] for pair in pairs]


def test_wer_pools_the_words():
    assert wer(["a b c d", "e"], ["a b c", "f"]) == 2 / 5
    assert wer(["a", ""], ["a b c", "d"]) == 3
    assert wer(["a b"], [""]) == 1
    assert math.isnan(wer([""], ["a"]))
    assert math.isnan(wer([], []))
    assert word_error_counts([], []).shape == (0, 2)


def test_each_reference_has_its_hypothesis():
    with pytest.raises(ValueError, match="2 references, 1 hypotheses"):
        word_error_counts(["a", "b"], ["a"])
