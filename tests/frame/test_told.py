"""Mappings whose missing entries are told, and copies of them."""

import copy
import dataclasses
from typing import Any

import pytest

from stages.frame.errors import UserError
from stages.frame.told import Told


@dataclasses.dataclass
class Holder:
    values: dict[str, Any]


def test_a_missing_entry_is_told_in_copies_too():
    made = Told([("mels", 8)], where="about.json", do="run it again")
    assert made == {"mels": 8} and made["mels"] == 8 and made.get("width") is None
    for one in (made, copy.deepcopy(made)):
        with pytest.raises(UserError, match=r"about\.json: expected an entry 'width'; found mels; run it again"):
            one["width"]
    plain = dataclasses.asdict(Holder(made))["values"]
    assert plain == {"mels": 8}
    with pytest.raises(UserError, match="what was read: expected an entry 'width'"):
        plain["width"]
