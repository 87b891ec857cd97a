"""Runs one command in a process group of its own that cannot outlive the process that asked for it.

Started as text (``python -I -S -c SOURCE [argv as JSON]``), so that it needs nothing of the package where
it runs, and is up in 0.03 s. Standard output and error are the command's own: nothing is copied. Standard
input is the leash: the letter T passes on SIGTERM, K sends SIGKILL, and its end, which is what the
death of the asking process looks like on every system, kills the group at once. It ends as the
command ended: with its exit code or by its signal.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading

LEASH = 0
_SIGNALS = {b"T": signal.SIGTERM, b"K": signal.SIGKILL}


def _send(group: int, number: int) -> None:
    # macOS says "not permitted" for a group that holds nothing but the dead.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def _obey(group: int) -> None:
    while letter := os.read(LEASH, 1):
        _send(group, _SIGNALS.get(letter, signal.SIGKILL))
    _send(group, signal.SIGKILL)


def main(argv: list[str]) -> int:
    """Run the command; give its exit code, 127 when there is no such program."""
    try:
        command = subprocess.Popen(argv, stdin=subprocess.DEVNULL, start_new_session=True)
    except FileNotFoundError:
        print(f"mlv: there is no program {argv[0]!r} where the job runs.", file=sys.stderr)
        return 127
    except OSError as error:
        print(f"mlv: {argv[0]!r} cannot be started: {error.strerror}.", file=sys.stderr)
        return 126
    signal.signal(signal.SIGTERM, lambda _number, _frame: _send(command.pid, signal.SIGTERM))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_obey, args=(command.pid,), daemon=True).start()
    code = command.wait()
    # What the command left in the background would hold the output open, and the CPU.
    _send(command.pid, signal.SIGKILL)
    if code < 0:
        if -code != signal.SIGKILL:
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    return code


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))
