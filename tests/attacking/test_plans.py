"""Which clips are attacked, how strongly, and into what: in an order that no neighbour changes."""

import itertools
from pathlib import Path

import pandas as pd
import pytest

from stages.attacking import plans
from stages.attacking.entries import Attack
from stages.attacking.plans import Work
from stages.frame.errors import UserError

NONE = {"none": Attack(attack="none")}
FAMILY = ["member", "variant", "judged_by", "judged_on", "attacked_at", "kept"]


def clips(per_label=8, labels="abcde"):
    rows = [
        (f"{label}{number}", label, ("train", "validation", "test")[min(number, 2)], 1 + number % 3)
        for label in labels
        for number in range(per_label)
    ]
    table = pd.DataFrame(rows, columns=["clip_id", "label", "split", "duration_s"])
    return table.assign(text="", speaker="s", fold="")


def work(folder, table=None, attacks=NONE, integers=True):
    table = clips() if table is None else table
    return Work(clips=table, victims={"v": Path(folder)}, attacks=attacks, integers=integers)


@pytest.fixture
def decided(tmp_path):
    """The folder of a victim that decides the third clip of each label wrongly."""
    table = clips()
    decision = table.label.where(~table.clip_id.str.endswith("2"), "x")
    table.assign(key=table.clip_id, decision=decision).to_csv(tmp_path / "decisions.csv", index=False)
    return tmp_path


def family(folder, *members):
    pd.DataFrame(members, columns=FAMILY).to_csv(folder / "members.csv", index=False)


def test_correct_takes_so_many_of_each_label(decided):
    chosen = plans.correct(work(decided), clips_per_label=3)
    assert chosen.label.value_counts().to_dict() == dict.fromkeys("abcde", 3)
    # Neither of another split nor decided wrongly.
    assert not {f"{label}{n}" for label in "abcde" for n in (0, 1, 2)} & set(chosen.clip_id)
    assert (chosen.target == "").all() and (chosen.epsilon == "").all() and chosen.kept.all()
    assert set(chosen.folder) == {str(decided)}


def test_correct_is_for_every_attack_each_at_its_epsilon(decided):
    attacks = NONE | {"fgsm": Attack(attack="fgsm", epsilon={"audio": 0.5})}
    chosen = plans.correct(work(decided, attacks=attacks), clips_per_label=2)
    assert chosen.groupby(["attack", "epsilon"]).size().to_dict() == {("none", ""): 10, ("fgsm", "0.5"): 10}
    assert chosen.key.is_unique
    assert [row.strength for row in chosen.itertuples()] == [None] * 10 + [{"audio": 0.5}] * 10


def test_removing_a_clip_that_was_not_chosen_changes_nothing(decided):
    chosen = plans.correct(work(decided), clips_per_label=3)
    spare = next(key for key in clips().clip_id if key not in set(chosen.clip_id) and key[1] not in "012")
    table = clips()
    again = plans.correct(work(decided, table[table.clip_id != spare]), clips_per_label=3)
    assert set(again.key) == set(chosen.key)


def test_clips_of_like_length_lie_together(decided):
    chosen = plans.correct(work(decided), clips_per_label=3)
    assert chosen.duration_s.is_monotonic_increasing and chosen.duration_s.nunique() > 1


def test_pairs_deal_every_label_to_every_other(decided):
    chosen = plans.correct_pairs(work(decided), labels=3, clips_per_pair=2)
    assert len(chosen) == 3 * 2 * 2
    assert (chosen.label != chosen.target).all()
    assert chosen.groupby(["label", "target"]).size().eq(2).all()
    assert chosen.groupby("label").clip_id.nunique().eq(4).all()
    assert chosen.key.is_unique


def test_no_correct_clip_or_one_label_is_an_error(decided):
    table = pd.read_csv(decided / "decisions.csv", keep_default_na=False)
    table[table.label == "a"].to_csv(decided / "decisions.csv", index=False)
    with pytest.raises(UserError, match="at least two labels"):
        plans.correct_pairs(work(decided), labels=3, clips_per_pair=1)
    table.assign(decision="x").to_csv(decided / "decisions.csv", index=False)
    with pytest.raises(UserError, match="decided correctly"):
        plans.correct(work(decided), clips_per_label=1)


def test_judged_takes_one_clip_of_each_speaker_before_any_second(tmp_path):
    family(tmp_path, *[("model", "v", "split", split, "", True) for split in ("validation", "test")])
    table = clips(per_label=14, labels="ab")
    table = table.assign(split=["validation" if n % 2 else "test" for n in range(28)])
    table = table.assign(speaker=[f"s{n // 2 % 4}" for n in range(28)])
    given = {"epsilons": [0.1], "kept_clips_per_label": None}
    for count, of_validation, of_test in ((5, 5, 5), ({"validation": 3, "test": 4}, 3, 4)):
        plan = plans.judged(work(tmp_path, table), clips_per_label=count, **given)
        for (split, _), own in plan[plan.epsilon == 0].groupby(["split", "label"]):
            expected = of_test if split == "test" else of_validation
            assert len(own) == expected and own.speaker.nunique() == min(4, expected)


def test_judged_attacks_models_where_they_are_judged_at_what_they_are_attacked_at(tmp_path):
    family(
        tmp_path,
        ("plain", "", "split", "test", "", True),
        ("hardened", "0.3", "split", "test", "0.3", False),
        ("noisy", "", "split", "validation", "never", False),
    )
    attacks = {"fgsm": Attack(attack="fgsm"), "bim": Attack(attack="bim")}
    plan = plans.judged(
        work(tmp_path, attacks=attacks), epsilons=[0.1, 0.5], clips_per_label=None, kept_clips_per_label=2
    )
    assert plan.key.is_unique
    counts = plan.groupby(["member", "attack", "epsilon"]).size().to_dict()
    assert counts == {
        ("plain", "none", 0.0): 30,
        **{("plain", attack, epsilon): 30 for attack in attacks for epsilon in (0.1, 0.5)},
        ("hardened", "none", 0.0): 30,
        **{("hardened", attack, 0.3): 30 for attack in attacks},
        ("noisy", "none", 0.0): 5,
    }
    assert (plan.split == plan.judged_on).all()
    assert {Path(folder).name for folder in plan.folder[plan.member == "hardened"]} == {"hardened"}
    kept = plan[plan.kept]
    assert set(kept.member) == {"plain"} and set(kept.attack) == {"fgsm", "bim"}
    assert kept.groupby(["attack", "epsilon", "label"]).clip_id.nunique().eq(2).all()


def test_judged_gives_an_attack_as_many_test_clips_of_each_label_as_it_takes(tmp_path):
    family(
        tmp_path,
        ("plain", "", "split", "test", "", True),
        ("developed", "", "split", "validation", "", True),
        ("hardened", "0.3", "split", "test", "0.3", False),
    )
    attacks = {"bim": Attack(attack="bim"), "long": Attack(attack="bim", clips=2)}
    given = work(tmp_path, attacks=attacks)
    plan = plans.judged(given, epsilons=[0.1], clips_per_label=None, kept_clips_per_label=None)
    assert set(plan.member[plan.attack == "long"]) == {"plain", "hardened"}
    own = plan[(plan.attack == "long") & (plan.member == "plain")]
    assert own.label.value_counts().to_dict() == dict.fromkeys("abcde", 2)
    assert set(own.split) == {"test"} and not own.kept.any()
    assert plan[(plan.attack == "bim") & (plan.member == "plain")].kept.all()
    assert set(own.clip_id) == set(plan.clip_id[(plan.attack == "long") & (plan.member == "hardened")])


def test_names_and_epsilons_of_models_may_all_be_numbers(tmp_path):
    family(tmp_path, ("1", "0.3", "fold", "1", "0.3", False), ("2", "0.30", "fold", "2", "0.30", False))
    table = clips().assign(fold=["1", "2"] * 20)
    plan = plans.judged(
        work(tmp_path, table, {"fgsm": Attack(attack="fgsm")}),
        epsilons=[0.1],
        clips_per_label=1,
        kept_clips_per_label=0,
    )
    assert set(plan.epsilon[plan.attack == "fgsm"]) == {0.3} and not plan.kept.any()
    assert (plan.fold == plan.member).all() and plan.clip_id.nunique() == 10


def test_what_no_file_holds_is_kept_unattacked_too(tmp_path):
    family(tmp_path, ("model", "", "split", "test", "", True))
    kept = [
        plans.judged(work(tmp_path, integers=one), epsilons=[0.1], clips_per_label=1, kept_clips_per_label=None).kept
        for one in (True, False)
    ]
    assert kept[0][:5].tolist() == [False] * 5 and kept[1].all()


def test_a_batch_is_one_model_attack_and_epsilon_and_a_model_is_opened_once(tmp_path):
    family(tmp_path, ("b", "", "split", "test", "", True), ("a", "", "split", "test", "", True))
    plan = plans.judged(
        work(tmp_path, attacks={"fgsm": Attack(attack="fgsm")}),
        epsilons=[{"audio": 1, "video": 2}, {"audio": 3, "video": 4}],
        clips_per_label=2,
        kept_clips_per_label=None,
    )
    assert [key for key, _ in plan.groupby(["member", "attack", "epsilon"], sort=False)] == [
        (member, *run) for member in "ab" for run in (("none", 0.0), ("fgsm", "1/2"), ("fgsm", "3/4"))
    ]
    runs = (plan[["member", "attack", "epsilon"]].astype(str).agg("/".join, axis=1)).tolist()
    assert sum(one != other for one, other in itertools.pairwise(runs)) == 5


def test_targets_are_put_into_every_clip_but_those_that_say_them(tmp_path):
    family(tmp_path, ("model", "", "split", "test", "", True))
    table = clips(3, "a").assign(label="", text=["one", "two", "three"])
    plan = plans.judged(
        work(tmp_path, table, {"partial": Attack(attack="targeted_transcription", epsilon=0.5)}),
        epsilons=[0.1],
        clips_per_label=None,
        kept_clips_per_label=None,
        targets=["three", "a four"],
    )
    assert set(zip(plan.clip_id, plan.target)) == {("a2", "a four")}
    # An attack's own epsilon takes the place of the plan's.
    assert plan.epsilon.tolist() == [0.0, 0.5] and plan.strength.tolist() == [None, 0.5]
    assert plan.key[1] == "a2/v/model/a-four/partial/0.5"


def test_phrases_are_dealt_to_clips_of_as_many_speakers_as_there_are(tmp_path):
    table = clips(9, "ab").assign(label="", text="said", speaker=["s0"] * 5 + ["s1", "s2", "s3", "s4"] + ["s5"] * 9)
    table.loc[table.clip_id == "a5", "text"] = ""
    attacks = {
        "all": Attack(attack="over_the_air"),
        "few": Attack(attack="over_the_air", clips=2, epsilon={"audio": 0.06}),
    }
    plan = plans.phrases(work(tmp_path, table, attacks), targets=["open the door", "call"], clips=6)
    counts = plan.groupby(["attack", "target", "epsilon"]).size().to_dict()
    assert counts == {
        **{("all", "open the door", ""): 3, ("all", "call", ""): 3},
        **{("few", "open the door", "0.06"): 1, ("few", "call", "0.06"): 1},
    }
    # One of every speaker who says anything, and one more.
    assert (
        plan[plan.attack == "all"].speaker.nunique()
        == table[(table.split == "test") & (table.text != "")].speaker.nunique()
    )
    pairs = {attack: set(zip(own.clip_id, own.target)) for attack, own in plan.groupby("attack")}
    assert pairs["few"] < pairs["all"]
    assert set(plan.split) == {"test"} and "a5" not in set(plan.clip_id) and plan.kept.all()
    assert plan.key.is_unique and not plan.key.str.contains(" ").any()
    everything = plans.phrases(work(tmp_path, table, {"all": attacks["all"]}), targets=["call"])
    spare = next(clip for clip in everything.clip_id if clip not in set(plan.clip_id))
    again = plans.phrases(work(tmp_path, table[table.clip_id != spare], attacks), targets=["call"], clips=6)
    assert set(again.clip_id) == set(plan.clip_id)


def test_a_plan_without_rows_is_an_error(tmp_path):
    with pytest.raises(UserError, match="the clips that a plan attacks: expected at least one; found none"):
        plans.phrases(work(tmp_path), targets=["call"])
