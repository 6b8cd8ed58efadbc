"""Room of studies: what recognisers hear of the speech study's clips, with the columns that its tables ask for."""

import pandas as pd

from stages.frame.columns import typed
from stages.measures.transcripts import word_error_counts
from stages.reporting.cells import Cells, error_rate, with_clusters

# The entries of `attacks` that Table 4 tells of, and what the paper calls them.
ATTACKS = {"over_the_air": "gradient", "evolutionary": "evolutionary"}
# The recogniser that the paper's Tables 2 and 3 attack.
ATTACKED = "deepspeech"
MEASURES = ("pesq_raw", "pesq_wb", "pesq_nb", "sti", "stoi", "snr_db")
NUMBERS = (*MEASURES, "snr_in_db", "snr_out_db", "forwards", "backwards")


def prepared(clips: pd.DataFrame, said: str) -> pd.DataFrame:
    """Rows of which the column `said` is a transcript, with all that the tables ask for.

    `errors` are the transcript's wrong words of the `errors_of` words that were said. With a `target`: `hit` where the
    transcript is the target, `wrong` and `wrong_of` its words, and `distance` the characters to change to make it the
    target, relative to the target's length.
    """
    made = with_numbers(clips).assign(label="")
    made[["errors", "errors_of"]] = word_error_counts(list(made.text), list(made[said]))
    if "target" in made:
        made[["wrong", "wrong_of"]] = word_error_counts(list(made.target), list(made[said]))
        made["hit"] = (made[said] == made.target).astype(float)
        made["distance"] = [_distance(*pair) for pair in zip(made.target, made[said])]
    return made


def with_numbers(clips: pd.DataFrame) -> pd.DataFrame:
    """The rows with their clusters, and numbers that are numbers: NaN where a cell is empty."""
    return with_clusters(typed(clips.assign(corpus="speech"), NUMBERS, ("success", "impossible", "zero_gradient")))


def wer_target(clips: pd.DataFrame) -> Cells:
    """The WER against the target."""
    return error_rate(clips.assign(errors=clips.wrong, errors_of=clips.wrong_of), "wer_target")


def heard_as(clips: pd.DataFrame, attack: str, heard_by: str, treatment: str, version: str) -> pd.DataFrame:
    """What a recogniser heard of attacked clips after an enhancer (or without one), as files or played."""
    own = clips[(clips.attack == attack) & (clips.heard_by == heard_by)]
    return own[(own.treatment == treatment) & (own.version == version)]


def _distance(target: str, said: str) -> float:
    import jiwer

    return jiwer.cer(target, said)
