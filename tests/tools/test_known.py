"""What processes of DVC know of one another: found once, kept whole, and no more of it than is asked for."""

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
    file, store = tmp_path / "known-1.pickle", {}
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
    file = tmp_path / "known-1.pickle"
    assert known._read(file) == {}
    known._write(file, {b"a": b"1" * 100}, set())
    file.write_bytes(file.read_bytes()[:-20])
    assert known._read(file) == {}
