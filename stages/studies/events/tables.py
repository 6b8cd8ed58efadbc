"""Room of studies: the tables of Subramanian et al., "Robustness of adversarial attacks in sound event classification".

All shares are percentages with 95 % intervals, which take into account that the sets share clips.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from stages.frame import clip_table
from stages.frame.columns import typed
from stages.frame.errors import UserError
from stages.measures.testing import median_interval
from stages.reporting.cells import PER_CENT, cell, cells, finite, mean, possible, published, share, table
from stages.reporting.study import of_named_attacks
from stages.studies.events.claims import claims

PAPER = Path(__file__).with_name("paper.csv")
OUTCOMES = ("Adv", "GT", "Diff")
CONTROL = "none"
READERS = ("fsdkaggle2018",)
# The entries of params.yaml that are the paper's. Its tables and claims are of these alone.
VICTIMS = ("vgg13", "crnn", "gcnn", "dense_mel", "dense_wav")
CW = ("cw_normalised", "cw")
ATTACKS = {"clean": ("none",), "lbfgs": ("lbfgs",), "deepfool": ("deepfool",), "cw-untargeted": CW, "cw-targeted": CW}
PAPERS = {
    "victims": VICTIMS,
    "finished": (),
    "attacked": {f"{victim}-{name}": attacks for victim in VICTIMS for name, attacks in ATTACKS.items()},
    "treatments": (
        *(CONTROL, "mp3_48k", "mp3_128k", "mp3_320k", "noise_20dB", "noise_40dB", "noise_60dB"),
        *("resample_8kHz", "resample_16kHz", "resample_20kHz", "live_reverb"),
    ),
}
# What the paper calls attacks whose goal goes without saying; of others the goal is told.
NAMES = {"none": "clean", "lbfgs": "lbfgs", "deepfool": "deepfool"}
NUMBERS = ("snr_db", "relative_loudness_db", "l2_audio", "confidence", "forwards", "backwards")
FLAGS = ("success", "found", "impossible", "zero_gradient")
# How many decimals tables have, and their distances.
PLACES = {"places": 2, "median_l2": 4, "median_l2_low": 4, "median_l2_high": 4}

TITLE = "Sound events: minimal attacks against input treatments"
NOTE = "Shares are percentages: Adv still decided as the attack wants, GT back to the ground truth, Diff a third class."
TABLES = {
    "table_1": "Table 1. Accuracy of the victims, %",
    "table_attacks": "Attacks. How many of the attacked clips fell, at what distance and cost",
    "table_2": "Table 2. What each treatment does to clean clips, %",
    "table_3": "Table 3. What each treatment does to adversarial clips, all models and attacks, %",
    "table_4": "Table 4. The best two treatments for each model, %",
    "table_5": "Table 5. The best three treatments for each attack, %",
}
# The treatment that the paper finds best, of which headline numbers tell.
DEFENCE = "noise_20dB"
HEADLINES = {
    "clean_percent": "test clips decided rightly, mean of the victims",
    "attacked_percent": "attacked clips still decided rightly, mean of victims and attacks",
    "attack_snr_db": "signal to perturbation, mean of the attacks",
    "defended_percent": "clips that fooled, decided rightly behind noise 20 dB below the sound",
    "clean_defended_percent": "clean clips decided rightly behind it",
}
FIGURES = {"figure_1": "Figure 1. VGG13's decisions on treated adversarial clips against the truth, %"}


@dataclass(frozen=True)
class Measured:
    """What the study is told from.

    `scores` has one row for each clip, adversarial set (`entry`) and treatment, as `named` makes them; `decisions`
    gives each victim's decision on every clip of the corpus.
    """

    scores: pd.DataFrame
    decisions: dict[str, pd.DataFrame]


def read(parameters: dict[str, Any]) -> Measured:
    """The scores of the sets and the decisions of the victims that params.yaml names now, and nothing else.

    Raises:
        UserError: no set is named.
    """
    if not parameters["attacked"]:
        raise UserError("params.yaml: events.attacked", "an adversarial set of the paper's", "none", "see it in git")
    scores = [
        of_named_attacks(clip_table.read(Path("data/events/scores", name, "clips.csv")), entry).assign(entry=name)
        for name, entry in parameters["attacked"].items()
    ]
    models = {name: Path("models/events", name) for name in parameters["victims"] | parameters["finished"]}
    decisions = {name: clip_table.read(model / "decisions.csv") for name, model in models.items()}
    return Measured(named(pd.concat(scores, ignore_index=True)), decisions)


def named(scores: pd.DataFrame) -> pd.DataFrame:
    """The scores with the names that the tables use: `model`, `attack` and `goal`, which is targeted or untargeted.

    `called` is the attack's name in params.yaml. `snr_db` is that of the attacked file. Numbers are numbers, NaN where
    a cell is empty, as of a set that nobody attacked.
    """
    scores = scores.rename(columns={"attacked_at_db": "snr_db"})
    goal = scores.target.map(lambda target: "targeted" if target else "untargeted")
    # Two ways to one attack, which the paper has but once.
    attack = scores.attack if "cw" in set(scores.attack) else scores.attack.replace("cw_normalised", "cw")
    attack = attack.map(NAMES).fillna(attack + "-" + goal)
    told = scores.assign(model=scores.victim, called=scores.attack, attack=attack, goal=goal)
    return typed(told, NUMBERS, FLAGS)


def tables(measured: Measured) -> dict[str, pd.DataFrame]:
    """Tables 1 to 5, the attacks' own table, the data of Figure 1 and the claims, by file name without suffix."""
    scores, decisions = measured.scores, measured.decisions
    scores = scores[scores.treatment.isin(PAPERS["treatments"])]
    paper = pd.read_csv(PAPER, keep_default_na=False)
    by_table = dict(list(paper.groupby("table")))
    fooled, clean = scores[scores.success], scores[scores.attack == "clean"]
    made = {
        "table_1": _accuracies(decisions, by_table[1]),
        "table_2": _shares_by(clean, ["treatment"], by_table[2], ("GT", "Diff")),
        "table_3": _shares_by(fooled, ["treatment"], by_table[3], OUTCOMES),
        "table_4": _best(fooled, "model", 2, by_table[4]),
        "table_5": _best(fooled, "attack", 3, by_table[5]),
        "table_attacks": _attacks(scores),
        "figure_1": _confusions(fooled),
    }
    made["table_5"] = made["table_5"].merge(_strength(fooled, by_table[5]), on="attack", how="left")
    made["claims"] = claims(made, fooled, clean)
    return made


def yours(parameters: dict[str, Any], own: set[str]) -> pd.DataFrame:
    """A row for each set, attack and treatment of which one is among `own`, entries that are not the paper's.

    How many of the attacked clips fell and how far they were moved, and what the treatment made of those that fell (of
    all, in sets that nobody attacked), see `_attacks` and `_shares_by`; `clean` is its price, see `_price`; `accuracy`
    is the victim's on the test split. A victim that is not attacked has a row of its own. There are no rows where
    nothing was scored.
    """
    measured, keys = read(parameters), ["entry", "model", "attack", "treatment"]
    scores = measured.scores
    if scores.empty:
        return pd.DataFrame(columns=keys)
    rows, nothing = (
        scores[scores[["entry", "treatment", "called"]].isin(own).any(axis=1)],
        pd.DataFrame(columns=["quantity", *keys]),
    )
    # The clean clips of a set that is attacked are told beside what became of them.
    rows = rows[(rows.attack != "clean") | ~rows.entry.isin(rows.entry[rows.attack != "clean"])]
    shares = _shares_by(rows[rows.success | (rows.attack == "clean")], keys, nothing, OUTCOMES)
    attacked = [_attacks(one).assign(entry=entry) for entry, one in scores.groupby("entry", sort=False)]
    attacked = pd.concat(attacked).drop(columns="model")
    made = rows[keys].drop_duplicates().merge(shares, how="left", on=keys)
    made = made.merge(attacked, how="left", on=["entry", "attack"])
    made = made.merge(_price(scores), how="left", on=["model", "treatment"])
    shown = {name: one for name, one in measured.decisions.items() if name in own or name in set(rows.model)}
    accuracy = _accuracies(shown, nothing).rename(columns=lambda name: name.replace("test", "accuracy"))
    accuracy = accuracy[[name for name in accuracy if name == "model" or name.startswith("accuracy")]]
    made = made.merge(accuracy, how="outer", on="model", sort=False)
    return made.drop(columns=[name for name in made if name.endswith("_paper")])


def metrics(made: dict[str, pd.DataFrame]) -> dict[str, float]:
    """The headline numbers."""
    by_attack = made["table_5"].drop_duplicates("attack")
    values = {
        "clean_percent": made["table_1"].test.mean(),
        "attacked_percent": PER_CENT - made["table_attacks"].success.mean(),
        "attack_snr_db": by_attack.snr_db.mean(),
        "defended_percent": cell(made["table_3"], "GT", treatment=DEFENCE),
        "clean_defended_percent": cell(made["table_2"], "GT", treatment=DEFENCE),
    }
    return finite(values)


def _shares_by(rows: pd.DataFrame, keys: list[str], paper: pd.DataFrame, outcomes: tuple[str, ...]) -> pd.DataFrame:
    """One row for each combination of `keys`, in the order met, with shares, intervals, the paper's values and n."""
    made = []
    for names, own in rows.groupby(keys, sort=False):
        where = dict(zip(keys, names))
        row: dict[str, object] = dict(where)
        for outcome in outcomes:
            row |= share(own.outcome == outcome, own.clip_id, outcome, scale=PER_CENT)
            row[f"{outcome}_paper"] = published(paper, quantity=outcome, **where)
        made.append(row | {"n": len(own)})
    return table(made, [*keys, *outcomes, "n"], **PLACES)


def _price(scores: pd.DataFrame) -> pd.DataFrame:
    """The share of clean clips, decided rightly before, that each model still decides rightly behind each treatment."""
    keys, clean = ["model", "treatment"], scores[scores.attack == "clean"]
    groups = clean.groupby(keys, sort=False)
    rows = [
        dict(zip(keys, names)) | share(one.outcome == "GT", one.clip_id, "clean", scale=PER_CENT)
        for names, one in groups
    ]
    return table(rows, [*keys, "clean"], **PLACES)


def _best(rows: pd.DataFrame, key: str, count: int, paper: pd.DataFrame) -> pd.DataFrame:
    """The paper's rows, and ours where the best `count` treatments are others; ranks are by GT, the control apart."""
    shares = _shares_by(rows[rows.treatment != CONTROL], [key, "treatment"], paper, OUTCOMES)
    shares["rank"] = shares.groupby(key).GT.rank(method="first", ascending=False).astype(int)
    ranks = paper[(paper.treatment != "") & (paper.quantity == "GT")]
    ranks = ranks.assign(rank_paper=ranks.groupby(key).cumcount() + 1)[[key, "treatment", "rank_paper"]]
    both = shares.merge(ranks, on=[key, "treatment"], how="left")
    shown = both[(both["rank"] <= count) | both.rank_paper.notna()]
    columns = [key, "treatment", "rank", "rank_paper"]
    shown = shown[columns + [column for column in shown.columns if column not in columns]]
    order = {name: place for place, name in enumerate(rows[key].unique())}
    shown = shown.sort_values([key, "rank"], key=lambda column: column.map(order) if column.name == key else column)
    return shown.astype({"rank_paper": "Int64"})


def _accuracies(decisions: dict[str, pd.DataFrame], paper: pd.DataFrame) -> pd.DataFrame:
    made = []
    for model, decided in decisions.items():
        row: dict[str, object] = {"model": model}
        for name, splits in (("training", ("train", "validation")), ("test", ("test",))):
            own = decided[decided.split.isin(splits)]
            row |= share(own.decision == own.label, None, name, scale=PER_CENT)
            row |= {f"{name}_paper": published(paper, quantity=name, model=model), f"{name}_n": len(own)}
        made.append(row)
    return table(made, ["model", "training", "test"], **PLACES)


def _attacks(scores: pd.DataFrame) -> pd.DataFrame:
    """How each victim fared: clips attacked (all decided correctly), fooled, and at what distance and cost.

    Attacks that nothing could make succeed are `left_out`; of the others `zero_gradient` counts those that failed and
    met a gradient that is zero everywhere.
    A clip is fooled if its file of 16 bits fools; of the clips that the attack itself found to fool, `survives_16_bit`
    is the share of which the file does, too.
    """
    made = []
    rows = scores[(scores.attack != "clean") & (scores.treatment == CONTROL)]
    for (model, attack), planned in rows.groupby(["model", "attack"], sort=False):
        own = possible(planned)
        fooled = own[own.success]
        row = {"model": model, "attack": attack, "attacked": len(own), "fooled": len(fooled)}
        row |= share(own.success, own.clip_id, "success", scale=PER_CENT)
        for name in ("snr_db", "relative_loudness_db"):
            row[name] = mean(fooled[name], fooled.clip_id, name)[name]
        row |= cells("median_l2", fooled.l2_audio.median(), *median_interval(fooled.l2_audio.dropna().to_numpy()))
        row |= {"forwards": own.forwards.mean(), "backwards": own.backwards.mean()}
        row["survives_16_bit"] = PER_CENT * own.success[own.found].mean()
        made.append(row | {"left_out": len(planned) - len(own), "zero_gradient": int(own.zero_gradient.sum())})
    return table(made, ["model", "attack", "attacked", "fooled", "success"], **PLACES)


def _strength(fooled: pd.DataFrame, paper: pd.DataFrame) -> pd.DataFrame:
    """Mean SNR and confidence of each attack's adversarial clips, of those that have a finite one."""
    made = []
    for attack, own in fooled[fooled.treatment == CONTROL].groupby("attack", sort=False):
        row: dict[str, object] = {"attack": attack}
        for name, values in (("snr_db", own.snr_db), ("confidence", PER_CENT * own.confidence)):
            row |= mean(values, own.clip_id, name)
            row[f"{name}_paper"] = published(paper, quantity=name, attack=attack)
        made.append(row | {"clips": len(own)})
    return table(made, ["attack", "snr_db"], **PLACES)


def _confusions(fooled: pd.DataFrame) -> pd.DataFrame:
    rows = fooled[(fooled.model == "vgg13") & fooled.treatment.isin(("live_reverb", "noise_20dB"))]
    return rows[["treatment", "attack", "clip_id", "label", "decision"]].reset_index(drop=True)
