"""The audit's tables and flags, on rows whose shares can be counted by hand."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from guarded_rows import guarded

from stages.studies.audit import cards, figures, tables
from stages.studies.audit.flags import flags


def rows(right, *, defence="noise", attack="pgd", knowledge="aware", budget=20.0, times=1, **others):
    """A row for each share of `right`, of clips c0, c1 and so on."""
    access = {"noise": "none", "bursts": "scores"}.get(attack, "gradient")
    told = {"study": "events", "victim": "vgg13", "defence": defence, "attack": attack, "access": access}
    told |= {"knowledge": knowledge, "budget": budget, "budget_in": "snr_db", "times": times, "right": right}
    told |= {
        "right_clean": 1.0,
        "reached": budget,
        "arrives": np.nan,
        "forwards": 3.0,
        "backwards": 2.0,
        "zero_gradient": False,
    }
    made = pd.DataFrame(told | {"unlimited": False} | others)
    clips = [f"c{number}" for number in range(len(made))]
    return made.assign(clip_id=clips, cluster=clips, speaker="", split="test")


def all_of(*parts):
    return pd.concat(parts, ignore_index=True)


def audited(**changes):
    """An attack that gains by knowing, with all that it is compared with; `changes` replace parts by name."""
    parts = {
        "noise": rows([1.0] * 8, attack="noise", knowledge="none"),
        "unaware": rows([1.0] * 6 + [0.0] * 2, knowledge="unaware"),
        "quiet": rows([0.5] * 4 + [0.0] * 4, budget=30.0),
        "aware": rows([0.5] * 2 + [0.0] * 6),
        "scores": rows([1.0] * 8, attack="bursts"),
        "unlimited": rows([0.0] * 8, budget=0.0, unlimited=True),
    }
    parts["quiet_unaware"] = rows([1.0] * 8, knowledge="unaware", budget=30.0)
    parts["quiet_noise"] = rows([1.0] * 8, attack="noise", knowledge="none", budget=30.0)
    return all_of(*(parts | changes).values())


def made_of(given):
    """The tables of rows of classifiers, beside guards that stay the same."""
    return tables.tables(tables.Audited(given, guarded(), *[cards.read(Path(), {})] * 2))


def test_what_is_left_is_the_worst_of_all_attacks_clip_by_clip():
    given = all_of(audited(), rows([0.0] * 2, times=2))
    made = made_of(given)["table_defences"].set_index("budget").loc[20.0]
    assert (made.none, made.unaware, made.aware, made.n) == (1.0, 0.75, 0.0, 8)
    assert made.difference == 0.625  # of what had as many steps
    assert made.aware_low == 0.0
    assert 0.3 < made.aware_high < 0.4  # of eight trials


def test_extra_loudness_is_that_of_clips_that_fall_with_and_without_the_defence():
    """Through it three fall, at the quieter budget one; without it a fourth clip does besides, and one does not."""
    through = rows([0.0] * 4, budget=30.0, arrives=[31.0, np.nan, np.nan, np.nan])
    louder = rows([0.0] * 4, arrives=[np.nan, 24.0, 22.0, np.nan])
    bare = audited(aware=rows([0.0] * 4, arrives=[33.0, 28.0, np.nan, 30.0])).assign(defence="none")
    made = made_of(all_of(audited(quiet=through, aware=louder), bare))
    for name in ("table_defences", "table_victims"):
        extra = made[name].set_index(["defence", "budget"]).extra_db
        assert extra["noise", 20.0] == extra["noise", 30.0] == 3.0  # the median of 2 and 4
        assert np.isnan(extra["none", 20.0])


def test_what_a_defence_gains_is_told_clip_by_clip_and_corrected_over_a_studys_defences():
    bare = audited(aware=rows([0.0] * 6 + [1.0] * 2)).assign(defence="none")
    helping = audited(aware=rows([1.0] * 8))
    for given, defences in ((all_of(bare, helping), 2), (all_of(bare, helping, bare.assign(defence="idle")), 3)):
        made = made_of(given)["table_defences"].set_index(["defence", "budget"]).loc[:, 20.0, :]
        assert list(made.gain[["noise", "none"]]) == [0.75, 0.0]
        assert made.p_gain["noise"] == pytest.approx(defences * 0.03125) and made.p_gain["none"] == 1.0
        assert made.gain_low["noise"] == pytest.approx(0.363, abs=1e-3)


def test_how_loud_who_knows_has_to_be_is_the_median_of_all_clips_also_of_those_that_stand():
    """Of epsilons: one clip does not fall; it is wrong unattacked in one more, which is no smaller than a least one."""
    trained = rows([0.0] * 5, arrives=[0.0, 0.02, 0.04, np.nan, 0.02], budget=0.08)
    bare = rows([0.0] * 5, arrives=[0.001, 0.01, 0.01, 0.01, 0.01], budget=0.08, defence="single")
    given = all_of(
        trained, bare, *(one.assign(knowledge=who) for who in ("none", "unaware") for one in (trained, bare))
    )
    made = made_of(given.assign(budget_in="epsilon"))["table_defences"].set_index("defence")
    assert made.arrives["noise"] == pytest.approx(0.02) and made.arrives["single"] == pytest.approx(0.01)
    # 0, 6, 12 and 6 dB
    assert made.extra_db["noise"] == pytest.approx(20 * np.log10(2), abs=1e-3) and np.isnan(made.extra_db["single"])
    sounds = audited(aware=rows([0.0] * 8, arrives=[30.0, 28, 27, 26, 24, 22, 20, np.nan]))
    told = made_of(sounds)["table_defences"].set_index("budget").loc[20.0]
    assert told.arrives == 25.0


def test_differences_of_all_tables_are_one_family():
    made = made_of(audited())
    tested = [made[name] for name in ("table_defences", "table_victims", "table_guards")]
    p, corrected = (pd.concat([one[name] for one in tested]).to_numpy() for name in ("p", "p_corrected"))
    harmonic = sum(1 / number for number in range(1, len(p) + 1))
    order = np.argsort(p)
    steps = p[order] * len(p) * harmonic / np.arange(1, len(p) + 1)
    expected = np.minimum.accumulate(steps[::-1])[::-1].clip(max=1)
    np.testing.assert_allclose(corrected[order], expected, rtol=1e-4)
    assert len(p) == 5


def test_cells_hold_each_attack_alone_and_what_was_not_run():
    images = audited().assign(study="emotion", victim="cnn4", defence="vanilla", budget_in="epsilon")
    speech = audited().assign(study="transfer", victim="heads", defence="reverb")
    cells = made_of(all_of(audited(), images, speech))["cells"]
    one = cells[
        (cells.victim == "vgg13") & (cells.attack == "pgd") & (cells.knowledge == "aware") & (cells.budget == 20)
    ]
    assert one.iloc[0][["n", "right", "clean", "state", "norm"]].tolist() == [8, 0.125, 1.0, "run", "L2"]
    others = cells[~cells.state.str.startswith("run")]
    states = dict(zip(others.victim + " " + others.defence, others.state))
    assert states["vgg13 vanilla"] == states["cnn4 reverb"] == "does not apply"
    assert states["vgg13 reverb"] == "not run"
    assert len(states) == 6


def test_a_treatment_that_stands_before_one_network_alone_is_told_of_the_others():
    cells = made_of(all_of(audited(), audited().assign(victim="crnn"), audited().assign(defence="mp3")))["cells"]
    others = cells[~cells.state.str.startswith("run")]
    assert others[["victim", "defence", "state"]].to_numpy().tolist() == [["crnn", "mp3", "not run"]]


def test_attacks_by_scores_tell_that_they_were_on_what_was_left():
    alone = audited().query("attack != 'bursts'").assign(defence="reverb")
    cells = made_of(all_of(audited(), alone))["cells"]
    by_scores = cells[cells.attack == "bursts"].set_index("defence")
    assert by_scores.state.to_dict() == {"noise": "run on clips that stood", "reverb": "no clip stood"}


@pytest.mark.parametrize("section", ["classifiers", "guarded"])
def test_an_audit_of_one_kind_of_victim_has_tables_without_rows_of_the_other(section):
    nothing = tables.read({"classifiers": {}, "guarded": {}, "grids": {}})
    known = {"classifiers": audited(), "guarded": guarded()}
    made = tables.tables(replace(nothing, **{section: known[section]}))
    filled = {"classifiers": {"table_defences", "table_victims", "cells"}, "guarded": {"table_guards"}}[section]
    assert {name for name in ("table_defences", "table_victims", "cells", "table_guards") if len(made[name])} == filled
    assert set(made["table_guards"]) >= {"study", "entry", "guard", "p", "p_corrected"}
    assert tables.metrics(made).keys() <= set(tables.HEADLINES)


def test_what_does_not_fit_a_victim_of_ones_own_stays_in_its_table():
    unfit = [{"study": "events", "victim": "mine", "defence": "resample_20kHz"}]
    nothing = tables.read({"classifiers": {}, "guarded": {}, "grids": {}, "unfit": unfit})
    cells = tables.tables(replace(nothing, classifiers=audited()))["cells"]
    assert cells[~cells.state.str.startswith("run")][["victim", "defence", "state"]].to_numpy().tolist() == [
        ["mine", "resample_20kHz", "does not apply"]
    ]


def flagged(given):
    return flags(given).iloc[0]["flags"]


def test_an_attack_that_works_has_no_flag():
    assert flagged(audited()) == ""


@pytest.mark.parametrize(
    "name, changes",
    [
        ("zero gradient", {"aware": rows([0.5] * 2 + [0.0] * 6, zero_gradient=[True] + [False] * 7)}),
        ("scores beat gradient", {"scores": rows([0.0] * 8, attack="bursts")}),
        ("unlimited fails", {"unlimited": rows([0.25] + [0.0] * 7, budget=0.0, unlimited=True)}),
        ("more gains less", {"aware": rows([0.75] * 4 + [0.0] * 4)}),
        ("more steps gain", {"twice": rows([0.25] * 2, times=2)}),
        ("noise gains", {"noise": rows([0.0] * 7 + [1.0], attack="noise", knowledge="none")}),
    ],
)
def test_each_sign_of_doubt_is_flagged_alone(name, changes):
    assert flagged(audited(**changes)) == name


@pytest.mark.parametrize(
    "more",
    [
        {"twice": rows([0.0] * 2, times=2)},  # nothing is left
        {"twice": rows([0.5] * 2, times=2)},  # nothing is found
        {"twice": rows([0.25] * 2, times=2), "four": rows([0.25] * 2, times=4)},  # nothing more is found
    ],
)
def test_steps_that_were_enough_are_not_flagged(more):
    assert flagged(audited(**more)) == ""


def test_scores_are_compared_on_their_own_clips_alone():
    """The gradient's attack leaves an eighth of all clips, and half of those first two that scores were asked of."""
    assert flagged(audited(scores=rows([0.5] * 2, attack="bursts"))) == ""


def test_the_picture_is_told_by_the_best_defence_at_the_loudest_budget():
    other = audited().assign(defence="mp3", right=lambda own: own.right.where(own.knowledge == "unaware", 0.0))
    made = made_of(all_of(audited(), other))["table_defences"]
    told = figures.sentence(made)
    assert "noise, leaves 13 %" in told
    assert "SNR 20 dB" in told
    assert told.endswith("does not 75 %")
