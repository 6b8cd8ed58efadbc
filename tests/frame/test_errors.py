"""What users are told, in one line."""

import pickle

import pytest

from stages.frame.errors import UserError, told_in_one_line


def test_an_error_is_one_line_with_its_four_parts():
    error = UserError("a file", "this", "that\nand more", "do so")
    assert str(error) == "a file: expected this; found that and more; do so"
    assert str(pickle.loads(pickle.dumps(error))) == str(error)  # noqa: S301 (our own)


def test_an_interrupt_says_that_nothing_is_lost():
    with pytest.raises(SystemExit) as caught, told_in_one_line():
        raise KeyboardInterrupt
    assert "run the same command again" in str(caught.value.code)


def test_other_errors_are_seen_in_full():
    with pytest.raises(FileNotFoundError), told_in_one_line():
        raise FileNotFoundError(2, "No such file", "x")
