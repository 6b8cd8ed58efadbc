"""Decoding against all paths written out, and GRID's sentences from outputs that alone spell none."""

import itertools
import math
import time
from collections import defaultdict

import numpy as np
import pytest
import torch

from stages.corpora.grid import SLOTS
from stages.decoding import ctc, grid_grammar
from stages.victim import greedy, texts

ALPHABET = sorted({" ", *"".join(word for words in SLOTS for word in words)})


def log_probabilities(steps: int, classes: int, *, seed: int = 0) -> np.ndarray:
    logits = torch.randn(steps, classes, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return (2 * logits).log_softmax(-1).numpy()


def collapsed(path: tuple[int, ...], blank: int) -> tuple[int, ...]:
    return tuple(label for label, _ in itertools.groupby(path) if label != blank)


def by_enumeration(log_p: np.ndarray) -> dict[tuple[int, ...], float]:
    """The log probability of each labelling, over all paths."""
    steps, classes = log_p.shape
    total = defaultdict(float)
    for path in itertools.product(range(classes), repeat=steps):
        total[collapsed(path, classes - 1)] += math.exp(log_p[range(steps), path].sum())
    return {labelling: math.log(p) for labelling, p in total.items()}


def peaked(text: str, steps: int) -> np.ndarray:
    """Log probabilities whose best path spells `text`, two steps a character and a blank after each."""
    scores = np.zeros((steps, len(ALPHABET) + 1))
    for number in range(steps):
        character, part = divmod(number, 3)
        label = ALPHABET.index(text[character]) if character < len(text) and part < 2 else len(ALPHABET)
        scores[number, label] = 6
    return torch.tensor(scores).log_softmax(-1).numpy()


def test_greedy_by_hand():
    p = torch.tensor(
        [
            [[0.7, 0.2, 0.1], [0.6, 0.3, 0.1], [0.1, 0.1, 0.8], [0.5, 0.2, 0.3], [0.1, 0.8, 0.1]],
            [[0.1, 0.1, 0.8], [0.1, 0.7, 0.2], [0.9, 0.0, 0.1], [0.9, 0.0, 0.1], [0.0, 0.9, 0.1]],
            [[0.9, 0.1, 0.0]] * 5,
        ]
    )
    labels, confidence = greedy(p.log(), torch.tensor([5, 2, 0]))
    assert labels.tolist() == [[0, 0, 1, -1, -1], [1, -1, -1, -1, -1], [-1] * 5]
    expected = [(0.7 * 0.6 * 0.8 * 0.5 * 0.8) ** (1 / 5), (0.8 * 0.7) ** (1 / 2), 1]
    assert confidence.tolist() == pytest.approx(expected)
    assert texts(labels, "ab") == ["aab", "b", ""]


def test_greedy_merges_and_drops_as_written_out():
    logits = torch.randn(20, 12, 4, generator=torch.Generator().manual_seed(0))
    lengths = torch.arange(20) % 13
    labels, _ = greedy(logits, lengths)
    for row, clip, length in zip(labels.tolist(), logits.argmax(-1).tolist(), lengths.tolist()):
        expected = list(collapsed(tuple(clip[:length]), 3))
        assert row == expected + [-1] * (12 - len(expected))


@pytest.mark.parametrize(("steps", "classes"), [(0, 3), (1, 3), (6, 3), (5, 4), (8, 2)])
def test_a_wide_beam_finds_every_labelling_with_the_sum_of_its_paths(steps, classes):
    log_p = log_probabilities(steps, classes)
    expected = by_enumeration(log_p)
    found = ctc.beam(log_p, width=10_000)
    assert dict(found) == pytest.approx(expected)
    assert [p for _, p in found] == sorted((p for _, p in found), reverse=True)


def test_a_beam_agrees_with_the_ctc_loss():
    log_p = peaked("bin blue at f two now", 70)
    found = ctc.beam(log_p, width=1000)
    assert len(found) == 1000
    for labelling, p in found[:5]:
        target, lengths = torch.tensor([labelling]), (torch.tensor([70]), torch.tensor([len(labelling)]))
        loss = torch.nn.functional.ctc_loss(
            torch.tensor(log_p)[:, None], target, *lengths, blank=len(ALPHABET), reduction="sum"
        )
        assert -loss.item() - 1e-3 < p < -loss.item() + 1e-9


def test_the_best_labelling_is_not_always_that_of_the_best_path():
    # Best path: two blanks (.36); but a has the paths a-, -a and aa (.64).
    log_p = np.log([[0.4, 0.6], [0.4, 0.6]])
    assert ctc.beam(log_p, width=2)[0] == ((0,), pytest.approx(math.log(0.64)))


def test_impossible_labels_are_no_part_of_any_labelling():
    with np.errstate(divide="ignore"):
        log_p = np.log([[0.5, 0.0, 0.5], [1.0, 0.0, 0.0]])
    assert ctc.beam(log_p, width=9) == [((0,), 0.0)]


def test_with_a_grammar_only_sentences_are_left_each_with_all_its_paths():
    # Sentences: a, then any number of bb, over the labels a b.
    grammar = ctc.Grammar(np.array([[1, -1], [-1, 2], [-1, 1]]), np.array([False, True, False]))
    log_p = log_probabilities(7, 3)
    sentences = {(0,), (0, 1, 1), (0, 1, 1, 1, 1)}
    expected = {labelling: p for labelling, p in by_enumeration(log_p).items() if labelling in sentences}
    # The third takes 5 labels and 3 blanks, so 8 steps.
    assert set(expected) == {(0,), (0, 1, 1)}
    assert dict(ctc.beam(log_p, width=1000, grammar=grammar)) == pytest.approx(expected)
    assert grammar.steps_left[:, 2].tolist() == [1, 0, 1]
    assert grammar.steps_left[2].tolist() == [1, 2, 1]
    assert [len(ctc.beam(log_p[:steps], width=1000, grammar=grammar)) for steps in (0, 1, 3, 4)] == [0, 1, 1, 2]


def test_a_narrow_beam_still_ends_in_a_sentence():
    log_p = log_probabilities(9, 4)
    log_p[:, 3] += 20
    # The one sentence is aabbc: at least 7 steps.
    grammar = ctc.Grammar(
        np.array([[1, -1, -1], [2, -1, -1], [-1, 3, -1], [-1, 4, -1], [-1, -1, 5], [-1] * 3]), np.arange(6) == 5
    )
    assert [labelling for labelling, _ in ctc.beam(log_p, width=1, grammar=grammar)] == [(0, 0, 1, 1, 2)]


def test_grid_has_64000_sentences():
    grammar = grid_grammar.grammar(ALPHABET)
    # Paths through the machine that end in each state, one label at a time.
    ways, sentences = np.eye(len(grammar.next_state))[0].astype(int), 0
    while ways.any():
        sentences += ways[grammar.final].sum()
        following = np.zeros_like(ways)
        state, label = np.nonzero(grammar.next_state != ctc.NONE)
        np.add.at(following, grammar.next_state[state, label], ways[state])
        ways = following
    assert sentences == 4 * 4 * 4 * 25 * 10 * 4


@pytest.mark.parametrize(
    ("spelt", "sentence"),
    [
        ("place green with x three again", "place green with x three again"),
        ("plase gren with x tree agan", "place green with x three again"),
        ("bin blue at w one now", "bin blue at"),
    ],
)
def test_outputs_are_read_as_a_sentence_of_grid(spelt, sentence):
    (labels, _), *_ = ctc.beam(peaked(spelt, 100), width=20, grammar=grid_grammar.grammar(ALPHABET))
    text = "".join(ALPHABET[label] for label in labels)
    assert text.startswith(sentence)
    assert all(word in words for word, words in zip(text.split(" "), SLOTS, strict=True))
    (free, _), *_ = ctc.beam(peaked(spelt, 100), width=20)
    assert "".join(ALPHABET[label] for label in free) == spelt


def test_words_that_the_alphabet_lacks_are_left_out():
    without_x = [character for character in ALPHABET if character != "x"]
    spelt = set(without_x)
    grammar = grid_grammar.grammar(without_x)
    assert grammar.next_state.shape[1] == len(spelt)
    (labels, _), *_ = ctc.beam(log_probabilities(60, len(spelt) + 1), width=20, grammar=grammar)
    words = "".join(without_x[label] for label in labels).split(" ")
    assert all(word in slot for word, slot in zip(words, SLOTS, strict=True))
    assert words[4] != "six"
    with pytest.raises(ValueError, match="no sentence of GRID can be spelt"):
        grid_grammar.grammar("abc")


def test_a_clip_takes_a_fraction_of_a_second():
    log_p = log_probabilities(150, 28)
    grammar = grid_grammar.grammar(ALPHABET)
    start = time.process_time()
    ctc.beam(log_p, width=20, grammar=grammar)
    assert time.process_time() - start < 1
