"""Scales: what they may name, what they leave, and writing one twice."""

import shutil
from pathlib import Path

import clones
import pytest

from stages.frame import parameters
from stages.frame.errors import UserError
from stages.tools import scale


def test_scales_change_only_what_exists():
    values = {"a": {"b": 1, "c": {"d": 2}}, "e": 3}
    for _ in range(2):
        scale.apply(values, {"a": {"b": 5, "c": None}}, "scales/x.yaml")
        assert values == {"a": {"b": 5}, "e": 3}
    with pytest.raises(UserError, match=r"scales/x.yaml: a.z: expected a parameter"):
        scale.apply(values, {"a": {"z": 1}}, "scales/x.yaml")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    shutil.copy2(clones.ROOT / "params.yaml", tmp_path)
    shutil.copytree(clones.ROOT / "scales", tmp_path / "scales")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", ["paper", "smoke"])
def test_a_scale_keeps_comments_gives_other_parameters_and_can_be_written_twice(folder, name):
    scale.main(name)
    text = Path("params.yaml").read_text()
    comments = [line for line in (clones.ROOT / "params.yaml").read_text().splitlines() if line.startswith("#")]
    assert set(comments) <= set(text.splitlines())
    once = parameters.read()
    assert once != parameters.read(clones.ROOT / "params.yaml")
    scale.main(name)
    assert parameters.read() == once


@pytest.mark.parametrize(("first", "then"), [("smoke", "paper"), ("paper", "smoke")])
def test_after_another_scale_it_is_as_if_that_had_not_been(folder, first, then):
    clones.repository(folder)
    clones.commit(folder)
    scale.main(then)
    alone = parameters.read()
    clones.run(folder, "git", "restore", "params.yaml")
    for name in (first, then):
        scale.main(name)
    assert parameters.read() == alone


def test_what_is_ones_own_is_not_taken_back():
    committed, changes = {"a": 1, "b": {"c": 2}, "d": 3, "e": {}}, {"a": 5, "b": {"c": 6}, "d": 7, "e": None}
    values = {"a": 5, "b": {"c": 9}, "d": 8, "own": 0}
    scale.take_back(values, changes, committed)
    assert values == {"a": 1, "b": {"c": 9}, "d": 8, "own": 0, "e": {}}


@pytest.mark.parametrize("name", ["paper", "smoke"])
def test_what_a_scale_takes_out_is_there(name):
    """A misspelt name with `null` would be passed over in silence."""

    def names(changes, values, above=""):
        for key, change in changes.items():
            assert key in values, f"{above}{key}"
            if isinstance(change, dict) and isinstance(values[key], dict):
                names(change, values[key], f"{above}{key}.")

    names(parameters.read(clones.ROOT / "scales" / f"{name}.yaml"), parameters.read(clones.ROOT / "params.yaml"))


@pytest.mark.parametrize("name", ["paper", "smoke"])
def test_what_lists_name_is_there_at_every_scale(folder, name):
    """Victims, attacks, treatments, sets and clips to listen to that entries name."""
    scale.main(name)
    for study, values in parameters.read().items():
        for entry in values.get("attacked", {}).values():
            assert {one.split("/")[0] for one in entry["victims"]} <= set(values["victims"]), study
            for attack in entry["attacks"]:
                parameters.section(f"{study}.attacks.{attack}")
            assert entry["plan"] in values["plans"]
        for entry in values.get("scored", {}).values():
            assert set(entry.get("treatments") or ()) <= set(values["treatments"]), study
            sets = {one.removeprefix("adversarial/") for one in entry.get("sets") or ()}
            assert sets <= {*values.get("attacked", {}), *values.get("mixtures", {})}, study


@pytest.mark.parametrize("name", ["huge", "", "../params", "smoke/"])
def test_an_unknown_scale_is_told(folder, name):
    with pytest.raises(UserError, match=rf"SCALE: expected one of paper, smoke; found '{name}'"):
        scale.main(name)


@pytest.mark.parametrize(
    ("text", "message"), [(b"a: caf\xe9\n", "line 1: expected text in UTF-8"), (b"a: [", "valid YAML")]
)
def test_a_scale_that_can_not_be_read_leaves_the_parameters_as_they_are(folder, text, message):
    before = Path("params.yaml").read_bytes()
    Path("scales/smoke.yaml").write_bytes(text)
    with pytest.raises(UserError, match=f"scales/smoke.yaml.*{message}"):
        scale.main("smoke")
    assert Path("params.yaml").read_bytes() == before
