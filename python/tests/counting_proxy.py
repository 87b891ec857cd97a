"""Stands between a client and MLflow: passes every byte on, and notes each request as the client sent it."""

from __future__ import annotations

import http.client
import json
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_OF_ONE_HOP = {"connection", "transfer-encoding", "content-length"}


@dataclass(frozen=True)
class Request:
    """What was asked, and what was answered."""

    method: str
    path: str
    body: bytes
    status: int

    def json(self) -> dict[str, Any]:
        return json.loads(self.body)


class CountingProxy:
    """While ``is_down`` it breaks every connection, which is what a dead server looks like."""

    def __init__(self, port: int) -> None:
        self.requests: list[Request] = []
        self.is_down = False
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _pass(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                if proxy.is_down:
                    self.close_connection = True
                    return
                server = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
                headers = {key: value for key, value in self.headers.items() if key.lower() not in _OF_ONE_HOP}
                server.request(self.command, self.path, body, headers)
                answer = server.getresponse()
                content = answer.read()
                server.close()
                proxy.requests.append(Request(self.command, self.path, body, answer.status))
                self.send_response(answer.status)
                for key, value in answer.getheaders():
                    if key.lower() not in _OF_ONE_HOP:
                        self.send_header(key, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = _pass  # noqa: N815

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.uri = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def of(self, path: str) -> list[Request]:
        return [request for request in self.requests if request.path.partition("?")[0].endswith(path)]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
