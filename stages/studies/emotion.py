"""Room of studies: the tables of Ren et al., "Generating and protecting against adversarial attacks for deep speech-based emotion recognition models".

UAR is the unweighted average recall, in [0, 1]; its 95 % intervals take into account that clips share speakers. "Real"
data are the clips as they are, "fake" data what an attack made of them, of the very model that decides on them. The
models of the paper's development column were trained on the split train, those of its test column also on validation.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from stages.frame import clip_table
from stages.frame.errors import UserError
from stages.frame.shards import ShardSet
from stages.measures.intervals import clustered, wilson
from stages.measures.recall import one_tailed_z, uar, uar_change, uar_interval
from stages.studies import emotion_claims, emotion_figures

PAPER = Path(__file__).with_name("emotion_paper.csv")
SPLITS = {"development": "dev", "test": "test"}
REGIMES = ("single", "vanilla", "similarity", "noise")
DEFENDED = ("vanilla", "similarity")
ATTACKS = ("fgsm", "bim")
NOISES = {"audio": "random noise on raw audio", "log_mel": "random noise on spectrograms"}
# The paper's best result.
BEST_NETWORK, BEST_REGIME, BEST_EPSILON = "vgg16", "vanilla", 0.08

# Each corpus, and the set that holds its clips.
CORPORA = {"emotion": "audio"}
TITLE = "Speech emotion: fast gradient attacks against adversarial training"
NOTE = (
    "UARs (unweighted average recalls) and shares lie in [0, 1]. Real data are the clips as they are, fake data what FGSM "
    "makes of them, of the very model that decides on them; dev is decided on by models trained on the split train, test "
    "by models trained on train and validation."
)
TABLES = {
    "table_1": "Table 1. Speakers and clips of each emotion",
    "table_2": "Table 2. UAR on real and fake data, by network and training",
    "table_3": "Table 3. UAR on real data beside other ways to augment",
    "table_robustness": (
        "Robustness. A model holds against an attack whose UAR stays above halfway between chance and the UAR on real "
        "data; falls to BIM: holds against FGSM, not against BIM; flips: share of correctly decided clips whose decision "
        "the attack turns; impossible: FGSM flips more than BIM, which tries FGSM's point first"
    ),
    "table_given_back": (
        "Given back. UAR that FGSM takes from the model trained on real data (taken) and from the defended one (still "
        "taken), by how much the defended one's UAR on fake data is higher (given back), and on real data (real gain)"
    ),
    "table_z": (
        "Significance. One-tailed z-tests of two UARs on real data, taken as shares of n independent clips as the paper "
        "does; its values are recomputed from its UARs"
    ),
    "table_inversion": (
        "Through sound. Kept images that fooled, made into sound by Griffin-Lim and analysed again: wrong after, clean "
        "right (the clips' clean images are still decided correctly after the same road), and still fools (wrong after, "
        "of those with clean right); attack none is the control, clean images alone"
    ),
}
FIGURES = {
    "figure_2.png": "Figure 2. A log-mel image, what FGSM makes of it, and the difference (the paper: one clip of anger)",
    "figure_3.png": "Figure 3. UAR of the models trained on real data alone against epsilon",
}


@dataclass(frozen=True)
class Measured:
    """What the study is told from.

    `sweeps` holds the rows of all sweeps, with the item's name in the column `network` and the strength of the training
    as text in `variant`; `images` opens each item's kept images; `inverted` are these images' decisions after sound.
    """

    clips: pd.DataFrame
    sweeps: pd.DataFrame
    inverted: pd.DataFrame
    images: dict[str, ShardSet]


def read(parameters: dict[str, Any]) -> Measured:
    """The sweeps of the items that params.yaml names now, and nothing else.

    Raises:
        UserError: there is no such item.
    """
    items = [name for name, item in parameters["sweep_items"].items() if item["study"] == "emotion"]
    if not items:
        raise UserError(
            "params.yaml: sweep_items", expected="one of the study emotion", found="none", do="see params.yaml in git"
        )
    images = {name: ShardSet(Path("data/emotion/sweeps", name)) for name in items}
    sweeps = pd.concat([_swept(name, own.table) for name, own in images.items()], ignore_index=True)
    inverted = clip_table.read("data/emotion/inverted/clips.csv")
    inverted = inverted.assign(network=inverted["item"])
    clips = clip_table.read("data/emotion/audio/clips.csv")
    return Measured(clips, sweeps, inverted[inverted.network.isin(items)], images)


def _swept(name: str, table: pd.DataFrame) -> pd.DataFrame:
    strength = table.training_epsilon.map("{:g}".format)
    variant = table.variant.astype(str).mask(table.training_epsilon > 0, strength)
    return table.assign(network=name, variant=variant, split=table.purpose.map(SPLITS))


def tables(measured: Measured) -> dict[str, pd.DataFrame]:
    """Tables 1 to 3, the tables that the paper lacks, the data of both figures and the claims, by file name without suffix."""
    paper = pd.read_csv(PAPER, keep_default_na=False)
    scores = _scores(measured.sweeps)
    made = {
        "table_1": _partition(measured.clips, paper),
        "table_2": _recalls(scores, paper),
        "table_3": _augmentations(scores, paper),
        "table_robustness": _robustness(scores),
        "table_given_back": _given_back(measured.sweeps, scores, paper),
        "table_z": _tests(scores, paper),
        "table_inversion": _inversion(measured.inverted),
        "figure_2": _example(measured.sweeps, scores, paper),
        "figure_3": _curves(scores),
    }
    made["claims"] = emotion_claims.claims(made, scores, paper)
    return made


def metrics(made: dict[str, pd.DataFrame]) -> dict[str, float]:
    """The headline numbers; `smallest` and `largest` are epsilons, and UARs at these are those of the test split."""
    values: dict[str, float] = {}
    for (network, regime, split), own in made["table_robustness"].groupby(["network", "regime", "split"], sort=False):
        name, smallest, largest = f"uar_{network}_{regime}", own.iloc[0], own.iloc[-1]
        if regime == "single":
            values[f"{name}_{split}"] = largest.uar_real
        if (regime, split) == ("single", "test"):
            values[f"{name}_fgsm_smallest"] = smallest.uar_fgsm
            values |= {f"{name}_{attack}_largest": largest[f"uar_{attack}"] for attack in ATTACKS}
        elif split == "test":
            values |= {f"{name}_{kind}_largest": largest[f"uar_{kind}"] for kind in ("real", "fgsm")}
    values["uar_best_test"] = made["table_3"].test.iloc[-1]
    sounds = made["table_inversion"]
    sounds = sounds[(sounds.attack == "fgsm") & (sounds.epsilon == sounds.epsilon.max()) & (sounds.n > 0)]
    if len(sounds):
        values["still_fools_after_sound"] = np.average(sounds.still_fools, weights=sounds.n)
    values["claims_that_hold"] = int((made["claims"].verdict == "holds").sum())
    return {name: round(value, 4) for name, value in values.items() if not math.isnan(value)}


def figures(made: dict[str, pd.DataFrame], measured: Measured, folder: Path) -> None:
    """Draws Figure 2, one clip real and adversarial, and Figure 3, UAR against epsilon."""
    emotion_figures.draw(made, measured.images, folder)


def _scores(sweeps: pd.DataFrame) -> pd.DataFrame:
    """One row for each model, attack and epsilon, ordered: UAR, and how many correct decisions the attack flips."""
    names = ["network", "regime", "training_epsilon", "variant", "split", "attack", "epsilon"]
    made = []
    for values, own in sweeps.groupby(names, sort=False):
        low, high = uar_interval(own.label, own.adversarial_prediction, own.speaker)
        row = dict(zip(names, values)) | {"n": len(own), "chance": 1 / own.label.nunique()}
        row |= {"uar": uar(own.label, own.adversarial_prediction), "uar_low": low, "uar_high": high}
        right = own[own.clean_prediction == own.label]
        flipped = right.success.astype(float).groupby(right.speaker).agg(["sum", "count"])
        low, high = clustered(flipped["sum"].to_numpy(), flipped["count"].to_numpy())
        share = right.success.mean() if len(right) else math.nan
        made.append(row | {"right": len(right), "flips": share, "flips_low": low, "flips_high": high})
    order = [*sweeps.network.unique(), *REGIMES, *SPLITS.values(), "none", *ATTACKS]
    place = {name: number for number, name in enumerate(order)}
    return pd.DataFrame(made).sort_values(
        names,
        key=lambda column: column if column.name in ("training_epsilon", "epsilon", "variant") else column.map(place),
        ignore_index=True,
    )


def _one(rows: pd.DataFrame, **where: object) -> pd.Series | None:
    """The one row with these values, None where there is none."""
    for column, value in where.items():
        rows = rows[rows[column] == value]
    return rows.iloc[0] if len(rows) == 1 else None


def _published(paper: pd.DataFrame, table: str, column: str, **where: str) -> float:
    row = _one(paper[paper.table == table], column=column, **where)
    return math.nan if row is None else row["value"]


def _cell(name: str, score: pd.Series | None, *, of: str = "uar") -> dict[str, float]:
    """A value and the ends of its interval, NaN where there is no score."""
    return {f"{name}{end}": math.nan if score is None else score[f"{of}{end}"] for end in ("", "_low", "_high")}


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
    for row in ("speakers", *sorted(readable.label.unique()), "total"):
        own: dict[str, object] = {"row": row}
        for column in (*parts, "total", "female", "male"):
            part = readable[chosen[column]] if column in chosen else None
            own[column] = pd.NA if part is None else _counted(part, row)
            published = _published(paper, "table_1", column, label=row)
            own[f"{column}_paper"] = pd.NA if math.isnan(published) else int(published)
        made.append(own)
    table = pd.DataFrame(made)
    return table.astype(dict.fromkeys(table.columns[1:], "Int64"))


def _counted(part: pd.DataFrame, row: str) -> int:
    if row == "speakers":
        return part.speaker[part.speaker != ""].nunique()
    return len(part) if row == "total" else int((part.label == row).sum())


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
                    score = _one(scores, split=split, attack=attack, **where) if fits else None
                    published = _published(paper, "table_2", split, data=data, **where)
                    row |= _cell(f"{network}_{data}_{split}", score) | {f"{network}_{data}_{split}_paper": published}
        counts = models[(models.regime == regime) & (models.variant == variant)].groupby("split").n.max()
        made.append(row | {f"n_{split}": counts.get(split, 0) for split in SPLITS.values()})
    return pd.DataFrame(made).round(4)


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
            score = None if "label" in where else _one(ours, split=split, **where)
            published = {"regime": BEST_REGIME} if is_ours else where
            row |= _cell(split, score) | {f"{split}_paper": _published(paper, "table_3", split, **published)}
            row[f"n_{split}"] = pd.NA if score is None else score.n
        made.append(row)
    return pd.DataFrame(made).round(4).astype({f"n_{split}": "Int64" for split in SPLITS.values()})


def _robustness(scores: pd.DataFrame) -> pd.DataFrame:
    """Every attacked model and epsilon: UAR on real data and under each attack, and what FGSM alone would not show.

    A model holds against an attack where its UAR under it is above `halfway`, the middle between chance and its UAR on
    real data: nearer to what it was than to a guess. It falls to BIM where it holds against FGSM but not against BIM,
    the mark of gradients that mislead a single step. `impossible` says that FGSM flips more of the correct decisions
    than BIM, which tries FGSM's point first.
    """
    made = []
    names = ["network", "regime", "variant", "split"]
    for model, own in scores[scores.regime != "noise"].groupby(names, sort=False):
        real = _one(own, attack="none")
        for epsilon in sorted(set(own.epsilon[own.attack.isin(ATTACKS)])):
            attacked = {attack: _one(own, attack=attack, epsilon=epsilon) for attack in ATTACKS}
            row = dict(zip(names, model)) | {"epsilon": epsilon, "n": real.n} | _cell("uar_real", real)
            row |= {"halfway": (real.uar + real.chance) / 2, "right": real.right}
            for attack, score in attacked.items():
                row |= _cell(f"uar_{attack}", score) | _cell(f"flips_{attack}", score, of="flips")
                row[f"holds_{attack}"] = "" if score is None else _yes(score.uar > row["halfway"])
            both = all(score is not None for score in attacked.values())
            row["falls_to_bim"] = _yes((row["holds_fgsm"], row["holds_bim"]) == ("yes", "no")) if both else ""
            row["impossible"] = _yes(row["flips_fgsm"] > row["flips_bim"]) if both else ""
            made.append(row)
    columns = [*names, "epsilon", "uar_real", "uar_fgsm", "uar_bim", "holds_bim", "falls_to_bim"]
    # A defended model's variant is the epsilon at which it is attacked.
    return _rounded(made, columns).drop(columns="variant")


def _given_back(sweeps: pd.DataFrame, scores: pd.DataFrame, paper: pd.DataFrame) -> pd.DataFrame:
    """What FGSM takes and each defended model gives back at its epsilon, as changes of UAR on the same clips.

    Columns: `taken` and `still_taken` (UAR on real less that on fake data, of the model trained on real data alone and
    of the defended one), `given_back` and `real_gain` (defended less the other, on fake and on real data).
    """
    trained = sweeps[sweeps.regime != "noise"]
    by_split = dict(list(trained.groupby(["network", "split"], sort=False)))
    decided = {
        names: own.pivot(
            index="clip_id", columns=["regime", "variant", "attack", "epsilon"], values="adversarial_prediction"
        )
        for names, own in by_split.items()
    }
    made = []
    for model in scores[scores.regime.isin(DEFENDED) & (scores.attack == "none")].itertuples():
        names = (model.network, model.split)
        clips = by_split[names].drop_duplicates("clip_id").set_index("clip_id").loc[decided[names].index]
        single_real, single_fake = ("single", "", "none", 0.0), ("single", "", "fgsm", model.training_epsilon)
        own_real = (model.regime, model.variant, "none", 0.0)
        own_fake = (model.regime, model.variant, "fgsm", model.training_epsilon)
        changes = {
            "taken": (single_fake, single_real),
            "still_taken": (own_fake, own_real),
            "given_back": (single_fake, own_fake),
            "real_gain": (single_real, own_real),
        }
        row = {"network": model.network, "regime": model.regime, "split": model.split}
        row |= {"epsilon": model.training_epsilon, "n": model.n}
        for name, pair in changes.items():
            both = set(pair) <= set(decided[names].columns)
            values = (
                uar_change(clips.label, *(decided[names][one] for one in pair), clips.speaker) if both else [None] * 3
            )
            row |= dict(zip((name, f"{name}_low", f"{name}_high"), values))
        real, fake, single = (
            _published(paper, "table_2", model.split, network=model.network, **where)
            for where in (
                {"regime": model.regime, "variant": model.variant, "data": "real"},
                {"regime": model.regime, "variant": model.variant, "data": "fake"},
                {"regime": "single", "data": "real"},
            )
        )
        made.append(row | {"still_taken_paper": real - fake, "real_gain_paper": real - single})
    return _rounded(made, ["network", "regime", "split", "epsilon", "still_taken", "given_back", "real_gain"])


def _tests(scores: pd.DataFrame, paper: pd.DataFrame) -> pd.DataFrame:
    """The paper's z-tests of its best model, at its epsilon or the nearest that was measured, and one like for like."""
    # The paper does not name the network that it trained with noise.
    rivals = {
        "CNN-4, single (as printed)": ("table_2", {"network": "cnn4", "regime": "single"}),
        "VGG-16, single (like for like)": ("table_2", {"network": BEST_NETWORK, "regime": "single"}),
    }
    rivals |= {f"VGG-16, {name}": ("table_3", {"regime": "noise", "variant": noise}) for noise, name in NOISES.items()}
    real = scores[scores.attack == "none"]
    ours = real[(real.network == BEST_NETWORK) & (real.regime == BEST_REGIME)]
    distance = (ours.training_epsilon - BEST_EPSILON).abs()
    nearest = ours[distance == distance.min()].sort_values("training_epsilon").drop_duplicates("split")
    made = []
    for rival, (source, where) in rivals.items():
        for split in SPLITS.values():
            best = _one(nearest, split=split)
            other = _one(real, split=split, **{"network": BEST_NETWORK, **where})
            # A value that is missing makes a missing z.
            row = {"rival": rival, "split": split} | _cell("uar", best) | _cell("uar_of_rival", other)
            row["epsilon"], row["n"] = (math.nan, math.nan) if best is None else (best.training_epsilon, best.n)
            row["uar_paper"] = _published(paper, "table_3", split, regime=BEST_REGIME)
            row["uar_of_rival_paper"] = _published(paper, source, split, **where)
            row |= {"epsilon_paper": BEST_EPSILON, "n_paper": int(_published(paper, "table_1", split, label="total"))}
            for end in ("", "_paper"):
                values = (row[f"uar{end}"], row[f"n{end}"], row[f"uar_of_rival{end}"], row[f"n{end}"])
                row[f"z{end}"], row[f"p{end}"] = one_tailed_z(*values)
            made.append(row)
    table = pd.DataFrame(made)
    probabilities = {name: [float(f"{value:.2g}") for value in table[name]] for name in ("p", "p_paper")}
    return table.round(4).assign(**probabilities).astype({"n": "Int64"})


def _inversion(inverted: pd.DataFrame) -> pd.DataFrame:
    """What is left of the kept images that fooled, and of clean ones (attack none), after the road through sound.

    Of clips whose clean image is decided correctly: `images` were made by the attack and fooled; `wrong_after` is the
    share of them decided wrongly after inversion, `clean_right` the share whose clean images are still decided
    correctly after it, and `still_fools` the share of these `n` that is decided wrongly. The intervals are Wilson's.
    """
    sound = inverted[inverted.clean_prediction == inverted.label]
    clean = sound.loc[sound.attack == "none", ["network", "victim", "clip_id", "label", "inverted_prediction"]]
    clean = clean.assign(clean_right=clean.inverted_prediction == clean.label)
    sound = sound.merge(clean[["network", "victim", "clip_id", "clean_right"]], on=["network", "victim", "clip_id"])
    sound = sound.assign(wrong=sound.inverted_prediction != sound.label)
    place = {attack: number for number, attack in enumerate(("none", *ATTACKS))}
    made = []
    for (network, attack, epsilon), own in sound[sound.attack.isin(place)].groupby(
        ["network", "attack", "epsilon"], sort=False
    ):
        images = own[own.success] if attack != "none" else own
        tested = images[images.clean_right]
        row = {"network": network, "attack": attack, "epsilon": epsilon, "images": len(images)}
        row |= _share("wrong_after", images.wrong) | _share("clean_right", images.clean_right)
        if attack != "none":
            row |= _share("still_fools", tested.wrong) | {"n": len(tested)}
        made.append(row)
    columns = ["network", "attack", "epsilon", "images", "wrong_after", "clean_right", "still_fools", "n"]
    table = _rounded(made, columns)
    rank = table.network.map({name: number for number, name in enumerate(table.network.unique())})
    table = table.assign(rank=rank, place=table.attack.map(place)).sort_values(["rank", "place", "epsilon"])
    return table.drop(columns=["rank", "place"]).astype({"n": "Int64"})


def _share(name: str, hits: pd.Series) -> dict[str, float]:
    low, high = wilson(int(hits.sum()), len(hits)) if len(hits) else (math.nan, math.nan)
    return {name: hits.mean(), f"{name}_low": low, f"{name}_high": high}


def _example(sweeps: pd.DataFrame, scores: pd.DataFrame, paper: pd.DataFrame) -> pd.DataFrame:
    """The clip of Figure 2, real and fake, of the models trained on real data alone.

    Of the kept test clips that FGSM fooled: of the network with the best UAR on the development split, if possible of
    anger as in the paper, at the largest epsilon, with the highest confidence on the clean image. No row without one.
    """
    developed = scores[(scores.regime == "single") & (scores.attack == "none") & (scores.split == "dev")]
    uars = dict(zip(developed.network, developed.uar))
    own = sweeps[sweeps.kept & (sweeps.regime == "single") & (sweeps.clean_prediction == sweeps.label)]
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
            printed = _one(paper, table="figure_2", data=data)
            published = {"decision_paper": printed.label, "probability_paper": printed["value"]}
            made.append({"data": data} | names | values | published)
    return _rounded(made, ["data", "network", "clip_id", "label", "epsilon", "key", "decision", "probability"])


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


def _rounded(rows: list[dict[str, Any]], columns: list[str]) -> pd.DataFrame:
    """The table of the rows; of `columns` where there is none."""
    return (pd.DataFrame(rows) if rows else pd.DataFrame(columns=columns)).round(4)


def _yes(condition: bool) -> str:
    return "yes" if condition else "no"
