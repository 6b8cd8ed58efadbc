"""Room of decoding: the sentences of GRID as a state machine over characters."""

import numpy as np

from stages.corpora.grid import SLOTS
from stages.decoding.ctc import NONE, Grammar


def grammar(alphabet: str | list[str]) -> Grammar:
    """The machine of the 64 000 sentences of `SLOTS`, six words with a space between neighbours.

    Its labels are the places of characters in `alphabet`; words that the alphabet can't spell are left out.

    Raises:
        ValueError: no sentence is left.
    """
    label_of = {character: label for label, character in enumerate(alphabet)}
    rows: list[dict[int, int]] = [{}]
    ends = {0}
    for number, words in enumerate(SLOTS):
        start = _spelt(rows, ends, " ", label_of) if number > 0 else ends
        ends = {end for word in words for end in _spelt(rows, start, word, label_of)}
    if not ends:
        raise ValueError(f"no sentence of GRID can be spelt with {''.join(alphabet)!r}")
    next_state = np.full((len(rows), len(alphabet)), NONE)
    for state, row in enumerate(rows):
        next_state[state, list(row)] = list(row.values())
    return Grammar(next_state, np.isin(np.arange(len(rows)), list(ends)))


def _spelt(rows: list[dict[int, int]], states: set[int], word: str, label_of: dict[str, int]) -> set[int]:
    """The state that `word` leads to from all of `states`, where need be new in `rows`; none if it can't be spelt."""
    if not set(word) <= set(label_of):
        return set()
    for character in word:
        label = label_of[character]
        known = {rows[state].get(label) for state in states}
        target = known.pop() if len(known) == 1 else None
        if target is None:
            rows.append({})
            target = len(rows) - 1
        for state in states:
            rows[state][label] = target
        states = {target}
    return states
