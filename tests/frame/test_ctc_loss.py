"""The loss of CTC against all paths written out, and texts that take more steps than there are."""

import itertools
import math

import pytest
import torch

from stages.frame.ctc import PADDING, characters, ctc, steps_needed

ALPHABET = [" ", "a", "b", "e", "n"]


def test_the_loss_is_minus_the_logarithm_of_the_sum_over_all_paths():
    torch.manual_seed(0)
    logits = torch.randn(4, 6, 4, dtype=torch.float64)
    texts = [(), (0,), (1, 1), (2, 0, 2)]
    labels = torch.tensor([[*text, *[PADDING] * (4 - len(text))] for text in texts])
    found = ctc(logits, labels)
    for loss, log_p, text in zip(found, logits.log_softmax(-1), texts):
        paths = [
            path
            for path in itertools.product(range(4), repeat=6)
            if tuple(label for label, _ in itertools.groupby(path) if label != 3) == text
        ]
        assert loss.item() == pytest.approx(-math.log(sum(log_p[range(6), path].sum().exp() for path in paths)))


def test_a_text_too_long_has_no_loss_and_no_gradient():
    torch.manual_seed(2)
    logits = torch.randn(3, 4, len(ALPHABET) + 1, requires_grad=True)
    # Two of the same take a blank between them: five steps.
    losses = ctc(logits, characters(["abba", "abea", "ababa"], ALPHABET))
    assert losses[[0, 2]].tolist() == [0, 0] and losses[1] > 0
    (gradient,) = torch.autograd.grad(losses.sum(), logits)
    assert gradient[[0, 2]].count_nonzero() == 0 and gradient[1].isfinite().all() and gradient[1].count_nonzero() > 0


def test_over_many_steps_float32_logits_have_the_gradient_that_float64_has():
    torch.manual_seed(3)
    labels = characters(["ab" * 25], ALPHABET)
    logits = torch.randn(1, 100, len(ALPHABET) + 1)
    # Sure of a, blank, b, blank ...
    logits[0, range(100), [1, 5, 2, 5] * 25] += 14
    inputs = [values.detach().requires_grad_() for values in (logits, logits.double())]
    ours, exact = (torch.autograd.grad(ctc(x, labels).sum(), x)[0].double() for x in inputs)
    assert (ours - exact).abs().max() < 2e-7 * exact.abs().max()


def test_a_text_takes_a_step_a_character_and_one_between_two_alike():
    assert steps_needed(characters(["", "a", "abba", "aaa bb"], ALPHABET)).tolist() == [0, 1, 5, 9]
