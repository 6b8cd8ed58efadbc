"""Room of studies: what attacks take of the emotion study's models, what training gives back, and what sound leaves."""

import pandas as pd

from stages.measures.recall import uar_change
from stages.reporting.cells import cells, one, possible, published, share, table
from stages.studies.emotion.scores import ATTACKS, DEFENDED, value


def robustness(scores: pd.DataFrame) -> pd.DataFrame:
    """Every attacked model and epsilon: UAR on real data and under each attack, and what FGSM alone would not show.

    Of a model that was not judged on real data there is nothing to tell.
    A model holds against an attack where its UAR under it is above `halfway`, the middle between chance and its UAR on
    real data: nearer to what it was than to a guess. It falls to BIM where it holds against FGSM but not against BIM,
    the mark of gradients that mislead a single step. `impossible` says that FGSM flips more of the correct decisions
    than BIM, which tries FGSM's point first.
    """
    made = []
    names = ["network", "regime", "variant", "split"]
    for model, own in scores[scores.regime != "noise"].groupby(names, sort=False):
        real = one(own, attack="none")
        epsilons = set() if real is None else set(own.epsilon[own.attack.isin(ATTACKS)])
        for epsilon in sorted(epsilons):
            attacked = {attack: one(own, attack=attack, epsilon=epsilon) for attack in ATTACKS}
            row = dict(zip(names, model)) | {"epsilon": epsilon, "n": real.n} | value("uar_real", real)
            row |= {"halfway": (real.uar + real.chance) / 2, "right": real.right}
            for attack, score in attacked.items():
                row |= value(f"uar_{attack}", score) | value(f"flips_{attack}", score, of="flips")
                known = score is not None and score.n > 0
                row[f"holds_{attack}"] = _yes(score.uar > row["halfway"]) if known else ""
            scored = [score for score in attacked.values() if score is not None]
            row |= {name: max(score[name] for score in scored) for name in ("left_out", "zero_gradient")}
            both = len(scored) == len(ATTACKS) and all(score.n > 0 for score in scored)
            row["falls_to_bim"] = _yes((row["holds_fgsm"], row["holds_bim"]) == ("yes", "no")) if both else ""
            row["impossible"] = _yes(row["flips_fgsm"] > row["flips_bim"]) if both else ""
            made.append(row)
    columns = [*names, "epsilon", "uar_real", "uar_fgsm", "uar_bim", "holds_bim", "falls_to_bim"]
    columns += ["left_out", "zero_gradient", "n"]
    # A defended model's variant is the epsilon at which it is attacked.
    return table(made, columns).drop(columns="variant")


def given_back(attacked: pd.DataFrame, scores: pd.DataFrame, paper: pd.DataFrame) -> pd.DataFrame:
    """What FGSM takes and each defended model gives back at its epsilon, as changes of UAR on the same clips.

    Columns: `taken` and `still_taken` (UAR on real less that on fake data, of the model trained on real data alone and
    of the defended one), `given_back` and `real_gain` (defended less the other, on fake and on real data).
    """
    trained = attacked[attacked.regime != "noise"]
    trained = pd.concat([trained[trained.attack == "none"], possible(trained[trained.attack != "none"])])
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
            before_and_after = [decided[names][which] for which in pair] if both else []
            row |= cells(name, *(uar_change(clips.label, *before_and_after, clips.speaker) if both else ()))
        real, fake, single = (
            published(paper, table="table_2", column=model.split, network=model.network, **where)
            for where in (
                {"regime": model.regime, "variant": model.variant, "data": "real"},
                {"regime": model.regime, "variant": model.variant, "data": "fake"},
                {"regime": "single", "data": "real"},
            )
        )
        made.append(row | {"still_taken_paper": real - fake, "real_gain_paper": real - single})
    return table(made, ["network", "regime", "split", "epsilon", "still_taken", "given_back", "real_gain"])


def inversion(inverted: pd.DataFrame) -> pd.DataFrame:
    """What is left of the kept images that fooled, and of clean ones (attack none), after the road through sound.

    Of clips whose clean image is decided correctly: `images` were made by the attack and fooled; `wrong_after` is the
    share of them decided wrongly after inversion, `clean_right` the share whose clean images are still decided
    correctly after it, and `still_fools` the share of these `n` that is decided wrongly.
    """
    sound = inverted[inverted.clean_prediction == inverted.label]
    clean = sound.loc[sound.attack == "none", ["network", "victim", "clip_id", "label", "decision"]]
    clean = clean.assign(clean_right=clean.decision == clean.label)
    sound = sound.merge(clean[["network", "victim", "clip_id", "clean_right"]], on=["network", "victim", "clip_id"])
    sound = sound.assign(wrong=sound.decision != sound.label)
    place = {attack: number for number, attack in enumerate(("none", *ATTACKS))}
    made = []
    known = sound[sound.attack.isin(place)]
    for (network, attack, epsilon), own in known.groupby(["network", "attack", "epsilon"], sort=False):
        images = own[own.success] if attack != "none" else own
        tested = images[images.clean_right]
        row = {"network": network, "attack": attack, "epsilon": epsilon, "images": len(images)}
        row |= share(images.wrong, images.speaker, "wrong_after")
        row |= share(images.clean_right, images.speaker, "clean_right")
        if attack != "none":
            row |= share(tested.wrong, tested.speaker, "still_fools") | {"n": len(tested)}
        made.append(row)
    columns = ["network", "attack", "epsilon", "images", "wrong_after", "clean_right", "still_fools", "n"]
    told = table(made, columns)
    rank = told.network.map({name: number for number, name in enumerate(told.network.unique())})
    told = told.assign(rank=rank, place=told.attack.map(place)).sort_values(["rank", "place", "epsilon"])
    return told.drop(columns=["rank", "place"]).astype({"n": "Int64"})


def _yes(condition: bool) -> str:
    return "yes" if condition else "no"
