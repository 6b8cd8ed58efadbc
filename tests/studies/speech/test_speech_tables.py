"""The tables of the speech study."""

import math

import numpy as np
import pytest
from speech_corpus import ENTRIES, HARDENED, PLAIN, cells

from stages.measures.intervals import clustered
from stages.studies.speech import tables as speech


def test_corpus_and_recognisers_are_counted(made):
    table = made["table_corpora"]
    train, test = {"split": "train"}, {"split": "test"}
    assert cells(table, train, "n", "unreadable", "speakers", "kinds_of_noise", "at_15_db") == [3, 1, 2, 1, 2]
    assert cells(table, test, "n", "unreadable", "kinds_mixed", "at_15_db", "at_5_db") == [4, 0, 1, 2, 2]
    table = made["table_recognisers"]
    own = {"recogniser": "deepspeech", "speech": "test clips"}
    assert cells(table, own, "wer", "wer_beam", "wer_n_gram", "n") == [0.0625, 0, 1, 4]
    hardened = table.query("recogniser == 'deepspeech_hardened' and speech == 'test clips'").iloc[0]
    assert hardened.wer == 0.0625
    assert math.isnan(hardened.wer_beam)
    noisy = {"recogniser": "deepspeech", "speech": "noisy", "enhancer": "none"}
    assert cells(table, noisy, "wer", "n") == [0.5, 4]
    assert cells(table, noisy | {"enhancer": "u_net_attention"}, "wer", "n") == [0.25, 4]
    assert cells(table, noisy | {"speech": "clean", "enhancer": "dnn"}, "wer") == [0.25]
    (wer,) = cells(table, noisy | {"enhancer": "wave_u_net_hardened"}, "wer")
    assert math.isnan(wer)


def test_quality_leaves_out_what_is_not_finite_and_says_how_much(made):
    table = made["table_1"]
    names = ("pesq_raw", "pesq_raw_paper", "stoi", "snr_db", "snr_db_paper", "undefined", "n")
    assert cells(table, {"enhancer": "none"}, *names) == [1.15, 1.97, 0.7, 5, -1.63, 1, 4]
    # One of the DNN's is infinite, the other three are 5.5 dB, but for a thousandth each.
    assert cells(table, {"enhancer": "dnn"}, *names) == [1.65, 2.62, 0.75, 5.4995, 7.67, 1, 4]
    assert table.enhancer.tolist() == ["none", *PLAIN]
    hardened = made["table_3"]
    assert hardened.enhancer.tolist() == ["none", *HARDENED]
    assert cells(hardened, {"enhancer": "dnn_hardened"}, "pesq_raw", "pesq_raw_paper", "n") == [1.95, 2.55, 4]
    lacking = hardened.query("enhancer == 'wave_u_net_hardened'").iloc[0]
    assert lacking.n == 0
    assert lacking[["pesq_raw", "pesq_raw_low", "snr_db"]].isna().all()
    levels = made["table_levels"]
    row = {"mixed_at_db": 15.0, "enhancer": "dnn"}
    assert cells(levels, row, "snr_in_db", "snr_out_db", "gain_db", "n") == [15, 21, 6, 2]
    assert cells(levels, row | {"mixed_at_db": 5.0}, "gain_db") == [7]


def test_rosa_is_of_all_trials_of_all_clips(made):
    table = made["table_4"]
    assert len(table) == 2 * 2 * 4
    own = {"attack": "gradient", "recogniser": "deepspeech", "enhancer": "none"}
    assert cells(table, own, "rosa", "rosa_paper", "rosa_file", "wer_paper", "n") == [0.875, 0.9023, 1, 0.859, 8]
    # Seven hear the target, all of four words wrong, the eighth one word too few.
    assert cells(table, own, "wer", "wer_target") == [round(29 / 32, 4), round(3 / 24, 4)]
    low, high = cells(table, own, "rosa_low", "rosa_high")
    assert (low, high) == pytest.approx(clustered(np.array([4, 3]), np.array([4, 4])), abs=1e-4)
    assert cells(table, own | {"enhancer": "u_net_attention"}, "rosa", "rosa_file", "wer") == [0, 0, 0.25]
    assert cells(table, own | {"recogniser": "deepspeech_hardened"}, "rosa", "rosa_paper") == [0, 0.2734]
    # By eight trials made on the undefended one the hardened one is deceived once, by their files always.
    transfer = {"attack": "gradient", "victim": "deepspeech", "recogniser": "deepspeech_hardened"}
    told = cells(made["table_transfer"], transfer, "rosa", "rosa_paper", "rosa_file", "n")
    assert told == [0.125, 0.2734, 1, 8]
    back = {"attack": "gradient", "victim": "deepspeech_hardened", "recogniser": "deepspeech"}
    assert np.isnan(cells(made["table_transfer"], back, "rosa_paper")).all()
    hardened = made["table_4_hardened"]
    assert not any(name.endswith("_paper") for name in hardened)
    assert cells(hardened, own | {"enhancer": "dnn_hardened"}, "rosa", "n") == [0.25, 8]
    rosa, wer, n = cells(hardened, own | {"enhancer": "wave_u_net_hardened"}, "rosa", "wer", "n")
    assert (math.isnan(rosa), math.isnan(wer), n) == (True, True, 0)


def test_attacks_have_their_failures_and_a_control(made):
    table = made["table_attacks"]
    assert list(zip(table["item"], table.attack)) == [(item, one) for item in ENTRIES for one in ENTRIES[item]]
    noise = {"item": "gradient", "attack": "noise"}
    names = ("success", "rosa", "snr_db", "wer", "wer_target", "n")
    assert cells(table, noise, *names) == [0, 0, 10.12, 0, 1.3333, 4]
    assert cells(table, noise, "zero_gradient") == [4]
    assert cells(table, {"attack": "direct"}, "success", "distance", "queries", "backwards") == [1, 0, 11.5, 5]
    (rosa,) = cells(table, {"attack": "direct"}, "rosa")
    assert math.isnan(rosa)
    # Of one clip the SNR is infinite, of one unknown.
    assert cells(table, {"attack": "mine<b>"}, "snr_db", "snr_db_undefined", "n") == [10.12, 2, 4]
    through = {"item": "adaptive", "attack": "evolutionary_through"}
    assert cells(table, through, "success", "enhancer", "snr_db") == [0, "u_net_attention_hardened", -10]


def test_the_snr_needed_is_that_of_the_last_clip_to_fall(made):
    table = made["table_magnitude"]
    names = ("success", "snr_needed_db", "snr_needed_db_paper", "snr_median_db", "told", "loudest_db", "n")
    gradient = {"attack": "gradient", "enhancer": "none"}
    assert cells(table, gradient, *names) == [1, 12, 7.63, 18, "every clip fell", -10, 4]
    some = table.query("attack == 'gradient' and enhancer != 'none'").iloc[0]
    assert (some.success, some.snr_median_db, some.told) == (0.75, 2, "1 not even at the loudest")
    assert math.isnan(some.snr_needed_db)
    none = table.query("attack == 'evolutionary' and enhancer != 'none'").iloc[0]
    assert (none.success, none.told, none.snr_needed_db_paper) == (0, "4 not even at the loudest", -3.21)
    assert none[["snr_needed_db", "snr_median_db"]].isna().all()
    curve = made["figure_3"].query("attack == 'gradient' and enhancer == 'none'")
    assert (curve.snr_db.iloc[0], curve.snr_db.iloc[-1]) == (40, -10)
    told = curve.set_index("snr_db").share
    assert told[[40.0, 30.0, 20.0, 16.5, 16.0, 12.5, 12.0, -10.0]].tolist() == [0, 0.25, 0.5, 0.5, 0.75, 0.75, 1, 1]
    assert made["figure_3"].query("attack == 'evolutionary' and enhancer != 'none'").share.eq(0).all()


def test_headline_numbers_are_what_is_right(made):
    metrics = speech.metrics(made)
    assert (metrics["clean_percent"], metrics["attacked_percent"]) == (93.75, 12.5)
