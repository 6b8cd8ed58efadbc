"""Room of studies: what the emotion study's tables are made of, the UAR of each model under each attack and epsilon."""

import pandas as pd

from stages.measures.recall import uar, uar_interval
from stages.reporting.cells import Cells, cells, possible, share

SPLITS = {"development": "dev", "test": "test"}
REGIMES = ("single", "vanilla", "similarity", "noise")
DEFENDED = ("vanilla", "similarity")
ATTACKS = ("fgsm", "bim")
# The attack by which the others are checked, on some of the clips.
CHECK = "pgd"
NOISES = {"audio": "random noise on raw audio", "log_mel": "random noise on spectrograms"}
# The paper's best result.
BEST_NETWORK, BEST_REGIME, BEST_EPSILON = "vgg16", "vanilla", 0.08

# Whom the paper's z-tests set its best model against, and in which of its tables they stand. It does not name the
# network that it trained with noise.
LIKE_FOR_LIKE = "VGG-16, single (like for like)"
RIVALS = {
    "CNN-4, single (as printed)": ("table_2", {"network": "cnn4", "regime": "single"}),
    LIKE_FOR_LIKE: ("table_2", {"network": BEST_NETWORK, "regime": "single"}),
} | {f"VGG-16, {name}": ("table_3", {"regime": "noise", "variant": noise}) for noise, name in NOISES.items()}


def scores(attacked: pd.DataFrame) -> pd.DataFrame:
    """One row for each model, attack and epsilon, ordered: UAR, and how many correct decisions the attack flips.

    `zero_gradient` counts the clips that an attack could not move, since the victim has no gradient there. The check,
    which has fewer clips, is apart.
    """
    names = ["network", "regime", "training_epsilon", "variant", "split", "attack", "epsilon"]
    made = []
    for values, planned in attacked[attacked.attack != CHECK].groupby(names, sort=False):
        row = dict(zip(names, values)) | {"chance": 1 / planned.label.nunique()}
        own = planned if row["attack"] == "none" else possible(planned)
        row |= {"n": len(own), "left_out": len(planned) - len(own)} | uar_of(own)
        row["zero_gradient"] = int(own.zero_gradient.sum())
        right = own[own.clean_prediction == own.label]
        made.append(row | {"right": len(right)} | share(right.success, right.speaker, "flips"))
    ends = [f"{measure}{end}" for measure in ("uar", "flips") for end in ("", "_low", "_high")]
    order = [*attacked.network.unique(), *REGIMES, *SPLITS.values(), "none", *ATTACKS]
    place = {name: number for number, name in enumerate(order)}
    return pd.DataFrame(made, columns=[*names, "n", "left_out", "zero_gradient", "chance", "right", *ends]).sort_values(
        names,
        key=lambda column: column if column.name in ("training_epsilon", "epsilon", "variant") else column.map(place),
        ignore_index=True,
    )


def uar_of(own: pd.DataFrame, name: str = "uar") -> Cells:
    """The UAR of what is decided on the rows of an adversarial set, NaN for none."""
    if own.empty:
        return cells(name)
    interval = uar_interval(own.label, own.adversarial_prediction, own.speaker)
    return cells(name, uar(own.label, own.adversarial_prediction), *interval)


def value(name: str, score: pd.Series | None, *, of: str = "uar") -> Cells:
    """A value and the ends of its interval, NaN where there is no score."""
    return cells(name) if score is None else cells(name, *(score[f"{of}{end}"] for end in ("", "_low", "_high")))
