"""Room of studies: the tests that the emotion study's claims need, on what its models decide of the same clips.

Differences of UAR are means over the cells of Table 2 that are compared, with speakers as the clusters.
"""

import numpy as np
import pandas as pd

from stages.measures import testing
from stages.measures.recall import balanced
from stages.measures.testing import Evidence
from stages.reporting.cells import possible

CLIP = ["clip_id", "speaker", "label", "split"]


def decided(attacked: pd.DataFrame) -> pd.DataFrame:
    """Whether each model decides each clip rightly under each attack, those apart that nothing could make succeed.

    `fake` tells the rows of the attack that defended models are judged by: FGSM at their own epsilon.
    """
    clean = attacked.attack == "none"
    own = pd.concat([attacked[clean], possible(attacked[~clean])])
    fake = (own.attack == "fgsm") & (own.epsilon == own.training_epsilon)
    right = (own.adversarial_prediction == own.label).astype(float)
    columns = [*CLIP, "network", "regime", "variant", "training_epsilon", "attack", "epsilon"]
    return own[columns].assign(fake=fake, right=right)


def real_or_fake(models: pd.DataFrame, data: str) -> pd.DataFrame:
    """Rows of real data, or of fake."""
    return models[models.attack == "none"] if data == "real" else models[models.fake]


def of_models(decisions: pd.DataFrame, **where: object) -> pd.DataFrame:
    """The rows with these values."""
    for column, value in where.items():
        decisions = decisions[decisions[column] == value]
    return decisions


def more(first: pd.DataFrame, second: pd.DataFrame, on: tuple[str, ...] = ()) -> Evidence | None:
    """Whether the first models' UAR is higher than the second's, of cells with the same values of `on` and clips."""
    both = first.merge(second[[*CLIP, *on, "right"]], on=[*CLIP, *on], suffixes=("", "_other"))
    return above(both, both.right - both.right_other)


def above(rows: pd.DataFrame, values: pd.Series) -> Evidence | None:
    """Whether values of rows are above 0 in the mean over labels and splits."""
    return testing.mean(values.to_numpy(), rows.speaker.to_numpy(), weights=balanced(rows.split + "/" + rows.label))


def next_smaller(fake: pd.DataFrame) -> Evidence | None:
    """Whether models have more UAR at an epsilon than those at the next larger one."""
    epsilons = sorted(fake.epsilon.unique())
    place = fake.epsilon.map({epsilon: number for number, epsilon in enumerate(epsilons)})
    return more(fake.assign(place=place), fake.assign(place=place - 1), ("network", "regime", "place"))


def narrower(decisions: pd.DataFrame, first: str, second: str) -> Evidence | None:
    """Whether the first network's UAR has a smaller range over epsilons than the second's; speakers are drawn anew.

    Ranges are those of defended models, on real and on fake data, of each training and split; their mean is compared.
    """
    own = decisions[decisions.network.isin([first, second]) & decisions.regime.isin(["vanilla", "similarity"])]
    own = pd.concat([real_or_fake(own, data).assign(data=data) for data in ("real", "fake")])
    own = own.assign(
        weight=1 / own.groupby(["split", "label", "network", "regime", "variant", "data"]).right.transform("size")
    )
    own = own.assign(hit=own.weight * own.right)
    cells = own.groupby(["regime", "split", "data", "network", "variant", "speaker"])[["hit", "weight"]].sum()
    cells = cells.unstack("speaker", fill_value=0.0)
    groups = {name: part for name, part in cells.groupby(["regime", "split", "data", "network"]) if len(part) > 1}
    pairs = [name[:3] for name in groups if name[3] == first and (*name[:3], second) in groups]
    if not pairs:
        return None
    count = own.speaker.nunique()

    def ranges(times: np.ndarray, network: str) -> np.ndarray:
        of_pairs = []
        for pair in pairs:
            part = groups[*pair, network]
            recalls = (times @ part.hit.to_numpy().T) / (times @ part.weight.to_numpy().T)
            of_pairs.append(np.ptp(recalls, axis=1))
        return np.mean(of_pairs, axis=0)

    return testing.bootstrapped(lambda times: ranges(times, second) - ranges(times, first), count, count)
