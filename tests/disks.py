"""Disks that are full, closed or others, as far as the machine lets its user have them."""

import contextlib
import os
import resource
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest


@contextlib.contextmanager
def room_for(size: int) -> Iterator[None]:
    """For as long as the block lasts this process can write no file of more bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextlib.contextmanager
def other_disk(folder: Path, size: str = "1m") -> Iterator[Path]:
    """A small disk in memory at the folder; where the user may not mount one the test is skipped."""
    folder.mkdir()
    with _mounted(folder, "-t", "tmpfs", "-o", f"size={size}", "none"):
        yield folder


@contextlib.contextmanager
def closed(folder: Path) -> Iterator[None]:
    """For as long as the block lasts nothing can be written into the folder, even by root."""
    if os.geteuid() == 0:
        with _mounted(folder, "--bind", str(folder)):
            subprocess.run(["mount", "-o", "remount,bind,ro", folder], check=True)
            yield
        return
    folder.chmod(0o500)
    try:
        yield
    finally:
        folder.chmod(0o700)


@contextlib.contextmanager
def _mounted(folder: Path, *how: str) -> Iterator[None]:
    if subprocess.run(["mount", *how, folder], capture_output=True).returncode != 0:
        pytest.skip("this user may not mount a disk")
    try:
        yield
    finally:
        subprocess.run(["umount", folder], check=True)
