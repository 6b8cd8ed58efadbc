"""Benchmarks: all of them, one after another, with the machine and the date: `python -m benchmarks.all [OPTIONS]`."""

import os
import platform
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from subprocess import CalledProcessError

from benchmarks import run_alone

PACKAGES = (
    "torch",
    "librosa",
    "resampy",
    "pyAudioAnalysis",
    "foolbox",
    "torchattacks",
    "adversarial-robustness-toolbox",
    "cleverhans",
)


def main() -> None:
    """Prints the tables as markdown; options go to `benchmarks.attacks`."""
    print(f"# Benchmarks\n\n{machine()}")
    for name, options in (
        ("log_mel", []),
        ("treatments", []),
        ("low_level_descriptors", []),
        ("wav2vec", []),
        ("mouth_crops", []),
        ("lip_sync", []),
        ("targeted_transcription", []),
        ("over_the_air", []),
        ("evolutionary", []),
        ("enhancement", []),
        ("speech_quality", []),
        ("memory", []),
        ("adversarial_step", []),
        ("attacks", sys.argv[1:]),
        ("optimality", []),
    ):
        try:
            output, _ = run_alone(f"benchmarks.{name}", *options)
        except CalledProcessError as error:
            # It has said on stderr what is wrong.
            sys.exit(error.returncode)
        print(f"\n## {name}\n\n{output.strip()}", flush=True)


def machine() -> str:
    """Date, processor, memory, system and versions, in a line or two."""
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {processor()}, {os.cpu_count()} cores (one thread used), {memory_gib:.0f} GiB, "
        f"{platform.system()} {platform.machine()}\nPython {platform.python_version()}, {packages}"
    )


def processor() -> str:
    """The processor's name; what `platform` knows where there is no /proc/cpuinfo."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.is_file() else []
    return next(
        (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.processor()
    )


if __name__ == "__main__":
    main()
