"""One smoke run for all tests of the pipeline, also of several test processes."""

from collections.abc import Iterator
from pathlib import Path

import clones
import deprived
import once
import pytest


@pytest.fixture(scope="session")
def smoke(waiting, tmp_path_factory) -> Path:
    """A clone in which the smoke scale ran, each stage on what it declares alone; nobody changes anything in it."""

    def make(folder):
        clones.scaled(clones.clone(folder))
        with deprived.path(folder, waiting) as path:
            clones.reproduce(folder, jobs=2, PATH=path)
        clones.commit(folder)

    return once.made(tmp_path_factory, "smoke", make)


@pytest.fixture(scope="module")
def twin(smoke, tmp_path_factory) -> Path:
    """A twin of the smoke run."""
    return clones.twin(smoke, tmp_path_factory.mktemp("changed") / "twin")


@pytest.fixture
def changed(twin, monkeypatch) -> Iterator[Path]:
    """The folder that the test works in: a twin in which code and parameters, but no outputs, may be changed."""
    monkeypatch.chdir(twin)
    yield twin
    clones.run(twin, "git", "checkout", "-q", ".")
    clones.run(twin, "git", "clean", "-fdq")


@pytest.fixture
def own(smoke, tmp_path, monkeypatch) -> Path:
    """The folder that the test works in: a twin of its own, in which stages may run."""
    monkeypatch.chdir(clones.twin(smoke, tmp_path / "twin"))
    return tmp_path / "twin"
