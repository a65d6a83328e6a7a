"""Serving the built site on this machine only, with the byte ranges that video players ask for."""

from __future__ import annotations

import os
import re
import socket
import sys
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from kiloframe.errors import UserError

__all__ = ["check_port", "serve"]

HOST = "127.0.0.1"
_RANGE = re.compile(r"bytes=(\d*)-(\d*)$")


def _trouble(port: int) -> str | None:
    """One sentence on why nothing can listen on the port; None where it is free."""
    if not 0 < port < 65536:
        return f"{port} is not a port; choose one from 1 to 65535, for example: make demo PORT=8001"
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except PermissionError:
            return f"port {port} needs more rights than you have; type: make demo PORT=8000"
        except OSError:
            return f"port {port} is taken; type: make demo PORT={port + 1 if port < 65535 else 8001}"
    return None


def check_port(port: int) -> int:
    """0 where the port is free; else 2, and a sentence on stderr that says which to try. Meant as an exit code."""
    trouble = _trouble(port)
    if trouble:
        print(trouble, file=sys.stderr)
    return 2 if trouble else 0


class _Handler(SimpleHTTPRequestHandler):
    """Files of one folder, silently, with single byte ranges (RFC 9110, sec. 14) so that videos can be sought."""

    protocol_version = "HTTP/1.1"
    extensions_map = SimpleHTTPRequestHandler.extensions_map | {
        ".js": "text/javascript",
        ".ipynb": "application/json",
        ".mp4": "video/mp4",
        ".webm": "video/webm",
        ".svg": "image/svg+xml",
        ".py": "text/x-python; charset=utf-8",
    }
    _left: int | None = None

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the console belongs to whoever typed the command."""

    def end_headers(self) -> None:
        """Let the browser ask again after each build."""
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Cache-Control", "no-cache")
        super().end_headers()

    def send_head(self) -> Any:
        """The open file, at the start of the range asked for, after the status line and headers."""
        self._left = None
        asked = _RANGE.match(self.headers.get("Range", ""))
        path = self.translate_path(self.path)
        if asked is None or asked.group(0) == "bytes=-" or not os.path.isfile(path):
            return super().send_head()
        size = os.path.getsize(path)
        first, last = asked.groups()
        start = int(first) if first else max(0, size - int(last))
        end = min(int(last), size - 1) if first and last else size - 1
        if start > end:
            self.send_response(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
            self.send_header("Content-Range", f"bytes */{size}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return None
        file = open(path, "rb")  # noqa: SIM115 - the base class closes it
        file.seek(start)
        self._left = end - start + 1
        self.send_response(HTTPStatus.PARTIAL_CONTENT)
        self.send_header("Content-Type", self.guess_type(path))
        self.send_header("Content-Range", f"bytes {start}-{end}/{size}")
        self.send_header("Content-Length", str(self._left))
        self.end_headers()
        return file

    def copyfile(self, source: Any, outputfile: Any) -> None:
        """Copy the file, or the range asked for; a browser that hangs up midway is no error."""
        left = self._left
        try:
            while left is None or left > 0:
                chunk = source.read(65536 if left is None else min(65536, left))
                if not chunk:
                    break
                outputfile.write(chunk)
                left = None if left is None else left - len(chunk)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that breaks is not worth a traceback."""


def server(site: str | Path, port: int) -> ThreadingHTTPServer:
    """A server for the folder, bound to 127.0.0.1 and ready for serve_forever(); port 0 takes any free one."""
    return _Server((HOST, port), partial(_Handler, directory=os.fspath(site)))


def serve(site: str | Path, port: int = 8000) -> None:
    """Serve the built site on http://127.0.0.1:port until Ctrl-C. Raises UserError without a site or a free port."""
    site = Path(site)
    if not (site / "index.html").is_file():
        raise UserError(f"there is no site in {site}; type: kiloframe site")
    trouble = _trouble(port)
    if trouble:
        raise UserError(trouble)
    with server(site, port) as running:
        try:
            print(f"The site is at http://{HOST}:{port}/ (Ctrl-C ends)", flush=True)
            running.serve_forever()
        except KeyboardInterrupt:
            print("\nStopped.", flush=True)
