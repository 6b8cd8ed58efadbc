"""One smoke run for all tests of the pipeline, also of several test processes."""

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import clones
import pytest


@pytest.fixture(scope="session")
def smoke(tmp_path_factory) -> Path:
    """A clone in which the smoke scale has run; nobody changes anything in it."""
    base = tmp_path_factory.getbasetemp()
    # Each process of pytest-xdist has a folder of its own below one that they share.
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder, finished = shared / "smoke", shared / "smoke.finished"
    with (shared / "smoke.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        if not finished.exists():
            folder.mkdir()
            clones.reproduce(clones.scaled(clones.clone(folder)))
            clones.commit(folder)
            finished.touch()
    return folder


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
