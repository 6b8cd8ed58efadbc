"""Rooms' files and functions found by the names that parameters give."""

import pytest

from stages.attacking import plans
from stages.frame.errors import UserError
from stages.frame.modules import find, find_function


def test_what_is_there_is_found():
    assert find("attacking", "plans", "FIRST", where="x") == plans.FIRST
    assert find_function("attacking", "plans", "correct", where="x") is plans.correct


@pytest.mark.parametrize("name", ["plan", "", "../attacking/plans", "embedded/events", "plans.py"])
def test_a_name_of_no_file_of_the_room_is_told(name):
    with pytest.raises(UserError, match=r"params\.yaml: x: expected a file stages/attacking/<name>\.py \(.*plans"):
        find("attacking", name, "correct", where="x")


@pytest.mark.parametrize("name", ["Count", "Path", "permutations", "stable_hash", "FIRST", "_run", "__doc__"])
def test_what_is_no_function_of_the_file_is_told(name):
    with pytest.raises(UserError, match=rf"params\.yaml: x: expected a function of .*plans\.py; found '{name}'"):
        find_function("attacking", "plans", name, where="x")
