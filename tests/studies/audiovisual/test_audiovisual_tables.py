"""The tables of the audio-visual study."""

from dataclasses import replace

import numpy as np
import pytest
from audiovisual_corpus import DETECTORS, SHIFTS, SPEAKERS, TARGETS, auc_of, cells, verdicts

from stages.measures import detection
from stages.measures.intervals import clustered, exact, exact_difference
from stages.studies.audiovisual import tables as audiovisual


def test_table_1_has_accuracy_sizes_and_detection_beside_the_papers(made):
    table = made["table_1"]
    order = [("none", ""), *((a, e) for a in ("fgsm", "basic_iterative") for e in ("1024/16", "512/8", "256/4"))]
    assert list(zip(table.attack, table.epsilon)) == order
    assert cells(table, {"attack": "none"}, "accuracy", "accuracy_paper", "n") == [1.0, 0.972, 8]
    smallest = {"attack": "fgsm", "epsilon": "256/4"}
    assert cells(table, smallest, "accuracy", "accuracy_paper", "auc_paper", "f1_paper") == [0.25, 0.3827, 0.83, 0.76]
    for attack, shifts in list(SHIFTS.items())[:2]:
        for epsilon, shift in shifts.items():
            (auc,) = cells(table, {"attack": attack, "epsilon": epsilon}, "auc")
            assert auc == pytest.approx(auc_of(shift), abs=1e-4)
    assert cells(table, {"attack": "fgsm", "epsilon": "1024/16"}, "auc_noise_trained") == [round(49 / 64, 4)]
    assert cells(table, smallest, "auc_noise_trained") == [0.5]
    sizes = cells(table, smallest, "l2_video", "linf_video", "linf_audio_db", "linf_video_paper")
    assert sizes == pytest.approx([224 * 4 / 255, 4 / 255, 20 * np.log10(256 / 32768), 1 / 255], abs=1e-4)
    clean = cells(table, {"attack": "basic_iterative", "epsilon": "512/8"}, "accuracy", "accuracy_low")
    assert clean == [0, 0]


def test_attacks_that_met_no_gradient_are_counted(made):
    assert made["table_1"].set_index(["attack", "epsilon"]).zero_gradient.groupby("attack").unique().map(
        list
    ).to_dict() == {"none": [0], "fgsm": [1], "basic_iterative": [0]}
    assert made["table_2"].zero_gradient.tolist() == made["table_3"].zero_gradient.tolist() == [0, 0]


def test_f1_takes_the_threshold_of_validation_clips(made):
    """Their scores are two higher: the threshold is 3.75 where 1.75 would be best, see the scores."""
    (f1,) = cells(made["table_1"], {"attack": "fgsm", "epsilon": "256/4"}, "f1")
    kept, passed, refused, missed = 4, 1, 7, 4
    assert f1 == pytest.approx((2 * kept / (8 + kept + passed) + 2 * refused / (8 + refused + missed)) / 2, abs=1e-4)


def test_sentences_count_as_made_into_targets_below_half_of_their_words(made):
    in_part, wholly = made["table_2"], made["table_3"]
    assert in_part.epsilon.tolist() == wholly.epsilon.tolist() == ["1024/8", "512/4"]
    assert cells(in_part, {"epsilon": "1024/8"}, "success", "success_paper", "n") == [1, 1, 16]
    # Of the first target four clips wholly and four with three of six words wrong, of the second none.
    assert cells(in_part, {"epsilon": "512/4"}, "success", "success_by_half", "success_paper") == [0.25, 0.5, 0.78]
    assert cells(wholly, {"epsilon": "1024/8"}, "success", "success_paper", "auc_paper") == [0.5, 0.77, 0.9]
    assert cells(wholly, {"epsilon": "512/4"}, "success", "success_low", "n") == [0, 0, 16]
    by_target = made["table_4"]
    first = {"epsilon": "512/4", "target": TARGETS[0]}
    assert cells(by_target, first, "success", "success_paper", "linf_audio_db_paper", "n") == [0.5, 0.81, -41.56, 8]
    assert cells(by_target, first | {"target": TARGETS[1]}, "success", "success_paper") == [0, 0.78]
    assert by_target.auc_paper.notna().sum() == 2


def test_detection_is_of_attacks_that_succeeded_and_of_all_besides(made):
    """At 512/4 the first four clips fell: 0 to 7 against -2.5 to .5."""
    auc, all_of_them = cells(made["table_2"], {"epsilon": "512/4"}, "auc", "auc_all")
    assert auc == pytest.approx((8 + 8 + 8 + 7) / 32, abs=1e-4)
    assert all_of_them == pytest.approx(auc_of(2.5), abs=1e-4)
    row = made["table_3"].query("epsilon == '512/4'").iloc[0]
    assert row[["auc", "auc_low", "f1", "l2_video", "linf_audio_db"]].isna().all()
    assert row.auc_all == pytest.approx(auc_of(4.5), abs=1e-4)


def test_f1_sets_each_attacked_clip_against_itself(made):
    """At 1024/8 in part both targets of all clips: 16 against 16, though there are but eight benign clips."""
    (f1,) = cells(made["table_2"], {"epsilon": "1024/8"}, "f1")
    benign, attacked = np.repeat(np.arange(8.0), 2), np.repeat(np.arange(8.0) - 4.5, 2)
    threshold = detection.best_threshold(benign + 2, attacked + 2)
    assert f1 == pytest.approx(detection.mean_f1(benign, attacked, threshold), abs=1e-4)
    assert f1 != pytest.approx(detection.mean_f1(benign[::2], attacked, threshold), abs=1e-2)


def test_controls_stand_beside_each_attack(made):
    table = made["table_controls"]
    assert table.groupby(["corpus", "attack", "epsilon"], sort=False).size().eq(len(DETECTORS)).all()
    assert table.corpus.drop_duplicates().tolist() == ["words", "sentences"]
    largest = {"corpus": "words", "attack": "fgsm", "epsilon": "1024/16"}
    names = [f"auc_{name}" for name in ("adversarial", "noise", "transplant", "noise_against_attack")]
    assert cells(table, largest | {"detector": "sync_clean"}, *names) == [1, 1, 1, 0.5]
    known = [auc_of(2.5), 0.5, auc_of(2.5), auc_of(2.5)]
    assert cells(table, largest | {"detector": "sync_noise"}, *names) == pytest.approx(known, abs=1e-4)
    assert cells(table, largest | {"detector": "quietest_moment"}, *names) == [0.5] * 4
    assert cells(table, largest | {"detector": "frame_difference"}, *names) == [1, 1, 1, 0.5]
    errors = [f"error_{name}" for name in ("benign", "adversarial", "noise")]
    assert cells(table, largest | {"detector": "sync_clean"}, *errors) == [0, 0.75, 0]
    # The targets share the word "at" with no truth, in its place; all six words of the truth are lost.
    sentence = {"corpus": "sentences", "attack": "full", "epsilon": "1024/8"}
    assert cells(table, sentence | {"detector": "sync_clean"}, *errors, "n") == [0, 1, 0, 16]
    halves = made["table_benign"]
    assert halves.n.eq(8).all()
    assert halves.groupby("corpus").auc.nunique().eq(1).all()


def test_the_largest_epsilons_are_compared_with_the_smallest_on_the_same_clips(made):
    table = made["table_epsilon"]
    row = table[(table.attack == "fgsm") & (table.detector == "sync_clean")].iloc[0]
    assert (row.smallest, row.largest, row.n) == ("256/4", "1024/16", 8)
    assert [row.auc_smallest, row.auc_largest, row.difference] == pytest.approx([49 / 64, 1, 15 / 64], abs=1e-4)
    scores, speakers = np.arange(8.0), [SPEAKERS["test"][n % 2] for n in range(8)]
    known = detection.auc_difference_interval(scores, scores - 2.5, scores, scores - 8, np.array(speakers))
    assert (row.difference_low, row.difference_high) == pytest.approx(known, abs=1e-4)
    trivial = table[(table.attack == "fgsm") & (table.detector == "quietest_moment")].iloc[0]
    low, high = exact_difference(0, 0, 2)  # the clips of two speakers are ranked alike
    assert (trivial.difference, trivial.difference_low, trivial.difference_high) == pytest.approx(
        (0, low, high), abs=1e-4
    )
    assert set(table[table.corpus == "sentences"].n) == {16}


def test_intervals_take_speakers_for_clusters(made):
    row = made["table_1"].query("attack == 'fgsm' and epsilon == '256/4'").iloc[0]
    scores, speakers = np.arange(8.0), np.array([SPEAKERS["test"][n % 2] for n in range(8)])
    known = detection.auc_interval(scores, scores - 2.5, speakers, speakers)
    assert (row.auc_low, row.auc_high) == pytest.approx(known, abs=1e-4)
    # Clips 0 and 1 are right, one of each speaker.
    assert (row.accuracy_low, row.accuracy_high) == pytest.approx(clustered(np.ones(2), np.full(2, 4)), abs=1e-4)
    # One word in 48 is wrong, of the first speaker: the residuals of speakers are +- half a word.
    wer = made["table_recognisers"].query("corpus == 'sentences'").iloc[0]
    half = 12.7062 * np.sqrt(2 * (0.5**2 + 0.5**2)) / 48
    assert (wer.error_low, wer.error_high) == pytest.approx((0, 1 / 48 + half), abs=1e-4)


@pytest.mark.parametrize("names", [{"e": "", "f": ""}, {"e": "e", "f": "e"}])
def test_without_two_speakers_clips_are_the_clusters(measured, names):
    tables = {
        name: getattr(measured, name).replace({"speaker": names}) for name in ("clips", "decisions", "detections")
    }
    made = audiovisual.tables(replace(measured, **tables))
    row = made["table_1"].query("attack == 'fgsm' and epsilon == '256/4'").iloc[0]
    scores, clips = np.arange(8.0), np.arange(8)
    assert (row.auc_low, row.auc_high) == pytest.approx(
        detection.auc_interval(scores, scores - 2.5, clips, clips), abs=1e-4
    )
    # Both targets of a sentence are of one clip.
    row = made["table_2"].query("epsilon == '1024/8'").iloc[0]
    benign, attacked, twice = np.arange(8.0), np.repeat(np.arange(8.0) - 4.5, 2), np.repeat(np.arange(8), 2)
    assert (row.auc_low, row.auc_high) == pytest.approx(
        detection.auc_interval(benign, attacked, clips, twice), abs=1e-4
    )
    assert set(made["table_recognisers"].speakers) == {len(set(names.values()) - {""})}
    wrong = made["table_recognisers"].query("corpus == 'sentences'").iloc[0]
    assert 1 / 48 < wrong.error_high < 0.2


def test_each_stream_alone_stands_beside_both_and_is_compared(made):
    """Of eight words FGSM fools six by both, see `said`, six by the sound and three by the picture; BIM all by both."""
    table = made["table_streams"]
    assert table.streams.tolist() == ["both", "sound", "picture"] * 2
    assert table.epsilon.tolist() == ["256/4", "256", "4"] * 2
    assert table.accuracy.tolist() == pytest.approx([2 / 8, 2 / 8, 5 / 8, 0, 2 / 8, 5 / 8])
    assert table.n.eq(8).all()
    # Clips 0 to 2 and 3 to 5: of the two speakers two and one, and one and two, are fooled by the sound alone.
    speakers = clustered(np.array([1, 1]), np.array([4, 4]))
    low, high = cells(table, {"attack": "fgsm", "streams": "sound"}, "accuracy_low", "accuracy_high")
    assert (low, high) == pytest.approx(speakers, abs=1e-4)
    for name in ("FGSM", "BIM"):
        claim = verdicts(made, f"{name} fools more words by the sound alone than by the picture alone")
        assert claim.here == "75.0 % against 37.5 % wrong"
        assert claim.difference == pytest.approx(3 / 8, abs=1e-4)


def test_recognisers_stand_in_noise_and_by_the_picture_within_the_grammar(measured):
    own = measured.decisions
    wrong = own.assign(decision_0_db=own.decision_audio_alone, decision_audio_alone_0_db="x")
    wrong = wrong.assign(decision_video_alone_grammar=own.decision_video_alone)
    table = audiovisual.tables(replace(measured, decisions=wrong))["table_recognisers"].set_index("corpus")
    assert table.loc["words", ["error_0_db", "error_audio_alone_0_db"]].tolist() == [0.25, 1]
    assert table.loc["sentences", "error_video_alone_grammar"] == pytest.approx(4 / 48, abs=1e-4)
    assert np.isnan(table.loc["words", "error_video_alone_grammar"])


def test_offsets_are_counted_over_all_shifts_and_confidence_at_none(made):
    table = made["table_synchrony"].set_index("detector")
    assert list(table.index) == ["sync_clean", "sync_noise"]
    row = table.loc["sync_clean"]
    assert (row.within_one_frame, row.exact, row.n) == (0.875, 0.75, 8)
    assert (row.confidence, row.confidence_of_others, row.auc) == (3.5, -1, round(auc_of(4.5), 4))
    counts = np.array([4, 3]) * 21
    assert (row.within_one_frame_low, row.within_one_frame_high) == pytest.approx(
        clustered(counts, np.full(2, 84)), abs=1e-4
    )


def test_recognisers_and_corpora_are_counted(made):
    table = made["table_recognisers"].set_index("corpus")
    errors = ["error", "error_audio_alone", "error_video_alone"]
    assert table.loc["words", [*errors, "error_paper"]].tolist() == [0.125, 0.25, 0.5, 0.028]
    sentences = table.loc["sentences"]
    assert sentences[errors].tolist() == pytest.approx([1 / 48, 2 / 48, 4 / 48], abs=1e-4)
    assert np.isnan(sentences.error_paper)
    corpora = made["table_corpora"]
    assert corpora.split.tolist() == ["train", "validation", "test"] * 2
    train = {"corpus": "sentences", "split": "train"}
    assert cells(corpora, train, "n", "unreadable", "speakers", "frames", "frames_added") == [8, 1, 2, 203, 7]
    told = ("frames_without_face", "frames_lost", "samples_lost", "unreadable")
    assert cells(corpora, train | {"split": "test"}, *told) == [2, 3, 0, 0]


def test_wer_of_no_errors_has_an_interval(measured):
    own = measured.decisions
    perfect = own.assign(decision=own.label + own.text)
    table = audiovisual.tables(replace(measured, decisions=perfect))["table_recognisers"]
    assert table.error.tolist() == [0, 0]
    # Eight clips, of two speakers.
    assert table.error_high.tolist() == pytest.approx([exact(0, 2)[1]] * 2, abs=1e-4)
