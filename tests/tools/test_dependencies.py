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


def test_a_report_needs_its_findings_and_a_folder_without_python_that_a_module_names(monkeypatch):
    monkeypatch.chdir(Path(dependencies.__file__).parents[2])
    stage = dependencies.Stage("x", ("python", "-m", "stages.report", "events"), params=(), deps=(), outs=())
    needed = dependencies.needed(stage, {"events": {}})
    assert Path("stages/studies/events/findings.py") in needed
    assert Path("stages/reporting/templates/page.css") in needed
    assert Path("stages/reporting/vendored/datatables.net/License.txt") in needed
    # Named in stages/report.py too, but a room.
    assert not {path for path in needed if path.parts[1] == "corpora"}


def test_a_pretrained_model_is_the_network_that_its_entry_names_or_those_of_the_file_that_makes_it(monkeypatch):
    monkeypatch.chdir(Path(dependencies.__file__).parents[2])
    pretrained = {
        "nsnet2": {"method": "onnx_model", "parameters": {"network": "nsnet2"}},
        "wav2vec": {"method": "contrastive"},
    }
    treatments = {"own": {"treatment": "enhancer", "model": "pretrained/nsnet2"}}
    values = {"s": {"pretrained": pretrained, "treatments": treatments}}
    command = ("python", "-m", "stages.attack", "s", "own")
    through = dependencies.Stage("x", command, params=("s.treatments.own",), deps=(), outs=())
    found = dependencies.needed(through, values)
    assert {Path("stages/networks/nsnet2.py"), Path("stages/networks/onnx_graph.py")} <= found
    made = dependencies.Stage("x", command, params=(), deps=(Path("models/s/pretrained/wav2vec"),), outs=())
    assert Path("stages/networks/wav2vec.py") in dependencies.needed(made, values)
