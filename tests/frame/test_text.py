"""Text files as other systems and programs leave them."""

import pytest

from stages.frame.errors import UserError
from stages.frame.text import read_lines, read_text


@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf", b"\xef\xbb\xbf\xef\xbb\xbf"])
def test_a_byte_order_mark_is_passed_over(tmp_path, start):
    (tmp_path / "a.txt").write_bytes(start + "café\n".encode())
    assert read_text(tmp_path / "a.txt") == "café\n"


def test_lines_end_as_on_any_system_and_at_nothing_else(tmp_path):
    (tmp_path / "a.txt").write_bytes("one\r\ntwo\rthree\x0b\x0c\x1c\x85\u2028\nfour".encode())
    assert read_lines(tmp_path / "a.txt") == ["one", "two", "three\x0b\x0c\x1c\x85\u2028", "four"]


def test_another_encoding_is_told_with_its_line_or_read_where_that_is_known(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"one\ncaf\xe9\n")
    with pytest.raises(UserError, match=r"a.txt, line 2: expected text in UTF-8; found the byte 0xe9; save the file"):
        read_text(tmp_path / "a.txt")
    assert read_text(tmp_path / "a.txt", otherwise="cp1252") == "one\ncafé\n"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32-be"])
def test_utf_16_is_told_where_it_passes_for_another(tmp_path, encoding):
    (tmp_path / "a.txt").write_bytes("one".encode(encoding))
    for otherwise in (None, "cp1252"):
        with pytest.raises(UserError, match=r"a.txt, line 1: expected text in UTF-8; found the byte 0x(00|ff)"):
            read_text(tmp_path / "a.txt", otherwise=otherwise)


@pytest.mark.parametrize(("name", "found"), [("b.txt", "No such file"), (".", "Is a directory")])
def test_what_is_no_file_is_told(tmp_path, name, found):
    with pytest.raises(UserError, match=f"expected a text file; found {found}"):
        read_text(tmp_path / name)
