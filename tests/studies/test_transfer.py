"""The transfer study's tables from decisions that were made up so that every value is known."""

from dataclasses import replace

import drawn
import numpy as np
import pandas as pd
import pytest
from transfer_sets import attacks, clips, decisions, write

from stages.frame.errors import UserError
from stages.measures.recall import uar, uar_change, uar_interval
from stages.reporting.verdicts import UNTESTABLE, judged
from stages.studies.transfer import claims as transfer_claims
from stages.studies.transfer import figures, recalls
from stages.studies.transfer import sounds as transfer_sounds
from stages.studies.transfer import tables as transfer


@pytest.fixture(scope="module")
def measured():
    return transfer.Measured(clips(), decisions(), attacks(), 100)


@pytest.fixture(scope="module")
def made(measured):
    return transfer.tables(measured)


def test_table_1_has_each_heads_recall_its_improvement_and_the_papers(made):
    table = made["table_1"].set_index("head")
    assert list(table.index) == ["mean", "mean_max", "attention", "mlp"]
    assert table.wav2vec.to_dict() == pytest.approx({"mean": 0.6, "mean_max": 0.4, "attention": 0.5, "mlp": 0.7})
    assert table.improvement.to_dict() == pytest.approx({"mean": 0.1, "mean_max": -0.1, "attention": 0.0, "mlp": 0.2})
    assert (table.improvement_low <= table.improvement).all() and (table.improvement <= table.improvement_high).all()
    assert table.loc["mlp", ["lld_paper", "wav2vec_paper", "improvement_paper"]].tolist() == [0.516, 0.585, 0.069]
    assert (table.lld_deviation == 0).all() and (table.draws == 2).all() and (table.n == 200).all()


def test_less_data_compares_with_the_size_nearest_to_eight_times_as_many(made):
    row = made["table_less_data"].iloc[0]
    assert (row.examples, row.lld_examples) == (100, 800)
    assert (row.wav2vec, row.lld, row.difference) == pytest.approx((0.7, 0.6, 0.1))


def test_table_2_keeps_what_is_cited_apart_from_what_is_measured(made):
    table = made["table_2"]
    cited = table[table.cited == "yes"]
    assert len(cited) == 5 and cited.ua.isna().all() and cited.ua_paper.max() == 0.726
    ours = table[table.cited == "no"].set_index("model")
    assert ours.loc["the recurrent model, speech and text", ["ua", "ua_paper"]].tolist() == [1.0, 0.739]
    assert ours.loc["MLP with mean pooling", ["ua", "ua_paper"]].tolist() == [0.9, 0.643]
    assert ours.ua.tolist() == pytest.approx([0.6, 0.9, 0.8, 0.7, 1.0, 0.6])


def test_pairs_are_tested_on_the_same_clips(made):
    table = made["table_paired"].set_index(["first", "second", "size"])
    row = table.loc[("wav2vec bimodal", "wav2vec speech", "all")]
    assert (row.difference, row.only_first_right, row.only_second_right, row.n) == (pytest.approx(0.2), 40, 0, 200)
    assert row.p_mcnemar == pytest.approx(2 / 2**40, rel=0.05)
    assert (row.speakers, row.p_speakers) == (10, pytest.approx(2 / 2**10, abs=1e-4))
    assert ("wav2vec mlp", "lld mlp", "100") in table.index


def test_confusion_and_folds_add_up(made):
    confusion = made["table_confusion"]
    assert confusion.groupby(["model", "label"])["count"].sum().eq(50).all()
    text = confusion[(confusion.model == "the recurrent model, text alone") & (confusion.label == "sad")]
    assert dict(zip(text.decision, text.share)) == {"angry": 0.3, "happy": 0, "neutral": 0, "sad": 0.7}
    folds = made["table_folds"]
    assert folds.groupby("model").size().eq(5).all() and folds.n.eq(40).all()
    assert folds.ua[folds.model == "MLP with mean pooling"].tolist() == pytest.approx([0.9] * 5)


def test_the_curve_is_ordered_and_growth_is_fitted_to_the_logarithm(made):
    curve = made["figure_2"]
    own = curve[curve.feature == "wav2vec"]
    assert own.examples.tolist() == [40, 100, 800]
    assert own.ua.tolist() == pytest.approx([0.4, 0.7, 0.9])
    assert own.ua_paper.tolist()[1:] == [0.585, 0.643]


def test_failed_attacks_stay_in_and_text_helps_where_it_does(made):
    table = made["table_attacks"].set_index(["model", "attack", "epsilon"])
    assert table.loc[("speech", "PGD", 0.001), ["ua", "success", "n", "right_before"]].tolist() == [0, 1, 200, 200]
    assert table.loc[("bimodal", "PGD", 0.001), ["ua_clean", "ua", "success"]].tolist() == [1, 0.5, 0.5]
    assert table.loc[("bimodal", "PGD", 0.001), "snr_db"] == 30
    helps = made["table_text_robustness"].set_index(["attack", "epsilon", "against"])
    assert helps.loc[("PGD", 0.001, "speech"), ["difference", "n"]].tolist() == [0.5, 200]
    assert helps.loc[("PGD", 0.001, "speech"), ["bimodal", "other"]].tolist() == [0.5, 0]
    assert helps.loc[("PGD", 0.01, "speech"), "difference"] == 0
    assert helps.loc[("none", 0.0, "speech"), "difference"] == 0


def test_the_corpus_stands_beside_iemocap(made):
    table = made["table_corpus"].set_index(["session", "label"])
    assert len(table) == 6 * 5
    assert table.loc[("Session3", "angry")].tolist() == [10, 240, 2, 0.5]
    assert table.loc[("Session3", ""), ["n", "speakers", "minutes"]].tolist() == [40, 2, 2.0]
    assert table.loc[("", "neutral")].tolist() == [50, 1708, 10, 2.5]
    assert table.n_paper.xs("", level="label").tolist() == [1085, 1023, 1151, 1031, 1241, 5531]


def test_labels_may_be_called_as_columns_are(measured):
    paper = pd.read_csv(transfer.PAPER, keep_default_na=False)
    names = {"angry": "n", "happy": "speakers", "neutral": "n_paper", "sad": "x_low"}
    table = transfer._corpus(measured.clips.assign(label=measured.clips.label.replace(names)), paper)
    assert list(table.columns) == ["session", "label", "n", "n_paper", "speakers", "minutes"]
    rows = table[table.session == "Session1"].set_index("label")
    assert rows.n.to_dict() == {"n": 10, "n_paper": 10, "speakers": 10, "x_low": 10, "": 40}
    assert rows.n_paper.isna().tolist() == [True, True, True, True, False]


def test_claims_are_decided_by_speakers(made):
    claims = made["claims"].set_index("claim")

    def of(part):
        (found,) = [row for claim, row in claims.iterrows() if part in claim]
        return found

    verdicts = {
        "8 times as many": "undecided",
        "under mean pooling": "undecided",
        "under mean and max": "undecided",
        "under attention": "undecided",
        "under the MLP": "supported",
        "MLP is the best head": "undecided",
        "logarithm": "supported",
        "adding text": "supported",
        "better than speech alone": "supported",
        "better than another clip's": "supported",
        "no gain over speech alone": "supported",
        "harder to fool": "undecided",
        "all examples too": "supported",
        "from some number of examples": "supported",
        "all published ones": UNTESTABLE,
    }
    assert {part: of(part).verdict for part in verdicts} == verdicts
    assert "+50.0 points at 0.001, +0.0 points at 0.01" in of("harder to fool").here
    assert "56.7 %" in of("under mean pooling").paper
    assert "from 100 examples" in of("from some number").here
    text = of("adding text")
    assert (text.difference, text.n, text.unit) == (0.1, 10, "speakers")
    assert text.test == "recall on the same clips; Student's t over 10 speakers, two-sided"
    # At the paper's 5.2 points more are needed than at the ten points seen.
    assert of("under mean pooling").n_to_decide > 10


def test_headline_numbers_are_those_of_speech_and_text_at_the_smallest_epsilon(made):
    metrics = transfer.metrics(made)
    assert metrics["attacked_percent"] == 50
    assert metrics["clean_percent"] == 100 * made["table_2"].query("model.str.endswith('speech and text')").ua.item()


def test_figures_are_drawn(made, measured, tmp_path):
    assert drawn.stems(figures, made, measured, tmp_path / "pictures") >= set(transfer.FIGURES)


def test_two_speakers_clips_are_known_as_of_two_draws():
    """All of one are right, none of the other: the ends are those of one success in two (Clopper-Pearson)."""
    rows = [
        {"clip_id": f"{speaker}{label}{n}", "speaker": speaker, "label": label, "draw": 0, "fold": "S1"}
        | {"decision": label if speaker == "F" else "neither"}
        for speaker in "FM"
        for label in ("angry", "sad")
        for n in range(10)
    ]
    found = recalls.ua(pd.DataFrame(rows))
    assert list(found.values()) == pytest.approx([0.5, 1 - 0.975**0.5, 0.975**0.5], abs=1e-6)


def test_intervals_take_speakers_as_clusters_over_all_draws(measured, made):
    own = measured.decisions.query("feature == 'wav2vec' and model == 'mlp' and size == '100'")
    low, high = uar_interval(own.label, own.decision, own.speaker)
    row = made["table_1"].set_index("head").loc["mlp"]
    # Sessions are of equal size and recall: the pooled recall is the mean over sessions.
    assert (row.wav2vec_low, row.wav2vec_high) == pytest.approx((low, high), abs=1e-4)
    other = measured.decisions.query("feature == 'lld' and model == 'mlp' and size == '100'")
    both = other.merge(own, on=["clip_id", "draw"])
    change = uar_change(both.label_x, both.decision_x, both.decision_y, both.speaker_x)
    assert (row.improvement, row.improvement_low, row.improvement_high) == pytest.approx(change, abs=1e-4)


def test_ua_is_the_mean_over_sessions_and_draws_and_not_the_recall_of_all_clips(measured):
    few = measured.decisions.query("feature == 'wav2vec' and model == 'mlp' and size == '100'")
    # One session is a tenth as large and decided wrongly; the second draw is right everywhere else.
    small = (few.fold == "Session5") & ~few.clip_id.str.endswith("-0")
    few = few[~small].copy()
    wrong = few.label.map({"angry": "sad", "happy": "sad", "neutral": "sad", "sad": "angry"})
    few["decision"] = few.decision.where(few.draw == 0, few.label).where(few.fold != "Session5", wrong)
    assert recalls.draws(few) == pytest.approx([0.7 * 4 / 5, 4 / 5])
    assert recalls.ua(few)["ua"] == pytest.approx(0.68) != uar(few.label, few.decision)


def test_the_sign_flips_are_of_speakers_recalls_whatever_the_classes_sizes(measured):
    """Of two classes of 9 and 1 clips a speaker, the rare one turns right and as many of the common one wrong."""
    clip = [(f"{speaker}-{n}", "sad" if n == 0 else "angry", speaker) for speaker in "abcde" for n in range(10)]
    table = pd.DataFrame(clip, columns=["clip_id", "label", "speaker"]).assign(fold="Session1", draw=0, size="all")
    rare, common = table.clip_id.str.endswith("-0"), table.clip_id.str.endswith("-1")
    before = table.assign(feature="lld", model="mlp", decision=table.label.mask(rare, "angry"))
    after = table.assign(feature="wav2vec", model="mlp", decision=table.label.mask(common, "sad"))
    row = transfer._paired(pd.concat([before, after]), "100").iloc[0]
    assert (row.only_first_right, row.only_second_right, row.p_mcnemar) == (5, 5, 1)
    assert row.difference == pytest.approx(8 / 18, abs=1e-4)
    assert row.p_speakers == pytest.approx(2 / 2**5, abs=1e-4)


def test_what_was_not_measured_leaves_tables_smaller_and_claims_untested(measured):
    own = measured.decisions
    parts = {
        "no descriptors": replace(measured, decisions=own[own.feature != "lld"]),
        "no wav2vec": replace(measured, decisions=own[own.feature != "wav2vec"]),
        "few only": replace(measured, decisions=own[own["size"] == "100"]),
        "all only": replace(measured, decisions=own[own["size"] == "all"]),
        "no attacks": replace(measured, attacks=measured.attacks.head(0)),
    }
    untested = {}
    for name, part in parts.items():
        made = transfer.tables(part)
        assert all(chart.to_dict() for chart in figures.charts(made, part).values())
        assert not any(np.isnan(value) for value in transfer.metrics(made).values())
        verdicts = made["claims"].verdict
        assert len(verdicts) == 20
        untested[name] = set(made["claims"].claim[verdicts == "not testable here"])
    assert any("8 times as many" in claim for claim in untested["no descriptors"] & untested["no wav2vec"])
    assert any("better than speech alone" in claim for claim in untested["few only"])
    assert any("best head" in claim for claim in untested["all only"])
    assert any("harder to fool" in claim for claim in untested["no attacks"])


def test_what_was_written_is_read_back_and_heard(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    given = transfer.Measured(clips(), decisions(), attacks(), 100)
    # The attack fails on the clip that is decided with the most confidence.
    failed = (given.attacks.clip_id == "Session1-sad-2") & (given.attacks.variant == "speech")
    given.attacks.loc[failed, ["adversarial_prediction", "success"]] = ["sad", False]
    again = transfer.read(write(given))
    assert again.few == 100
    here, there = transfer.tables(again), transfer.tables(given)
    for name, table in there.items():
        pd.testing.assert_frame_equal(here[name], table, check_dtype=False, obj=name)
    clip = transfer_sounds.clip("speech")
    assert (clip.clip_id, clip.label, clip.strength[:26]) == ("Session2-happy-3", "happy", "PGD at 0.01 on the model s")
    original, adversarial, difference = clip.sounds
    assert (original.decision, original.confidence, adversarial.decision) == ("happy", 0.9, "nothing")
    assert adversarial.waveform == pytest.approx(original.waveform + difference.waveform)
    assert [sound.is_difference for sound in clip.sounds] == [False, False, True]
    assert transfer_sounds.clip("mlp") is None


def test_no_victim_of_the_study_is_the_users_error():
    with pytest.raises(UserError, match=r"transfer\.victims: expected a victim; found none"):
        transfer.read({"victims": {}})


def test_few_examples_for_no_victim_is_the_users_error(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    section = write(transfer.Measured(clips(), decisions(), attacks(), 100))
    section["recipes"]["own"]["few"] = None
    with pytest.raises(UserError, match=r"transfer\.recipes: expected few examples for a victim; found `few` null"):
        transfer.read(section)


def test_the_papers_improvements_are_the_differences_of_its_table():
    paper = pd.read_csv(transfer.PAPER, keep_default_na=False)
    table = paper[paper.table == "table_1"].pivot(index="row", columns="column", values="value")
    assert (table.wav2vec - table.lld).to_dict() == pytest.approx(table.improvement.to_dict())
    corpus = paper[paper.table == "corpus"]
    assert corpus.groupby("column")["value"].sum().to_dict() == {
        "angry": 1103,
        "happy": 1636,
        "neutral": 1708,
        "sad": 1084,
    }


def test_no_gain_is_left_where_it_is_clearly_less_than_five_points(made, measured):
    own = measured.decisions
    shuffled, paired = own.model == "bimodal-shuffled", made["table_paired"]

    def verdict(model):
        changed = pd.concat([own[~shuffled], own[own.model == model].assign(model="bimodal-shuffled")])
        return judged([transfer_claims._no_gain(paired, changed)]).verdict[0]

    assert verdict("bimodal-shuffled") == verdict("speech") == "supported"
    # It gains 20 points.
    assert verdict("bimodal") == "contradicted"
    assert transfer_claims._no_gain(paired.head(0), own).tested is None


def test_one_speaker_decides_nothing(measured):
    alone = replace(measured, decisions=measured.decisions.assign(speaker="f1"))
    assert not set(transfer.tables(alone)["claims"].verdict[:12]) & {"supported", "contradicted"}
