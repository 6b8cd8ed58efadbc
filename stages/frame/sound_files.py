"""Ground floor: what sound files say of their own length, by which one that was cut short or damaged is told.

libsndfile reads what is left of most of them without a word.
"""

import hashlib
import re
import struct
import zlib
from mmap import mmap
from pathlib import Path
from typing import NamedTuple

import numpy as np

from stages.frame.errors import UserError
from stages.frame.parameters import Range

RATES_HZ = Range(1000, 1_000_000)
# How long a recording may be if params.yaml does not say it, and an impulse response: halls fade within seconds.
LONGEST_S, LONGEST_RESPONSE_S = 3600.0, 30.0


class _Chunks(NamedTuple):
    """A file of chunks: where the first begins, a chunk's header (name, size), and the name of that of the samples.

    Chunks begin at multiples of `aligned` bytes; `counted` bytes of its header are part of a chunk's size.
    """

    first: int
    header: struct.Struct
    samples: bytes
    aligned: int = 2
    counted: int = 0


_LITTLE, _BIG = struct.Struct("<4sI"), struct.Struct(">4sI")
_CHUNKED = {
    b"RIFF": _Chunks(12, _LITTLE, b"data"),
    b"RIFX": _Chunks(12, _BIG, b"data"),
    b"RF64": _Chunks(12, _LITTLE, b"data"),
    b"FORM": _Chunks(12, _BIG, b"SSND"),
    b"caff": _Chunks(8, struct.Struct(">4sQ"), b"data", aligned=1),
    b"riff": _Chunks(
        40, struct.Struct("<16sQ"), b"data\xf3\xac\xd3\x11\x8c\xd1\x00\xc0\x4f\x8e\xdb\x8a", aligned=8, counted=24
    ),
}
# Writers that can't go back, as into pipes, leave one of these as the size: sox, ffmpeg, browsers.
_UNKNOWN = (range(0x7F000000, 0x80000000), range(0xFFFFF000, 0x100000000), range(2**62, 2**64))
# Bit rates of layers 1, 2 and 3: of MPEG-1 (ISO/IEC 11172-3), then of MPEG-2 (13818-3).
_LOW_KBPS = (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_MPEG1_KBPS = (
    tuple(range(32, 449, 32)),
    (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
)
_MPEG2_KBPS = ((32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256), _LOW_KBPS, _LOW_KBPS)
# What people's programs leave behind the last frame.
_MPEG_TAGS = (b"TAG", b"APETAGEX", b"LYRICSBEGIN")
# A first frame without sound, and the most that may be left out at either end.
_LEFT_OUT = 1152 + 2 * 4095 + 529
_REVERSED = bytes(int(f"{value:08b}"[::-1], 2) for value in range(256))


def unfit(path: Path, expected: str, found: str) -> UserError:
    """The error of a sound file that is not as it must be."""
    return UserError(path, expected, found, "replace the file or take it out of the corpus's list")


class Told(NamedTuple):
    """What a file tells of its sound besides: the least samples that a decoder makes of it, the MD5 of all of them.

    Zeros stand for what it does not tell. `filled_in` is whether its sizes were, `uncounted` whether nothing in it says
    how many samples there are.
    """

    filled_in: bool = False
    uncounted: bool = False
    least_samples: int = 0
    md5: bytes = bytes(16)


def check_whole(path: Path, contents: mmap) -> Told:
    """Passes a file that holds all of its sound, as far as that can be told without decoding it.

    A WAV or AIFF file whose writer never came back to fill in the sizes gets them in `contents`, and in no file.

    Args:
        path: named in errors.
        contents: a private copy of the file.

    Raises:
        UserError: the file was cut short or damaged, contradicts itself, or has a format that can't tell.
    """
    at = _behind_tags(contents, 0)
    magic = contents[at : at + 4]
    if not at and magic in _CHUNKED:
        return Told(filled_in=_check_chunks(path, contents, _CHUNKED[magic]))
    if magic == b"fLaC":
        return Told(md5=contents[at + 26 : at + 42])
    if magic in (b".snd", b"dns."):
        order = "big" if magic == b".snd" else "little"
        start, size = (int.from_bytes(contents[place : place + 4], order) for place in (4, 8))
        if not _is_unknown(size) and len(contents) != start + size:
            raise unfit(path, f"{start + size} bytes, as its header says", f"{len(contents)} bytes (truncated)")
    elif magic == b"NIST":
        _check_size(path, contents, _nist_size(contents))
    elif magic == b"OggS":
        _check_pages(path, contents, at)
    else:
        return _check_frames(path, contents, at)
    return Told()


def check_md5(path: Path, samples: np.ndarray, bits: int, expected: bytes) -> None:
    """Passes the samples of a FLAC file that have the sum `expected`, or any where that is zero.

    Args:
        path: named in errors.
        samples: (samples, channels) int32, each the upper `bits` of its 32.
        bits: a multiple of 8.
        expected: the sum that the file holds.

    Raises:
        UserError: they have another.
    """
    as_coded = np.ascontiguousarray(samples, "<i4").view(np.uint8).reshape(-1, 4)[:, 4 - bits // 8 :]
    if any(expected) and hashlib.md5(as_coded.tobytes(), usedforsecurity=False).digest() != expected:
        raise unfit(path, "samples with the sum that the header holds", "others (damaged)")


def _check_size(path: Path, contents: mmap, needed: int) -> None:
    if len(contents) < needed:
        raise unfit(path, f"{needed} bytes, as its header says", f"{len(contents)} bytes (truncated)")


def _is_unknown(size: int) -> bool:
    return any(size in sizes for sizes in _UNKNOWN)


def _check_chunks(path: Path, contents: mmap, chunks: _Chunks) -> bool:
    """The size of the chunk of samples decides; that of the whole is often a guess. Whether sizes were filled in."""
    at, header, by_count = chunks.first, chunks.header, 0
    while at + header.size <= len(contents):
        name, size = header.unpack_from(contents, at)
        start, size = at + header.size, max(0, size - chunks.counted)
        if name == chunks.samples:
            break
        if name.startswith(b"fmt "):
            _check_block(path, contents[start : start + 16], ">" if chunks is _CHUNKED[b"RIFX"] else "<")
        if name == b"COMM" and contents[8:12] == b"AIFF":
            channels, count, bits = struct.unpack(">HIH", contents[start : start + 8].ljust(8, b"\0"))
            by_count = 8 + count * channels * -(-bits // 8)
        at = _behind_chunk(contents, start + size, -size % chunks.aligned)
    else:
        return False  # libsndfile says what is missing
    if contents[:4] == b"RF64" and size == 0xFFFFFFFF:
        size = int.from_bytes(contents[28:36], "little")  # of the chunk ds64, which comes first
    if not _is_unknown(size):
        _check_size(path, contents, start + size)
        if size and by_count > 8 and size != by_count + int.from_bytes(contents[start : start + 4], "big"):
            raise unfit(path, f"{by_count} bytes of samples, by their number", f"{size} (damaged)")
    return _check_end(path, contents, chunks, at, size)


def _check_block(path: Path, given: bytes, order: str) -> None:
    """Of samples that are not coded together, those of one time fill a block, and `given` tells all three."""
    code, channels, _, _, block, bits = struct.unpack(order + "HHIIHH", given.ljust(16, b"\0"))
    if code in (1, 3, 0xFFFE) and block != channels * -(-bits // 8):
        raise unfit(path, f"{channels} channels of {bits} bits", f"{block} bytes for both (damaged)")


def _check_end(path: Path, contents: mmap, chunks: _Chunks, at: int, size: int) -> bool:
    """Behind the chunk of samples, which is at a place and has a size, are chunks again; else its size is wrong.

    Returns:
        Whether it had no size, nor the whole, and both were filled in.
    """
    header, start, end = chunks.header, at + chunks.header.size, len(contents)
    if contents[:4] in (b"RIFF", b"RIFX", b"FORM"):
        _, whole = header.unpack_from(contents)
        end = 8 if _is_unknown(whole) else min(8 + whole, end)
    if not size and end <= start and 0 < len(contents) - start < 2**32:
        header.pack_into(contents, 0, contents[:4], len(contents) - 8)
        header.pack_into(contents, at, chunks.samples, len(contents) - start)
        return True
    at = _behind_chunk(contents, start + size, -size % chunks.aligned)
    while at + 8 <= end:
        last = at + header.size > end
        size = 0 if last else max(0, header.unpack_from(contents, at)[1] - chunks.counted)
        if last or at + header.size + size > end:
            raise unfit(path, f"a chunk behind the samples, at byte {at}", "none that fits (truncated or damaged)")
        at = _behind_chunk(contents, at + header.size + size, -size % chunks.aligned)
    return False


def _behind_chunk(contents: mmap, end: int, padding: int) -> int:
    """Where the next chunk begins: some writers leave the zeros out that are to stand between."""
    return end if any(contents[end : end + padding]) else end + padding


def _nist_size(contents: mmap) -> int:
    """The size in bytes of a SPHERE file by its header, zero where that lacks a number."""
    lines = dict(re.findall(rb"(\w+) -i (\d+)", contents[:1024]))
    numbers = [int(lines.get(name, 1)) for name in (b"sample_count", b"channel_count", b"sample_n_bytes")]
    header = re.match(rb"NIST_1A\s+(\d+)", contents)
    return int(header[1]) + numbers[0] * numbers[1] * numbers[2] if header else 0


def _check_pages(path: Path, contents: mmap, at: int) -> None:
    """Ogg (RFC 3533): whole pages with the right sums, numbered one by one, the last of each stream marked as such."""
    next_number = {}
    while contents[at : at + 4] == b"OggS":
        head = contents[at : at + 27].ljust(27, b"\xff")
        sizes = contents[at + 27 : at + 27 + head[26]].ljust(head[26], b"\xff")
        end = at + 27 + len(sizes) + sum(sizes)
        _check_size(path, contents, end)
        flags, stream, number, given = struct.unpack_from("<B8xIII", head, 5)
        if _page_sum(contents[at:end]) != given or number != next_number.get(stream, number):
            raise unfit(path, f"a page with the right sum and number at byte {at}", "a damaged one")
        next_number[stream] = None if flags & 4 else number + 1
        at = end
        if not any(next_number.values()):
            break
    if any(next_number.values()):
        raise unfit(path, "a last page that is marked as such", f"none up to byte {at} (truncated or damaged)")
    # Of several recordings one behind the other libsndfile reads the first.
    if contents.find(b"OggS", at) >= 0:
        raise unfit(path, "one recording", f"another one behind it, from byte {at} on")


def _page_sum(page: bytes) -> int:
    """The sum that a page holds: zlib's polynomial from the highest bit on, without its inversions."""
    cleared = (page[:22] + bytes(4) + page[26:]).translate(_REVERSED)
    return int(f"{zlib.crc32(cleared, 0xFFFFFFFF) ^ 0xFFFFFFFF:032b}"[::-1], 2)


def _check_frames(path: Path, contents: mmap, at: int) -> Told:
    """MPEG audio: one whole frame after the other, as many as the first says where it does, then tags at most."""
    first, frames, samples, rates, kinds = at, 0, 0, set(), set()
    while length := (frame := _frame(contents[at : at + 4])).length:
        _check_size(path, contents, at + length)
        frames, samples = frames + 1, samples + frame.samples
        rates.add(frame.bits_per_s)
        kinds.add(frame.kind)
        at = _behind_tags(contents, at + length)
    if not frames:
        raise unfit(path, "a readable audio file", "none of WAV, RF64, W64, AIFF, AU, CAF, NIST, FLAC, Ogg, MP3")
    rest = contents[at:]
    syncs = () if rest.startswith(_MPEG_TAGS) else re.finditer(rb"\xff(?:[\xe2-\xff]|\Z)", rest)
    if any(sync.start() > len(rest) - 4 or _frame(rest[sync.start() :][:4]).length for sync in syncs):
        raise unfit(path, f"a frame or the end at byte {at}", "neither (truncated or damaged)")
    if len(kinds) > 1:
        raise unfit(path, "frames of one rate and number of channels", "several (damaged, or two files in one)")
    told = re.search(rb"(?:Xing|Info)...[\x01\x03\x05\x07\x09\x0b\x0d\x0f](.{4})", contents[first : first + 64], re.S)
    # Some count the first, which has no sound.
    if told and not 0 <= frames - int.from_bytes(told[1], "big") <= 1:
        expected = f"{int.from_bytes(told[1], 'big')} frames, as the first says"
        raise unfit(path, expected, f"{frames} (truncated, or two files in one)")
    # libsndfile would guess how many there are, and read no more.
    if not told and len(rates) > 1:
        raise unfit(path, "a first frame that says how many there are, as their sizes differ", "none (a stream)")
    return Told(least_samples=samples - _LEFT_OUT, uncounted=not told)


class _Frame(NamedTuple):
    """What four bytes say of the frame of MPEG audio that they begin; it has a length (in bytes) of 0 if they do not.

    `kind` is what all frames of a recording have in common.
    """

    length: int = 0
    samples: int = 0
    bits_per_s: int = 0
    kind: tuple[int, ...] = ()


def _frame(header: bytes) -> _Frame:
    word = int.from_bytes(header, "big")
    version, layer, kbps, rate = word >> 19 & 3, 4 - (word >> 17 & 3), word >> 12 & 15, word >> 10 & 3
    if len(header) < 4 or word >> 21 != 0x7FF or version == 1 or layer == 4 or kbps in (0, 15) or rate == 3:
        return _Frame()
    bits_per_s = 1000 * (_MPEG1_KBPS if version == 3 else _MPEG2_KBPS)[layer - 1][kbps - 1]
    rate_hz = (44100, 48000, 32000)[rate] >> (0, 1, 2)[(3, 2, 0).index(version)]
    samples = 384 if layer == 1 else 576 if layer == 3 and version != 3 else 1152
    # Lengths are counted in slots, of which one may be added.
    slot = 4 if layer == 1 else 1
    length = slot * (samples // 8 * bits_per_s // rate_hz // slot + (word >> 9 & 1))
    return _Frame(length, samples, bits_per_s, (version, layer, rate, word >> 6 & 3 == 3))


def _behind_tags(contents: mmap, at: int) -> int:
    """Where it goes on behind the ID3v2 tags at a place."""
    while contents[at : at + 3] == b"ID3":
        size = 0
        for seven_bits in contents[at + 6 : at + 10]:
            size = size << 7 | seven_bits & 0x7F
        at += 10 + size
    return at
