"""Fixtures of a made-up study, which is written and read once for all its tests."""

from pathlib import Path
from types import ModuleType

import pytest
import yaml

from stages.reporting.study import part


def fixtures(study: str, corpus: ModuleType) -> tuple:
    """Of the study that `corpus` writes: `built`, `place`, `measured`, `made`."""

    @pytest.fixture(scope="session")
    def built(tmp_path_factory):
        """A folder that holds all that the study reads, and what it reads there."""
        folder = tmp_path_factory.mktemp(study)
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(folder)
            patch.setenv("SCRATCH", str(folder / "scratch"))
            corpus.write()
            given = corpus.given()
            Path("params.yaml").write_text(yaml.safe_dump({study: given}, sort_keys=False))
            return folder, part(study, "tables", "read")(given)

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
        return part(study, "tables", "tables")(measured)

    return built, place, measured, made
