"""Room of studies: the speech study's tables of attacks, Table 4 and Figure 3."""

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from stages.reporting.cells import error_rate, mean, ordered, possible, printed, share, undefined
from stages.studies.speech.heard import ATTACKED, ATTACKS, heard_as, wer_target
from stages.studies.speech.measured import NONE

# The entries of `attacks` that Figure 3 tells of, and what the paper calls them.
SMALLEST = {
    "smallest": "gradient",
    "evolutionary_smallest": "evolutionary",
    "evolutionary_through": "evolutionary",
    "spoken": "spoken",
}
# What Table 4 tells of clips that are heard.
MET = ("rosa", "rosa_file", "wer", "wer_target")
TOLD_OF_ATTACKS = (
    *("item", "attack", "recogniser", "enhancer", "success", "rosa", "snr_db", "snr_db_undefined"),
    *("wer", "wer_played", "wer_target", "distance", "queries", "backwards", "left_out", "zero_gradient", "n"),
)
TOLD_OF_MAGNITUDE = (
    *("attack", "recogniser", "enhancer", "loudest_db", "success", "snr_needed_db", "snr_median_db", "told", "n"),
)
HIGHEST_DB, STEP_DB = 40.0, 0.5


def table_4(
    heard: pd.DataFrame, recognisers: Iterable[str], enhancers: Iterable[str], paper: pd.DataFrame
) -> pd.DataFrame:
    """Table 4: success and WER of attacks, played in rooms that none has seen, after no and after each enhancer.

    `rosa` is the share of all trials, of all clips and phrases, of which the transcript is the phrase; `rosa_file` that
    of the files, not played. The paper does not say whether its attacks on the hardened recogniser were made anew; here
    they were, each recogniser being attacked with its own gradients; for the others see `transfer`. Nor does it say
    whether the enhancers were hardened; its values stand beside those of the plain ones.
    """
    made = []
    for attack, name in ATTACKS.items():
        for recogniser in recognisers:
            for enhancer in (NONE, *enhancers):
                where = {"attack": name, "recogniser": recogniser, "enhancer": enhancer}
                row, n = met(heard, attack, recogniser, enhancer)
                made.append(where | row | printed(paper, ("rosa", "wer"), table="table_4", **where) | {"n": n})
    return ordered(made, ("attack", "recogniser", "enhancer", *MET, "n"))


def transfer(transferred: pd.DataFrame, paper: pd.DataFrame) -> pd.DataFrame:
    """Table 4 for recognisers that hear clips made to deceive another one, the `victim`; nothing enhanced.

    The paper's values stand beside what its hardened recogniser hears of attacks on the undefended one, since its
    attacks may have been those.
    """
    made = []
    for attack, name in ATTACKS.items():
        pairs = transferred[transferred.attack == attack][["victim", "heard_by"]].drop_duplicates()
        for victim, recogniser in pairs.itertuples(index=False):
            where = {"attack": name, "recogniser": recogniser, "enhancer": NONE}
            row, n = met(transferred[transferred.victim == victim], attack, recogniser, NONE)
            known = paper if victim == ATTACKED else paper.head(0)
            row |= printed(known, ("rosa", "wer"), table="table_4", **where)
            made.append({"attack": name, "victim": victim, "recogniser": recogniser} | row | {"n": n})
    return ordered(made, ("attack", "victim", "recogniser", *MET, "n"))


def met(heard: pd.DataFrame, attack: str, heard_by: str, treatment: str) -> tuple[dict[str, Any], int]:
    """The columns `MET` of what a recogniser hears, and of how many played clips they tell."""
    played, files = (heard_as(heard, attack, heard_by, treatment, one) for one in ("played", "file"))
    met = share(played.hit, played.cluster, "rosa") | share(files.hit, files.cluster, "rosa_file")
    return met | error_rate(played, "wer") | wer_target(played), len(played)


def attacks(attacked: pd.DataFrame, heard: pd.DataFrame) -> pd.DataFrame:
    """Every attack of every entry, failures among them; `rosa` where it was played, `queries` the forward passes.

    Of those that something could make succeed `zero_gradient` counts those that failed and met a gradient that is zero
    everywhere.
    """
    made = []
    for (entry, attack), planned in attacked.groupby(["entry", "attack"], sort=False):
        own = possible(planned)
        played = heard[(heard.set == f"adversarial/{entry}") & (heard.attack == attack)]
        played = played[(played.treatment == NONE) & (played.version == "played")]
        row = {"item": entry, "attack": attack, "recogniser": planned.victim.iloc[0]}
        row["enhancer"] = planned.through.iloc[0]
        row |= share(own.success, own.cluster, "success") | share(played.hit, played.cluster, "rosa")
        row |= mean(own.snr_db, own.cluster, "snr_db") | undefined(own.snr_db, "snr_db")
        row |= error_rate(own, "wer") | error_rate(played, "wer_played")
        row |= wer_target(own) | mean(own.distance, own.cluster, "distance")
        row |= {"queries": own.forwards.mean(), "backwards": own.backwards.mean()}
        row |= {"left_out": len(planned) - len(own), "zero_gradient": int(own.zero_gradient.sum())}
        made.append(row | {"n": len(own)})
    return ordered(made, TOLD_OF_ATTACKS)


def magnitude(attacked: pd.DataFrame, paper: pd.DataFrame) -> pd.DataFrame:
    """What Figure 3 tells: the SNR down to which an attacker has to go.

    `snr_needed_db` is that at which every clip falls, the least of all successes; there is none where a clip has not
    fallen even at `loudest_db`, and `told` says so.
    """
    made = []
    for where, own in of_smallest(attacked):
        fallen = own[own.success]
        failed = len(own) - len(fallen)
        row: dict[str, Any] = where | {"loudest_db": own.loudest_db.iloc[0]}
        row |= share(own.success, own.cluster, "success")
        row["snr_needed_db"] = math.nan if failed else fallen.snr_db.min()
        row["snr_median_db"] = fallen.snr_db.median()
        row["told"] = f"{failed} not even at the loudest" if failed else "every clip fell"
        made.append(row | printed(paper, ("snr_needed_db",), table="figure_3", **where) | {"n": len(own)})
    return ordered(made, TOLD_OF_MAGNITUDE).replace([np.inf, -np.inf], np.nan)


def curves(attacked: pd.DataFrame) -> pd.DataFrame:
    """Figure 3: for each attack and enhancer the share of clips that fall at an SNR of so many dB, or above."""
    made = []
    for where, own in of_smallest(attacked):
        levels = np.arange(HIGHEST_DB, own.loudest_db.iloc[0] - STEP_DB / 2, -STEP_DB)
        reached = own.snr_db.where(own.success, -np.inf)
        made += [where | {"snr_db": level, "share": (reached >= level).mean()} for level in levels]
    return pd.DataFrame(made, columns=["attack", "recogniser", "enhancer", "snr_db", "share"]).round(4)


def of_smallest(attacked: pd.DataFrame) -> list[tuple[dict[str, str], pd.DataFrame]]:
    """The attacks of Figure 3, in the columns' names and the paper's, each with its rows."""
    own = possible(attacked)
    own = own[own.attack.isin(SMALLEST)]
    own = own.assign(attack=own.attack.map(SMALLEST))
    order = {name: place for place, name in enumerate(SMALLEST.values())}
    groups = [
        (dict(zip(("attack", "recogniser", "enhancer"), key)), rows)
        for key, rows in own.groupby(["attack", "victim", "through"], sort=False)
    ]
    return sorted(groups, key=lambda group: order[group[0]["attack"]])
