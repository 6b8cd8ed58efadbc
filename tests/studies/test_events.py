"""The study's tables, from scores small enough to count by hand."""

import pandas as pd
import pytest

from stages.studies import events


def scores() -> pd.DataFrame:
    """Two models, DeepFool and the control, two clips each; noise undoes three of four attacks, one attack failed."""
    rows = []
    for model in ("vgg13", "dense_mel"):
        for clip, label in (("c1", "Flute"), ("c2", "Bass_drum")):
            for transform, outcome in (("none", "Adv"), ("noise_20dB", "GT"), ("live_reverb", "Diff")):
                if (model, clip, transform) == ("vgg13", "c2", "noise_20dB"):
                    outcome = "Adv"
                rows.append((model, "deepfool", clip, label, transform, outcome, True, 40.0))
            rows += [
                (model, "clean", clip, label, transform, "GT", False, float("inf"))
                for transform in ("none", "noise_20dB", "live_reverb")
            ]
    rows.append(("vgg13", "deepfool", "c3", "Flute", "none", "GT", False, float("inf")))
    table = pd.DataFrame(
        rows, columns=["model", "kind", "clip_id", "label", "transform", "outcome", "success", "snr_db"]
    )
    decisions = {"GT": "label", "Adv": "Clarinet", "Diff": "Gong"}
    return table.assign(
        attack=table.kind,
        goal="untargeted",
        decision=[row.label if row.outcome == "GT" else decisions[row.outcome] for row in table.itertuples()],
        confidence=0.5,
        relative_loudness_db=-30.0,
        l2_audio=0.1,
        forwards=10,
        backwards=5,
    )


@pytest.fixture(scope="module")
def made():
    decisions = pd.DataFrame(
        {"split": ["train", "test", "test", "test"], "label": list("aabb"), "decision": list("aaba")}
    )
    return events.tables(events.Measured(scores(), {"vgg13": decisions, "dense_mel": decisions}))


def test_accuracies_stand_beside_the_papers(made):
    row = made["table_1"].set_index("model").loc["vgg13"]
    assert (row.training, row.test, row.test_n) == (100, pytest.approx(66.67), 3)
    assert row.test_low < row.test < row.test_high
    assert (row.test_paper, row.training_paper) == (80.93, 97.14)


def test_shares_are_over_fooled_clips_and_a_failed_attack_is_none_of_them(made):
    table = made["table_3"].set_index("transform")
    assert table.loc["noise_20dB", ["Adv", "GT", "Diff"]].tolist() == [25, 75, 0]
    assert table.n["none"] == 4
    assert table.GT_paper["noise_20dB"] == 73.72
    assert pd.isna(table.GT_paper["none"])


def test_a_failed_attack_stays_in_the_attacks_table(made):
    row = made["table_attacks"].set_index("model").loc["vgg13"]
    assert (row.attacked, row.fooled) == (3, 2)
    assert row.success == pytest.approx(66.67)
    assert row.snr_db == 40


def test_clean_clips_have_a_table_of_their_own(made):
    assert made["table_2"].GT.eq(100).all()
    assert made["table_2"].n.eq(4).all()


def test_the_best_transform_is_never_the_control(made):
    table = made["table_4"]
    assert "none" not in set(table["transform"])
    best = table[table["rank"] == 1].set_index("model")
    assert best["transform"].to_dict() == {"vgg13": "noise_20dB", "dense_mel": "noise_20dB"}
    assert best.GT_paper.to_dict() == {"vgg13": 58.74, "dense_mel": 97.86}


def test_strength_and_papers_strength_of_each_attack(made):
    row = made["table_5"].iloc[0]
    assert (row.attack, row.snr_db, row.snr_db_paper, row.confidence, row.confidence_paper) == (
        "deepfool",
        40,
        50,
        50,
        35,
    )


def test_claims_are_judged_or_said_to_be_untestable(made):
    claims = made["claims"].set_index("claim")
    assert claims.verdict["Noise at 20 dB is the best defence on average"] == "holds"
    assert (
        claims.verdict["Resampling at 20 kHz undoes attacks on dense_wav more than on dense_mel"] == "not testable here"
    )
    assert claims.verdict["The signal-to-noise ratio is very high for all attacks"] == "holds"
    assert claims.verdict["VGG13, Gunshot_or_gunfire: neither succeeds (0 %)"] == "not testable here"
    assert set(claims.verdict) <= {"holds", "does not hold", "not testable here"}


def test_figure_and_metrics(made, tmp_path):
    events.figures(made, None, tmp_path)
    assert (tmp_path / "figure_1.png").stat().st_size > 5000
    assert set(made["figure_1"]["transform"]) == {"noise_20dB", "live_reverb"}
    metrics = events.metrics(made)
    assert metrics["recovered_noise_20dB"] == 75
    assert metrics["success_deepfool"] == 80


def test_the_papers_values_add_up():
    """Adv, GT and Diff of a row are a whole, to the paper's own rounding (two rows are off: 101.97 and 99.63)."""
    paper = pd.read_csv(events.PAPER, keep_default_na=False)
    sums = (
        paper[paper.quantity.isin(["Adv", "GT", "Diff"])].groupby(["table", "model", "attack", "transform"]).value.sum()
    )
    off = sums[(sums - 100).abs() > 0.2]
    assert off.round(2).to_dict() == {(4, "vgg13", "", "noise_20dB"): 101.97, (5, "", "deepfool", "live_reverb"): 99.63}
