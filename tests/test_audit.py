"""The audit's verb on a small victim of sounds: what it writes, and what it tells before anything runs."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from test_attack_events import write_clips

from stages import audit
from stages.auditing import classifiers
from stages.frame import clip_table
from stages.frame.errors import UserError
from stages.victim import Victim

GRID = {
    "attacks": ["sound.noise", "sound.pgd", "sound.scores"],
    "budgets": [40.0, 20.0],
    "budget_in": "snr_db",
    "unlimited": -10.0,
    "clips_per_label": 2,
    "batch_size": 3,
    "treatments": ["none", "noisy", "either"],
    "draws": 2,
    "hearings": 3,
}
AUDIT = {
    "attacks": {
        "sound": {
            "noise": {"attack": "noise", "knowledge": ["none"], "access": "none", "parameters": {"band_hz": None}},
            "pgd": {
                "attack": "pgd_l2",
                "knowledge": ["unaware", "aware"],
                "access": "gradient",
                "continues": True,
                "parameters": {"steps": 1, "relative_step": 0.4, "confidence": 0.0},
            },
            "scores": {
                "attack": "bursts",
                "knowledge": ["aware"],
                "access": "scores",
                "parameters": {"steps": 4, "share": 0.5, "confidence": 0.0},
            },
        }
    },
    "combinations": {"either": {"how": "by_chance", "treatments": ["none", "low"]}},
    "grids": {"sounds": GRID},
    "classifiers": {"events": {"tiny": {"victims": ["tiny"], "network": "spectrogram_cnn", "grid": "sounds"}}},
}
TREATMENTS = {
    "none": {"treatment": "none"},
    "noisy": {"treatment": "white_noise", "parameters": {"snr_db": 20.0}},
    "low": {"treatment": "resample", "parameters": {"rate_hz": 8000}},
}


def write(**changes):
    grid = GRID | changes
    audited = AUDIT | {"grids": {"sounds": grid}}
    Path("params.yaml").write_text(yaml.safe_dump({"audit": audited, "events": {"treatments": TREATMENTS}}))


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("audit")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("DEVICE", "cpu")
        write_clips(folder)
        write()
        audit.main("audit", "classifiers.events.tiny")
    return folder


@pytest.fixture
def here(home, monkeypatch):
    monkeypatch.chdir(home)
    monkeypatch.setenv("DEVICE", "cpu")
    write()


@pytest.fixture
def rows(home):
    return clip_table.read(home / "data/audit/classifiers/events/tiny/clips.csv")


def test_each_clip_has_a_row_for_each_defence_attack_knowledge_and_budget(rows):
    assert rows.clip_id.nunique() == 4
    assert set(rows.label) == {"high", "low"}
    counts = rows[rows.times == 1].groupby(["defence", "attack", "knowledge", "budget"]).size()
    for defence in GRID["treatments"]:
        for budget in GRID["budgets"]:
            assert counts[defence, "noise", "none", budget] == 4
            assert counts[defence, "pgd", "unaware", budget] == counts[defence, "pgd", "aware", budget] == 4
    limited = counts[counts.index.get_level_values("budget") != GRID["unlimited"]]
    assert limited.drop("scores", level="attack").size == 3 * 2 * 3
    assert (rows[rows.defence == "none"].right_clean == 1).all()  # only such clips are audited


def test_without_a_bound_those_clips_are_attacked_that_gradients_do_not_bring_down(rows):
    loudest = rows[(rows.budget == GRID["budgets"][-1]) & (rows.attack == "pgd")]
    left = loudest.groupby(["defence", "clip_id"]).right.min()
    tried = rows[rows.budget == GRID["unlimited"]]
    assert set(zip(tried.defence, tried.clip_id)) == set(left.index[left > 0])
    assert 0 < len(tried) < len(left) and set(tried.knowledge) == {"aware"}


def test_by_scores_those_clips_are_attacked_that_gradients_do_not_bring_down(rows):
    """A single step leaves some of them, not all."""
    loudest = rows[rows.budget == GRID["budgets"][-1]]
    left = loudest[loudest.attack != "scores"].groupby(["defence", "clip_id"]).right.min()
    tried = loudest[loudest.attack == "scores"]
    assert set(zip(tried.defence, tried.clip_id)) == set(left.index[left > 0])
    assert 0 < len(tried) < len(left)


def test_shares_are_of_so_many_hearings_and_one_where_no_chance_plays(rows):
    sure = rows[rows.defence == "none"].right
    assert set(sure) <= {0.0, 1.0}
    chance = rows[rows.defence != "none"]
    np.testing.assert_allclose((3 * chance.right) % 1, 0, atol=1e-9)


def test_perturbations_are_as_loud_as_told(rows):
    np.testing.assert_allclose(rows.reached[rows.budget > 0], rows.budget[rows.budget > 0], atol=0.2)
    assert (rows.reached[rows.budget < 0] >= GRID["unlimited"] - 0.1).all()  # files hold nothing beyond full scale


def test_through_nothing_knowing_changes_no_row(rows):
    own = rows[(rows.defence == "none") & (rows.attack == "pgd") & (rows.times == 1) & (rows.budget > 0)]
    shares = own.pivot_table(index=["clip_id", "budget"], columns="knowledge", values="right")
    pd.testing.assert_series_equal(shares.aware, shares.unaware, check_names=False)


def test_clips_where_knowing_gains_nothing_are_tried_with_twice_the_steps(rows):
    own = rows[(rows.attack == "pgd") & (rows.budget > 0)].set_index(["defence", "clip_id", "budget"])
    own = own[own.index.get_level_values("budget") == GRID["budgets"][-1]]
    aware, unaware = (own[(own.knowledge == name) & (own.times == 1)].right for name in ("aware", "unaware"))
    idle = set(aware.index[(aware > 0) & (aware >= unaware)])
    assert set(own.index[own.times == 2]) == idle
    assert idle
    assert set(own.index) > idle


def test_the_same_entry_gives_the_same_rows(here, rows):
    audit.main("audit", "classifiers.events.tiny")
    pd.testing.assert_frame_equal(clip_table.read("data/audit/classifiers/events/tiny/clips.csv"), rows)


def test_what_is_new_alone_is_computed(here, rows, monkeypatch):
    asked, audited = [], classifiers.audited

    def seen(task, plan):
        asked.append(plan.defence.iloc[0])
        return audited(task, plan)

    monkeypatch.setattr(classifiers, "audited", seen)
    write(treatments=[*GRID["treatments"], "low"])
    audit.main("audit", "classifiers.events.tiny")
    assert asked == ["low"]
    made = clip_table.read("data/audit/classifiers/events/tiny/clips.csv")
    known = made[made.defence != "low"].reset_index(drop=True)
    # Shards are numbered anew.
    own, before = (one.sort_values("key", ignore_index=True).drop(columns="shard") for one in (known, rows))
    pd.testing.assert_frame_equal(own, before)
    asked.clear()
    # An either-or of others is another treatment, by the same name too.
    other = {"how": "one_after_another", "treatments": ["none", "low"]}
    write(treatments=["noisy", "either"])
    values = yaml.safe_load(Path("params.yaml").read_text())
    values["audit"]["combinations"]["either"] = other
    Path("params.yaml").write_text(yaml.safe_dump(values))
    audit.main("audit", "classifiers.events.tiny")
    assert asked == ["either"]


@pytest.mark.parametrize(
    "changes, told",
    [
        ({"treatments": ["none", "nosy"]}, "events.treatments.nosy.*'noisy'"),
        ({"treatments": []}, "treatments of its grid, or `trained` models"),
        ({"attacks": ["sound.pdg"]}, "audit.attacks.sound.pdg.*'pgd'"),
        ({"budget_in": "epsilon"}, "snr_db"),
        ({"budget_in": "loudness"}, "one of 'snr_db', 'epsilon'"),
    ],
)
def test_what_does_not_fit_is_told_before_anything_runs(here, changes, told):
    write(**changes)
    with pytest.raises(UserError, match=told):
        classifiers.opened("audit", "events.tiny", "cpu")


def test_an_unknown_entry_or_section_is_told(here):
    with pytest.raises(UserError, match="'tiny'"):
        classifiers.opened("audit", "events.tinny", "cpu")
    with pytest.raises(UserError, match="classifiers"):
        audit.main("audit", "classifers.events.tiny")


def test_a_treatment_that_does_not_fit_the_rate_is_told(here):
    values = TREATMENTS | {"low": {"treatment": "resample", "parameters": {"rate_hz": 44100}}}
    Path("params.yaml").write_text(yaml.safe_dump({"audit": AUDIT, "events": {"treatments": values}}))
    with pytest.raises(UserError, match="16000 Hz; found 44100"):
        classifiers.opened("audit", "events.tiny", "cpu")


def test_a_victim_without_gradients_is_told_and_can_be_audited_by_scores(here, monkeypatch):
    logits = Victim.logits
    monkeypatch.setattr(Victim, "logits", lambda self, inputs: logits(self, inputs).detach())
    with pytest.raises(UserError, match="that gradients pass, for pgd"):
        classifiers.opened("audit", "events.tiny", "cpu")
    write(attacks=["sound.noise", "sound.scores"])
    assert [one.name for one in classifiers.opened("audit", "events.tiny", "cpu").runs] == ["noise", "scores"]
