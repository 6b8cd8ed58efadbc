"""Mutated inputs of every reader are read rightly or told in one line; and what is not so is found out."""

import os
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from tests.fuzzing import runner
from tests.fuzzing.subject import Subject, written

EACH = 26
# The longer form, without a bound: python -m tests.fuzzing.long
BOUND_S = 110.0


@pytest.fixture(scope="module")
def found() -> dict[str, list[runner.Outcome]]:
    """The outcomes of each subject's inputs, all subjects in turn, as many as there is time for."""
    found, start_s = defaultdict(list), time.monotonic()
    for outcome in runner.outcomes((name, number) for number in range(EACH) for name in runner.SUBJECTS):
        found[outcome.subject].append(outcome)
        if time.monotonic() - start_s > BOUND_S:
            break
    return found


def test_there_are_enough_of_them():
    assert EACH * len(runner.SUBJECTS) >= 600


@pytest.mark.parametrize("name", runner.SUBJECTS)
def test_it_is_read_rightly_or_told_in_one_line(found, name):
    faults = [
        f"python -m tests.fuzzing.long -{one.number} {name}: {one.mutation}: {one.fault}"
        for one in found[name]
        if one.fault
    ]
    assert found[name] and not faults, "\n".join(faults)


def _make(folder: Path) -> None:
    written(folder, {"a.bin": "whole"})


def _read_bytes(folder: Path) -> bytes:
    return (folder / "a.bin").read_bytes()


def _read_text(folder: Path) -> str:
    text = (folder / "a.bin").read_bytes().decode()
    if text != "whole":
        raise ValueError("another text")
    return text


def _sleep(folder: Path) -> bytes:
    time.sleep(0 if _read_bytes(folder) == b"whole" else 60)
    return b""


def _crash(folder: Path) -> bytes:
    if _read_bytes(folder) != b"whole":
        os.abort()
    return b""


def _eat(folder: Path) -> bytes:
    return bytes(5 if _read_bytes(folder) == b"whole" else 10 * 2**30)


def _pass(found: object, whole: object) -> None:
    """Whatever it is."""


def _is_whole(found: object, whole: object) -> None:
    assert found == whole


BAD = {
    "traceback": (_read_text, frozenset(), _pass),
    "hang": (_sleep, frozenset(), _pass),
    "crash": (_crash, frozenset(), _pass),
    "memory": (_eat, frozenset(), _pass),
    "exact": (_read_bytes, frozenset(("truncated", "emptied", "flipped", "zeroed", "resized", "spliced")), _pass),
    "check": (_read_bytes, frozenset(), _is_whole),
    "sound": (_read_bytes, frozenset(), _pass),
}


def test_every_kind_of_fault_is_found_out():
    subjects = {name: Subject(_make, ("a.bin",), *rest) for name, rest in BAD.items()}
    found = {one.subject: one for one in runner.outcomes(((name, 1) for name in BAD), subjects, limit_s=2)}
    assert {name: one.result for name, one in found.items()} == {
        **{name: name for name in ("traceback", "hang", "crash")},
        "memory": "traceback",
        **dict.fromkeys(("exact", "check", "sound"), "other"),
    }
    assert [name for name, one in found.items() if not one.fault] == ["sound"]
    assert "MemoryError" in found["memory"].fault


def test_results_are_compared_by_values_and_types():
    one = {"a": [np.float32([1, np.nan]), "x"], "b": 1}
    assert runner.same(one, {"a": [np.float32([1, np.nan]), "x"], "b": 1})
    others = ({"a": one["a"]}, one | {"b": 1.0}, one | {"b": True}, one | {"a": [np.float64([1, np.nan]), "x"]})
    assert not any(runner.same(one, other) for other in others)
