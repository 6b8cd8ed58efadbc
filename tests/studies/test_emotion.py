"""The study's tables, from files in the form of the sweeps' whose recalls are known."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from stages.frame import shards
from stages.frame.clip_table import stable_hash
from stages.frame.devices import Worker
from stages.frame.errors import UserError
from stages.measures.recall import uar_interval
from stages.studies import emotion

NETWORKS = ("cnn4", "resnet50", "vgg16")
SPLITS = {"train": "", "validation": "development", "test": "test"}
LABELS = {"anger": 20, "fear": 20, "neutral": 10}  # clips a split, of five speakers
EPSILONS = (0.04, 0.08)
# Recall of anger and fear by CNN-4; that of neutral is lower by .2.
RECALLS = {
    "single": {"none": 0.8, "fgsm": (0.4, 0.2), "bim": (0.2, 0.0)},
    "vanilla": {"none": 0.9, "fgsm": (0.7, 0.4), "bim": (0.1, 0.0)},
    "similarity": {"none": 0.7, "fgsm": (0.7, 0.6), "bim": (0.5, 0.4)},
    "noise": {"audio": 0.8, "log_mel": 0.6},
}
BETTER = {"cnn4": 0.0, "resnet50": -0.1, "vgg16": 0.1}
KEPT = (3, 10)  # of anger and fear the ranks that FGSM never fools of CNN-4, and always


def recall(network: str, regime: str, variant: str, attack: str, epsilon: float) -> float:
    """The recall of anger and fear, a multiple of .1."""
    known = RECALLS[regime]
    value = known[variant] if regime == "noise" else known[attack]
    value = value[EPSILONS.index(epsilon)] if isinstance(value, tuple) else value
    return min(1.0, max(0.0, value + BETTER[network]))


def uar(*model) -> float:
    """The UAR over the three labels, to the tables' four places."""
    return round((2 * recall(*model) + max(0.0, recall(*model) - 0.2)) / 3, 4)


def clip_list() -> pd.DataFrame:
    """Each label's clips of each split in a row; `rank` is which of them falls first as the recall goes down."""
    rows = []
    for part, split in enumerate(SPLITS):
        for label, count in LABELS.items():
            for number in range(count):
                speaker = 10 * part + number // (count // 5)
                rows.append(
                    (f"{split}-{label}{number}", label, f"{'fm'[speaker % 2]}{speaker:02d}", split, number * 7 % count)
                )
    table = pd.DataFrame(rows, columns=["clip_id", "label", "speaker", "split", "rank"])
    return table.assign(duration_s=2.0, problem="")


def decisions(clips: pd.DataFrame, share: float) -> pd.Series:
    count = clips.label.map(LABELS)
    share = np.where(clips.label == "neutral", max(0.0, share - 0.2), share)
    wrong = clips.label.map({"anger": "fear", "fear": "neutral", "neutral": "anger"})
    return clips.label.where(clips["rank"] < np.round(share * count), wrong)


def sweep(network: str, regimes: tuple[str, ...]) -> pd.DataFrame:
    """All rows of one sweep; `kept` are two test clips of each label."""
    variants = {"single": [""], "noise": ["audio", "log_mel"]}
    made = []
    for regime in regimes:
        for split, purpose in list(SPLITS.items())[1:]:
            for variant in variants.get(regime, [f"{epsilon:g}" for epsilon in EPSILONS]):
                trained_with = float(variant) if regime in ("vanilla", "similarity") else 0.0
                epsilons = {"single": EPSILONS, "noise": ()}.get(regime, (trained_with,))
                runs = [("none", 0.0)] + [(attack, epsilon) for attack in ("fgsm", "bim") for epsilon in epsilons]
                clips = clip_list().query("split == @split")
                clean = decisions(clips, recall(network, regime, variant, "none", 0.0))
                for attack, epsilon in runs:
                    adversarial = decisions(clips, recall(network, regime, variant, attack, epsilon))
                    member = f"{purpose}-{variant}" if variant else purpose
                    rows = clips.assign(victim=f"{network}-{regime}", network=network, regime=regime, variant=variant)
                    made.append(
                        rows.assign(
                            key=clips.clip_id + f"/{network}-{regime}/{member}/{attack}-{epsilon:g}",
                            purpose=purpose,
                            training_epsilon=trained_with,
                            attack=attack,
                            epsilon=epsilon,
                            clean_prediction=clean,
                            clean_confidence=0.9 - clips["rank"] / 100,
                            adversarial_prediction=adversarial,
                            confidence=0.6,
                            success=adversarial != clips.label,
                            kept=(split == "test") & (regime == "single") & clips["rank"].isin(KEPT),
                        )
                    )
    return pd.concat(made, ignore_index=True)


def image(row) -> np.ndarray:
    """A standardised log-mel image (frames, mels) of ramps, with random signs of the row's epsilon on it."""
    frame, mel = np.mgrid[:40, :16]
    signs = np.sign(np.random.default_rng(stable_hash(row.key) % 2**32).standard_normal(frame.shape))
    return (np.sin(frame / 5 + mel / 4) - mel / 10 + row.epsilon * signs).astype("f")


def write(items: dict[str, tuple[str, ...]]) -> dict:
    """Writes what the study reads below the working directory, and returns the parameters that name it.

    Sound leaves anger as it was, loses fear always, and brings neutral back.
    """

    def compute(rows):
        return rows, [{"log_mel": image(row)} if row.kept else {} for row in rows.itertuples()]

    kept = []
    for network, regimes in items.items():
        table = sweep(network, regimes)
        about = {"inputs": [], "settings": 0, "worker": Worker(), "description": "t", "clips_per_shard": 3000}
        shards.write_set(table, f"data/emotion/sweeps/{network}", compute, **about)
        kept.append(table[table.kept].assign(item=network))
    inverted = pd.concat(kept)
    inverted["inverted_prediction"] = inverted.adversarial_prediction.where(inverted.label == "anger", "neutral")
    for folder, table in {"inverted": inverted, "audio": clip_list()}.items():
        Path("data/emotion", folder).mkdir()
        table.to_csv(Path("data/emotion", folder, "clips.csv"), index=False)
    return {"sweep_items": {name: {"study": "emotion"} for name in items} | {"other": {"study": "events"}}}


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("emotion"))
        regimes = ("single", "vanilla", "similarity")
        yield emotion.read(write(dict.fromkeys(NETWORKS, regimes) | {"vgg16": (*regimes, "noise")}))


@pytest.fixture(scope="module")
def made(measured):
    return emotion.tables(measured)


def row_of(table: pd.DataFrame, **where) -> pd.Series:
    for column, value in where.items():
        table = table[table[column] == value]
    assert len(table) == 1
    return table.iloc[0]


def test_partition_counts_speakers_and_clips_beside_the_papers(made):
    table = made["table_1"].set_index("row")
    columns = ["train", "dev", "test", "total", "female", "male"]
    assert list(table.index) == ["speakers", "anger", "fear", "neutral", "total"]
    assert table.loc["speakers", columns].tolist() == [5, 5, 5, 15, 9, 6]
    assert table.loc["neutral", columns].tolist() == [10, 10, 10, 30, 18, 12]
    assert table.loc["total", columns].tolist() == [50, 50, 50, 150, 90, 60]
    assert table.loc["anger", [f"{column}_paper" for column in columns]].tolist() == [492, 472, 513, 1477, 516, 961]
    assert table.loc["neutral"].filter(like="_paper").isna().all()


def test_unreadable_clips_are_in_no_count_and_other_speakers_have_no_gender(measured):
    paper = pd.read_csv(emotion.PAPER, keep_default_na=False)
    clips = measured.clips.assign(speaker="fred")
    clips.loc[0, "problem"] = "no audio"
    table = emotion._partition(clips, paper).set_index("row")
    assert (table.total["total"], table.total["speakers"]) == (149, 1)
    assert table[["female", "male"]].isna().all(axis=None)


def test_recalls_are_unweighted_and_stand_beside_the_papers(made):
    table = made["table_2"]
    assert list(zip(table.regime, table.epsilon)) == [("single", 0)] + [
        (regime, epsilon) for regime in ("vanilla", "similarity") for epsilon in EPSILONS
    ]
    row = row_of(table, regime="vanilla", epsilon=0.08)
    for network in NETWORKS:
        for split in ("dev", "test"):
            assert row[f"{network}_real_{split}"] == uar(network, "vanilla", "0.08", "none", 0.0)
            assert row[f"{network}_fake_{split}"] == uar(network, "vanilla", "0.08", "fgsm", 0.08)
    assert row.vgg16_fake_dev_low < row.vgg16_fake_dev < row.vgg16_fake_dev_high
    assert (row.vgg16_real_dev_paper, row.vgg16_fake_test_paper, row.n_dev, row.n_test) == (0.875, 0.756, 50, 50)
    single = row_of(table, regime="single")
    assert single.cnn4_real_test == uar("cnn4", "single", "", "none", 0.0) != 0.76  # .76 is the accuracy
    assert single.filter(like="_fake_").isna().all()
    assert single.resnet50_real_dev_paper == 0.719


def test_intervals_take_speakers_as_clusters(measured, made):
    own = measured.sweeps.query("victim == 'cnn4-single' and attack == 'none' and purpose == 'test'")
    low, high = uar_interval(own.label, own.clean_prediction, own.speaker)
    single = row_of(made["table_2"], regime="single")
    assert (single.cnn4_real_test_low, single.cnn4_real_test_high) == pytest.approx((low, high), abs=1e-4)


def test_the_augmentations_epsilon_is_chosen_on_the_development_split(measured, made):
    table = made["table_3"].set_index("method")
    assert (table.dev_paper["WaveNet (two classes)"], table.test_paper["WaveNet (two classes)"]) == (0.857, 0.741)
    assert math.isnan(table.dev["WaveNet (two classes)"])
    noise = table.loc["random noise on spectrograms"]
    assert (noise.dev, noise.test) == (uar("vgg16", "noise", "log_mel", "none", 0.0),) * 2
    assert (noise.dev_paper, noise.test_paper, noise.n_test) == (0.808, 0.833, 50)
    ours = table.iloc[-1]
    assert (ours.epsilon, ours.epsilon_paper, ours.dev_paper, ours.test_paper) == (0.04, 0.08, 0.875, 0.867)
    worse = measured.sweeps.copy()
    other = (worse.victim == "vgg16-vanilla") & (worse.training_epsilon == 0.04) & (worse.purpose == "development")
    worse.loc[other & (worse.attack == "none"), "adversarial_prediction"] = "neutral"
    paper = pd.read_csv(emotion.PAPER, keep_default_na=False)
    assert emotion._augmentations(emotion._scores(worse), paper).epsilon.iloc[-1] == 0.08


def test_robustness_says_where_bim_takes_what_fgsm_left(made):
    table = made["table_robustness"]
    assert len(table) == 3 * 3 * 2 * 2
    row = row_of(table, network="cnn4", regime="vanilla", split="test", epsilon=0.04)
    assert row.uar_real == uar("cnn4", "vanilla", "0.04", "none", 0.0)
    assert row.uar_fgsm == uar("cnn4", "vanilla", "0.04", "fgsm", 0.04)
    assert row.uar_bim == uar("cnn4", "vanilla", "0.04", "bim", 0.04)
    assert row.halfway == pytest.approx((row.uar_real + 1 / 3) / 2, abs=1e-4)
    assert (row.holds_fgsm, row.holds_bim, row.falls_to_bim, row.impossible) == ("yes", "no", "yes", "no")
    # Of 18 + 18 + 7 correct decisions FGSM leaves 14 + 14 + 5, and BIM 2 + 2 + 0.
    assert (row.right, row.flips_fgsm, row.flips_bim) == (43, round(10 / 43, 4), round(39 / 43, 4))
    assert row.flips_fgsm_low < row.flips_fgsm < row.flips_fgsm_high
    row = row_of(table, network="cnn4", regime="single", split="dev", epsilon=0.08)
    assert (row.holds_fgsm, row.holds_bim, row.falls_to_bim) == ("no", "no", "no")
    row = row_of(table, network="vgg16", regime="similarity", split="dev", epsilon=0.08)
    assert (row.holds_fgsm, row.holds_bim, row.falls_to_bim) == ("yes", "no", "yes")
    assert set(table.impossible) == {"no"}


def test_fgsm_above_bim_is_called_impossible(measured):
    swapped = measured.sweeps.replace({"attack": {"fgsm": "bim", "bim": "fgsm"}})
    table = emotion._robustness(emotion._scores(swapped))
    assert set(table.impossible) == {"yes"}


def test_given_back_and_taken_are_differences_on_the_same_clips(made):
    row = row_of(made["table_given_back"], network="vgg16", regime="similarity", split="test", epsilon=0.08)
    single_real, single_fake, real, fake = (
        uar("vgg16", regime, variant, attack, epsilon)
        for regime, variant in (("single", ""), ("similarity", "0.08"))
        for attack, epsilon in (("none", 0.0), ("fgsm", 0.08))
    )
    values = (single_real - single_fake, real - fake, fake - single_fake, real - single_real)
    assert (row.taken, row.still_taken, row.given_back, row.real_gain) == pytest.approx(values, abs=2e-4)
    assert row.given_back_low < row.given_back < row.given_back_high
    assert (row.still_taken_paper, row.real_gain_paper) == pytest.approx((0.653 - 0.550, 0.653 - 0.836))
    assert row.n == 50


def test_the_papers_z_tests_are_recomputed_and_stand_beside_ours(made):
    row = row_of(made["table_z"], rival="CNN-4, single (as printed)", split="dev")
    assert (row.uar_paper, row.uar_of_rival_paper, row.n_paper) == (0.875, 0.826, 3024)
    assert row.z_paper == pytest.approx(0.049 / math.sqrt(0.8505 * 0.1495 * 2 / 3024), abs=1e-4)
    assert 4.5e-8 < row.p_paper < 4.8e-8
    ours, rival = uar("vgg16", "vanilla", "0.08", "none", 0.0), uar("cnn4", "single", "", "none", 0.0)
    middle = (ours + rival) / 2
    assert (row.uar, row.uar_of_rival, row.n, row.epsilon) == (ours, rival, 50, 0.08)
    assert row.z == pytest.approx((ours - rival) / math.sqrt(middle * (1 - middle) * 2 / 50), abs=2e-3)
    like = row_of(made["table_z"], rival="VGG-16, single (like for like)", split="dev")
    assert (like.uar_of_rival_paper, like.uar_of_rival) == (0.798, uar("vgg16", "single", "", "none", 0.0))
    noise = row_of(made["table_z"], rival="VGG-16, random noise on raw audio", split="test")
    assert (noise.uar_of_rival_paper, noise.n_paper) == (0.833, 3317)
    assert noise.uar_of_rival == uar("vgg16", "noise", "audio", "none", 0.0)


def test_another_epsilon_takes_the_place_of_the_papers(measured):
    paper = pd.read_csv(emotion.PAPER, keep_default_na=False)
    table = emotion._tests(emotion._scores(measured.sweeps[measured.sweeps.training_epsilon != 0.08]), paper)
    assert set(table.epsilon) == {0.04}
    assert set(table.epsilon_paper) == {0.08}


def test_inversion_is_judged_on_clips_whose_clean_image_survives_it(made):
    table = made["table_inversion"][made["table_inversion"].network == "cnn4"]
    control = row_of(table, attack="none")
    # Two clips of anger and of fear and one of neutral; fear is lost.
    assert (control.images, control.wrong_after, control.clean_right) == (5, 0.4, 0.6)
    assert math.isnan(control.still_fools)
    row = row_of(table, attack="fgsm", epsilon=0.04)
    # FGSM fooled on one clip of each; those of anger and neutral survive when clean, that of anger still fools.
    assert (row.images, row.wrong_after, row.clean_right, row.still_fools, row.n) == (3, 0.6667, 0.6667, 0.5, 2)
    row = row_of(table, attack="bim", epsilon=0.08)
    assert (row.images, row.wrong_after, row.clean_right, row.still_fools, row.n) == (5, 0.8, 0.6, 0.6667, 3)
    assert row.still_fools_low < row.still_fools < row.still_fools_high


def test_the_example_is_of_anger_by_the_best_network_at_the_largest_epsilon(made):
    real, fake = made["figure_2"].itertuples()
    assert (real.network, real.label, real.epsilon, real.clip_id) == ("vgg16", "anger", 0.08, fake.clip_id)
    assert (real.decision, fake.decision, real.probability, fake.probability) == ("anger", "fear", 0.8, 0.6)
    assert (real.decision_paper, real.probability_paper) == ("anger", 0.866)
    assert (fake.decision_paper, fake.probability_paper) == ("happiness", 0.958)
    assert real.key.endswith("/vgg16-single/test/none-0") and fake.key.endswith("/vgg16-single/test/fgsm-0.08")


def test_curves_start_at_real_data_for_either_attack(made):
    table = made["figure_3"]
    own = table[(table.network == "resnet50") & (table.split == "test")]
    for attack in ("fgsm", "bim"):
        curve = own[own.attack == attack]
        assert curve.epsilon.tolist() == [0, *EPSILONS]
        known = [uar("resnet50", "single", "", attack if epsilon else "none", epsilon) for epsilon in curve.epsilon]
        assert curve.uar.tolist() == known
    assert table.chance.eq(0.3333).all()


def test_figures_are_drawn(measured, made, tmp_path):
    emotion.figures(made, measured, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == set(emotion.FIGURES)
    assert all(path.stat().st_size > 20_000 for path in tmp_path.iterdir())


def verdicts(made) -> dict[str, str]:
    return dict(zip(made["claims"].claim, made["claims"].verdict))


def verdict(made, start: str) -> tuple[str, str, str]:
    own = made["claims"][made["claims"].claim.str.startswith(start)]
    assert len(own) == 1
    return own.verdict.iloc[0], own.here.iloc[0], own.paper.iloc[0]


def test_claims_are_counted_in_the_papers_table_as_in_ours(made):
    assert not made["claims"].claim.duplicated().any()
    assert set(made["claims"].verdict) <= {"holds", "does not hold", "not testable here"}
    assert verdict(made, "CNN-4, trained on real data")[0] == "holds"
    claim = verdict(made, "Vanilla adversarial training mostly improves")
    assert claim[0] == "holds" and claim[1].startswith("12 of 12 cells") and claim[2].startswith("27 of 30 cells")
    claim = verdict(made, "Similarity adversarial training mostly improves")
    assert claim[0] == "does not hold" and claim[1].startswith("0 of 12 cells")
    assert claim[2].startswith("8 of 30 cells") and "contradicts" in claim[2]
    # As good is not better, and half is not most.
    better = ("does not hold", "6 of 12 cells", "23 of 30 cells")
    assert verdict(made, "Similarity adversarial training is better on fake") == better
    assert verdict(made, "Vanilla adversarial training is better on real")[1:] == ("12 of 12 cells", "27 of 30 cells")
    assert verdict(made, "Similarity adversarial training protects")[1].startswith("12 of 12 cells")
    claim = verdict(made, "VGG-16 is the best of the three networks on real")
    assert claim[0] == "holds" and claim[1].startswith("10 of 10 cells") and claim[2].startswith("14 of 22 cells")
    claim = verdict(made, "ResNet-50 is the worst of the three networks on fake")
    assert claim[0] == "holds" and claim[1].startswith("8 of 8 cells") and claim[2].startswith("11 of 20 cells")
    assert verdict(made, "The best result on real data")[:2] == (
        "holds",
        "VGG-16, vanilla at 0.04: dev 0.933, test 0.933",
    )


def test_the_check_against_bim_counts_who_holds(made):
    assert verdict(made, "Vanilla adversarial training also holds")[1].startswith("0 of 12 cells")
    holding = made["table_robustness"].query("regime == 'similarity'").holds_bim.eq("yes").sum()
    claim = verdict(made, "Similarity adversarial training also holds")
    assert claim[1].startswith(f"{holding} of 12 cells")


def test_headline_numbers(made):
    metrics = emotion.metrics(made)
    assert 10 <= len(metrics) <= 30
    assert metrics["uar_cnn4_single_dev"] == uar("cnn4", "single", "", "none", 0.0)
    assert metrics["uar_cnn4_single_bim_largest"] == 0
    assert metrics["uar_vgg16_single_fgsm_smallest"] == uar("vgg16", "single", "", "fgsm", 0.04)
    assert metrics["uar_resnet50_similarity_fgsm_largest"] == uar("resnet50", "similarity", "0.08", "fgsm", 0.08)
    assert metrics["uar_best_test"] == uar("vgg16", "vanilla", "0.04", "none", 0.0)
    assert metrics["claims_that_hold"] == (made["claims"].verdict == "holds").sum()


def test_what_was_not_measured_leaves_tables_smaller_and_claims_untested(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    measured = emotion.read(write({"cnn4": ("single", "similarity"), "vgg16": ("noise",)}))
    made = emotion.tables(measured)
    assert not any("resnet50" in column for column in made["table_2"])
    assert list(made["table_2"].regime) == ["single", "similarity", "similarity"]
    assert made["table_3"].dev.notna().tolist() == [False, True, True, False]
    assert made["table_z"].z.isna().all() and made["table_z"].z_paper.notna().all()
    assert set(made["table_given_back"].regime) == {"similarity"}
    untested = {claim for claim, given in verdicts(made).items() if given == "not testable here"}
    assert {claim.split(",")[0] for claim in untested} >= {"ResNet-50", "VGG-16"}
    assert verdict(made, "CNN-4, trained on real data")[0] == "holds"
    assert verdict(made, "Vanilla adversarial training mostly")[0] == "not testable here"
    assert verdict(made, "Similarity adversarial training protects")[0] == "holds"
    assert not any(math.isnan(value) for value in emotion.metrics(made).values())
    emotion.figures(made, measured, tmp_path)
    assert set(emotion.FIGURES) <= {path.name for path in tmp_path.iterdir()}


def test_without_attacks_and_kept_images_tables_keep_their_columns(measured, tmp_path):
    bare = measured.sweeps[measured.sweeps.attack == "none"].assign(kept=False)
    none = emotion.Measured(measured.clips, bare, measured.inverted.head(0), measured.images)
    made = emotion.tables(none)
    for name in ("table_robustness", "table_inversion", "figure_2", "figure_3"):
        assert made[name].empty and len(made[name].columns) > 5
    assert verdict(made, "CNN-4, trained on real data")[0] == "not testable here"
    emotion.figures(made, none, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == set(emotion.FIGURES)
    assert "claims_that_hold" in emotion.metrics(made)


def test_no_sweep_of_the_study_is_the_users_error():
    with pytest.raises(UserError, match="sweep_items: expected one of the study emotion"):
        emotion.read({"sweep_items": {"other": {"study": "events"}}})


def test_the_papers_values_add_up():
    """Table 1 sums to its totals; Table 2 has 11 rows of 12 values, but none of single training on fake data."""
    paper = pd.read_csv(emotion.PAPER, keep_default_na=False)
    counts = paper[paper.table == "table_1"].pivot(index="label", columns="column", values="value").astype(int)
    emotions = counts.drop(index=["speakers", "total"])
    assert emotions.sum().to_dict() == counts.loc["total"].to_dict()
    assert len(emotions) == 7
    assert (counts[["train", "dev", "test"]].sum(axis=1) == counts.total).all()
    assert (counts[["female", "male"]].sum(axis=1) == counts.total).all()
    recalls = paper[paper.table == "table_2"]
    assert len(recalls) == 11 * 12 - 6
    assert not recalls.duplicated(["network", "regime", "variant", "data", "column"]).any()
    assert set(recalls.data[recalls.regime == "single"]) == {"real"}
    assert recalls["value"].between(0.3, 0.9).all()
    best = recalls[(recalls.network == "vgg16") & (recalls.variant == "0.08") & (recalls.regime == "vanilla")]
    best = best[best.data == "real"].set_index("column")["value"].to_dict()
    table_3 = paper[(paper.table == "table_3") & (paper.regime == "vanilla")].set_index("column")["value"].to_dict()
    assert best == table_3 == {"dev": 0.875, "test": 0.867}
    assert len(paper[paper.table == "table_3"]) == 4 * 2
