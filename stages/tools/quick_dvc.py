"""Tool: DVC that reads a text once and writes locks whole: `python -m stages.tools.quick_dvc ...` for `dvc ...`.

DVC parses params.yaml anew for each stage that has parameters, half of the time of `dvc status`; and it writes a lock
in place, where Ctrl-C leaves one that stops all later runs.
"""

import functools
import pickle
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any

# Held while a lock file of DVC is written, which whoever ends this process has to wait for.
writing = threading.Lock()
# Of params.yaml, the graphs and their locks, which change with each stage.
TEXTS_KEPT = 32


def prepare() -> None:
    """Makes the DVC of this process read and write so."""
    from dvc.dvcfile import Lockfile
    from dvc.utils.serialize import _yaml

    Lockfile.dump_stages = _uninterrupted(Lockfile.dump_stages)
    _yaml.parse_yaml = _remembered(_yaml.parse_yaml)


def _remembered(parse: Callable[..., Any]) -> Callable[..., Any]:
    """DVC's `parse`, which reads no text twice for plain values; what one caller changes in them no other one sees."""

    @functools.lru_cache(TEXTS_KEPT)
    def parsed(text: str, path: str) -> bytes:
        return pickle.dumps(parse(text, path))

    def values(text: str, path: str, typ: str = "safe") -> Any:
        # With comments, for a change of the file, it is another object.
        return pickle.loads(parsed(text, path)) if typ == "safe" else parse(text, path, typ)  # noqa: S301 (its own)

    return values


def _uninterrupted(write: Callable[..., Any]) -> Callable[..., Any]:
    """The function, for which an interrupt waits."""

    @functools.wraps(write)
    def whole(*given: Any, **named: Any) -> Any:
        came = []
        before = signal.signal(signal.SIGINT, lambda *_: came.append(True))
        try:
            with writing:
                return write(*given, **named)
        finally:
            signal.signal(signal.SIGINT, before)
            if came:
                raise KeyboardInterrupt

    return whole


if __name__ == "__main__":
    from dvc.cli import main

    prepare()
    sys.exit(main(sys.argv[1:]))
