"""What processes of DVC know of one another: found once, kept whole, and no more of it than is asked for."""

import datetime

from stages.tools import known


def test_what_is_found_is_asked_for_once_and_each_caller_has_its_own():
    asked, store = [], {}

    def find():
        asked.append(1)
        return {"of": []}

    known.found(store, "a", find)["of"].append("changed")
    assert known.found(store, "a", find) == {"of": []} and len(asked) == 1
    known.found(store, "b", find)
    assert len(asked) == 2


def test_it_is_kept_where_there_is_something_new_and_what_was_asked_for_last(tmp_path, monkeypatch):
    monkeypatch.setattr(known, "MOST", 2)
    file, store = tmp_path / "known-1.json", {}
    for name in "abca":
        known.found(store, name, lambda: name)  # noqa: B023 (asked here and now)
    known._write(file, store, set())
    assert [path.name for path in tmp_path.iterdir()] == [file.name]
    kept = known._read(file)
    asked = []
    for name in "cab":
        known.found(kept, name, lambda: asked.append(name))  # noqa: B023
    assert asked == ["b"]
    file.unlink()
    known._write(file, kept, set(kept))
    assert not file.exists()
    known._write(tmp_path / "gone" / "file", kept, set())


def test_of_a_file_that_is_none_or_cut_off_nothing_is_known(tmp_path):
    file = tmp_path / "known-1.json"
    assert known._read(file) == {}
    known._write(file, {"a": "1" * 100}, set())
    file.write_bytes(file.read_bytes()[:-20])
    assert known._read(file) == {}


def test_what_json_would_give_back_as_another_value_is_found_each_time():
    for value in ({1: 2}, {"a": datetime.date(2026, 1, 1)}, {"a": {True: []}}, float("nan")):
        store, asked = {}, []
        for _ in range(2):
            told = known.found(store, "a", lambda: asked.append(1) or value)  # noqa: B023 (asked here and now)
            assert told is value
        assert store == {} and len(asked) == 2
    for value in (1.0, 1, True, None, "\udc80", {"a": [1e-05, float("inf"), ""]}):
        store = {}
        for _ in range(2):
            told = known.found(store, "a", lambda: value)  # noqa: B023
            assert told == value and type(told) is type(value)
        assert len(store) == 1
