"""The audio-visual study made up, once for all its tests."""

from pathlib import Path

import audiovisual_corpus
import pytest
import yaml

from stages.studies.audiovisual import tables


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    """A folder that holds all that the study reads, and what it reads there."""
    folder = tmp_path_factory.mktemp("audiovisual")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("SCRATCH", str(folder / "scratch"))
        audiovisual_corpus.write()
        given = audiovisual_corpus.given()
        Path("params.yaml").write_text(yaml.safe_dump({"audiovisual": given}, sort_keys=False))
        return folder, tables.read(given)


@pytest.fixture
def place(built, monkeypatch):
    """The working directory is that folder."""
    monkeypatch.chdir(built[0])
    return built[0]


@pytest.fixture(scope="session")
def measured(built):
    return built[1]


@pytest.fixture(scope="session")
def made(measured):
    return tables.tables(measured)
