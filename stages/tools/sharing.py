"""Tool: what clones share that work on one run: all that can change a result, and the cache or remote of DVC."""

import contextlib
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from typing import IO

from stages.frame import content, parameters
from stages.frame.environment import environment
from stages.frame.errors import UserError
from stages.tools import quick_dvc

# What a run writes beside the code, and what is compared by its values.
WRITTEN = (":!*dvc.lock", ":!reports", ":!params.yaml")


def state() -> dict[str, str]:
    """What can change a result here, by name.

    Raises:
        UserError: code is edited, so that no commit says what it is; or this is no clone.
    """
    edited = _git("status", "--porcelain", "--", ".", *WRITTEN)
    if edited:
        raise UserError(
            f"{platform.node()}: git",
            "code as committed",
            ", ".join(edited.splitlines()),
            "commit it, and pull it on each machine",
        )
    known = {name: value for name, value in environment().items() if name != "cores"}
    return {"commit": _git("rev-parse", "HEAD"), "params.yaml": content.of_settings(parameters.read()), **known}


def check(asked: dict[str, str]) -> None:
    """Passes where this machine's state is that of who asks.

    Raises:
        UserError: something is another.
    """
    found = state()
    for name, value in asked.items():
        if found.get(name) != value:
            do = "bring both to the same"
            raise UserError(f"worker on {platform.node()}", f"{name} {value}", str(found.get(name)), do)


def cache() -> str:
    """The folder of this clone's cache."""
    from dvc.repo import Repo

    with Repo(".") as repo:
        return repo.cache.local_cache_dir


def has_remote() -> bool:
    """Whether this clone has a default remote of DVC."""
    from dvc.config import Config

    return bool(Config.from_cwd()["core"].get("remote"))


def restore(stages: list[str]) -> None:
    """Brings what was computed elsewhere from the cache that the clones share, or from the remote, and runs the rest.

    The stages come after those that they need, so that DVC does not ask for all of its graph again. It is the DVC of
    this process, which is loaded by now; what is left to run are pages, which load no torch.

    Raises:
        UserError: DVC fails.
    """
    from dvc.cli import main

    quick_dvc.prepare()
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as said:
        with _told_to(said):
            failed = main(["repro", "--single-item", *(["--pull"] if has_remote() else []), *stages])
        if failed:
            said.seek(0)
            do = "let the clones share a cache (dvc cache dir --local FOLDER) or a remote"
            raise UserError("dvc repro", "what the workers have computed", " ".join(said.read().split())[-500:], do)


@contextlib.contextmanager
def _told_to(file: IO[str]) -> Iterator[None]:
    """For as long as the block lasts all that this process and its children print goes into the file."""
    sys.stdout.flush()
    before = [os.dup(number) for number in (1, 2)]
    try:
        for number in (1, 2):
            os.dup2(file.fileno(), number)
        yield
        sys.stdout.flush()
    finally:
        for number, stream in zip((1, 2), before):
            os.dup2(stream, number)
            os.close(stream)


def _git(*command: str) -> str:
    done = subprocess.run(["git", *command], capture_output=True, text=True)
    if done.returncode != 0:
        raise UserError("git", "a clone of the repository", done.stderr.strip(), "run in one")
    return done.stdout.strip()
