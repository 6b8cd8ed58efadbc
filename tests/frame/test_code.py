"""What a file needs, read from its imports."""

import sys
from pathlib import Path

import pytest

from stages.frame import code


@pytest.fixture
def house(tmp_path, monkeypatch):
    """A made-up `stages`: a imports b at the top and c in a function, c and d each other; e is found by nobody."""
    files = {
        "stages/__init__.py": "",
        "stages/a.py": "from stages.room import b\nfrom stages.room.b import x\ndef f():\n    import stages.c\n",
        "stages/room/__init__.py": "from stages.room import hidden\n",
        "stages/room/b.py": "x = 'stages.room.e'\n",
        "stages/room/hidden.py": "",
        "stages/c.py": "from stages import d\n",
        "stages/d.py": "from stages.c import f\nfrom .room import e\n",
        "stages/room/e.py": "",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(code, "TOP", tmp_path)
    code._imported.cache_clear()
    yield tmp_path
    code._imported.cache_clear()


def names(files) -> set[str]:
    return {str(file) for file in files}


def test_all_that_is_imported_is_needed_also_in_functions_and_in_turn(house):
    assert names(code.needed([Path("stages/a.py")])) == {
        "stages/a.py",
        "stages/room/b.py",
        "stages/c.py",
        "stages/d.py",
    }


def test_what_is_named_and_not_imported_is_needed_only_where_it_is_given(house):
    assert names(code.needed([Path("stages/room/b.py")])) == {"stages/room/b.py"}
    both = code.needed([Path("stages/room/b.py"), Path("stages/room/e.py"), Path("stages/room/__init__.py")])
    assert names(both) == {"stages/room/b.py", "stages/room/e.py"}


def test_every_import_of_the_code_is_absolute():
    """`needed` reads no relative ones."""
    for file in (code.TOP / "stages").rglob("*.py"):
        assert "from ." not in file.read_text(encoding="utf-8"), file


def test_loaded_are_the_files_that_this_process_has_imported():
    assert {Path("stages/frame/code.py"), Path("stages/frame/errors.py")} <= code.loaded()
    assert Path("stages/report.py") not in code.loaded() or "stages.report" in sys.modules
    assert all(file.parts[0] == "stages" and file.name != "__init__.py" for file in code.loaded())
