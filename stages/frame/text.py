"""Ground floor: reads text files as people and other programs leave them."""

import re
from pathlib import Path

from stages.frame.errors import UserError


def read_text(path: str | Path, *, otherwise: str | None = None) -> str:
    """The text of a file in UTF-8, without a byte order mark before it.

    Args:
        path: the file.
        otherwise: the encoding of a file that is not in UTF-8; None accepts no other.

    Raises:
        UserError: the file can't be opened, or is in another encoding or no text.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise UserError(path, "a text file", error.strerror, "correct its name, or see data/README.md") from error
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        if otherwise is None:
            raise _no_text(path, content, error.start) from error
        text = content.decode(otherwise, errors="replace")
    if b"\0" in content:  # UTF-16, which may pass for UTF-8, or no text at all
        raise _no_text(path, content, content.index(b"\0"))
    return text.lstrip("\ufeff")


def _no_text(path: str | Path, content: bytes, place: int) -> UserError:
    line = content.count(b"\n", 0, place) + 1
    found = f"the byte 0x{content[place]:02x}"
    return UserError(f"{path}, line {line}", "text in UTF-8", found, "save the file anew as UTF-8")


def read_lines(path: str | Path, *, otherwise: str | None = None) -> list[str]:
    """The lines of a text file, see `read_text`; they end where any system ends lines, and at nothing else.

    `str.splitlines` would also cut a line at a control character in the midst of a sentence.
    """
    return re.split(r"\r\n|\r|\n", read_text(path, otherwise=otherwise))
