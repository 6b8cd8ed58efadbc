"""Room of learning: the file of a CTranslate2 model, `model.bin` (its binary version 6), as tensors by name."""

import math
import struct
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from stages.frame.errors import UserError

VERSION = 6
# By the numbers of the format. Bfloat16, its sixth, numpy does not know.
KINDS = (np.float32, np.int8, np.int16, np.int32, np.float16)
DO = "convert the model again with ct2-transformers-converter, as float16 or int8"


class _Reader:
    """The bytes of a file from front to back, little-endian."""

    def __init__(self, path: Path):
        self.path, self.content, self.place = path, memoryview(path.read_bytes()), 0

    def taken(self, size: int) -> memoryview:
        if self.place + size > len(self.content):
            raise UserError(self.path, f"{self.place + size} bytes", f"{len(self.content)}", "fetch it again")
        self.place += size
        return self.content[self.place - size : self.place]

    def number(self, kind: str) -> int:
        return struct.unpack(f"<{kind}", self.taken(struct.calcsize(f"<{kind}")))[0]

    def text(self) -> str:
        """A name, which ends with a zero byte."""
        return bytes(self.taken(self.number("H"))).rstrip(b"\0").decode("utf-8", "replace")

    def array(self) -> np.ndarray:
        shape = [self.number("I") for _ in range(self.number("B"))]
        kind, size = self.number("B"), self.number("I")
        if kind >= len(KINDS) or size != math.prod(shape) * np.dtype(KINDS[kind]).itemsize:
            raise UserError(self.path, f"{shape} float32, int8 to int32 or float16", f"{size} bytes of {kind}", DO)
        return np.frombuffer(self.taken(size), KINDS[kind]).reshape(shape)


def read(path: Path, *, spec: str, revision: int) -> dict[str, Tensor]:
    """The variables of a model of this specification: float32 where they are weights, else whole numbers.

    What is kept in eight bits is divided by its scales, one for each row (`<name>_scale`).

    Raises:
        UserError: the file is cut, or of another version or specification.
    """
    reader = _Reader(path)
    version = reader.number("I")
    found = (version, reader.text() if version == VERSION else "", reader.number("I"))
    if found != (VERSION, spec, revision):
        told = "version {}, {} of revision {}"
        raise UserError(path, told.format(VERSION, spec, revision), told.format(*found), DO)
    arrays = {}
    for _ in range(reader.number("I")):
        name = reader.text()
        arrays[name] = reader.array()
    return {name: _floats(name, arrays) for name in arrays if not name.endswith("_scale")}


def _floats(name: str, arrays: dict[str, np.ndarray]) -> Tensor:
    values, scale = torch.from_numpy(arrays[name].copy()), arrays.get(f"{name}_scale")
    if scale is not None:
        return values.float() / torch.from_numpy(scale.astype("f4")).view(-1, *[1] * (values.dim() - 1))
    return values.float() if values.is_floating_point() else values
