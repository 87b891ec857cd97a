"""Starts a service of the local target: python launcher.py RECORD LOG PROGRAM [ARG ...]

Writes who it is into RECORD before it becomes the program. So whoever started it may be killed at any moment: a service
that runs is always known. Standard library only; the program inherits the environment and gets a session of its own.
"""

import json
import os
import sys


def started(pid: int) -> str:
    """When this process started, in the same words as src/lib/tools/process-table.ts."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            fields = file.read().rpartition(")")[2].split()
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            boot = file.read().strip()
        return f"{boot}:{fields[19]}"
    except FileNotFoundError:
        import subprocess

        answer = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=True)
        return " ".join(answer.stdout.split())


def write_atomically(path: str, text: str) -> None:
    """Write a file for this user alone, so that a reader meets all of it or nothing."""
    temporary = f"{path}.{os.getpid()}.tmp"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


def main() -> None:
    """Become the service."""
    record, log, *argv = sys.argv[1:]
    if os.getpgrp() != os.getpid():
        os.setsid()
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(output, 1)
    os.dup2(output, 2)
    # It stays in the environment: should the record be damaged, it is found again there.
    config = os.environ.get("MLV_SERVICE_CONFIG", "")
    identity = {"pid": os.getpid(), "started": started(os.getpid()), "config": config}
    write_atomically(record, json.dumps(identity))
    os.execv(argv[0], argv)


if __name__ == "__main__":
    main()
