"""Room of studies: the speech study's tables of attacks, Table 4 and Figure 3, and the columns that its tables ask for."""

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from stages.measures.transcripts import word_error_counts
from stages.studies.cells import Cells, error_rate, mean, share, with_clusters

# The entries of `injections` that Table 4 and Figure 3 tell of, and what the paper calls them.
ATTACKS = {"over_the_air": "gradient", "evolutionary": "evolutionary"}
SMALLEST = {"smallest": "gradient", "evolutionary_smallest": "evolutionary", "spoken": "spoken"}
# The recogniser that the paper's Tables 2 and 3 attack.
ATTACKED = "deepspeech"
# What stands in tables where nothing is enhanced.
NONE = "none"
MEASURES = ("pesq_raw", "pesq_wb", "pesq_nb", "sti", "stoi", "snr_db")
NUMBERS = (*MEASURES, "snr_in_db", "snr_out_db", "snr_db_audio", "forwards", "backwards")
# What Table 4 tells of clips that are heard.
MET = ("rosa", "rosa_file", "wer", "wer_target")
HIGHEST_DB, STEP_DB = 40.0, 0.5


def prepared(clips: pd.DataFrame, said: str) -> pd.DataFrame:
    """Rows of which the column `said` is a transcript, with all that the tables ask for.

    `errors` are the transcript's wrong words of the `errors_of` words
    that were said. With a `target`: `hit` where the transcript is the target, `wrong` and `wrong_of` its words, and
    `distance` the characters to change to make it the target, relative to the target's length.
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
    numbers = {name: pd.to_numeric(clips[name]) for name in NUMBERS if name in clips}
    return with_clusters(clips.assign(**numbers, corpus="speech"))


def wer(clips: pd.DataFrame, name: str) -> Cells:
    """The WER against what was said."""
    return error_rate(clips, name)


def wer_target(clips: pd.DataFrame) -> Cells:
    """The WER against the target."""
    return error_rate(clips.assign(errors=clips.wrong, errors_of=clips.wrong_of), "wer_target")


def heard_as(heard: pd.DataFrame, attack: str, recogniser: str, enhancer: str, version: str) -> pd.DataFrame:
    """What a recogniser heard of attacked clips after an enhancer ("": none), as files or played."""
    own = heard[(heard.attack == attack) & (heard.recogniser == recogniser)]
    return own[(own.enhancer == enhancer) & (own.version == version)]


def printed(paper: pd.DataFrame, table: str, names: Iterable[str], **where: str) -> dict[str, float]:
    """The paper's values of a row, as `<name>_paper`; NaN where it has no such row."""
    own = paper[(paper.table == table) & (paper[list(where)] == pd.Series(where, dtype=str)).all(axis=1)]
    return {f"{name}_paper": float(own[name].iloc[0]) if len(own) else math.nan for name in names}


def table_4(
    heard: pd.DataFrame, recognisers: Iterable[str], enhancers: Iterable[str], paper: pd.DataFrame
) -> pd.DataFrame:
    """Table 4: success and WER of attacks, played in rooms that none of them has seen, after no and after each enhancer.

    `rosa` is the share of all trials, of all clips and phrases, of which the transcript is the phrase; `rosa_file` that
    of the files, not played. The paper does not say whether its attacks on the hardened recogniser were made anew; here
    they were, each recogniser being attacked with its own gradients; for the others see `transfer`. Nor does it say whether the enhancers were
    hardened; its values stand beside those of the plain ones.
    """
    made = []
    for attack, name in ATTACKS.items():
        for recogniser in recognisers:
            for enhancer in ("", *enhancers):
                where = {"attack": name, "recogniser": recogniser, "enhancer": enhancer or NONE}
                row, n = _met(heard, attack, recogniser, enhancer)
                made.append(where | row | printed(paper, "table_4", ("rosa", "wer"), **where) | {"n": n})
    return ordered(made, ("attack", "recogniser", "enhancer", *MET, "n"))


def transfer(transferred: pd.DataFrame, paper: pd.DataFrame) -> pd.DataFrame:
    """Table 4 for recognisers that hear clips made to deceive another one, the `victim`; nothing enhanced.

    The paper's values stand beside what its hardened recogniser hears of attacks on the undefended one, since its attacks
    may have been those.
    """
    made = []
    for attack, name in ATTACKS.items():
        pairs = transferred[transferred.attack == attack][["victim", "recogniser"]].drop_duplicates()
        for victim, recogniser in pairs.itertuples(index=False):
            where = {"attack": name, "recogniser": recogniser, "enhancer": NONE}
            row, n = _met(transferred[transferred.victim == victim], attack, recogniser, "")
            known = printed(paper if victim == ATTACKED else paper.head(0), "table_4", ("rosa", "wer"), **where)
            made.append({"attack": name, "victim": victim, "recogniser": recogniser} | row | known | {"n": n})
    return ordered(made, ("attack", "victim", "recogniser", *MET, "n"))


def _met(heard: pd.DataFrame, attack: str, recogniser: str, enhancer: str) -> tuple[dict[str, Any], int]:
    """The columns `MET` of what a recogniser hears, and of how many played clips they tell."""
    played, files = (heard_as(heard, attack, recogniser, enhancer, one) for one in ("played", "file"))
    met = share(played.hit, played.cluster, "rosa") | share(files.hit, files.cluster, "rosa_file")
    return met | wer(played, "wer") | wer_target(played), len(played)


def attacks(attacked: pd.DataFrame, heard: pd.DataFrame) -> pd.DataFrame:
    """Every attack of every item, failures among the clips; `rosa` where it was played, `queries` the forward passes."""
    made = []
    for (item, attack), own in attacked.groupby(["item", "attack"], sort=False):
        played = heard[(heard.set.str.split("/").str[-1] == item) & (heard.attack == attack)]
        played = played[(played.enhancer == "") & (played.version == "played")]
        row = {"item": item, "attack": attack, "recogniser": own.recogniser.iloc[0]}
        row |= {"enhancer": own.enhancer.iloc[0] or NONE} | share(own.success, own.cluster, "success")
        row |= share(played.hit, played.cluster, "rosa") | mean(own.snr_db_audio, own.cluster, "snr_db")
        row |= (
            wer(own, "wer") | wer(played, "wer_played") | wer_target(own) | mean(own.distance, own.cluster, "distance")
        )
        made.append(row | {"queries": own.forwards.mean(), "backwards": own.backwards.mean(), "n": len(own)})
    columns = (
        "item",
        "attack",
        "recogniser",
        "enhancer",
        "success",
        "rosa",
        "snr_db",
        "snr_db_undefined",
        "wer",
        "wer_played",
    )
    return ordered(made, (*columns, "wer_target", "distance", "queries", "backwards", "n"))


def magnitude(attacked: pd.DataFrame, paper: pd.DataFrame) -> pd.DataFrame:
    """What Figure 3 tells: the SNR down to which an attacker has to go.

    `snr_needed_db` is that at which every clip falls, the least of all successes; there is none where a clip has not
    fallen even at `loudest_db`, and `told` says so.
    """
    made = []
    for where, own in of_smallest(attacked):
        fallen = own[own.success]
        failed = len(own) - len(fallen)
        row: dict[str, Any] = (
            where | {"loudest_db": own.loudest_db.iloc[0]} | share(own.success, own.cluster, "success")
        )
        row["snr_needed_db"] = math.nan if failed else fallen.snr_db_audio.min()
        row["snr_median_db"] = fallen.snr_db_audio.median()
        row["told"] = f"{failed} not even at the loudest" if failed else "every clip fell"
        made.append(row | printed(paper, "figure_3", ("snr_needed_db",), **where) | {"n": len(own)})
    columns = ("attack", "recogniser", "enhancer", "loudest_db", "success", "snr_needed_db", "snr_median_db", "told")
    return ordered(made, (*columns, "n")).replace([np.inf, -np.inf], np.nan)


def curves(attacked: pd.DataFrame) -> pd.DataFrame:
    """Figure 3: for each attack and enhancer the share of clips that fall at an SNR of so many dB, or above."""
    made = []
    for where, own in of_smallest(attacked):
        levels = np.arange(HIGHEST_DB, own.loudest_db.iloc[0] - STEP_DB / 2, -STEP_DB)
        reached = own.snr_db_audio.where(own.success, -np.inf)
        made += [where | {"snr_db": level, "share": (reached >= level).mean()} for level in levels]
    return pd.DataFrame(made, columns=["attack", "recogniser", "enhancer", "snr_db", "share"]).round(4)


def of_smallest(attacked: pd.DataFrame) -> list[tuple[dict[str, str], pd.DataFrame]]:
    """The attacks of Figure 3, in the columns' names and the paper's, each with its rows."""
    own = attacked[attacked.attack.isin(SMALLEST)]
    own = own.assign(attack=own.attack.map(SMALLEST), enhancer=own.enhancer.where(own.enhancer != "", NONE))
    names = ["attack", "recogniser", "enhancer"]
    order = {name: place for place, name in enumerate(SMALLEST.values())}
    groups = [(dict(zip(names, key)), rows) for key, rows in own.groupby(names, sort=False)]
    return sorted(groups, key=lambda group: order[group[0]["attack"]])


def shown(attacked: pd.DataFrame, attack: str) -> pd.DataFrame:
    """The row of the clip to see or hear, as a table: the first on which this attack succeeded, else the first."""
    own = attacked[(attacked.attack == attack) & (attacked.enhancer == "")]
    return own.sort_values("success", ascending=False, kind="stable").head(1)


def ordered(rows: list[dict[str, Any]], columns: Iterable[str]) -> pd.DataFrame:
    """A table of these columns, each followed by its interval's ends and the paper's value, where a row has them."""
    given = set(columns).union(*rows)
    names = [f"{column}{end}" for column in columns for end in ("", "_low", "_high", "_paper")]
    return pd.DataFrame(rows, columns=[name for name in names if name in given]).round(4)


def _distance(target: str, said: str) -> float:
    import jiwer

    return jiwer.cer(target, said)
