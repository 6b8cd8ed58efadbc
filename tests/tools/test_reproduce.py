"""Which stages `make reproduce` runs, in what order, and what it asks for first."""

import json

import pytest

from stages.frame.errors import UserError
from stages.tools import graph, only, reproduce

GRAPH = {
    "report": {"score", "other"},
    "other": {"write"},
    "score": {"attack"},
    "attack": {"train"},
    "train": {"prepare"},
    "prepare": {"write"},
    "write": set(),
}


def test_what_follows_a_change_is_run_and_waits_for_it_alone():
    assert dict(graph.following(GRAPH, {"attack"})) == {"report": {"score"}, "score": {"attack"}, "attack": set()}
    assert graph.following(GRAPH, set()) == []


def test_places_are_asked_for_wherever_a_study_names_them(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
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


@pytest.fixture
def house(tmp_path, monkeypatch):
    """A folder with two studies, and what writes its parameters."""
    monkeypatch.chdir(tmp_path)
    for name in ("one", "two"):
        (tmp_path / "stages/studies" / name).mkdir(parents=True)
        (tmp_path / "stages/studies" / name / "dvc.yaml").touch()

    def made(text: str) -> None:
        (tmp_path / "params.yaml").write_text(text)

    return made


def test_what_is_asked_for_wrongly_is_told(house):
    house("two: {a: 1}\none: {a: 1}\n")
    with pytest.raises(UserError, match="STUDY: expected one of two, one; found three"):
        reproduce.main("three", 1)
    with pytest.raises(UserError, match="JOBS: expected a whole number >= 1; found 0"):
        reproduce.main("one", 0)


@pytest.mark.parametrize("text", ["one: {a: 1}\n", "one: {a: 1}\ntwo:\n", "one: {a: 1}\ntwo: [1]\n"])
def test_a_study_without_parameters_is_told(house, text):
    house(text)
    with pytest.raises(UserError, match=r"params.yaml: expected a section of parameters 'two'; found"):
        reproduce.main("one", 1)


def test_entries_that_are_none_are_passed_over_when_places_are_asked_for():
    values = {"other": None, "mine": {"embedded": None, "corpora": {"audio": None}}}
    reproduce.check_places("mine", values)


def test_headline_numbers_have_names_units_and_what_they_mean(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    metrics = {"clean_percent": 91.234, "attack_snr_db": 30.0, "detection_auc": 0.5}
    summary = {
        "title": "Sounds",
        "corpus": "mine",
        "metrics": metrics,
        "meanings": {name: f"of {name}" for name in metrics},
    }
    (tmp_path / "reports/one").mkdir(parents=True)
    (tmp_path / "reports/one/summary.json").write_text(json.dumps(summary))
    reproduce._print_headline("one")
    assert [line.split() for line in capsys.readouterr().out.splitlines()[1:]] == [
        ["one:", "Sounds", "(corpus:", "mine)"],
        ["clean_percent", "91.23", "%", "of", "clean_percent"],
        ["attack_snr_db", "30", "dB", "of", "attack_snr_db"],
        ["detection_auc", "0.5", "of", "detection_auc"],
    ]


@pytest.mark.parametrize("root", [None, "", 3])
def test_a_place_that_is_none_is_told(root):
    """DVC has an AssertionError for it."""
    with pytest.raises(UserError, match=rf"params.yaml: mine.corpora.audio.root: expected .*; found {root!r}; see"):
        reproduce.check_places("mine", {"mine": {"corpora": {"audio": {"root": root}}}})


STUDIES = {
    "one": {
        "victims": {"net": {}},
        "attacks": {"group": {"own": {"attack": "x"}}, "fgsm": {"attack": "fgsm"}},
        "attacked": {
            "a": {"victims": ["net/single", "other"], "attacks": ["group.own"]},
            "b": {"victims": ["theirs"], "attacks": ["fgsm"]},
        },
        "treatments": {"half": {}},
        "scored": {"clean": {"sets": ["noisy"]}, "all": {"sets": ["adversarial/a"]}},
    },
    "two": {"victims": {"lone": {}}, "attacks": {"fgsm": {"attack": "fgsm"}}, "attacked": {}},
}


def test_a_name_alone_finds_its_study_and_what_is_to_be_made():
    for name, sets in {"net": "a", "own": "a", "b": "b", "theirs": "b"}.items():
        found = only.sets_with(name, "one", STUDIES["one"])
        assert list(found) == [sets]
        assert only.made_for(name, "one", STUDIES["one"], found) == [f"data/one/adversarial/{sets}"]
    assert only.made_for("half", "one", STUDIES["one"], {}) == ["data/one/scores/all"]
    assert only.made_for("x", "events", {}, {"a": 0}) == ["data/events/scores/a"]
    # What stands in `own` is scored by itself.
    for section in ("attacked", "finished"):
        values = STUDIES["one"] | {"own": {section: {"b": {}}}}
        found = only.sets_with("theirs", "one", values)
        assert only.made_for("theirs", "one", values, found) == ["data/one/adversarial/b", "data/one/scores/b"]
    both = {"a": {}, "b": {}}
    assert only.made_for("half", "one", values, both) == ["data/one/scores/b", "data/one/scores/all"]
    for name in ("net", "own", "a", "half"):
        assert only.study_with(name, ["one", "two"], STUDIES) == "one"
    assert only.study_with("lone", ["one", "two"], STUDIES) == "two"


def test_with_a_treatment_go_ones_own_sets_and_the_clean_clips_of_their_victims():
    sets = {"vgg13-clean": ("vgg13", "none"), "crnn-clean": ("crnn", "none"), "vgg13-deepfool": ("vgg13", "deepfool")}
    sets |= {"mine": ("vgg13", "mine")}
    sets = {name: {"victims": [victim], "attacks": [attack]} for name, (victim, attack) in sets.items()}
    values = {"victims": {}, "attacks": {}, "attacked": sets, "treatments": {"half": {}}}
    assert set(only.sets_with("half", "events", values)) == {"mine", "vgg13-clean"}
    del sets["mine"]
    assert set(only.sets_with("half", "events", values)) == set(sets)


def test_a_dry_run_tells_each_stage_after_those_that_it_waits_for():
    assert reproduce._told({"b": {"a"}, "c": {"b"}, "a": set()}) == "a\nb\nc\n3 stages would run"
    assert reproduce._told({}) == "nothing would run"


def test_a_detector_is_asked_of_the_sets_that_name_it_and_ones_own_sets_are_shown_to_theirs():
    """Others of the paper's are not asked anew."""
    asked = {
        "words": {"set": "adversarial/words", "detectors": ["sync_clean"]},
        "mine": {"set": "adversarial/words", "detectors": ["new", "sync_clean"]},
        "of_my_set": {"set": "adversarial/my_set", "detectors": ["sync_clean"]},
    }
    sets = {name: {"victims": ["reader"], "attacks": [name]} for name in ("words", "my_set")}
    values = {"victims": {}, "attacks": {}, "attacked": sets, "detectors": {"new": {}}, "detected": asked}
    for name, found, made in (("new", "words", "mine"), ("my_set", "my_set", "of_my_set")):
        assert list(only.sets_with(name, "audiovisual", values)) == [found]
        folders = only.made_for(name, "audiovisual", values, {found: sets[found]})
        assert folders == [f"data/audiovisual/adversarial/{found}", f"data/audiovisual/detections/{made}"]


def test_a_name_of_no_study_or_of_several_is_told():
    with pytest.raises(UserError, match="ONLY: expected a name of one study; found 'fgsm' in one, two; say which"):
        only.study_with("fgsm", ["one", "two"], STUDIES)
    with pytest.raises(
        UserError, match="ONLY: expected a victim, attack, set, treatment or detector of a study; found 'nobody'"
    ):
        only.study_with("nobody", ["one", "two"], STUDIES)
    with pytest.raises(UserError, match="found 'lone'; add an entry of `attacked` that has it"):
        only.sets_with("lone", "two", STUDIES["two"])
    with pytest.raises(UserError, match="found 'nobody'; known here: fgsm, lone"):
        only.sets_with("nobody", "two", STUDIES["two"])
    with pytest.raises(UserError, match="found 'fgms'; did you mean 'fgsm'"):
        only.study_with("fgms", ["one", "two"], STUDIES)
