"""What is out of date where stages that read the same file have run at different times."""

from pathlib import Path

import clones
import yaml

from stages.tools import graph

GRAPH = """
stages:
  first: {cmd: cp given first, deps: [given], outs: [first]}
  second: {cmd: cp given second, deps: [given], outs: [second]}
"""


def test_a_file_has_changed_for_those_alone_that_read_it_before(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    clones.repository(tmp_path)
    Path("dvc.yaml").write_text(GRAPH)
    Path("given").write_text("one")
    clones.repro(tmp_path)
    assert graph.outdated(["first", "second"], {}) == {}
    Path("given").write_text("two")
    clones.repro(tmp_path, "second")
    assert graph.outdated(["first", "second"], {}) == {"first": set()}
    assert graph.outdated(["second", "first"], {}) == {"first": set()}


def test_a_stage_comes_after_all_that_it_needs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    clones.repository(tmp_path)
    needed = {"a": (), "b": ("a",), "c": ("a", "b"), "other": ("a",), "d": ("c", "a")}
    stages = {name: {"cmd": "x", "deps": list(own), "outs": [name]} for name, own in needed.items()}
    Path("dvc.yaml").write_text(yaml.safe_dump({"stages": stages}))
    graph.named.cache_clear()
    assert graph.with_needed("d") == ["a", "b", "c", "d"]
    assert graph.with_needed("other") == ["a", "other"]
