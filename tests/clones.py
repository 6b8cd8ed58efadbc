"""Clones of the working tree, and commands run in them as users run them."""

import contextlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared" / "corpora"
BIN = Path(sys.executable).parent
# A guard against what hangs, however busy the machine is; no measure.
LIMIT_S = 4 * 3600
# What a repository tells DVC and git: to start no processes that ask the network, and whose commits these are.
DVC_CONFIG = "[core]\n    analytics = false\n    check_update = false\n"
GIT_CONFIG = "[user]\n    name = Test\n    email = test@example.org\n"
# Variables by which whoever runs the tests has commands do otherwise, as `make` does those that it calls.
OTHERS = ("DVC_", "GIT_", "MAKE", "MFLAGS")


def run(folder: Path, *command: str, check: bool = True, **environment: str) -> subprocess.CompletedProcess:
    """The command's end, with what it printed as text."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(OTHERS)}
    clean |= {"PATH": f"{BIN}:{clean['PATH']}", "OMP_NUM_THREADS": "1", "DEVICE": "cpu", **environment}
    done = subprocess.run(command, cwd=folder, env=clean, capture_output=True, text=True, timeout=LIMIT_S)
    assert not check or done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done


def dvc(folder: Path, *arguments: str) -> str:
    """What DVC prints, in half the time of the command `dvc`."""
    return run(folder, sys.executable, "-m", "stages.tools.quick_dvc", *arguments).stdout


def repro(folder: Path, *targets: str, **options: bool) -> None:
    """`dvc repro` there, in this process."""
    from dvc.repo import Repo

    with contextlib.chdir(folder), Repo(".") as repo:
        repo.reproduce(list(targets) or None, **options)


def repository(folder: Path) -> Path:
    """The folder as a repository of git and DVC, with nothing in it."""
    from dvc.repo import Repo

    _initialise(folder)
    Repo.init(str(folder)).close()
    (folder / ".dvc/config").write_text(DVC_CONFIG)
    return folder


def _initialise(folder: Path) -> None:
    """Makes it a repository of git."""
    run(folder, "git", "init", "-q")
    with (folder / ".git/config").open("a") as file:
        file.write(GIT_CONFIG)


def clone(folder: Path) -> Path:
    """The working tree as it stands, in a repository of its own."""
    files = run(ROOT, "git", "ls-files", "--cached", "--others", "--exclude-standard").stdout.splitlines()
    for name in set(files):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    _initialise(folder)
    commit(folder)
    return folder


def commit(folder: Path) -> None:
    """Commits all that is there."""
    run(folder, "git", "add", "-A")
    run(folder, "git", "commit", "-qm", "clone")


def scaled(folder: Path, scale: str = "smoke") -> Path:
    """The clone with a scale written into its parameters."""
    run(folder, sys.executable, "-m", "stages.tools.scale", scale)
    return folder


def reproduce(
    folder: Path, *arguments: str, jobs: int = 1, check: bool = True, **environment: str
) -> subprocess.CompletedProcess:
    """`make reproduce`; a process more has DVC to load."""
    command = [sys.executable, "-m", "stages.tools.reproduce", *arguments, "--jobs", str(jobs)]
    return run(folder, *command, check=check, **environment)


def twin(folder: Path, target: Path) -> Path:
    """A copy to change things in: what is in git is copied, what stages wrote is linked: they replace it."""

    def copy(source: str, destination: str) -> None:
        parts = Path(source).relative_to(folder).parts
        if parts[0] in ("data", "models", ".scratch") or parts[:2] == (".dvc", "cache"):
            os.link(source, destination)
        else:
            shutil.copy2(source, destination)

    shutil.copytree(folder, target, copy_function=copy, symlinks=True, ignore=shutil.ignore_patterns("tmp"))
    return target
