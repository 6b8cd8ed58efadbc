"""The speech study made up, once for all its tests."""

from pathlib import Path

import pytest
import speech_corpus
import yaml

from stages.studies.speech import tables


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    """A folder that holds all that the study reads, and what it reads there."""
    folder = tmp_path_factory.mktemp("speech")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("SCRATCH", str(folder / "scratch"))
        speech_corpus.write()
        given = speech_corpus.given()
        Path("params.yaml").write_text(yaml.safe_dump({"speech": given}, sort_keys=False))
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
