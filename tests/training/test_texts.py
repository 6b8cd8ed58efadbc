"""What a recogniser of texts is worth."""

import pytest

from stages.frame.errors import UserError
from stages.training.texts import by_texts


def test_texts_without_words_are_no_result():
    assert by_texts(["a b"], ["a c"]).told == "word error rate 0.500 on 1 test clips"
    with pytest.raises(UserError, match="0 test clips: expected finite numbers as word error rate"):
        by_texts([], [])
