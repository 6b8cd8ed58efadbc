"""What every method checks: labels to tell apart, clips in each split, and outputs that can be compared."""

import math
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
import torch

from stages.frame.errors import UserError
from stages.training.task import Task, by_share, check_outputs, check_room, check_splits, check_two_labels
from stages.victim import characters, ctc


def task(labels):
    here = Path("here")
    return Task(SimpleNamespace(folder=here), None, labels, None, {}, "cpu", here, here)


def test_outputs_that_are_not_finite_name_their_clip():
    check_outputs(torch.ones(2, 3), ["one", "two"])
    check_outputs(torch.tensor([0.5, 1.0]), ["one", "two"])
    for wrong in (math.nan, math.inf, -math.inf):
        values = torch.ones(2, 2, 3)
        values[1, 0, 2] = wrong
        with pytest.raises(
            UserError, match="what the network says of the clip two: expected finite numbers; found NaN"
        ):
            check_outputs(values, ["one", "two"])
        with pytest.raises(UserError, match="of the clip one: "):
            check_outputs(torch.tensor([wrong, 1.0]), ["one", "two"])


@pytest.mark.parametrize("labels", [[], ["flute"]])
def test_of_one_label_nothing_can_be_learned(labels):
    with pytest.raises(UserError, match=f"here: expected at least two labels; found {len(labels)}: {''.join(labels)}"):
        check_two_labels(task(labels))
    check_two_labels(task(["drum", "flute"]))


def test_each_split_must_have_clips():
    table = pd.DataFrame({"split": ["train", "train", "validation", "test", "test"]})
    check_splits(task([]), table, "mixtures")
    with pytest.raises(
        UserError, match="here: expected at least 2 mixtures in the split validation; found 1; change how"
    ):
        check_splits(task([]), table, "mixtures", least=2)
    with pytest.raises(UserError, match="expected at least 1 clips in the split test; found 0"):
        check_splits(task([]), table[:3], "clips")


@pytest.mark.parametrize(("text", "least"), [("a", 1), ("ab", 2), ("aab", 4), ("abba", 5), ("aaaa", 7), ("", 0)])
def test_a_text_has_room_where_ctc_can_say_it(text, least):
    labels = characters(["ab", text], ["a", "b"])
    check_room(["x", "y"], labels, torch.tensor([2, least]))
    loss = ctc(torch.zeros(2, max(least, 2), 3), labels)
    assert text == "" or loss[1] > 0
    if least > 2:
        assert ctc(torch.zeros(2, least - 1, 3), labels)[1] == 0
    with pytest.raises(
        UserError, match=f"clip y: expected at least {least} steps for its text; found {least - 1}; leave"
    ):
        check_room(["x", "y"], labels, torch.tensor([2, least - 1]))


def test_a_share_of_no_clips_is_no_result():
    assert by_share("accuracy", 0.9, chance=0.5, clips=40).no_better_than == ""
    assert by_share("accuracy", 0.55, chance=0.5, clips=40).no_better_than == "chance (0.500)"
    with pytest.raises(UserError, match="0 test clips: expected finite numbers as accuracy"):
        by_share("accuracy", math.nan, chance=0.5, clips=0)
