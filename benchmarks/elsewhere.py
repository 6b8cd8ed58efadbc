"""Benchmarks: a study at smoke scale by workers in clones of their own: `python -m benchmarks.elsewhere [STUDY]`.

It is run alone, by one worker, by two, and by two of which one is killed midway; all must write the same bytes.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import clones, table

# When one of two workers is killed, as a share of the time that the two had taken.
KILLED_AT = 0.4


def main(study: str = "events") -> None:
    """Prints how long each took, and whether its bytes are those of the run alone."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        alone = clones.cloned(folder / "alone")
        began = time.monotonic()
        clones.run(alone, clones.python(alone), "-m", "stages.tools.reproduce", study, "--jobs", "1")
        took = {"alone": time.monotonic() - began}
        equal = {"alone": True}
        for what, count in (("one worker", 1), ("two workers", 2), ("one of two killed", 2)):
            kill_after_s = KILLED_AT * took["two workers"] if "killed" in what else None
            asker, took[what] = _shared(folder / what.replace(" ", "_"), study, count, kill_after_s)
            equal[what] = clones.outputs(asker, study) == clones.outputs(alone, study)
            print(f"{what}: {took[what]:.0f} s, {'equal' if equal[what] else 'OTHER'} bytes", flush=True)
    speed = {what: took["one worker"] / seconds for what, seconds in took.items()}
    rows = [[what, f"{took[what]:.0f}", f"{speed[what]:.2f}", str(equal[what])] for what in took]
    print(table(["run", "wall s", "times one worker's speed", "same bytes"], rows))
    sys.exit(0 if all(equal.values()) else 1)


def _shared(folder: Path, study: str, count: int, kill_after_s: float | None) -> tuple[Path, float]:
    """The clone of who asked, and how long so many workers took, which have joined by then.

    The last one is killed after so long, if at all.
    """
    from distributed import Client

    folder.mkdir()
    asker, *workers = [clones.cloned(folder / str(number), folder / "cache") for number in range(count + 1)]
    address_file = folder / "scheduler.json"
    dask = ("-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard")
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    command = (clones.python(asker), *dask, "--scheduler-file", str(address_file))
    processes = [clones.started(asker, *command, **quiet)]
    try:
        address = _address(address_file)
        join = ("-m", "stages.tools.join", address)
        processes += [clones.started(worker, clones.python(worker), *join) for worker in workers]
        with Client(address) as client:
            client.wait_for_workers(count)
        began = time.monotonic()
        ask = ("-m", "stages.tools.reproduce", study, "--cluster", address)
        asking = clones.started(asker, clones.python(asker), *ask)
        processes.append(asking)
        if kill_after_s is not None:
            time.sleep(kill_after_s)
            os.killpg(processes[count].pid, signal.SIGKILL)
        if asking.wait() != 0:
            sys.exit("the run failed")
        return asker, time.monotonic() - began
    finally:
        for process in processes:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _address(file: Path) -> str:
    while not file.exists() or not file.read_text(encoding="utf-8"):
        time.sleep(0.1)
    return json.loads(file.read_text(encoding="utf-8"))["address"]


if __name__ == "__main__":
    main(*sys.argv[1:])
