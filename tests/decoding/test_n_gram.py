"""Word models that are distributions, and decoding with them against all labellings written out."""

import gzip
import itertools
import math
import time

import numpy as np
import pytest
import torch

from stages.decoding import ctc, n_gram
from stages.frame.errors import UserError

ARPA = r"""
\data\
ngram 1=5
ngram 2=2

\1-grams:
-99	<s>	-0.2
-0.5	</s>
-1.0	<UNK>	-0.1
-0.4	SEE	-0.3
-0.6	SEA

\2-grams:
-0.1	<s> SEE
-0.9	SEE SEA

\end\
"""
TEXTS = ["a see", "the sea", "the sea", "see the sea"]


def log_probabilities(steps: int, classes: int, *, seed: int = 0, scale: float = 2) -> np.ndarray:
    logits = torch.randn(steps, classes, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return (scale * logits).log_softmax(-1).numpy()


def of_sentence(model: n_gram.NGram, text: str) -> float:
    words = ["<s>", *text.split(), "</s>"]
    return sum(model.log_p(words[i], words[:i]) for i in range(1, len(words)))


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_a_learnt_model_is_a_distribution_after_any_history(order):
    model = n_gram.learn(TEXTS, order=order)
    words = ["a", "see", "the", "sea", "</s>", "never heard"]
    histories = [[], ["<s>"], ["the"], ["<s>", "see"], ["see", "the"], ["x", "the"], ["<s>", "see", "the"], ["x", "y"]]
    for history in histories:
        assert sum(math.exp(model.log_p(word, history)) for word in words) == pytest.approx(1)


def test_witten_and_bell_by_hand():
    model = n_gram.learn(TEXTS, order=2)
    # 13 words and ends of 5 kinds; 6 kinds can come. After "the" three times one kind, "sea".
    sea = (3 + 5 / 6) / (13 + 5)
    assert math.exp(model.log_p("sea", [])) == pytest.approx(sea)
    assert math.exp(model.log_p("sea", ["see", "the"])) == pytest.approx((3 + sea) / (3 + 1))
    assert math.exp(model.log_p("cliff", ["the"])) == pytest.approx(5 / 6 / (13 + 5) / 4)
    with pytest.raises(UserError, match="expected texts to learn from"):
        n_gram.learn([], order=2)


@pytest.mark.parametrize("name", ["model.arpa", "model.arpa.gz"])
@pytest.mark.parametrize("start", ["", "\ufeff"])
def test_an_arpa_file_is_read_as_it_says(tmp_path, name, start):
    path, text = tmp_path / name, (start + ARPA.lstrip()).encode()
    path.write_bytes(gzip.compress(text) if name.endswith("gz") else text)
    model = n_gram.read_arpa(path)
    in_log10 = {("see", "<s>"): -0.1, ("sea", "see"): -0.9, ("sea", "<s>"): -0.8, ("see", "cliff"): -0.5, ("x", ""): -1}
    for (word, history), expected in in_log10.items():
        assert model.log_p(word, history.split()) == pytest.approx(expected * math.log(10))


def test_without_an_unknown_word_it_is_as_rare_as_the_rarest(tmp_path):
    (tmp_path / "model.arpa").write_text(ARPA.replace("-1.0\t<UNK>\t-0.1\n", "").replace("ngram 1=5", "ngram 1=4"))
    assert n_gram.read_arpa(tmp_path / "model.arpa").log_p("x", []) == pytest.approx(-0.6 * math.log(10))


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ("\\end\\", "", r"no \\end\\"),
        ("-0.9\tSEE SEA\n", "", "are announced"),
        ("-0.6\tSEA", "-0.6\tsee", "'see' for the second time"),
        ("-0.9\tSEE SEA", "-0.9\tSEA", "line 15: .* 2 fields for a 2-gram"),
        ("-0.4", "often", "could not convert"),
        ("-0.4", "nan", "no logarithms of a probability"),
        ("-0.4", "-inf", "no logarithms of a probability"),
        ("-0.9\tSEE SEA", "0.9\tSEE SEA", "no logarithms of a probability"),
        (ARPA, "ngram 1=1\n\\1-grams:\n-1 <s>\n\\end\\", "not a single word"),
        (ARPA, "a sea\n\\end\\", "are announced"),
    ],
)
def test_damage_is_told_in_one_line(tmp_path, old, new, found):
    path = tmp_path / "model.arpa"
    path.write_text(ARPA.replace(old, new))
    with pytest.raises(UserError, match=found):
        n_gram.read_arpa(path)
    with pytest.raises(UserError, match="no such file"):
        n_gram.read_arpa(tmp_path / "none.arpa")
    packed = gzip.compress(ARPA.encode())
    for damaged in (packed[:-20], packed[:-8] + bytes(4) + packed[-4:], b"no gzip"):
        (tmp_path / "model.arpa.gz").write_bytes(damaged)
        with pytest.raises(UserError, match="expected an n-gram model as an ARPA file"):
            n_gram.read_arpa(tmp_path / "model.arpa.gz")


@pytest.mark.parametrize("order", [1, 3])
@pytest.mark.parametrize(("weight", "word_bonus"), [(0.0, 0.0), (1.5, 0.0), (0.7, 2.0), (0.0, -3.0)])
def test_a_wide_beam_finds_the_text_with_the_best_score(order, weight, word_bonus):
    alphabet = [" ", "a", "b"]
    model = n_gram.learn(["a b", "ba", "ab a b"], order=order)
    for seed in range(5):
        log_p = log_probabilities(5, 4, seed=seed, scale=1)
        scores = {}
        for path in itertools.product(range(4), repeat=5):
            text = "".join(alphabet[label] for label, _ in itertools.groupby(path) if label != 3)
            scores[text] = np.logaddexp(scores.get(text, -math.inf), log_p[range(5), path].sum())
        for text in scores:
            scores[text] += weight * of_sentence(model, text) + word_bonus * len(text.split())
        found = n_gram.beam(log_p, width=10_000, alphabet=alphabet, model=model, weight=weight, word_bonus=word_bonus)
        assert found == max(scores, key=scores.get)


def test_without_weight_the_beam_is_that_without_words():
    alphabet = [" ", *"abcde"]
    model = n_gram.learn(["a b"], order=2)
    for seed in range(10):
        log_p = log_probabilities(30, 7, seed=seed)
        found = n_gram.beam(log_p, width=8, alphabet=alphabet, model=model, weight=0, word_bonus=0)
        assert found == "".join(alphabet[label] for label in ctc.beam(log_p, width=8)[0][0])


def test_an_ambiguous_word_is_mended_by_its_neighbours():
    alphabet = sorted(set(" aehst"))
    scores = np.zeros((14, len(alphabet) + 1))
    for step, character in enumerate("the-se-e--"):
        scores[step, alphabet.index(character) if character in alphabet else -1] = 8
    scores[3, :], scores[3, alphabet.index(" ")] = 0, 8
    # The last letter may be an e or, a little less, an a.
    scores[7, alphabet.index("a")] = 7
    scores[8:, -1] = 8
    log_p = torch.tensor(scores).log_softmax(-1).numpy()
    common = {"width": 16, "alphabet": alphabet, "model": n_gram.learn(TEXTS, order=2), "word_bonus": 0}
    assert n_gram.beam(log_p, weight=0, **common) == "the see"
    assert n_gram.beam(log_p, weight=1, **common) == "the sea"
    assert n_gram.beam(log_p[:3], weight=1, **common) == "the"
    assert n_gram.beam(log_p[:0], weight=1, **common) == ""


def test_an_alphabet_without_a_space_spells_one_word():
    model = n_gram.learn(["ab"], order=2)
    found = n_gram.beam(
        np.log([[0.4, 0.3, 0.3], [0.4, 0.3, 0.3]]), width=9, alphabet=["a", "b"], model=model, weight=3, word_bonus=0
    )
    assert found == "ab"


def test_sixty_clips_take_seconds():
    alphabet = [" ", "'", *"abcdefghijklmnopqrstuvwxyz"]
    model = n_gram.learn(TEXTS, order=3)
    start = time.process_time()
    for seed in range(6):
        log_p = log_probabilities(100, 29, seed=seed)
        n_gram.beam(log_p, width=64, alphabet=alphabet, model=model, weight=0.8, word_bonus=1)
    assert time.process_time() - start < 1.5
