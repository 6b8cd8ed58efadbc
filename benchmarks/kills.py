"""Benchmarks: a run that is killed at random moments ends with the same bytes: `python -m benchmarks.kills [COUNT]`.

A part of the sound-event study at smoke scale is run alone first. Then it is run, killed, and run again, until it ends;
the whole group of its processes is killed or one of them. Whenever it has ended its bytes are compared with those of
the run alone, and what it made is removed. How many kills, and a seed of the moments, are given. There is a clone for
each core, as the stages of the part wait for one another.
"""

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil

from benchmarks import clones

# A corpus, a victim, an attack, its scores.
PART = (sys.executable, "-m", "stages.tools.reproduce", "events", "--only", "vgg13-deepfool", "--jobs", "2")
MADE = ("data/embedded", "data/events", "models/events", "reports/events", ".scratch", ".dvc/cache", ".dvc/tmp")
# So many runs in a row may fail, as the one after a kill may be told that another is at work.
FAILURES = 5


def main(count: str = "50", seed: str = "1") -> None:
    """Prints how many kills there were and how many runs ended with which bytes; fails where one has others."""
    with tempfile.TemporaryDirectory() as name:
        folders = [clones.cloned(Path(name, str(number))) for number in range(os.cpu_count() or 1)]
        began = time.monotonic()
        expected = ended(folders[0])
        took_s = time.monotonic() - began
        print(f"alone: {took_s:.0f} s", flush=True)

        def work(number: int) -> tuple[int, int, int]:
            chance = random.Random(int(seed) + number)  # noqa: S311 (no secrets here)
            own, kills, equal, ends = len(range(number, int(count), len(folders))), 0, 0, 0
            while kills < own:
                _remove(folders[number])
                kills += killed(folders[number], chance, took_s, own - kills)
                ends, equal = ends + 1, equal + (ended(folders[number]) == expected)
                print(f"clone {number}: {kills} kills, {equal} of {ends} ends with the same bytes", flush=True)
            return kills, equal, ends

        with ThreadPoolExecutor(len(folders)) as pool:
            kills, equal, ends = map(sum, zip(*pool.map(work, range(len(folders)))))
        print(f"{kills} kills, {equal} of {ends} ends with the same bytes, {time.monotonic() - began:.0f} s")
        sys.exit(0 if equal == ends else 1)


def killed(folder: Path, chance: random.Random, took_s: float, at_most: int) -> int:
    """Runs the part until it ends before it is killed; how often it was."""
    for kills in range(at_most):
        run = clones.started(folder, *PART, **_quiet())
        try:
            run.wait(chance.uniform(0, took_s))
        except subprocess.TimeoutExpired:
            _kill(run, chance)
        else:
            return kills
    return at_most


def _kill(run: subprocess.Popen, chance: random.Random) -> None:
    """Kills all processes of the run, or one of them and lets the others come to their end."""
    one = chance.random() < 0.5
    living = [psutil.Process(run.pid), *psutil.Process(run.pid).children(recursive=True)]
    if one:
        chance.choice(living).kill()
    else:
        os.killpg(run.pid, signal.SIGKILL)
    run.wait()


def ended(folder: Path) -> dict[str, str]:
    """What a run that nobody kills comes to: the hash of each output."""
    for _ in range(FAILURES):
        told = clones.started(folder, *PART, **_quiet(subprocess.PIPE), text=True)
        said = told.communicate()[1]
        if told.returncode == 0:
            return clones.outputs(folder, "events")
        print(said.strip()[-300:], flush=True)
        time.sleep(1)
    sys.exit("the run does not come to its end")


def _quiet(errors: int = subprocess.DEVNULL) -> dict[str, int]:
    return {"stdout": subprocess.DEVNULL, "stderr": errors}


def _remove(folder: Path) -> None:
    """Takes the clone back to what git knows."""
    for name in MADE:
        shutil.rmtree(folder / name, ignore_errors=True)
    clones.run(folder, "git", "checkout", "--quiet", ".")


if __name__ == "__main__":
    main(*sys.argv[1:])
