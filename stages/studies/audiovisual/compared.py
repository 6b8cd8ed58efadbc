"""Room of studies: the tests that the audio-visual study's claims need, on its detections of test clips."""

import itertools
from dataclasses import dataclass

import numpy as np
import pandas as pd

from stages.measures import testing
from stages.measures.testing import Evidence
from stages.studies.audiovisual.shown import strength

SAME = ["clip_id", "target", "epsilon"]


@dataclass(frozen=True)
class Compared:
    """Detections of clips, by corpus, version, attack and epsilon; `none` has their columns, and no row."""

    parts: dict[tuple[str, str, str, str], pd.DataFrame]
    none: pd.DataFrame

    def of(self, corpus: str, attack: str = "", epsilon: str = "", version: str = "adversarial") -> pd.DataFrame:
        """Clips of a corpus attacked so, or another version of them; of all attacks or epsilons where none is named."""
        own = [
            part
            for name, part in self.parts.items()
            if name[:2] == (corpus, version) and attack in ("", name[2]) and epsilon in ("", name[3])
        ]
        return own[0] if len(own) == 1 else pd.concat([self.none, *own])

    def attacks(self) -> list[tuple[str, str, str]]:
        """Corpus, attack and epsilon of all attacks, the smallest epsilons first."""
        names = [(corpus, *rest) for corpus, version, *rest in self.parts if version == "adversarial"]
        return sorted(names, key=lambda name: (name[:2], strength(name[2])))


def by_attack(detections: pd.DataFrame) -> Compared:
    """The detections so that each attack's are at hand."""
    names = ["corpus", "version", "attack", "epsilon"]
    return Compared(dict(list(detections.groupby(names, sort=False))), detections.head(0))


def lower_confidence(compared: Compared) -> Evidence | None:
    """Whether under each attack that succeeded the SyncNet trained on clean clips scores benign clips higher."""
    parts = []
    for corpus, attack, epsilon in compared.attacks():
        attacked = succeeded(compared.of(corpus, attack, epsilon))
        parts.append(lower(compared.of(corpus, version="benign"), attacked, "sync_clean"))
    return testing.all_of(parts)


def succeeded(attacked: pd.DataFrame) -> pd.DataFrame:
    """Of attacks with a target those that reached it, wholly or in part as they were to."""
    wanted = attacked.reached_in_part.where(attacked.attack != "full", attacked.reached)
    return attacked[wanted | (attacked.target == "")]


def lower(benign: pd.DataFrame, attacked: pd.DataFrame, detector: str) -> Evidence | None:
    """Whether the detector scores attacked clips below benign ones."""
    sides = [one[np.isfinite(one[detector])] for one in (benign, attacked)]
    scores, clusters = ([one[column].to_numpy() for one in sides] for column in (detector, "cluster"))
    return testing.auc_above_half(*scores, clusters)


def easier(
    benign: pd.DataFrame, attacked: pd.DataFrame, others: pd.DataFrame, detectors: tuple[str, str]
) -> Evidence | None:
    """Whether the first detector tells attacked clips from benign ones better than the second tells others."""
    first, second = detectors
    rows = (benign, first), (attacked, first), (benign, second), (others, second)
    sides = [(own.loc[np.isfinite(own[name]), [name, "cluster"]], name) for own, name in rows]
    scores = [own[name].to_numpy() for own, name in sides]
    return testing.auc_greater(scores[:2], scores[2:], [own.cluster.to_numpy() for own, _ in sides])


def pairs(first: pd.DataFrame, second: pd.DataFrame, on: list[str] = SAME) -> pd.DataFrame:
    """The same clips under two attacks, to the same target and at the same epsilon; the second's end with _other."""
    return first.merge(second, on=on, suffixes=("", "_other"))


def more(both: pd.DataFrame, column: str) -> Evidence | None:
    """Whether a column of the first of a pair is larger than that of the second."""
    return testing.mean((both[column].astype(float) - both[f"{column}_other"]).to_numpy(), both.cluster.to_numpy())


def farther(both: pd.DataFrame, column: str) -> Evidence | None:
    """Whether the first of a pair moved a clip farther, by the logarithms of distances > 0; of levels in dB as is."""
    values = [both[column], both[f"{column}_other"]]
    if not column.endswith("_db"):
        values = [np.log(one.where(one > 0)) for one in values]
    return testing.signed_ranks((values[0] - values[1]).to_numpy(), both.cluster.to_numpy())


def by_target(attacked: pd.DataFrame) -> Evidence | None:
    """Whether targets differ in how often they are reached."""
    wide = attacked.assign(hit=attacked.reached_in_part.astype(float))
    wide = wide.pivot_table(index="cluster", columns="target", values="hit").dropna()
    return testing.differ(wide.to_numpy())


def within(benign: pd.DataFrame, attacked: pd.DataFrame, width: float) -> Evidence | None:
    """Whether the AUCs of all targets differ by less than `width`, at each epsilon."""
    parts = []
    for _, own in attacked.groupby("epsilon"):
        targets = [rows for _, rows in own.groupby("target")]
        for one, other in itertools.permutations(targets, 2):
            parts.append(testing.shifted(easier(benign, one, other, ("sync_clean",) * 2), -width))
    return testing.all_of(parts)


def beyond_control(compared: Compared, detector: str, control: str) -> Evidence | None:
    """Whether at every epsilon attacked clips score lower than the same clips under a control."""
    parts = []
    for corpus, attack, epsilon in compared.attacks():
        attacked, alike = (compared.of(corpus, attack, epsilon, version) for version in ("adversarial", control))
        parts.append(lower(alike, attacked, detector))
    return testing.all_of(parts)


def better(compared: Compared, detector: str, trivial: list[str]) -> Evidence | None:
    """Whether a detector tells the clips of each attack better than every one of the trivial detectors."""
    parts = []
    for corpus, attack, epsilon in compared.attacks():
        attacked = compared.of(corpus, attack, epsilon)
        benign = compared.of(corpus, version="benign")
        parts += [easier(benign, attacked, attacked, (detector, other)) for other in trivial]
    return testing.all_of(parts)
