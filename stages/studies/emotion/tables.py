"""Room of studies: the tables of Ren et al., "Generating and protecting against adversarial attacks for deep
speech-based emotion recognition models".

UAR is the unweighted average recall, in [0, 1]; its 95 % intervals take into account that clips share speakers. "Real"
data are the clips as they are, "fake" data what an attack made of them, of the very model that decides on them. The
models of the paper's development column were trained on the split train, those of its test column also on validation.
"""

import functools
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from stages.frame import clip_table
from stages.frame.columns import typed
from stages.frame.errors import UserError
from stages.frame.shards import ShardSet
from stages.measures.recall import one_tailed_z
from stages.reporting.cells import PER_CENT, cell, finite, one, published, table
from stages.reporting.study import of_named_attacks
from stages.reporting.yours import yours as of_yours
from stages.studies.emotion import robustness
from stages.studies.emotion.check import LOWERED, check
from stages.studies.emotion.claims import claims
from stages.studies.emotion.scores import (
    ATTACKS,
    BEST_EPSILON,
    BEST_NETWORK,
    BEST_REGIME,
    CHECK,
    DEFENDED,
    NOISES,
    REGIMES,
    RIVALS,
    SPLITS,
    scores,
    uar_of,
    value,
)

PAPER = Path(__file__).with_name("paper.csv")
READERS = ("italian_emotion",)
# The entries of params.yaml that are the paper's. Its tables and claims are of these alone.
NETWORKS = ("cnn4", "resnet50", "vgg16")
PAPERS = {
    "victims": NETWORKS,
    "attacked": dict.fromkeys(NETWORKS, (*ATTACKS, CHECK)),
    "treatments": ("through_sound",),
}
CONFIDENCES = ("clean_confidence", "confidence", "decision_confidence")
TITLE = "Speech emotion: fast gradient attacks against adversarial training"
NOTE = (
    "UARs (unweighted average recalls) and shares lie in [0, 1]. Real data are the clips as they are, fake data what "
    "FGSM makes of them, of the very model that decides on them; dev is decided on by models trained on the split "
    "train, test by models trained on train and validation."
)
TABLES = {
    "table_1": "Table 1. Speakers and clips of each emotion",
    "table_2": "Table 2. UAR on real and fake data, by network and training",
    "table_3": "Table 3. UAR on real data beside other ways to augment",
    "table_robustness": (
        "Robustness. A model holds against an attack whose UAR stays above halfway between chance and the UAR on real "
        "data; falls to BIM: holds against FGSM, not against BIM; flips: share of correctly decided clips whose "
        "decision the attack turns; impossible: FGSM flips more than BIM, which tries FGSM's point first; left out: "
        "clips that no attack can turn, since their model knows one label alone; zero gradient: clips that an attack "
        "could not move, since their model has no gradient there"
    ),
    "table_check": (
        "Check. UAR on the same test clips under FGSM, BIM and PGD (BIM with more steps from several random starts, of "
        "which each clip's worst counts); lowered: by how much PGD lowers BIM's, flagged above "
        f"{LOWERED:g}; grows: longer attacks succeed as often or more often; zero gradient: clips that one of them "
        "could not move"
    ),
    "table_given_back": (
        "Given back. UAR that FGSM takes from the model trained on real data (taken) and from the defended one (still "
        "taken), by how much the defended one's UAR on fake data is higher (given back), and on real data (real gain)"
    ),
    "table_z": (
        "Significance. One-tailed z-tests of two UARs on real data, taken as shares of n independent clips as the "
        "paper does; its values are recomputed from its UARs"
    ),
    "table_inversion": (
        "Through sound. Kept images that fooled, made into sound by Griffin-Lim and analysed again: wrong after, clean "
        "right (the clips' clean images are still decided correctly after the same road), and still fools (wrong "
        "after, of those with clean right); attack none is the control, clean images alone"
    ),
}
HEADLINES = {
    "clean_percent": "UAR of CNN-4 on the test split",
    "attacked_percent": "UAR of CNN-4 under FGSM at the largest epsilon",
    "defended_percent": "the same, trained by similarity",
    "clean_defended_percent": "UAR on the test split, trained by similarity",
}
FIGURES = {
    "figure_2.png": (
        "Figure 2. A log-mel image, what FGSM makes of it, and the difference (the paper: one clip of anger)"
    ),
    "figure_3": "Figure 3. UAR of the models trained on real data alone against epsilon",
}


@dataclass(frozen=True)
class Measured:
    """What the study is told from.

    `attacked` holds the rows of all adversarial sets, as `named` makes them; `inverted` what was decided on their kept
    images after sound; `images` opens the set of each network.
    """

    clips: pd.DataFrame
    attacked: pd.DataFrame
    inverted: pd.DataFrame
    images: dict[str, ShardSet]


def read(parameters: dict[str, Any]) -> Measured:
    """The adversarial sets that params.yaml names now, and nothing else.

    Raises:
        UserError: there is no such set.
    """
    if not parameters["attacked"]:
        raise UserError("params.yaml: emotion.attacked", "an adversarial set", "none", "see params.yaml in git")
    sets = {name: ShardSet(Path("data/emotion/adversarial", name)) for name in parameters["attacked"]}
    entries = parameters["attacked"]
    attacked = {name: named(of_named_attacks(own.table, entries[name])) for name, own in sets.items()}
    images = {network: sets[name] for name, own in attacked.items() for network in own.network.unique()}
    inverted = named(clip_table.read("data/emotion/scores/inverted/clips.csv"))
    of_sets = [of_named_attacks(inverted[inverted.set == f"adversarial/{name}"], one) for name, one in entries.items()]
    clips = clip_table.read("data/emotion/audio/clips.csv")
    return Measured(clips, pd.concat(attacked.values(), ignore_index=True), pd.concat(of_sets), images)


def named(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of an adversarial set with what the tables ask for: `network`, `split` and `training_epsilon`.

    Epsilons are numbers: 0 on real data, and of models that were trained on real data alone or with noise.
    """
    made = rows.assign(
        network=rows.victim.str.split("/").str[0],
        split=rows.purpose.map(SPLITS),
        training_epsilon=rows.variant.where(rows.regime.isin(DEFENDED), "0"),
    )
    made = typed(
        made, ("training_epsilon", "epsilon", *CONFIDENCES), ("success", "kept", "impossible", "zero_gradient")
    )
    return made.assign(epsilon=made.epsilon.fillna(0.0))


def tables(measured: Measured) -> dict[str, pd.DataFrame]:
    """The paper's tables, those that it lacks, the data of both figures and the claims, by file name without suffix."""
    paper = pd.read_csv(PAPER, keep_default_na=False)
    scored = scores(measured.attacked)
    made = {
        "table_1": _partition(measured.clips, paper),
        "table_2": _recalls(scored, paper),
        "table_3": _augmentations(scored, paper),
        "table_robustness": robustness.robustness(scored),
        "table_check": check(measured.attacked),
        "table_given_back": robustness.given_back(measured.attacked, scored, paper),
        "table_z": _tests(scored, paper),
        "table_inversion": robustness.inversion(measured.inverted),
        "figure_2": _example(measured.attacked, scored, paper),
        "figure_3": _curves(scored),
    }
    made["claims"] = claims(made, scored, measured.attacked, paper)
    return made


def yours(parameters: dict[str, Any], own: set[str]) -> pd.DataFrame:
    """The rows of entries of `own`, which are not the paper's, see `stages.reporting.yours`."""
    made = functools.partial(of_yours, "emotion", papers=PAPERS, also=uar_of)
    return made(parameters, own, lambda values: tables(read(values)))


def metrics(made: dict[str, pd.DataFrame]) -> dict[str, float]:
    """The headline numbers."""
    tested = made["table_robustness"].query("network == 'cnn4' and split == 'test' and epsilon == epsilon.max()")
    values = {
        "clean_percent": cell(tested, "uar_real", regime="single"),
        "attacked_percent": cell(tested, "uar_fgsm", regime="single"),
        "defended_percent": cell(tested, "uar_fgsm", regime="similarity"),
        "clean_defended_percent": cell(tested, "uar_real", regime="similarity"),
    }
    return finite({name: PER_CENT * value for name, value in values.items()})


def _partition(clips: pd.DataFrame, paper: pd.DataFrame) -> pd.DataFrame:
    """Readable clips and speakers by split and gender, which a speaker's name has to begin with."""
    readable = clips[clips.problem == ""]
    gender = readable.speaker.str.extract(r"^([fm])\d+$", expand=False)
    parts = {"train": "train", "dev": "validation", "test": "test"}
    chosen = {column: readable.split == split for column, split in parts.items()}
    chosen["total"] = readable.split.isin(clip_table.SPLITS)
    if gender.notna().all():
        chosen |= {"female": gender == "f", "male": gender == "m"}
    made = []
    labels = sorted(readable.label.unique())
    for row, label in zip(("speakers", *labels, "total"), ("", *labels, None)):
        # A corpus may have a label that is called as a row of another kind.
        is_printed = not label or label not in ("speakers", "total")
        own: dict[str, object] = {"row": row}
        for column in (*parts, "total", "female", "male"):
            part = readable[chosen[column]] if column in chosen else None
            own[column] = pd.NA if part is None else _counted(part, label)
            counted = published(paper, table="table_1", column=column, label=row)
            own[f"{column}_paper"] = int(counted) if is_printed and math.isfinite(counted) else pd.NA
        made.append(own)
    counts = table(made)
    return counts.astype(dict.fromkeys(counts.columns[1:], "Int64"))


def _counted(part: pd.DataFrame, label: str | None) -> int:
    """The clips with a label, or of all of them; of no label, "", the speakers."""
    if label == "":
        return part.speaker[part.speaker != ""].nunique()
    return len(part) if label is None else int((part.label == label).sum())


def _recalls(scores: pd.DataFrame, paper: pd.DataFrame) -> pd.DataFrame:
    """The paper's Table 2: a row for each training, real and fake data of each network and split."""
    models = scores[(scores.regime != "noise") & (scores.attack == "none")]
    trainings = models[["regime", "training_epsilon", "variant"]].drop_duplicates()
    trainings = trainings.sort_values(
        ["regime", "training_epsilon"],
        key=lambda column: column.map(REGIMES.index) if column.name == "regime" else column,
    )
    made = []
    for regime, epsilon, variant in trainings.itertuples(index=False):
        row = {"regime": regime, "epsilon": epsilon}
        for network in models.network.unique():
            for data, attack in (("real", "none"), ("fake", "fgsm")):
                for split in SPLITS.values():
                    where = {"network": network, "regime": regime, "variant": variant}
                    # Models trained on real data alone have no epsilon of their own.
                    fits = data == "real" or regime in DEFENDED
                    score = one(scores, split=split, attack=attack, **where) if fits else None
                    name = f"{network}_{data}_{split}"
                    row |= value(name, score)
                    row[f"{name}_paper"] = published(paper, table="table_2", column=split, data=data, **where)
        counts = models[(models.regime == regime) & (models.variant == variant)].groupby("split").n.max()
        made.append(row | {f"n_{split}": counts.get(split, 0) for split in SPLITS.values()})
    return table(made, ["regime", "epsilon"])


def _augmentations(scores: pd.DataFrame, paper: pd.DataFrame) -> pd.DataFrame:
    """The paper's Table 3; our epsilon is the one with the best UAR on the development split's real data."""
    ours = scores[(scores.network == BEST_NETWORK) & (scores.attack == "none")]
    models = ours[(ours.regime == BEST_REGIME) & (ours.split == "dev")]
    best = models.variant[models.uar.idxmax()] if len(models) else ""
    rows = {"WaveNet (two classes)": {"label": "WaveNet (two classes)"}}
    rows |= {name: {"regime": "noise", "variant": noise} for noise, name in NOISES.items()}
    rows["vanilla adversarial training of VGG-16"] = {"regime": BEST_REGIME, "variant": best}
    made = []
    for method, where in rows.items():
        is_ours = where.get("regime") == BEST_REGIME
        row: dict[str, object] = {"method": method, "epsilon": float(best) if is_ours and best else math.nan}
        row["epsilon_paper"] = BEST_EPSILON if is_ours else math.nan
        for split in SPLITS.values():
            score = None if "label" in where else one(ours, split=split, **where)
            in_paper = {"regime": BEST_REGIME} if is_ours else where
            row |= value(split, score)
            row[f"{split}_paper"] = published(paper, table="table_3", column=split, **in_paper)
            row[f"n_{split}"] = pd.NA if score is None else score.n
        made.append(row)
    return table(made).astype({f"n_{split}": "Int64" for split in SPLITS.values()})


def _tests(scores: pd.DataFrame, paper: pd.DataFrame) -> pd.DataFrame:
    """The paper's z-tests of its best model, at its epsilon or the nearest that was measured, and one like for like."""
    real = scores[scores.attack == "none"]
    ours = real[(real.network == BEST_NETWORK) & (real.regime == BEST_REGIME)]
    distance = (ours.training_epsilon - BEST_EPSILON).abs()
    nearest = ours[distance == distance.min()].sort_values("training_epsilon").drop_duplicates("split")
    made = []
    for rival, (source, where) in RIVALS.items():
        for split in SPLITS.values():
            best = one(nearest, split=split)
            other = one(real, split=split, **{"network": BEST_NETWORK, **where})
            # A value that is missing makes a missing z.
            row = {"rival": rival, "split": split} | value("uar", best) | value("uar_of_rival", other)
            row["epsilon"], row["n"] = (math.nan, math.nan) if best is None else (best.training_epsilon, best.n)
            row["uar_paper"] = published(paper, table="table_3", column=split, regime=BEST_REGIME)
            row["uar_of_rival_paper"] = published(paper, table=source, column=split, **where)
            row["epsilon_paper"] = BEST_EPSILON
            row["n_paper"] = int(published(paper, table="table_1", column=split, label="total"))
            for end in ("", "_paper"):
                values = (row[f"uar{end}"], row[f"n{end}"], row[f"uar_of_rival{end}"], row[f"n{end}"])
                row[f"z{end}"], row[f"p{end}"] = one_tailed_z(*values)
            made.append(row)
    probabilities = {name: [float(f"{row[name]:.2g}") for row in made] for name in ("p", "p_paper")}
    return table(made).assign(**probabilities).astype({"n": "Int64"})


def _example(attacked: pd.DataFrame, scores: pd.DataFrame, paper: pd.DataFrame) -> pd.DataFrame:
    """The clip of Figure 2, real and fake, of the models trained on real data alone.

    Of the kept test clips that FGSM fooled: of the network with the best UAR on the development split, if possible of
    anger as in the paper, at the largest epsilon, with the highest confidence on the clean image. No row without one.
    """
    developed = scores[(scores.regime == "single") & (scores.attack == "none") & (scores.split == "dev")]
    uars = dict(zip(developed.network, developed.uar))
    own = attacked[attacked.kept & (attacked.regime == "single") & (attacked.clean_prediction == attacked.label)]
    fooled = own[(own.attack == "fgsm") & own.success]
    fooled = fooled.assign(network_uar=fooled.network.map(uars), anger=fooled.label == "anger")
    order = ["network_uar", "anger", "epsilon", "clean_confidence"]
    made = []
    for row in fooled.sort_values([*order, "clip_id"], ascending=False).head(1).itertuples():
        same = own[(own.attack == "none") & (own.network == row.network) & (own.clip_id == row.clip_id)]
        names = {"network": row.network, "clip_id": row.clip_id, "label": row.label, "epsilon": row.epsilon}
        real = {"key": same.key.iloc[0], "decision": row.clean_prediction, "probability": row.clean_confidence}
        fake = {"key": row.key, "decision": row.adversarial_prediction, "probability": row.confidence}
        for data, values in (("real", real), ("fake", fake)):
            printed = one(paper, table="figure_2", data=data)
            in_paper = {"decision_paper": printed.label, "probability_paper": printed["value"]}
            made.append({"data": data} | names | values | in_paper)
    return table(made, ["data", "network", "clip_id", "label", "epsilon", "key", "decision", "probability"])


def _curves(scores: pd.DataFrame) -> pd.DataFrame:
    """UAR of the models trained on real data alone, at every epsilon of each attack and at 0, which is real data."""
    single = scores[scores.regime == "single"]
    made = [
        single[single.attack.isin(("none", attack))].assign(attack=attack)
        for attack in ATTACKS
        if attack in set(single.attack)
    ]
    columns = ["network", "split", "attack", "epsilon", "uar", "uar_low", "uar_high", "n", "chance"]
    return pd.concat([*made, single.head(0)])[columns].round(4)
