"""Runs mutated inputs in a process of their own, so that what hangs, crashes or eats memory is an outcome as others."""

import hashlib
import multiprocessing
import os
import resource
import shutil
import tempfile
import traceback
from collections.abc import Iterable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from stages.frame.errors import UserError
from tests.fuzzing import file_subjects, list_subjects, model_subjects, mutations, params_subjects
from tests.fuzzing.subject import Subject

SUBJECTS = file_subjects.SUBJECTS | list_subjects.SUBJECTS | model_subjects.SUBJECTS | params_subjects.SUBJECTS
# How many of the inputs have other files and names, not other bytes, where a subject is more than one file.
TREE_SHARE = 0.25
LIMIT_S = 20.0
# What an input may take beyond what the process has taken before, libraries included.
MEMORY_BYTES = 6 * 2**30


class Outcome(NamedTuple):
    """What came of one input: told, same, other, traceback, hang or crash.

    `fault` is empty where it was read rightly or told.
    """

    subject: str
    number: int
    mutation: str
    result: str
    fault: str


def outcomes(
    wanted: Iterable[tuple[str, int]], subjects: dict[str, Subject] = SUBJECTS, limit_s: float = LIMIT_S
) -> Iterator[Outcome]:
    """The outcome of each input, given as the name of its subject and the number from which all chance in it comes."""
    child = None
    try:
        for name, number in wanted:
            child = child or _Child(subjects)
            outcome = child.outcome(name, number, limit_s)
            if outcome.result in ("hang", "crash"):
                child.process.kill()
                child = None
            yield outcome
    finally:
        if child:
            child.connection.send(None)
            child.process.join()


class _Child:
    def __init__(self, subjects: dict[str, Subject]):
        context = multiprocessing.get_context("spawn")
        self.connection, other = context.Pipe()
        self.process = context.Process(target=_serve, args=(other, subjects), daemon=True)
        self.process.start()
        other.close()

    def outcome(self, name: str, number: int, limit_s: float) -> Outcome:
        self.connection.send((name, number))
        mutation = self.connection.recv()  # it is as long on its way as libraries take to load
        if isinstance(mutation, Exception):
            raise RuntimeError(f"{name} can't be made, or read as it is") from mutation
        if not self.connection.poll(limit_s):
            return Outcome(name, number, mutation, "hang", f"more than {limit_s:g} s")
        try:
            return Outcome(name, number, mutation, *self.connection.recv())
        except EOFError:
            self.process.join()
            return Outcome(name, number, mutation, "crash", f"the process ended with {self.process.exitcode}")


def _serve(connection: Connection, subjects: dict[str, Subject]) -> None:
    """Answers each request by what is done to which file, and then by a result and a fault."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nothing, stream)
    whole = {}
    with tempfile.TemporaryDirectory(prefix="fuzzing-") as folder:
        while request := connection.recv():
            name, number = request
            if name not in whole:
                try:
                    whole[name] = _Whole(subjects[name], Path(folder, name))
                except Exception as error:
                    connection.send(error)
                    raise
                taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
                resource.setrlimit(resource.RLIMIT_AS, (taken + MEMORY_BYTES, resource.RLIM_INFINITY))
            seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4])
            whole[name].answer(connection, np.random.default_rng([seed, number]))
        os.chdir("/")


class _Whole:
    """A subject's files as they should be, and what is read then."""

    def __init__(self, subject: Subject, folder: Path):
        self.subject, self.folder = subject, folder
        folder.mkdir()
        subject.make(folder)
        self.files = sorted(path for pattern in subject.files for path in folder.rglob(pattern) if path.is_file())
        self.result = subject.read(self._copied())
        subject.check(self.result, self.result)

    def answer(self, connection: Connection, rng: np.random.Generator) -> None:
        """Mutates a copy, says how, reads it, and says what came of it."""
        tried = self._copied()
        if self.subject.tree and rng.random() < TREE_SHARE:
            mutation = mutations.TREE[rng.integers(len(mutations.TREE))]
            what = mutation(rng, tried)
        else:
            path = self.files[rng.integers(len(self.files))].relative_to(self.folder)
            mutation, data = _mutated(rng, self.folder / path)
            what = str(path)
            (tried / path).write_bytes(data)
        connection.send(f"{mutation.__name__} {what}")
        connection.send(self._outcome(mutation.__name__, tried))

    def _copied(self) -> Path:
        """A copy of the files, as reading may write."""
        copy = self.folder.with_name("tried")
        shutil.rmtree(copy, ignore_errors=True)
        return shutil.copytree(self.folder, copy)

    def _outcome(self, mutation: str, tried: Path) -> tuple[str, str]:
        try:
            found = self.subject.read(tried)
        except UserError as error:
            return "told", "" if str(error).isprintable() else f"not one line that can be read: {error!r}"
        except BaseException as error:
            return "traceback", "".join(traceback.format_exception(error)[-4:])
        if same(found, self.result):
            return "same", ""
        if mutation in self.subject.exact or mutation == "littered":
            return "other", "accepted wrongly: its format tells that it is damaged"
        try:
            self.subject.check(found, self.result)
        except AssertionError as error:
            return "other", "accepted wrongly: " + "".join(traceback.format_exception(error)[-2:])
        return "other", ""


def _mutated(rng: np.random.Generator, path: Path) -> tuple[mutations.Mutation, bytes]:
    whole = path.read_bytes()
    kinds = mutations.BY_SUFFIX.get(path.suffix, mutations.BINARY)
    while True:
        mutation = kinds[rng.integers(len(kinds))]
        data = mutation(rng, whole)
        if data != whole:
            return mutation, data


def same(one: Any, other: Any) -> bool:
    """Whether two results hold the same values of the same types."""
    if type(one) is not type(other):
        return False
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and np.array_equal(one, other, equal_nan=one.dtype.kind == "f")
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other
