"""Which stages `make reproduce` runs, in what order, and what it asks for first."""

import pytest

from stages.frame.errors import UserError
from stages.tools import graph, reproduce, workers

GRAPH = {
    "report": {"score", "other"},
    "other": {"write"},
    "score": {"attack"},
    "attack": {"train"},
    "train": {"prepare"},
    "prepare": {"write"},
    "write": set(),
}


def test_those_that_the_longest_chain_waits_for_come_first():
    order = list(workers.most_awaited_first(GRAPH))
    assert order == ["write", "prepare", "train", "attack", "other", "score", "report"]


def test_what_follows_a_change_is_run_and_waits_for_it_alone():
    assert dict(graph.following(GRAPH, {"attack"})) == {"report": {"score"}, "score": {"attack"}, "attack": set()}
    assert graph.following(GRAPH, set()) == []


def test_places_are_asked_for_wherever_a_study_names_them(tmp_path):
    values = {
        "other": {"embedded": {"rooms": {"output": "data/embedded/rooms"}}},
        "mine": {
            "corpora": {"audio": {"root": str(tmp_path)}},
            "playback": {"impulse_responses": "data/embedded/rooms", "spoken_phrases": "data/embedded/rooms/phrases"},
            "treatments": {"hall": {"parameters": {"impulse_response": str(tmp_path / "hall.wav")}}},
        },
    }
    where = r"params.yaml: mine.treatments.hall.parameters.impulse_response: expected a file or folder"
    with pytest.raises(UserError, match=where):
        reproduce.check_places("mine", values)
    (tmp_path / "hall.wav").touch()
    reproduce.check_places("mine", values)
    values["other"]["embedded"]["rooms"]["output"] = "data/embedded/others"
    with pytest.raises(UserError, match=r"mine\.playback\.impulse_responses"):
        reproduce.check_places("mine", values)
