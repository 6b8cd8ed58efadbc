"""What goes wrong with files: cut, flipped, zeroed, sized and encoded otherwise, with other lines, cells and values."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import yaml

Mutation = Callable[[np.random.Generator, bytes], bytes]

# Cells and values that have no place in most lists, or that programs take for something else.
ODD_TEXTS = (
    *("", " ", "\xa0", "nan", "NULL", "None", "-1", "0", "1e999", "NaN", "inf", "true", "=1+1", "'", '"', '"a""b"'),
    *("../a.wav", "..", ".", "/etc/passwd", "a/../../b", "C:\\a.wav", "a\\b", "~", "a~b", "\x00", "a\rb", "\x1b[31m"),
    *("\u2028", "\u202e", "e\u0301", "\ufeff", "<b>x</b>", "a:b", "x" * 5000, "9" * 400, "١", "🎧", "\ud7ff"),
)
ODD_VALUES = (
    *(None, True, False, 0, 1, -1, 2**31, 2**63, 10**40, 0.5, -0.0, 1e308, "", "x", "../x", "a\nb", "\x00"),
    *([], [[]], {}, {"": None}, [None], [0, 0], [1, -1], ["", ""], float("nan"), float("inf"), 10**9),
)
_WORDS = (0, 1, 2**8, 2**16, 2**31 - 1, 2**31, 2**32 - 1)


def truncated(rng: np.random.Generator, data: bytes) -> bytes:
    """Cut short, mostly anywhere, now and then by a few bytes or within the first ones."""
    ends = (rng.integers(len(data)), max(0, len(data) - rng.integers(1, 9)), min(len(data) - 1, rng.integers(100)))
    return data[: int(rng.choice(ends))]


def emptied(rng: np.random.Generator, data: bytes) -> bytes:
    """Nothing left, or spaces, or zeros."""
    return (b"", b" ", b"\n", bytes(len(data)))[rng.integers(4)]


def flipped(rng: np.random.Generator, data: bytes) -> bytes:
    """One to eight bytes are others, half of the time among the first 200."""
    changed = bytearray(data)
    within = min(len(data), 200) if rng.random() < 0.5 else len(data)
    for place in rng.integers(within, size=rng.integers(1, 9)):
        changed[place] ^= int(rng.integers(1, 256))
    return bytes(changed)


def zeroed(rng: np.random.Generator, data: bytes) -> bytes:
    """A run of zeros, as where a disk or a download skipped a block."""
    start, count = rng.integers(len(data)), int(rng.integers(1, max(2, len(data) // 3)))
    return data[:start] + bytes(len(data[start : start + count])) + data[start + count :]


def resized(rng: np.random.Generator, data: bytes) -> bytes:
    """A word of two to eight bytes among the first 100 is another number: sizes and rates stand there."""
    width = int(rng.choice((2, 4, 8)))
    start = int(rng.integers(min(len(data), 100)))
    word = int(rng.choice(_WORDS)) % 256**width
    return data[:start] + word.to_bytes(width, rng.choice(("little", "big"))) + data[start + width :]


def spliced(rng: np.random.Generator, data: bytes) -> bytes:
    """A piece is missing, is there twice, or has something strange before it."""
    start, end = sorted(rng.integers(len(data), size=2))
    put = (b"", data[start:end] * 2, rng.bytes(16) + data[start:end])[rng.integers(3)]
    return data[:start] + put + data[end:]


def encoded(rng: np.random.Generator, data: bytes) -> bytes:
    """The text in another encoding, with a byte order mark, or with other ends of lines."""
    text = data.decode("utf-8", errors="surrogateescape")
    made = (
        lambda: b"\xef\xbb\xbf" + data,
        lambda: text.replace("\n", "\r\n").encode("utf-8", errors="surrogateescape"),
        lambda: text.encode("utf-16", errors="replace"),
        lambda: text.encode("utf-16-le", errors="replace"),
        lambda: text.encode("utf-32", errors="replace"),
        lambda: text.encode("latin-1", errors="replace"),
        lambda: text.replace("\n", "\r").encode("utf-8", errors="surrogateescape"),
    )
    return made[rng.integers(len(made))]()


def relined(rng: np.random.Generator, data: bytes) -> bytes:
    """A line is missing, there twice, cut, joined with the next, or has something more before or behind it."""
    lines = data.split(b"\n")
    place = int(rng.integers(len(lines)))
    line = lines[place]
    more = str(rng.choice(ODD_TEXTS)).encode("utf-8", errors="surrogatepass")
    changes = (
        [],
        [line, line],
        [line[: len(line) // 2]],
        [line + b",".join(lines[place + 1 : place + 2])],
        [line + b","],
        [b'"' + line],
        [more + line],
        [line + b"," + more],
        [more, line],
    )
    return b"\n".join([*lines[:place], *changes[rng.integers(len(changes))], *lines[place + 1 :]])


def recelled(rng: np.random.Generator, data: bytes) -> bytes:
    """One cell of a list, between commas, tabs, spaces or colons, is an odd one."""
    lines = data.split(b"\n")
    full = [number for number, line in enumerate(lines) if line.strip()]
    place = int(rng.choice(full)) if full else 0
    marks = [mark for mark in (b",", b"\t", b" ", b": ") if mark in lines[place]] or [b","]
    mark = marks[rng.integers(len(marks))]
    cells = lines[place].split(mark)
    cells[rng.integers(len(cells))] = str(rng.choice(ODD_TEXTS)).encode("utf-8", errors="surrogatepass")
    lines[place] = mark.join(cells)
    return b"\n".join(lines)


def revalued_json(rng: np.random.Generator, data: bytes) -> bytes:
    """One value anywhere is an odd one, a name is missing, or is another."""
    return json.dumps(_revalued(rng, json.loads(data))).encode()


def revalued_yaml(rng: np.random.Generator, data: bytes) -> bytes:
    """As `revalued_json`."""
    return yaml.safe_dump(_revalued(rng, yaml.safe_load(data))).encode()


def _revalued(rng: np.random.Generator, value: Any) -> Any:
    if not isinstance(value, dict | list) or not value or rng.random() < 0.1:
        return ODD_VALUES[rng.integers(len(ODD_VALUES))]
    if isinstance(value, list):
        place = int(rng.integers(len(value)))
        return [*value[:place], _revalued(rng, value[place]), *value[place + 1 :]]
    name = list(value)[rng.integers(len(value))]
    if rng.random() < 0.15:
        return {own: value[own] for own in value if own != name}
    if rng.random() < 0.1:
        return {own + "x" * (own == name): value[own] for own in value}
    return value | {name: _revalued(rng, value[name])}


BINARY = (truncated, emptied, flipped, zeroed, resized, spliced)
TEXT = (truncated, emptied, flipped, spliced, encoded, relined, recelled)
BY_SUFFIX = {
    ".json": (truncated, flipped, encoded, *[revalued_json] * 6),
    ".yaml": (truncated, flipped, encoded, relined, *[revalued_yaml] * 6),
    **dict.fromkeys((".csv", ".txt", ".align", ".arpa"), TEXT),
}


# What systems leave beside files: nobody means it, and it changes nothing.
LITTER = ("._{}", ".DS_Store", "__MACOSX/._{}", "__MACOSX/{}", ".{}.swp", "Thumbs.db", "desktop.ini")
ODD_NAMES = (
    *(
        "a\nb",
        "\x1b[31m",
        "\x07",
        "\u2028",
        "\u202e",
        "e\u0301",
        "\udcff",
        "a,b",
        '"',
        "-rf",
        "~",
        "a\\b",
        "a:b",
        "<b>",
    ),
    *("x" * 200, " ", " a", "nan", "\xa0", "%d", "a~b", "🎧", ".", "a b", "NUL", "=1+1"),
)


def littered(rng: np.random.Generator, folder: Path) -> str:
    """What macOS, Windows or an editor leaves lies beside a file."""
    path = _some_file(rng, folder)
    litter = path.parent / str(rng.choice(LITTER)).format(path.name)
    litter.parent.mkdir(exist_ok=True)
    litter.write_bytes(b"\x00\x05\x16\x07" + bytes(30))
    return _told(folder, litter)


def renamed(rng: np.random.Generator, folder: Path) -> str:
    """A file has an odd name, or its suffix in capitals."""
    path = _some_file(rng, folder)
    to = path.with_suffix(path.suffix.upper()) if rng.random() < 0.2 else _oddly_named(rng, path)
    path.rename(to)
    return _told(folder, path, to)


def added(rng: np.random.Generator, folder: Path) -> str:
    """A file is there a second time, under an odd name."""
    path = _some_file(rng, folder)
    copy = _oddly_named(rng, path)
    copy.write_bytes(path.read_bytes())
    return _told(folder, path, copy)


def removed(rng: np.random.Generator, folder: Path) -> str:
    """A file is missing, or a folder, a broken link or a link to the folder that it lies in stands in its place."""
    path = _some_file(rng, folder)
    path.unlink()
    put = (lambda: None, path.mkdir, lambda: path.symlink_to("nowhere"), lambda: path.symlink_to(path.parent))
    put[rng.integers(len(put))]()
    return _told(folder, path)


def _some_file(rng: np.random.Generator, folder: Path) -> Path:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return files[rng.integers(len(files))]


def _oddly_named(rng: np.random.Generator, path: Path) -> Path:
    """Half of the time the odd name has the file's own before it."""
    odd = str(rng.choice(ODD_NAMES))
    return path.with_name((path.stem[:10] if rng.random() < 0.5 else "") + odd + path.suffix)


def _told(folder: Path, *paths: Path) -> str:
    return " to ".join(repr(str(path.relative_to(folder))) for path in paths)


TREE = (littered, renamed, added, removed)
