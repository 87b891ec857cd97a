"""The Ray actor that does the work: a command on a leash, its output as a stream of bytes.

The work is always a process of its own, mlvision's training too: so output order, exit code, signals
and death are the operating system's, the same for everyone, and Ray only finds the machine.

Ray gets this class by value, so it needs nothing but the standard library: the Python processes that
Ray holds ready know neither the job's variables nor its packages.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping


class Worker:
    """Runs one command once.

    ``guard`` is the source of guard.py, ``folder`` the working folder when it exists here,
    ``credentials`` the file with MLflow's sign-in: it is read where the work runs, so that no secret
    passes through Ray. ``python`` is the interpreter of the work, where it is not this one.
    """

    def __init__(
        self,
        argv: list[str],
        guard: str,
        folder: str,
        environment: Mapping[str, str],
        credentials: str,
        python: str | None,
    ) -> None:
        self._argv = argv
        self._guard = guard
        self._folder = folder if os.path.isdir(folder) else None
        self._environment = environment
        self._credentials = credentials
        self._python = python or sys.executable
        self._leash: int | None = None
        self._stopped = False
        self._lock = threading.Lock()

    def run(self) -> Iterator[str | bytes | int]:
        """Give the name of the machine, then what the command prints, last its exit code or -signal."""
        process = self._begin()
        if process is None or process.stdout is None:
            yield -signal.SIGTERM
            return
        yield socket.gethostname()
        descriptor = process.stdout.fileno()
        while chunk := os.read(descriptor, 65536):
            yield chunk
            # Gather a little: a chatty command costs 50 messages a second, not 10 000.
            time.sleep(0.02)
        yield process.wait()

    def stop(self, letter: bytes) -> None:
        """Pass a signal to the command's process group: ``b"T"`` or ``b"K"``, see guard.py."""
        with self._lock:
            self._stopped = True
            if self._leash is not None:
                with contextlib.suppress(BrokenPipeError):
                    os.write(self._leash, letter)

    def _begin(self) -> subprocess.Popen[bytes] | None:
        with self._lock:
            if self._stopped:
                return None
            process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", self._guard, json.dumps(self._argv)],
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                cwd=self._folder,
                env=self._variables(),
            )
            self._leash = process.stdin.fileno() if process.stdin else None
            return process

    def _variables(self) -> dict[str, str]:
        with open(self._credentials, encoding="utf-8") as file:
            sign_in = json.load(file)
        variables = os.environ | dict(self._environment)
        # Where Ray has put the modules that came with the job, beside what the job itself names.
        own, brought = (one.get("PYTHONPATH", "").split(os.pathsep) for one in (self._environment, os.environ))
        if paths := [path for path in dict.fromkeys([*own, *brought]) if path]:
            variables["PYTHONPATH"] = os.pathsep.join(paths)
        variables["MLFLOW_TRACKING_USERNAME"] = sign_in["username"]
        variables["MLFLOW_TRACKING_PASSWORD"] = sign_in["password"]
        # The environment's own `python` and console scripts, whatever the machine has besides.
        variables["PATH"] = os.pathsep.join([os.path.dirname(self._python), variables.get("PATH", os.defpath)])
        return variables
