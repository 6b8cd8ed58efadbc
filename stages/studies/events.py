"""Room of studies: the tables of Subramanian et al., "Robustness of adversarial attacks in sound event classification".

All shares are percentages with 95 % intervals, which take into account that the sets share clips.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from stages.frame import clip_table
from stages.measures.intervals import clustered, mean_interval, wilson
from stages.studies import events_claims

PAPER = Path(__file__).with_name("events_paper.csv")
OUTCOMES = ("Adv", "GT", "Diff")
CONTROL = "none"

# Each corpus, and the set that holds its clips.
CORPORA = {"events": "audio"}
TITLE = "Sound events: minimal attacks against input transforms"
NOTE = "Shares are percentages: Adv still decided as the attack wants, GT back to the ground truth, Diff a third class."
TABLES = {
    "table_1": "Table 1. Accuracy of the victims, %",
    "table_attacks": "Attacks. How many of the attacked clips fell, at what distance and cost",
    "table_2": "Table 2. What each transform does to clean clips, %",
    "table_3": "Table 3. What each transform does to adversarial clips, all models and attacks, %",
    "table_4": "Table 4. The best two transforms for each model, %",
    "table_5": "Table 5. The best three transforms for each attack, %",
}
FIGURES = {"figure_1.png": "Figure 1. VGG13's decisions on treated adversarial clips against the truth, %"}


@dataclass(frozen=True)
class Measured:
    """What the study is told from.

    `scores` has one row for each clip, item and transform, with the item's name without its victim in the column
    `kind`; `decisions` gives each victim's decision on every clip of the corpus.
    """

    scores: pd.DataFrame
    decisions: dict[str, pd.DataFrame]


def read(parameters: dict[str, Any]) -> Measured:
    """The scores of the items and the decisions of the victims that params.yaml names now, and nothing else."""
    items = {name: item for name, item in parameters["attack_items"].items() if item["study"] == "events"}
    victims = {name: victim for name, victim in parameters["victims"].items() if victim["study"] == "events"}
    scores = pd.concat([_scores(name, item) for name, item in items.items()], ignore_index=True)
    models = {name: Path("models/events", victim["network"], name) for name, victim in victims.items()}
    return Measured(scores, {name: clip_table.read(model / "decisions.csv") for name, model in models.items()})


def _scores(name: str, item: dict[str, str]) -> pd.DataFrame:
    """An item's scores; `kind` is its name without the victim's, `attack` likewise."""
    table = clip_table.read(Path("data/events/scores", name, "clips.csv"))
    kind = name.removeprefix(f"{item['victim']}-")
    return table.assign(model=item["victim"], kind=kind, attack=kind)


def tables(measured: Measured) -> dict[str, pd.DataFrame]:
    """Tables 1 to 5, the attacks' own table, the data of Figure 1 and the claims, by file name without suffix."""
    scores, decisions = measured.scores, measured.decisions
    paper = pd.read_csv(PAPER, keep_default_na=False)
    fooled = scores[scores.success]
    clean = scores[scores.kind == "clean"]
    made = {
        "table_1": _accuracies(decisions, paper),
        "table_2": _shares_by(clean, ["transform"], paper[paper.table == 2], ("GT", "Diff")),
        "table_3": _shares_by(fooled, ["transform"], paper[paper.table == 3], OUTCOMES),
        "table_4": _best(fooled, "model", 2, paper[paper.table == 4]),
        "table_5": _best(fooled, "attack", 3, paper[paper.table == 5]),
        "table_attacks": _attacks(scores),
        "figure_1": _confusions(fooled),
    }
    made["table_5"] = made["table_5"].merge(_strength(fooled, paper[paper.table == 5]), on="attack", how="left")
    made["claims"] = events_claims.claims(made, fooled, clean)
    return made


def metrics(made: dict[str, pd.DataFrame]) -> dict[str, float]:
    """The headline numbers."""
    accuracy = made["table_1"].set_index("model")
    by_attack = made["table_attacks"].groupby("attack")[["attacked", "fooled"]].sum()
    defence, clean = made["table_3"].set_index("transform"), made["table_2"].set_index("transform")
    strength = made["table_5"].drop_duplicates("attack").set_index("attack")
    values = {f"accuracy_{model}": accuracy.test[model] for model in accuracy.index}
    values |= {f"success_{attack}": 100 * row.fooled / row.attacked for attack, row in by_attack.iterrows()}
    values |= {f"snr_db_{attack}": strength.snr_db[attack] for attack in strength.index}
    values |= {f"recovered_{transform}": defence.GT[transform] for transform in defence.index}
    values |= {f"clean_kept_{name}": clean.GT[name] for name in clean.index if name in ("noise_20dB", "live_reverb")}
    return {name: round(float(value), 2) for name, value in values.items()}


def figures(made: dict[str, pd.DataFrame], measured: Measured, folder: Path) -> None:
    """Draws Figure 1: VGG13's decisions on treated adversarial clips against the truth, under two transforms."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    data = made["figure_1"]
    labels = sorted(set(data.label) | set(data.decision))
    size = max(4.5, 0.28 * len(labels))
    figure, axes = plt.subplots(1, 2, figsize=(2 * size + 2.5, size + 1), layout="constrained", sharey=True)
    for axis, name, title in zip(axes, ("live_reverb", "noise_20dB"), ("(a) live reverb", "(b) noise at 20 dB")):
        own = data[data["transform"] == name]
        counts = pd.crosstab(own.label, own.decision).reindex(index=labels, columns=labels, fill_value=0)
        shares = counts.div(counts.sum(axis=1).clip(lower=1), axis=0) * 100
        image = axis.imshow(shares, vmin=0, vmax=100, cmap="viridis")
        axis.set_xticks(range(len(labels)), labels, rotation=90)
        axis.set_yticks(range(len(labels)), labels)
        axis.set(title=f"{title} (n = {len(own)})", xlabel="decision after the transform")
    axes[0].set_ylabel("ground truth")
    figure.colorbar(image, ax=axes, label="% of the class")
    figure.savefig(folder / "figure_1.png", dpi=110, metadata={"Software": None})
    plt.close(figure)


def _share(rows: pd.DataFrame, outcome: str) -> dict[str, float]:
    """The share of an outcome in per cent with its interval, clips being the clusters."""
    hits = (rows.outcome == outcome).groupby(rows.clip_id).agg(["sum", "count"])
    low, high = clustered(hits["sum"].to_numpy(float), hits["count"].to_numpy(float))
    share = (rows.outcome == outcome).mean() if len(rows) else float("nan")
    return {outcome: 100 * share, f"{outcome}_low": 100 * low, f"{outcome}_high": 100 * high}


def _published(paper: pd.DataFrame, quantity: str, **where: str) -> float:
    rows = paper[paper.quantity == quantity]
    for column, value in where.items():
        rows = rows[rows[column] == value]
    return float(rows.value.iloc[0]) if len(rows) == 1 else float("nan")


def _shares_by(rows: pd.DataFrame, keys: list[str], paper: pd.DataFrame, outcomes: tuple[str, ...]) -> pd.DataFrame:
    """One row for each combination of `keys`, in the order met, with shares, intervals, the paper's values and n."""
    made = []
    for names, own in rows.groupby(keys, sort=False):
        where = dict(zip(keys, names))
        row: dict[str, object] = dict(where)
        for outcome in outcomes:
            row |= _share(own, outcome)
            row[f"{outcome}_paper"] = _published(paper, outcome, **where)
        made.append(row | {"n": len(own)})
    return _rounded(pd.DataFrame(made))


def _best(rows: pd.DataFrame, key: str, count: int, paper: pd.DataFrame) -> pd.DataFrame:
    """The paper's rows, and ours where the best `count` transforms are others; ranks are by GT, the control apart."""
    shares = _shares_by(rows[rows["transform"] != CONTROL], [key, "transform"], paper, OUTCOMES)
    shares["rank"] = shares.groupby(key).GT.rank(method="first", ascending=False).astype(int)
    ranks = paper[(paper["transform"] != "") & (paper.quantity == "GT")]
    ranks = ranks.assign(rank_paper=ranks.groupby(key).cumcount() + 1)[[key, "transform", "rank_paper"]]
    table = shares.merge(ranks, on=[key, "transform"], how="left")
    shown = table[(table["rank"] <= count) | table.rank_paper.notna()]
    columns = [key, "transform", "rank", "rank_paper"]
    shown = shown[columns + [column for column in shown.columns if column not in columns]]
    order = {name: place for place, name in enumerate(rows[key].unique())}
    shown = shown.sort_values([key, "rank"], key=lambda column: column.map(order) if column.name == key else column)
    return shown.astype({"rank_paper": "Int64"})


def _accuracies(decisions: dict[str, pd.DataFrame], paper: pd.DataFrame) -> pd.DataFrame:
    made = []
    for model, table in decisions.items():
        row: dict[str, object] = {"model": model}
        for name, splits in (("training", ("train", "validation")), ("test", ("test",))):
            own = table[table.split.isin(splits)]
            right = int((own.decision == own.label).sum())
            low, high = wilson(right, len(own))
            row |= {name: 100 * right / len(own), f"{name}_low": 100 * low, f"{name}_high": 100 * high}
            row |= {f"{name}_paper": _published(paper, name, model=model), f"{name}_n": len(own)}
        made.append(row)
    return _rounded(pd.DataFrame(made))


def _attacks(scores: pd.DataFrame) -> pd.DataFrame:
    """How each victim fared: clips attacked (all decided correctly), fooled, and at what distance and cost."""
    made = []
    rows = scores[(scores.kind != "clean") & (scores["transform"] == CONTROL)]
    for (model, attack), own in rows.groupby(["model", "attack"], sort=False):
        fooled = own[own.success]
        low, high = wilson(len(fooled), len(own))
        row = {"model": model, "attack": attack, "attacked": len(own), "fooled": len(fooled)}
        row |= {"success": 100 * len(fooled) / len(own), "success_low": 100 * low, "success_high": 100 * high}
        row |= {"snr_db": fooled.snr_db.mean(), "relative_loudness_db": fooled.relative_loudness_db.mean()}
        row |= {
            "median_l2": fooled.l2_audio.median(),
            "forwards": own.forwards.mean(),
            "backwards": own.backwards.mean(),
        }
        row |= {"survives_16_bit": 100 * (fooled.outcome == "Adv").mean()}
        made.append(row)
    return _rounded(pd.DataFrame(made), median_l2=4)


def _strength(fooled: pd.DataFrame, paper: pd.DataFrame) -> pd.DataFrame:
    """Mean SNR and confidence of each attack's adversarial clips."""
    made = []
    for attack, own in fooled[fooled["transform"] == CONTROL].groupby("attack", sort=False):
        row: dict[str, object] = {"attack": attack}
        for name, values in (("snr_db", own.snr_db), ("confidence", 100 * own.confidence)):
            low, high = mean_interval(values.to_numpy())
            row |= {name: values.mean(), f"{name}_low": low, f"{name}_high": high}
            row[f"{name}_paper"] = _published(paper, name, attack=attack)
        made.append(row | {"clips": len(own)})
    return _rounded(pd.DataFrame(made))


def _confusions(fooled: pd.DataFrame) -> pd.DataFrame:
    rows = fooled[(fooled.model == "vgg13") & fooled["transform"].isin(("live_reverb", "noise_20dB"))]
    return rows[["transform", "attack", "clip_id", "label", "decision"]].reset_index(drop=True)


def _rounded(table: pd.DataFrame, **places: int) -> pd.DataFrame:
    return table.round({column: places.get(column, 2) for column in table.select_dtypes("float").columns})
