"""Room of decoding: best path and prefix beam search through CTC outputs (Graves et al. 2006), the last class blank.

A path has one class for each step; it stands for the labelling that is left when equal neighbours are merged and then
blanks dropped.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

NONE = -1


@dataclass(frozen=True)
class Grammar:
    """Which labellings are sentences, as a state machine that begins in state 0.

    `next_state` (states, labels) is the state that a label leads to, `NONE` where it is not allowed; `final` (states,)
    says where a sentence may end.
    """

    next_state: np.ndarray
    final: np.ndarray

    @cached_property
    def steps_left(self) -> np.ndarray:
        """How many steps the rest of a sentence takes at least, (states, labels + 1), inf where it can't become one.

        The column is the class of the step before, as a label that comes twice takes a blank in between.
        """
        states, labels = self.next_state.shape
        repeated = np.eye(labels, labels + 1)
        left = np.where(self.final[:, None], 0.0, np.full((states, labels + 1), math.inf))
        while True:
            after = 1 + np.where(self.next_state == NONE, math.inf, left[self.next_state, np.arange(labels)])
            shorter = np.minimum(left, (after[:, :, None] + repeated).min(axis=1))
            if (shorter == left).all():
                return left
            left = shorter


@dataclass(frozen=True)
class Language:
    """What is added to the log probabilities of labellings for their words, which the label `separator` parts.

    `completed` gives it for all words of a prefix, its last one among them; `ended` for a whole labelling. Until a word
    is completed it does not count. Where no label parts words, `separator` is `NONE`.
    """

    separator: int
    completed: Callable[[tuple[int, ...]], float]
    ended: Callable[[tuple[int, ...]], float]


def beam(
    log_probabilities: np.ndarray, *, width: int, grammar: Grammar | None = None, language: Language | None = None
) -> list[tuple[tuple[int, ...], float]]:
    """The most probable labellings of one clip and their log probabilities, best first.

    Prefix beam search (Hannun et al. 2014): a labelling's probability is the sum over all its paths. After each step
    the `width` most probable prefixes go on; paths through others are lost, so the probabilities are lower bounds, and
    exact where there are no more than `width` prefixes. With a grammar the labellings are its sentences, their
    probabilities as without it, and only prefixes that can still become one in time go on: so there is one at any
    width, unless `steps` is too short for all. With a language, what it adds decides along with the probabilities
    which prefixes go on, and is part of what is returned.

    Args:
        log_probabilities: (steps, classes), of each class at each step.
        width: how many prefixes go on, and the most that are returned.
        grammar: over the labels (classes - 1).
        language: over the same labels.
    """
    steps, classes = log_probabilities.shape
    blank = classes - 1
    if grammar is not None and grammar.steps_left[0, blank] > steps:
        return []
    prefixes: list[tuple[int, ...]] = [()]
    # The log probability of a prefix's paths that end in a blank, and of those that end in its last label.
    in_blank, in_label = np.zeros(1), np.full(1, -math.inf)
    last, state = np.array([blank]), np.zeros(1, dtype=int)
    # What the language adds for the completed words of each prefix.
    words = np.zeros(1)
    for step, log_p in enumerate(np.asarray(log_probabilities, dtype=np.float64)):
        either = np.logaddexp(in_blank, in_label)
        longer = np.where(np.arange(blank) == last[:, None], in_blank[:, None], either[:, None]) + log_p[:blank]
        in_blank, in_label = either + log_p[blank], in_label + log_p[last]
        if grammar is not None:
            hopeless_longer, hopeless = _hopeless(grammar, steps - step - 1, state)
            longer[hopeless_longer] = -math.inf
            in_blank[hopeless[:, -1]] = in_label[hopeless[np.arange(len(last)), last]] = -math.inf
        _join(prefixes, longer, in_label)
        words_longer = np.repeat(words[:, None], blank, axis=1)
        if language is not None and language.separator != NONE:
            words_longer[:, language.separator] = [language.completed(prefix) for prefix in prefixes]
        scores = np.concatenate([np.logaddexp(in_blank, in_label) + words, (longer + words_longer).ravel()])
        chosen = np.argsort(-scores, kind="stable")[:width]
        chosen = chosen[scores[chosen] > -math.inf]
        kept, grown = chosen[chosen < len(prefixes)], chosen[chosen >= len(prefixes)] - len(prefixes)
        parent, label = np.divmod(grown, blank)
        if grammar is not None:
            state = np.concatenate([state[kept], grammar.next_state[state[parent], label]])
        prefixes = [prefixes[i] for i in kept] + [(*prefixes[i], int(c)) for i, c in zip(parent, label)]
        in_blank = np.concatenate([in_blank[kept], np.full(len(grown), -math.inf)])
        in_label = np.concatenate([in_label[kept], longer[parent, label]])
        last = np.concatenate([last[kept], label])
        words = np.concatenate([words[kept], words_longer[parent, label]])
    log_p_of = np.logaddexp(in_blank, in_label)
    if language is not None:
        log_p_of += [language.ended(prefix) for prefix in prefixes]
    return [(prefixes[i], float(log_p_of[i])) for i in np.argsort(-log_p_of, kind="stable")]


def _hopeless(grammar: Grammar, left: int, state: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which paths leave the grammar or can't end in a sentence in the `left` steps to come.

    `state` (prefixes,) is where the grammar is after each prefix.

    Returns:
        for each prefix made longer by each label (prefixes, labels), and for each prefix as it is by the class of its
        last step (prefixes, labels + 1), the blank last.
    """
    following = grammar.next_state[state]
    labels = np.arange(following.shape[1])
    return (following == NONE) | (grammar.steps_left[following, labels] > left), grammar.steps_left[state] > left


def _join(prefixes: list[tuple[int, ...]], longer: np.ndarray, in_label: np.ndarray) -> None:
    """Moves the paths of a prefix made longer to that longer prefix, where it is in the beam itself."""
    place = {prefix: i for i, prefix in enumerate(prefixes)}
    for i, prefix in enumerate(prefixes):
        if prefix and (parent := place.get(prefix[:-1])) is not None:
            in_label[i] = np.logaddexp(in_label[i], longer[parent, prefix[-1]])
            longer[parent, prefix[-1]] = -math.inf
