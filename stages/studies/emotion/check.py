"""Room of studies: whether a longer attack finds what the emotion study's attacks miss (Carlini et al. 2019)."""

import pandas as pd

from stages.measures.recall import uar_change
from stages.reporting.cells import cells, possible, table
from stages.studies.emotion.scores import ATTACKS, CHECK, uar_of

# A longer attack that lowers a UAR by more than this says that the shorter one was too weak to judge by.
LOWERED = 0.05
COLUMNS = ["network", "regime", "epsilon", "n", "uar_fgsm", "uar_bim", "uar_pgd", "lowered", "flagged", "zero_gradient"]


def check(attacked: pd.DataFrame) -> pd.DataFrame:
    """Every model and epsilon that the long attack was run against: UAR under each attack, on that attack's clips.

    `lowered` is the UAR under BIM less that under PGD, `flagged` whether it is above `LOWERED`; `grows` says whether
    BIM succeeds as often as FGSM and PGD as often as BIM, or more; `zero_gradient` counts clips that one of the attacks
    could not move, since the victim has no gradient there.
    """
    names = ["network", "regime", "epsilon"]
    tried = possible(attacked[attacked.attack.isin([*ATTACKS, CHECK])])
    made = []
    for model, own in tried.groupby([*names, "split"], sort=False):
        checked = own.clip_id[own.attack == CHECK]
        under = {
            attack: own[own.attack == attack].set_index("clip_id").reindex(checked) for attack in (*ATTACKS, CHECK)
        }
        if checked.empty or any(one.label.isna().any() for one in under.values()):
            continue
        row = dict(zip(names, model)) | {"n": len(checked)}
        for attack, one in under.items():
            row |= uar_of(one, f"uar_{attack}")
        bim, pgd = under["bim"], under[CHECK]
        decisions = pgd.adversarial_prediction, bim.adversarial_prediction
        row |= cells("lowered", *uar_change(pgd.label, *decisions, pgd.speaker))
        row["flagged"] = "yes" if row["lowered"] > LOWERED else "no"
        successes = [int(one.success.sum()) for one in under.values()]
        row["grows"] = "yes" if successes == sorted(successes) else "no"
        row["zero_gradient"] = int(own.zero_gradient[own.clip_id.isin(checked)].groupby(own.clip_id).any().sum())
        made.append(row)
    return table(made, COLUMNS)
