"""A corpus of one's own inside the repository: `dvc add` takes it, and experiments elsewhere find it."""

from pathlib import Path

import clones
import pytest

GRAPH = """
stages:
  prepare:
    cmd: cp data/my_sounds/clips.csv read.csv
    params: [share]
    deps: [data/my_sounds]
    outs: [read.csv]
"""


@pytest.fixture(scope="module")
def repository(tmp_path_factory) -> Path:
    """One with the house's own ignored files, and a stage that reads the corpus."""
    folder = clones.repository(tmp_path_factory.mktemp("own"))
    (folder / ".gitignore").write_text((clones.ROOT / ".gitignore").read_text())
    (folder / "dvc.yaml").write_text(GRAPH)
    (folder / "params.yaml").write_text("share: 0.25\n")
    (folder / "data/my_sounds").mkdir(parents=True)
    (folder / "data/my_sounds/clips.csv").write_text("file,label\n")
    clones.run(folder, "dvc", "add", "-q", "data/my_sounds")
    clones.commit(folder)
    return folder


def test_what_dvc_notes_of_it_is_in_git_and_the_corpus_is_not(repository):
    files = clones.run(repository, "git", "ls-files", "data").stdout.split()
    assert files == ["data/my_sounds.dvc"]


def test_stages_wait_for_it(repository):
    assert "data/my_sounds.dvc" in clones.run(repository, "dvc", "dag", "prepare").stdout


def test_experiments_in_a_folder_of_their_own_have_it(repository):
    done = clones.run(repository, "dvc", "exp", "run", "--temp", "-S", "share=0.4", "prepare")
    assert "Ran experiment" in done.stdout
    assert not (repository / "read.csv").exists()


def test_what_lies_beside_it_stays_out_of_git(repository):
    for name in ("data/other/a.wav", "data/pretrained/net/a.bin", "data/pretrained/README.md", "data/pretrained/b.dvc"):
        (repository / name).parent.mkdir(parents=True, exist_ok=True)
        (repository / name).touch()
    shown = clones.run(repository, "git", "status", "--short", "--untracked-files=all").stdout.split()
    assert shown[1::2] == ["data/pretrained/README.md", "data/pretrained/b.dvc"]
