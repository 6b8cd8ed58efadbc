"""Tool: a `python` for stages that has the heavy libraries loaded already: importing them costs a stage 2 s.

`started` puts a command `python` in front of the PATH, which hands `python -m stages.VERB ...` over to a waiting
process. That one forks a child for each, which has numpy, pandas and torch, nothing of `stages`, and works as if it had
been started anew. Several processes a stage (`DEVICES`, Slurm) are started as ever.
"""

import array
import atexit
import contextlib
import json
import os
import runpy
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

LIBRARIES = ("numpy", "pandas", "safetensors.torch", "torch", "torch._dynamo", "scipy.signal", "resampy")
# Where the process waits, beside that `python`.
SOCKET = "socket"
# What `python` is for stages: asks the waiting process, without importing more than that takes.
CLIENT = """#!{python} -IS
import array, json, os, signal, socket, sys
if sys.argv[1:2] != ["-m"]:
    os.execv({python!r}, [{python!r}, *sys.argv[1:]])
asked = json.dumps([sys.argv[2:], os.getcwd(), dict(os.environ)]).encode()
with socket.socket(socket.AF_UNIX) as connection:
    try:
        connection.connect({address!r})
    except OSError:
        os.execv({python!r}, [{python!r}, *sys.argv[1:]])
    # An interrupt is for the stage, whose end is awaited; an end that is asked for is handed on.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: connection.shutdown(socket.SHUT_WR))
    streams = array.array("i", [0, 1, 2])
    connection.sendmsg([len(asked).to_bytes(8, "big")], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, streams)])
    connection.sendall(asked)
    status = connection.recv(16)
    if not status:
        print("error: the stage was killed", file=sys.stderr)
    sys.exit(int(status or 1))
"""


@contextlib.contextmanager
def started(*, loaded: bool = False) -> Iterator[None]:
    """For as long as the block lasts, stages that this process or its children start find the libraries loaded.

    The block begins when they are `loaded`, or at once, while they are. Where a process waits already nothing is
    started.
    """
    several = any(os.environ.get(name, "1") != "1" for name in ("DEVICES", "NODES", "WORLD_SIZE", "SLURM_NTASKS"))
    if several or Path(shutil.which("python") or "python").with_name(SOCKET).exists():
        yield
        return
    before = os.environ["PATH"]
    with tempfile.TemporaryDirectory() as folder:
        address, client = str(Path(folder, SOCKET)), Path(folder, "python")
        command = [sys.executable, "-m", "stages.tools.warm", address]
        server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            # It says when it can be asked, and when the libraries are loaded.
            for _ in range(1 + loaded):
                server.stdout.readline()
            client.write_text(CLIENT.format(python=sys.executable, address=address), encoding="utf-8")
            client.chmod(0o755)
            os.environ["PATH"] = f"{folder}:{before}"
            yield
        finally:
            os.environ["PATH"] = before
            server.terminate()
            server.wait()


def serve(address: str) -> None:
    """Loads the libraries, says so on stdout, and forks a child for every stage that is asked for.

    It ends with who started it, whose end closes stdin.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    # An interrupt is for the children; this process ends when who started it says so.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(address)
        door.listen()
        # Whoever asks by now waits at the door.
        print("ready", flush=True)
        for library in LIBRARIES:
            __import__(library)
        print("loaded", flush=True)
        while sys.stdin not in select.select([door, sys.stdin], [], [])[0]:
            connection, _ = door.accept()
            if os.fork() == 0:
                door.close()
                _answer(connection)
            connection.close()


def _answer(connection: socket.socket) -> None:
    """Runs what is asked for in this process, which ends with it, and sends its exit status."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    streams = array.array("i")
    head, attached, *_ = connection.recvmsg(8, socket.CMSG_SPACE(3 * streams.itemsize))
    if not attached:
        os._exit(1)
    streams.frombytes(attached[0][2])
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    asked = b""
    while len(asked) < int.from_bytes(head, "big"):
        more = connection.recv(1 << 16)
        if not more:
            os._exit(1)
        asked += more
    command, folder, environment = json.loads(asked)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    threading.Thread(target=_interrupt_when_alone, args=(connection,), daemon=True).start()
    status = _run(command)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # What the end of an interpreter does, without freeing what is shared with the waiting process.
    threading._shutdown()
    atexit._run_exitfuncs()
    with contextlib.suppress(OSError):
        sys.stdout.flush()
    with contextlib.suppress(OSError):
        connection.sendall(str(status).encode())
    os._exit(status)


def _interrupt_when_alone(connection: socket.socket) -> None:
    """Interrupts the stage when who asked for it is gone, as nobody would take what it makes."""
    connection.recv(1)
    os.kill(os.getpid(), signal.SIGINT)


def _run(command: list[str]) -> int:
    """The exit status of `python -m MODULE ARGUMENTS`."""
    sys.argv = list(command)
    sys.path[0] = str(Path.cwd())
    for name in [name for name in sys.modules if name == "stages" or name.startswith("stages.")]:
        del sys.modules[name]
    try:
        runpy.run_module(command[0], run_name="__main__", alter_sys=True)
    except SystemExit as exit_:
        if isinstance(exit_.code, str):
            print(exit_.code, file=sys.stderr)
        return exit_.code if type(exit_.code) is int else int(bool(exit_.code))
    except BaseException:
        sys.excepthook(*sys.exc_info())
        return 1
    return 0


if __name__ == "__main__":
    serve(sys.argv[1])
