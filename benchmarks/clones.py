"""Benchmarks: clones of this repository's last commit at smoke scale, each with an environment of its own, that run."""

import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
AUTHOR = ("-c", "user.name=benchmark", "-c", "user.email=benchmark@example.org")


def cloned(folder: Path, cache: Path | None = None) -> Path:
    """A clone at smoke scale, whose packages are those of this process; with a cache that clones share, if given."""
    run(ROOT, "git", "clone", "--quiet", str(ROOT), str(folder))
    venv.create(folder / ".venv", symlinks=True)
    (site,) = (folder / ".venv/lib").glob("python3*/site-packages")
    (site / "packages.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
    run(folder, "python", "-m", "stages.tools.scale", "smoke")
    run(folder, "git", *AUTHOR, "commit", "--quiet", "--all", "--message", "smoke")
    if cache:
        run(folder, python(folder), "-m", "dvc", "cache", "dir", "--local", str(cache))
    return folder


def python(folder: Path) -> str:
    """The clone's own interpreter."""
    return str(folder / ".venv/bin/python")


def environment(folder: Path) -> dict[str, str]:
    """What the clone's commands run in: its own `python` first, one thread."""
    path = f"{folder}/.venv/bin:{Path(sys.executable).parent}:{os.environ['PATH']}"
    # With one time for all, what is the same is one commit.
    dates = dict.fromkeys(("GIT_AUTHOR_DATE", "GIT_COMMITTER_DATE"), "2000-01-01T00:00:00Z")
    return os.environ | {"PATH": path, "OMP_NUM_THREADS": "1", **dates}


def run(folder: Path, *command: str) -> str:
    """What a command prints that ends well in the clone."""
    done = subprocess.run(command, cwd=folder, env=environment(folder), capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


def started(folder: Path, *command: str, **streams: object) -> subprocess.Popen:
    """A command of the clone in a group of processes of its own, which can be killed as one."""
    return subprocess.Popen(command, cwd=folder, env=environment(folder), start_new_session=True, **streams)


def outputs(folder: Path, study: str) -> dict[str, str]:
    """The hash of everything that the stages of a study wrote, by its path."""
    lock = yaml.safe_load((folder / "stages/studies" / study / "dvc.lock").read_text(encoding="utf-8"))
    return {out["path"]: out["md5"] for stage in lock["stages"].values() for out in stage.get("outs", [])}
