"""One HTTP connection with sign-in, and the two ways in which a request can fail."""

from __future__ import annotations

import base64
import http.client
import json
import os
import ssl
import threading
import time
import urllib.parse
from collections.abc import Callable
from typing import TypeVar, cast

Answer = TypeVar("Answer")

# Answers that ask to come back; a server that starts or a proxy before it gives them.
_TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})
# uvicorn sends the head and the body of an answer apart; on a connection that is not new, the second waits 40 ms for an
# acknowledgement. To this machine a new one is nothing: 8 ms a request against 52 (MLflow 3.17, Linux, n=20).
_HERE = frozenset({"127.0.0.1", "::1", "localhost"})


class TrackingUnavailable(Exception):
    """The server did not answer, or asked to come back: the same request may succeed later."""


class TrackingRefused(Exception):
    """The server answered no: the same request will never succeed."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def insist(call: Callable[[], Answer], patience: float) -> Answer:
    """Repeat a request that may be repeated while the server does not answer, for some seconds."""
    until = time.monotonic() + patience
    pause = 0.2
    while True:
        try:
            return call()
        except TrackingUnavailable:
            if time.monotonic() + pause > until:
                raise
            time.sleep(pause)
            pause = min(2 * pause, 2.0)


class Connection:
    """A connection to one server, kept where that pays; safe to use from several threads, one request at a time."""

    def __init__(
        self,
        uri: str,
        *,
        username: str | None = None,
        password: str | None = None,
        token: str | None = None,
        timeout: float = 20.0,
    ) -> None:
        parts = urllib.parse.urlsplit(uri)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError(f"MLflow's address must start with http:// or https://, not be {uri!r}.")
        self._parts = parts
        self._host = parts.hostname
        self._timeout = timeout
        self._headers = {"Accept": "application/json", "User-Agent": "mlvision"}
        if username is not None and password is not None:
            pair = base64.b64encode(f"{username}:{password}".encode()).decode()
            self._headers["Authorization"] = f"Basic {pair}"
        elif token is not None:
            self._headers["Authorization"] = f"Bearer {token}"
        self._connection: http.client.HTTPConnection | None = None
        self._lock = threading.Lock()
        self.requests = 0
        """How many requests were made."""
        self.seconds = 0.0
        """How long they took in all, in seconds."""

    def close(self) -> None:
        """Close the connection; the next request opens a new one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def request(self, method: str, path: str, body: bytes | None = None, kind: str = "application/json") -> bytes:
        """Send one request and give the body of its answer, or raise one of the two errors."""
        target = f"{self._parts.path.rstrip('/')}/{path}"
        headers = self._headers | ({"Content-Type": kind} if body is not None else {})
        start = time.perf_counter()
        with self._lock:
            try:
                status, answer = self._send(method, target, body, headers)
            except (OSError, http.client.HTTPException) as error:
                self.close()
                raise TrackingUnavailable(f"{type(error).__name__}: {error}") from error
            finally:
                self.requests += 1
                self.seconds += time.perf_counter() - start
        if status in _TRANSIENT:
            raise TrackingUnavailable(f"HTTP {status}: {_message(answer)}")
        if status >= 300:
            raise TrackingRefused(status, f"HTTP {status}: {_message(answer)}")
        return answer

    def _send(self, method: str, target: str, body: bytes | None, headers: dict[str, str]) -> tuple[int, bytes]:
        reused = self._connection is not None
        connection = self._connection or self._open()
        self._connection = connection
        try:
            connection.request(method, target, body, headers)
            response = connection.getresponse()
        except (http.client.RemoteDisconnected, ConnectionError):
            # A server closes a connection that was idle (uvicorn after 5 s): once more, on a new one.
            self.close()
            if not reused:
                raise
            connection = self._connection = self._open()
            connection.request(method, target, body, headers)
            response = connection.getresponse()
        answer = response.read()
        if self._host in _HERE:
            self.close()
        return response.status, answer

    def _open(self) -> http.client.HTTPConnection:
        if self._parts.scheme == "http":
            return http.client.HTTPConnection(self._host, self._parts.port, timeout=self._timeout)
        context = ssl.create_default_context(cafile=os.environ.get("MLFLOW_TRACKING_SERVER_CERT_PATH"))
        return http.client.HTTPSConnection(self._host, self._parts.port, timeout=self._timeout, context=context)


def _message(answer: bytes) -> str:
    text = answer.decode(errors="replace")
    try:
        parsed = json.loads(text)
    except ValueError:
        return text[:200]
    if not isinstance(parsed, dict):
        return text[:200]
    return str(cast("dict[str, object]", parsed).get("message", text))[:300]
