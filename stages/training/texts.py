"""Room of training: what a recogniser of texts is worth."""

from stages.frame import finite
from stages.measures.transcripts import wer
from stages.training.task import Outcome


def by_texts(texts: list[str], decided: list[str]) -> Outcome:
    """The word error rate of texts, which is doubtful where it is no better than saying nothing.

    Raises:
        UserError: there are no words.
    """
    rate = wer(texts, decided)
    finite.check(rate, f"{len(texts)} test clips", "word error rate", do="add test clips with a text")
    return Outcome(
        f"word error rate {rate:.3f} on {len(texts)} test clips", "saying nothing (1.000)" if rate >= 1 else ""
    )
