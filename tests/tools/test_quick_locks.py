"""Texts, parameters and locks of DVC: read once, and locks written whole, with the bytes that DVC writes."""

import os
import signal

import pytest
import yaml

from stages.tools import quick_dvc


def test_a_text_is_parsed_once_and_each_time_anew_for_its_caller():
    parsed = []

    def parse(text, path, typ="safe"):
        parsed.append((text, typ))
        return {"text": text, "of": [typ]}

    remembered = quick_dvc._remembered(parse, {})
    first = remembered("a", "x")
    first["of"].append("changed")
    assert remembered("a", "x") == {"text": "a", "of": ["safe"]}
    assert remembered("b", "x")["text"] == "b"
    assert remembered("a", "x", typ="rt")["of"] == ["rt"]
    assert parsed == [("a", "safe"), ("b", "safe"), ("a", "rt")]


def test_of_a_lock_those_entries_are_parsed_that_are_new():
    parsed = []

    def parse(text, path, typ="safe"):
        parsed.append(text)
        return yaml.safe_load(text)

    remembered = quick_dvc._remembered(parse, {})
    first = "  a:\n    cmd: x\n    outs:\n    - path: a b\n"
    for second in ("  b:\n    cmd: y\n", "  b:\n    cmd: z\n"):
        lock = quick_dvc.OF_STAGES + first + second
        assert remembered(lock, "dvc.lock") == yaml.safe_load(lock)
    assert [text for text in parsed if "cmd" in text] == [first, "  b:\n    cmd: y\n", "  b:\n    cmd: z\n"]
    for other in (quick_dvc.OF_STAGES + "  a: &id001 {cmd: x}\n  b: *id001\n", lock + "other: 1\n"):
        assert remembered(other, "dvc.lock") == yaml.safe_load(other)
        assert parsed[-1] == other


LOCK = """schema: '2.0'
stages:
  first@a-b:
    cmd: python -m long with many words that are more than fit into a line of text of eighty letters, so that
      it goes on
    params:
      params.yaml:
        text: "two\\n\\nlines"
        size: 1e-05
  first@a:
    cmd: b
  last:
    cmd: c
"""
SHARING = "cmd: b\n    deps: &id001\n    - path: x\n    outs: *id001"


@pytest.mark.parametrize(
    "change",
    [
        {"first@a": {"cmd": "changed"}},
        {"first@a-b": {"cmd": "much " * 30, "outs": [{"path": "x", "md5": "1" * 32}]}},
        {"last": {"cmd": "d"}, "first@a": {"cmd": "e"}},
        {"new": {"cmd": "f", "params": {"params.yaml": {"a.b": {"c": [1, "two\n\nlines", None], "1": 1e-05}}}}},
        {"last": {"cmd": "of two", "params": [SHARED := [1], SHARED]}},
        {},
    ],
)
@pytest.mark.parametrize("text", [LOCK, LOCK + "datasets: []\n", LOCK.replace("cmd: b", SHARING), "{}\n"])
def test_a_lock_has_the_bytes_that_dvc_writes(tmp_path, text, change):
    from dvc.utils.serialize import modify_yaml

    for name, modify in (("dvc", modify_yaml), ("quick", quick_dvc._by_entry(modify_yaml))):
        (tmp_path / name).write_text(text)
        # As DVC writes it.
        with modify_yaml(str(tmp_path / name)):
            pass
        with modify(str(tmp_path / name)) as data:
            data.setdefault("stages", {}).update(change)
    assert (tmp_path / "quick").read_text() == (tmp_path / "dvc").read_text()


def test_a_lock_stays_where_its_change_fails(tmp_path):
    from dvc.utils.serialize import modify_yaml

    (tmp_path / "dvc.lock").write_text(LOCK)
    with pytest.raises(KeyError), quick_dvc._by_entry(modify_yaml)(str(tmp_path / "dvc.lock")) as data:
        del data["stages"]["last"], data["stages"]["missing"]
    assert (tmp_path / "dvc.lock").read_text() == LOCK


def test_a_lock_is_never_seen_half_written(tmp_path):
    """Even where a kill comes between: who opened the former one reads it to its end."""
    from dvc.utils.serialize import modify_yaml

    (tmp_path / "dvc.lock").write_text(LOCK)
    with (tmp_path / "dvc.lock").open() as opened:
        with quick_dvc._by_entry(modify_yaml)(str(tmp_path / "dvc.lock")) as data:
            data["stages"]["new"] = {"cmd": "true"}
        assert opened.read() == LOCK
    assert "new:" in (tmp_path / "dvc.lock").read_text()
    assert [path.name for path in tmp_path.iterdir()] == ["dvc.lock"]


def test_an_interrupt_waits_for_a_lock_to_be_written():
    written = []

    def write(text):
        for letter in text:
            os.kill(os.getpid(), signal.SIGINT)
            written.append(letter)

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        quick_dvc._uninterrupted(write)("whole")
    assert "".join(written) == "whole"
    assert signal.getsignal(signal.SIGINT) is before
    assert quick_dvc._uninterrupted(len)("abc") == 3


def test_a_parameter_is_found_step_by_step_where_that_finds_what_dpath_finds():
    import dpath

    asked = []

    def get(values, path, separator, **named):
        asked.append(path)
        return dpath.get(values, path, separator, **named)

    value = quick_dvc._step_by_step(get)
    values = {"a": {"b": {"c": 1}, "none": None}, "of": [{"d": 2}], "x*": {"e": 3}}
    for path in ("a", "a.b", "a.b.c", "a.none"):
        assert value(values, path, separator=".") == dpath.get(values, path, separator=".")
    assert asked == []
    for path, found in (("of.0.d", 2), ("a.*.c", 1), ("x*.e", 3)):
        assert value(values, path, separator=".") == found
    with pytest.raises(KeyError):
        value(values, "a.missing", separator=".")
    assert value(values, "missing", separator=".", default=4) == 4
    assert asked == ["of.0.d", "a.*.c", "x*.e", "a.missing", "missing"]
