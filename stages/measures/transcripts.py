"""Room of measures: how far transcripts are from what they should be, in words."""

import numpy as np


def word_error_counts(references: list[str], hypotheses: list[str]) -> np.ndarray:
    """For each pair of sentences the word errors and the words of the reference, integers (pairs, 2).

    Errors are the substitutions, deletions and insertions of the shortest way from reference to hypothesis, words being
    what white space separates. So an empty hypothesis has all words deleted, and an empty reference has 0 words and as
    many errors as the hypothesis has words.
    """
    import jiwer

    if len(references) != len(hypotheses):
        raise ValueError(f"{len(references)} references, {len(hypotheses)} hypotheses")
    if not references:
        return np.zeros((0, 2), dtype=np.int64)
    compared = jiwer.process_words(references, hypotheses)
    errors = [
        sum(
            max(chunk.ref_end_idx - chunk.ref_start_idx, chunk.hyp_end_idx - chunk.hyp_start_idx)
            for chunk in chunks
            if chunk.type != "equal"
        )
        for chunks in compared.alignments
    ]
    words = [len(reference) for reference in compared.references]
    return np.stack([errors, words], axis=1).astype(np.int64)


def wer(references: list[str], hypotheses: list[str]) -> float:
    """Word error rate of all pairs as one text: their errors over the references' words, >= 0, above 1 with insertions.

    NaN where the references have no words.
    """
    errors, words = word_error_counts(references, hypotheses).sum(axis=0)
    return float(errors / words) if words else float("nan")
