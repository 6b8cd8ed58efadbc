"""Files cut short or damaged in every format that is read, and whole ones as programs leave them, which are read."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import soundfile

from stages.features.audio import read_audio
from stages.frame.errors import UserError

RATE_HZ = 16_000
NOISE = (0.3 * np.random.default_rng(0).standard_normal(RATE_HZ).clip(-3, 3)).astype("f4")
FORMATS = [
    *(("WAV", codec) for codec in ("PCM_16", "PCM_24", "FLOAT", "ULAW", "IMA_ADPCM", "MS_ADPCM", "GSM610")),
    *(("WAVEX", "PCM_16"), ("RF64", "PCM_16"), ("W64", "PCM_16"), ("W64", "FLOAT"), ("W64", "MS_ADPCM")),
    *(("AIFF", "PCM_16"), ("AIFF", "PCM_24"), ("AIFF", "FLOAT"), ("AIFF", "IMA_ADPCM")),
    *(("AU", "PCM_16"), ("AU", "G721_32"), ("CAF", "PCM_16"), ("CAF", "ALAC_16"), ("NIST", "PCM_16"), ("NIST", "ULAW")),
    *(("FLAC", "PCM_16"), ("FLAC", "PCM_24"), ("OGG", "VORBIS"), ("OGG", "OPUS"), ("MP3", "MPEG_LAYER_III")),
]


def written(path: Path, kind: str, codec: str, samples: np.ndarray = NOISE, **how: object) -> bytes:
    soundfile.write(path, samples, RATE_HZ, format=kind, subtype=codec, **how)
    return path.read_bytes()


def read(path: Path, contents: bytes) -> np.ndarray:
    path.write_bytes(contents)
    return read_audio(path, sample_rate_hz=RATE_HZ, recorded_at_hz=RATE_HZ, average_channels=True)


def refused(path: Path, contents: bytes, message: str = "expected") -> None:
    with pytest.raises(UserError, match=message) as caught:
        read(path, contents)
    assert str(caught.value).startswith(f"{path}: expected ") and "\n" not in str(caught.value)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "sound"


@pytest.mark.parametrize(("kind", "codec"), FORMATS)
def test_a_whole_file_is_read_and_one_cut_short_anywhere_is_told(path, kind, codec):
    contents = written(path, kind, codec)
    with soundfile.SoundFile(path) as file:
        right = file.read(file.frames, dtype="float32")
    assert np.array_equal(read(path, contents), right.clip(-1, np.float32(1 - 2**-15)))
    places = np.random.default_rng(1).integers(1, len(contents), 30)
    for kept in (1, 3, 4, 11, 26, 44, 45, 60, 100, len(contents) // 2, len(contents) - 2, len(contents) - 1, *places):
        refused(path, contents[:kept])


def test_formats_that_cannot_tell_whether_they_are_whole(path):
    for kind in ("VOC", "IRCAM", "PVF", "AVR"):
        refused(path, written(path, kind, "PCM_16"), "a readable audio file; found none of WAV, RF64")


def test_an_aiff_that_was_never_closed(path):
    contents = bytearray(written(path, "AIFF", "PCM_16"))
    at = contents.index(b"SSND")
    contents[4:8] = contents[at + 4 : at + 8] = contents[22:26] = bytes(4)
    assert np.abs(read(path, contents) - NOISE).max() < 2**-15


def test_what_programs_add_to_a_wav(path):
    contents = written(path, "WAV", "PCM_16")
    right = read(path, contents)

    def grown(more: bytes, by: int) -> bytes:
        return contents[:4] + (len(contents) - 8 + by).to_bytes(4, "little") + contents[8:] + more

    comment = b"LIST" + (5).to_bytes(4, "little") + b"INFO\0\0"
    assert np.array_equal(read(path, grown(comment, len(comment))), right)
    assert np.array_equal(read(path, grown(comment[:-1], len(comment) - 1)), right)  # the last padding left out
    assert np.array_equal(read(path, grown(b"TAG" + bytes(125), 0)), right)  # behind the end
    odd = bytearray(written(path, "WAV", "PCM_24", NOISE[:999]))
    assert odd[40:44] == (2997).to_bytes(4, "little")
    odd[4:8] = (len(odd) - 1 + len(comment) - 8).to_bytes(4, "little")
    assert len(read(path, odd[:-1] + comment)) == 999  # no padding between the two
    assert np.array_equal(read(path, grown(bytes(13), 13)), right)
    refused(path, grown(comment[:-3], len(comment)), "a chunk behind the samples, at byte 32044")


@pytest.mark.parametrize(("kind", "place"), [("WAV", 40), ("RF64", 28), ("AIFF", 42), ("AU", 8)])
def test_a_size_of_the_samples_that_is_too_small(path, kind, place):
    contents = bytearray(written(path, kind, "PCM_16"))
    order = ">" if kind in ("AIFF", "AU") else "<"
    (size,) = struct.unpack_from(order + "I", contents, place)
    assert size in (32_000, 32_008)
    struct.pack_into(order + "I", contents, place, size - 4000)
    refused(path, contents, r"\((truncated|damaged|truncated or damaged)\)")


@pytest.mark.parametrize(
    ("kind", "place", "message"),
    [("WAV", 22, "2 channels of 16 bits; found 2 bytes for both"), ("AIFF", 21, "64008 bytes of samples")],
)
def test_a_number_of_channels_that_the_rest_contradicts(path, kind, place, message):
    contents = bytearray(written(path, kind, "PCM_16"))
    assert contents[place] == 1
    contents[place] = 2
    refused(path, contents, message)


def pages(contents: bytes) -> list[bytes]:
    starts = [at for at in range(len(contents)) if contents[at : at + 4] == b"OggS"]
    return [contents[start:stop] for start, stop in zip(starts, [*starts[1:], len(contents)])]


@pytest.mark.parametrize("codec", ["VORBIS", "OPUS"])
def test_damaged_ogg(path, codec):
    contents = written(path, "OGG", codec, np.tile(NOISE, 20))
    whole = pages(contents)
    assert len(whole) > 8
    refused(path, b"".join(whole[:-1]), "a last page that is marked as such; found none up to byte")
    refused(path, b"".join(whole[:4] + whole[5:]), "a page with the right sum and number at byte")
    refused(path, contents + contents, f"one recording; found another one behind it, from byte {len(contents)} on")
    for at in np.random.default_rng(2).integers(0, len(contents), 30):
        flipped = bytearray(contents)
        flipped[at] ^= 1 << at % 8
        refused(path, flipped)
    assert len(read(path, contents + b"TAG" + bytes(125))) == 20 * len(NOISE)


def test_damaged_flac(path):
    contents = written(path, "FLAC", "PCM_16")
    for at in np.random.default_rng(3).integers(200, len(contents), 30):
        flipped = bytearray(contents)
        flipped[at] ^= 1 << at % 8
        refused(path, flipped)
    without_sum = contents[:26] + bytes(16) + contents[42:]
    assert np.array_equal(read(path, without_sum), read(path, contents))


def frames(contents: bytes) -> list[bytes]:
    """The frames of an MP3 file at 16 kHz, by what they begin with and no other bytes hold here."""
    starts = [at for at in range(len(contents)) if contents[at : at + 2] == contents[:2] and contents[at + 2] & 12 == 8]
    return [contents[start:stop] for start, stop in zip(starts, [*starts[1:], len(contents)])]


def mp3(path: Path, mode: str) -> bytes:
    loud = np.concatenate([NOISE, np.zeros_like(NOISE), NOISE])
    return written(path, "MP3", "MPEG_LAYER_III", loud, bitrate_mode=mode, compression_level=0.5)


def test_mp3_with_and_without_a_first_frame_that_counts_them(path):
    constant, variable = (mp3(path, mode) for mode in ("CONSTANT", "VARIABLE"))
    assert len(read(path, constant)) == len(read(path, variable)) == 3 * len(NOISE)
    stream = constant[len(frames(constant)[0]) :]
    # What fills the first and last frame is left in.
    assert 3 * len(NOISE) < len(read(path, stream)) <= 3 * len(NOISE) + 5 * 576
    # By the size of the file libsndfile guesses more than there are.
    assert len(read(path, stream + b"APETAGEX" + bytes(900))) == len(read(path, stream))
    stream = variable[len(frames(variable)[0]) :]
    refused(path, stream, "a first frame that says how many there are, as their sizes differ; found none")


def test_mp3_between_tags(path):
    contents = mp3(path, "CONSTANT")
    right = read(path, contents)
    before, behind = b"ID3\3\0\0" + bytes([0, 0, 1, 2]) + bytes(130), b"TAG" + bytes(125)
    assert np.array_equal(read(path, before + contents + behind), right)
    assert np.array_equal(read(path, contents + bytes(500)), right)
    assert np.array_equal(read(path, contents + b"APETAGEX" + bytes(24) + b"\xff\xf3\x88\xc4"), right)


def test_damaged_mp3(path):
    contents = mp3(path, "CONSTANT")
    whole = frames(contents)
    assert len(whole) > 80 and b"".join(whole) == contents
    refused(path, contents + contents, "frames, as the first says; found .*two files in one")
    refused(path, b"".join(whole[:-1]), "truncated")
    refused(path, b"".join(whole[:-20]), "86 frames, as the first says; found 67 ")
    refused(path, b"".join(whole[:40]) + b"\0" + b"".join(whole[40:]), "a frame or the end at byte .*; found neither")
    cleared = b"".join(whole[:40]) + bytes(4) + b"".join(whole[40:])[4:]
    refused(path, cleared, "a frame or the end at byte .*; found neither")
    other = bytearray(whole[50])
    other[3] ^= 0xC0  # two channels for one
    refused(path, b"".join([*whole[1:50], bytes(other), *whole[51:]]), "frames of one rate and number of channels")


def test_the_sum_of_an_ogg_page_is_the_one_of_its_standard(path):
    """Bit by bit, as RFC 3533 has it: the polynomial 0x04c11db7, nothing inverted."""
    page = pages(written(path, "OGG", "VORBIS"))[0]
    register = 0
    for value in page[:22] + bytes(4) + page[26:]:
        register ^= value << 24
        for _ in range(8):
            register = (register << 1 ^ (0x04C11DB7 if register >> 31 else 0)) & 0xFFFFFFFF
    assert register == int.from_bytes(page[22:26], "little") != zlib.crc32(page[:22] + bytes(4) + page[26:])
