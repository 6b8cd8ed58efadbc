"""What a stage needs beyond what its parameters name now."""

from pathlib import Path

import pytest

from stages.tools import dependencies


@pytest.mark.parametrize(("verb", "whole"), [("score", True), ("report", False)])
def test_where_every_treatment_is_taken_the_file_of_a_new_one_is_needed(monkeypatch, verb, whole):
    """So that an edit of it is noticed."""
    monkeypatch.chdir(Path(dependencies.__file__).parents[2])
    values = {"emotion": {"treatments": {"own": {"treatment": "reverb"}}}}
    command, nothing = ("python", "-m", f"stages.{verb}", "emotion", "inverted"), {"deps": (), "outs": ()}
    stage = dependencies.Stage("x", command, params=("emotion.treatments",), **nothing)
    assert (Path("stages/treatments/mp3.py") in dependencies.needed(stage, values)) == whole
    one = dependencies.Stage("x", command, params=("emotion.treatments.own",), **nothing)
    assert Path("stages/treatments/mp3.py") not in dependencies.needed(one, values)
