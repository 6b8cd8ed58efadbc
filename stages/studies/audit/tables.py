"""Room of studies: the tables of the audit, what is left of each defence against whom.

`right` is the share of clips that are still decided rightly. Intervals and tests take clips of one speaker for one
cluster, and where a corpus names no speakers all that was made of one clip.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from stages.frame import clip_table
from stages.frame.columns import typed
from stages.measures import testing
from stages.reporting.cells import PER_CENT, Cells, cells, finite, share, table, with_clusters
from stages.studies.audit import cards, claims, guards
from stages.studies.audit.flags import flags

TITLE = "The audit: what defences are worth against attackers who know of them"
NOTE = (
    "Shares of the clips that the bare victim decides rightly which are still decided rightly: after noise as loud as "
    "an attack (none), after an attack on the bare victim (unaware), and after one through the defence (aware), each "
    "heard through the true defence by draws that no attacker has seen. What counts of a clip is the worst of all "
    "attacks; by scores those clips alone are attacked that the other attacks leave. The difference is unaware less "
    "aware on the same clips, of attacks with as many steps; p is corrected over all of these differences (Benjamini "
    "and Yekutieli). The gain is what is left by who knows less what is left without a defence, its p corrected over a "
    "study's defences at a budget (Holm). arrives is how loud one who knows has to be for half of the clips, in the "
    "budget's unit, extra_db by how much louder than without the defence, on clips that fall either way: of sounds "
    "every perturbation is lowered as far as it still arrives, of images the smallest is searched for. Readers and "
    "recognisers have "
    "detectors beside or treatments before them: shares are those of clips that come off well, benign ones neither "
    "refused nor taken for something else, attacked ones refused or not made into what was wanted; transplant is "
    "another clip's perturbation."
)
TABLES = {
    "table_defences": "What is left of each defence, all victims of a study",
    "table_victims": "The same for each victim",
    "table_guards": "Detectors beside readers and recognisers, treatments of phrases: what comes off well",
    "table_papers": "What papers say of defences and detectors, and what is left of it if attackers know",
    "table_cards": "Cards: what each victim, treatment, training and detector is, what attacked it, what it is worth",
    "cells": "All cells: each attack alone",
}
FIGURES = {
    "figure_events": "Sound events: still decided rightly behind treatments",
    "figure_emotion": "Speech emotion: still decided rightly by trainings",
    "figure_transfer": "Emotion from few labels: still decided rightly behind treatments",
}
HEADLINES = {
    "clean_percent": "sounds decided rightly behind the best treatment, unattacked",
    "defended_percent": "attacked ones, if attackers do not know of it",
    "attacked_percent": "attacked ones, if they do",
}
# The study whose victims these numbers are of.
OF = "events"
# No paper has these tables; its claims are those of the studies' papers, on their corpora or what stands in for them.
PAPERS: dict[str, tuple[str, ...]] = {}
READERS = ("fsdkaggle2018", "italian_emotion", "iemocap", "lrw", "grid", "noisy_speech")
UNIT = ""
NUMBERS = ("budget", "right", "right_clean", "reached", "arrives", "forwards", "backwards", "times")
KNOWLEDGE = ("none", "unaware", "aware")
VICTIM = ["study", "victim"]
KEYS = ["study", "victim", "defence", "attack", "access", "knowledge", "budget", "budget_in", "times"]
# What rows have, in a report of none too.
COLUMNS = list(dict.fromkeys([*KEYS, "clip_id", "speaker", "split", "unlimited", *NUMBERS, "zero_gradient"]))
# What a cell has besides that nothing of a classifier's fills; other rooms of auditing do.
EMPTY = {"detector": "", "goal": "untargeted"}
NORMS = {"snr_db": "L2", "epsilon": "Linf"}
# What is smaller is as good as none.
LEAST_EPSILON = 1e-3
APPLIES_NOT, NOT_RUN = "does not apply", "not run"
# By scores those clips alone are attacked that the other attacks leave.
RUN, RUN_ON_REST, NONE_LEFT = "run", "run on clips that stood", "no clip stood"


@dataclass(frozen=True)
class Audited:
    """What the audit is told from: a row for each clip, defence, attack, knowledge and budget.

    Of classifiers see `stages.auditing.crossed`: `cluster` is what rows have in common that resemble each other, and
    `unlimited` tells the budget that is none. Of what is guarded see `guards.read`. Of either the cards say what names
    stand for, see `cards.read`. `unfit` are victims and defences that do not fit one another.
    """

    classifiers: pd.DataFrame
    guarded: pd.DataFrame
    cards_of_classifiers: pd.DataFrame
    cards_of_guarded: pd.DataFrame
    unfit: pd.DataFrame = field(default_factory=pd.DataFrame)


def studies(values: dict[str, Any]) -> list[str]:
    """Whose victims are audited."""
    return [*values["classifiers"], *values["guarded"]]


def read(values: dict[str, Any], folder: Path = Path("data/audit")) -> Audited:
    """What the audit's section of params.yaml names now, as it was written below the folder."""
    known = [cards.read(folder / section, values[section]) for section in ("classifiers", "guarded")]
    classifiers = _classifiers(values, folder / "classifiers")
    unfit = pd.DataFrame(values.get("unfit", []), columns=[*VICTIM, "defence"]).assign(state=APPLIES_NOT)
    return Audited(classifiers, guards.read(values["guarded"], folder / "guarded"), *known, unfit)


def _classifiers(values: dict[str, Any], folder: Path) -> pd.DataFrame:
    parts = []
    for study, entries in values["classifiers"].items():
        for name, entry in entries.items():
            rows = clip_table.read(folder / study / name / "clips.csv")
            parts.append(rows.assign(victim=name, unlimited=values["grids"][entry["grid"]]["unlimited"]))
    rows = pd.concat(parts or [pd.DataFrame(columns=COLUMNS)], ignore_index=True)
    rows = typed(rows.reindex(columns=list(dict.fromkeys([*rows, *COLUMNS]))), NUMBERS, ("zero_gradient",))
    rows = with_clusters(rows.assign(corpus=rows.study)).drop(columns="corpus")
    return rows.assign(unlimited=rows.budget == rows.unlimited)


def tables(audited: Audited) -> dict[str, pd.DataFrame]:
    """All tables, by file name without suffix."""
    rows = audited.classifiers
    limited = rows[~rows.unlimited]
    made = {
        "table_defences": _left(limited, ["study"]),
        "table_victims": _left(limited, ["study", "victim"]).merge(
            flags(rows), "left", on=["study", "victim", "defence"]
        ),
        "table_guards": guards.guards(audited.guarded),
        "cells": pd.concat([_cells(rows), _others(rows), audited.unfit], ignore_index=True),
    }
    # One family: all differences that any of the tables tells.
    tested = [made[name] for name in ("table_defences", "table_victims", "table_guards")]
    corrected = _corrected(pd.concat([one.p for one in tested]).to_numpy(float))
    for one, own in zip(tested, np.split(corrected, np.cumsum([len(one) for one in tested])[:-1])):
        one.insert(one.columns.get_loc("p") + 1, "p_corrected", own)
    made["claims"] = claims.claims(_each_loudest(limited), audited.guarded)
    loudest = _each_loudest(made["table_defences"])
    made["table_papers"] = claims.papers(loudest, made["table_guards"], made["claims"])
    made["table_cards"] = pd.concat(
        [
            cards.cards(audited.cards_of_classifiers, _each_loudest(made["table_victims"]), rows, cards.OF_CLASSIFIERS),
            cards.cards(audited.cards_of_guarded, made["table_guards"], audited.guarded, cards.OF_GUARDED),
        ],
        ignore_index=True,
    )
    return made


def metrics(made: dict[str, pd.DataFrame]) -> dict[str, float]:
    """The headline numbers, at the loudest budget: of the treatment of which most is left by who knows of it."""
    own = made["table_defences"]
    loudest = at_loudest(own[own.study == OF])
    if loudest.empty:
        return {}
    best = loudest.loc[loudest.aware.idxmax()]
    return finite(dict(zip(HEADLINES, PER_CENT * np.array([best.clean, best.unaware, best.aware]))))


def at_loudest(own: pd.DataFrame) -> pd.DataFrame:
    """The rows of the loudest budget, which of SNRs is the lowest."""
    return own[own.budget == (own.budget.min() if (own.budget_in == "snr_db").all() else own.budget.max())]


def _each_loudest(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of each study's loudest budget."""
    return pd.concat([rows.head(0), *(at_loudest(own) for _, own in rows.groupby("study", sort=False))])


def _left(rows: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """A row for each defence and budget: what is left after the worst attack by what attackers know.

    The difference is that of attacks with as many steps, so that it is what knowing gains, and nothing where there is
    no defence. What the defence gains is what is left with it less what is left without it, of who knows.
    """
    made, names, keys = [], [*keys, "defence"], [*keys, "defence", "budget", "budget_in"]
    loudness, bare = _loudness(rows, names), rows[rows.defence.isin(cards.CONTROLS) & (rows.knowledge == "aware")]
    bare = bare.groupby([*VICTIM, "clip_id", "budget"]).right.min().rename("bare").reset_index()
    for where, own in rows.groupby(keys, sort=False):
        clips = ["victim", "clip_id", "cluster"]
        worst = own.pivot_table(index=clips, columns="knowledge", values="right", aggfunc="min").reset_index()
        row = dict(zip(keys, where))
        clean = own.drop_duplicates(clips)
        row |= share(clean.right_clean, clean.cluster, "clean")
        for name in KNOWLEDGE:
            row |= share(worst[name], worst.cluster, name)
        once = own[(own.times == 1) & own.attack.isin(own.attack[own.knowledge == "unaware"])]
        pairs = once.pivot_table(index=clips, columns="knowledge", values="right", aggfunc="min").reset_index()
        tested = testing.mean((pairs.unaware - pairs.aware).to_numpy(), pairs.cluster.to_numpy())
        row |= cells("difference", tested.effect, tested.low, tested.high)
        row |= {"p": _two_sided(tested)} | _gained(worst.assign(study=row["study"], budget=row["budget"]), bare)
        row |= loudness[tuple(row[name] for name in names)]
        made.append(row | {"n": len(worst), "clusters": worst.cluster.nunique()})
    # Of no rows names would be numbers, which no other table can be laid beside.
    left = table(made, [*keys, "p", "p_gain"], p=6, p_gain=6).astype(dict.fromkeys(names, object))
    # The best of several defences is chosen by what it gains.
    family = [name for name in keys if name != "defence"]
    left.p_gain = left.groupby(family).p_gain.transform(testing.holm).astype(float).round(6)
    return left


def _gained(worst: pd.DataFrame, bare: pd.DataFrame) -> Cells:
    """What who knows leaves of clips with a defence less what is left of them `bare`, on the same clips, and p."""
    pairs = worst.merge(bare)
    tested = testing.mean((pairs.aware - pairs.bare).to_numpy(), pairs.cluster.to_numpy())
    if tested is None:
        return cells("gain", np.nan, np.nan, np.nan) | {"p_gain": 1.0}
    return cells("gain", tested.effect, tested.low, tested.high) | {"p_gain": _two_sided(tested)}


def _two_sided(tested: testing.Evidence) -> float:
    return min(1.0, 2 * min(tested.supports, tested.contradicts))


def _loudness(rows: pd.DataFrame, names: list[str]) -> dict[tuple[str, ...], Cells]:
    """How loud who knows of a defence has to be, for each one's `names`, at whatever budget clips fall.

    `arrives` is the median over all clips of what each falls to, in the unit of the budget; what does not fall is
    louder than all that does. `extra_db` is the median of the dB by which it is louder than through a control, over the
    clips that fall through both.
    """
    clips, in_db = ["study", "victim", "clip_id"], rows.budget_in == "snr_db"
    epsilons_db = 20 * np.log10(rows.arrives.clip(lower=LEAST_EPSILON))
    rows = rows.assign(loudness_db=epsilons_db.where(~in_db, -rows.arrives))
    bare, found = rows[rows.defence.isin(cards.CONTROLS)].groupby(clips).loudness_db.min(), {}
    for where, own in rows.groupby(names, sort=False):
        fallen, first = own.groupby(clips).loudness_db.min(), own.iloc[0]
        sizes = fallen.fillna(np.inf).to_numpy()
        louder = (fallen - bare).dropna().to_numpy()[: 0 if first.defence in cards.CONTROLS else None]
        found[where] = guards.median("arrives", -sizes if first.budget_in == "snr_db" else 10 ** (sizes / 20))
        found[where] |= guards.median("extra_db", louder)
    return found


def _cells(rows: pd.DataFrame) -> pd.DataFrame:
    """A row for each attack that was run."""
    made = []
    for where, own in rows.groupby(KEYS, sort=False):
        row = dict(zip(KEYS, where)) | EMPTY
        state = RUN_ON_REST if row["access"] == "scores" else RUN
        row |= {"norm": NORMS[row["budget_in"]], "state": state, "n": len(own), "clusters": own.cluster.nunique()}
        row |= share(own.right_clean, own.cluster, "clean") | share(own.right, own.cluster, "right")
        row["reached"] = own.reached[np.isfinite(own.reached)].median()
        row |= {"forwards": own.forwards.mean(), "backwards": own.backwards.mean()}
        made.append(row | {"zero_gradient": int(own.zero_gradient.sum())})
    return table(made, KEYS)


def _others(rows: pd.DataFrame) -> pd.DataFrame:
    """A row for each victim and defence of others that it was not audited with, and for attacks on no clip."""
    kinds = dict(rows.drop_duplicates("study").set_index("study").budget_in)
    own = set(zip(rows.study, rows.victim, rows.defence))
    missing = [*_missing(rows, kinds, own), *_none_left(rows)]
    return pd.DataFrame(missing, columns=["study", "victim", "defence", "attack", "access", "state"])


def _none_left(rows: pd.DataFrame) -> Iterator[dict[str, str]]:
    """The attacks by scores of a study, where none of a victim's clips were left to them behind a defence."""
    attacks = rows[rows.access == "scores"].drop_duplicates(["study", "attack"])[["study", "attack"]]
    tried = set(zip(rows.study, rows.victim, rows.defence, rows.attack))
    for where in rows.drop_duplicates([*VICTIM, "defence"])[[*VICTIM, "defence"]].itertuples(index=False):
        for attack in attacks.attack[attacks.study == where.study]:
            if (*where, attack) not in tried:
                yield where._asdict() | {"attack": attack, "access": "scores", "state": NONE_LEFT}


def _missing(rows: pd.DataFrame, kinds: dict[str, str], own: set[tuple]) -> Iterator[dict[str, str]]:
    defences = rows.drop_duplicates(["study", "defence"])[["study", "defence"]]
    for study, victim in rows.drop_duplicates(["study", "victim"])[["study", "victim"]].itertuples(index=False):
        for other, defence in defences.itertuples(index=False):
            if (study, victim, defence) not in own:
                state = NOT_RUN if kinds[other] == kinds[study] else APPLIES_NOT
                yield {"study": study, "victim": victim, "defence": defence, "state": state}


def _corrected(p: np.ndarray) -> np.ndarray:
    """Benjamini and Yekutieli's corrected probabilities (2001), which hold however tests depend on each other."""
    from scipy.stats import false_discovery_control

    return false_discovery_control(p, method="by").round(6)
