"""Which clips are attacked: correct ones of the test split, in an order that no neighbour changes."""

import pandas as pd
import pytest

from stages import selection
from stages.frame.errors import UserError


def decisions(per_label: int = 8) -> pd.DataFrame:
    rows = []
    for label in "abcde":
        for number in range(per_label):
            split = "train" if number == 0 else "test"
            decision = "x" if number == 1 else label
            rows.append((f"{label}{number}", split, label, decision, 1.0))
    return pd.DataFrame(rows, columns=["key", "split", "label", "decision", "duration_s"])


def test_untargeted_takes_so_many_of_each_label():
    chosen = selection.untargeted(decisions(), clips_per_label=3)
    assert chosen.label.value_counts().to_dict() == dict.fromkeys("abcde", 3)
    assert not {f"{label}{n}" for label in "abcde" for n in (0, 1)} & set(chosen.clip_id)


def test_removing_a_clip_that_was_not_chosen_changes_nothing():
    table = decisions()
    chosen = selection.untargeted(table, clips_per_label=3)
    spare = next(key for key in table.key if key not in set(chosen.key) and key[1] not in "01")
    again = selection.untargeted(table[table.key != spare], clips_per_label=3)
    assert set(again.key) == set(chosen.key)


def test_targeted_deals_every_label_to_every_other():
    chosen = selection.targeted(decisions(), labels=3, clips_per_pair=2)
    assert len(chosen) == 3 * 2 * 2
    assert (chosen.label != chosen.target).all()
    assert chosen.groupby(["label", "target"]).size().eq(2).all()
    assert chosen.groupby("label").clip_id.nunique().eq(4).all()
    assert chosen.key.is_unique


def test_no_correct_clip_or_one_label_is_an_error():
    table = decisions()
    with pytest.raises(UserError, match="decided correctly"):
        selection.untargeted(table.assign(decision="x"), clips_per_label=1)
    with pytest.raises(UserError, match="at least two labels"):
        selection.targeted(table[table.label == "a"], labels=3, clips_per_pair=1)
