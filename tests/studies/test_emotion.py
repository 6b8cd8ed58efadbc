"""The emotion study's tables, from adversarial sets whose recalls are known."""

import math

import pandas as pd
import pytest
from emotion_sets import EPSILONS, FAMILIES, NETWORKS, uar, write

from stages.measures.recall import uar_interval
from stages.studies.emotion import robustness
from stages.studies.emotion import tables as emotion
from stages.studies.emotion.scores import scores


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("emotion"))
        yield emotion.read(write(FAMILIES))


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


def test_a_label_may_be_called_as_a_row_of_another_kind(measured):
    paper = pd.read_csv(emotion.PAPER, keep_default_na=False)
    names = {"anger": "speakers", "fear": "total"}
    table = emotion._partition(measured.clips.assign(label=measured.clips.label.replace(names)), paper)
    assert table.row.tolist() == ["speakers", "neutral", "speakers", "total", "total"]
    assert table.total.tolist() == [15, 30, 60, 60, 150]
    assert table.total_paper.isna().tolist() == [False, True, True, True, False]


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
    own = measured.attacked.query("victim == 'cnn4/single' and attack == 'none' and purpose == 'test'")
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
    worse = measured.attacked.copy()
    other = (worse.victim == "vgg16/vanilla") & (worse.training_epsilon == 0.04) & (worse.purpose == "development")
    worse.loc[other & (worse.attack == "none"), "adversarial_prediction"] = "neutral"
    paper = pd.read_csv(emotion.PAPER, keep_default_na=False)
    assert emotion._augmentations(scores(worse), paper).epsilon.iloc[-1] == 0.08


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
    swapped = measured.attacked.replace({"attack": {"fgsm": "bim", "bim": "fgsm"}})
    table = robustness.robustness(scores(swapped))
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
    table = emotion._tests(scores(measured.attacked[measured.attacked.training_epsilon != 0.08]), paper)
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


def test_inversion_of_two_speakers_clips_is_known_as_of_two_draws():
    """Ten clips of one are lost, ten of the other kept: the ends are those of one success in two (Clopper-Pearson)."""
    rows = [
        {"clip_id": f"{speaker}{n}", "speaker": speaker, "attack": attack, "epsilon": epsilon, "success": epsilon > 0}
        | {"decision": "fear" if epsilon and speaker == "f1" else "anger"}
        for attack, epsilon in (("none", 0.0), ("fgsm", 0.04))
        for speaker in ("f1", "m1")
        for n in range(10)
    ]
    inverted = pd.DataFrame(rows).assign(network="cnn4", victim="cnn4", label="anger", clean_prediction="anger")
    row = row_of(robustness.inversion(inverted), attack="fgsm")
    for name in ("wrong_after", "still_fools"):
        assert [row[f"{name}{end}"] for end in ("", "_low", "_high")] == [0.5, 0.0126, 0.9874]
    control = row_of(robustness.inversion(inverted), attack="none")
    assert [control[f"clean_right{end}"] for end in ("", "_low", "_high")] == [1.0, 0.1581, 1.0]


def test_the_example_is_of_anger_by_the_best_network_at_the_largest_epsilon(made):
    real, fake = made["figure_2"].itertuples()
    assert (real.network, real.label, real.epsilon, real.clip_id) == ("vgg16", "anger", 0.08, fake.clip_id)
    assert (real.decision, fake.decision, real.probability, fake.probability) == ("anger", "fear", 0.8, 0.6)
    assert (real.decision_paper, real.probability_paper) == ("anger", 0.866)
    assert (fake.decision_paper, fake.probability_paper) == ("happiness", 0.958)
    assert real.key.endswith("/vgg16/single/test/none-") and fake.key.endswith("/vgg16/single/test/fgsm-0.08")


def test_curves_start_at_real_data_for_either_attack(made):
    table = made["figure_3"]
    own = table[(table.network == "resnet50") & (table.split == "test")]
    for attack in ("fgsm", "bim"):
        curve = own[own.attack == attack]
        assert curve.epsilon.tolist() == [0, *EPSILONS]
        known = [uar("resnet50", "single", "", attack if epsilon else "none", epsilon) for epsilon in curve.epsilon]
        assert curve.uar.tolist() == known
    assert table.chance.eq(0.3333).all()


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
