"""A website that hears notifications: it verifies each as its developer would, by the `standardwebhooks` package.

`python -m sandbox.website_receiver --port 8081 --folder .run/system` listens; what it heard stands in the folder's
`website.jsonl`. Like any good receiver it takes a message that it knows already, and does nothing about it.
"""

import argparse
import http.server
import json
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

from standardwebhooks import Webhook, WebhookVerificationError

from sandbox.servers.ports import HOST

HEARD: Final = "website.jsonl"
SECRET: Final = "website_secret"  # noqa: S105 - a file's name
PATH: Final = "/hooks/tollgate"
MOST_BYTES: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Receiver:
    """The website as whoever runs it sees it: where it listens, and what it heard."""

    folder: Path
    port: int

    @property
    def url(self) -> str:
        """The endpoint."""
        return f"http://{HOST}:{self.port}{PATH}"

    def command(self) -> list[str]:
        """Return how it is started."""
        module = (sys.executable, "-m", "sandbox.website_receiver")
        return [*module, "--port", str(self.port), "--folder", str(self.folder.resolve())]

    def keep_secret(self, secret: str) -> None:
        """Give it the endpoint's secret; until then it takes nothing."""
        path = self.folder / SECRET
        path.touch(mode=0o600)
        path.write_text(secret)

    def heard(self) -> list[dict[str, Any]]:
        """Return each notification that it took, once, in the order in which they came."""
        path = self.folder / HEARD
        lines = path.read_text().splitlines() if path.exists() else []
        return [json.loads(line) for line in lines]


class _Website:
    """Verifies, and remembers what it has heard."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._known = {each["webhook_id"] for each in Receiver(folder, 0).heard()}

    def take(self, headers: dict[str, str], body: bytes) -> HTTPStatus:
        """Return the status that answers a notification."""
        secret = self._folder / SECRET
        if not secret.exists():
            return HTTPStatus.SERVICE_UNAVAILABLE
        try:
            message = Webhook(secret.read_text()).verify(body, headers)
        except WebhookVerificationError:
            return HTTPStatus.UNAUTHORIZED
        name = headers["webhook-id"]
        with self._lock:
            if name not in self._known:
                with (self._folder / HEARD).open("a") as file:
                    file.write(json.dumps({"webhook_id": name, **message}) + "\n")
                self._known.add(name)
        subject = message["data"].get("id", "")
        sys.stdout.write(f"heard {message['type']} {subject}\n")
        sys.stdout.flush()
        return HTTPStatus.NO_CONTENT


def serve(port: int, folder: Path) -> http.server.ThreadingHTTPServer:
    """Return the server, which listens already."""
    website = _Website(folder)

    class Handler(http.server.BaseHTTPRequestHandler):
        """One request; it writes no log of its own."""

        def do_POST(self) -> None:
            """Take a notification."""
            length = int(self.headers.get("content-length", "0"))
            known = self.path == PATH and length <= MOST_BYTES
            headers = {name.lower(): value for name, value in self.headers.items()}
            status = website.take(headers, self.rfile.read(length)) if known else HTTPStatus.NOT_FOUND
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing of requests: `take` says what matters."""

    return http.server.ThreadingHTTPServer((HOST, port), Handler)


def main(arguments: Sequence[str] | None = None) -> None:
    """Listen until the process is ended."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.website_receiver", description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="where to listen, on 127.0.0.1")
    parser.add_argument("--folder", type=Path, required=True, help="where the secret lies and what was heard is kept")
    options = parser.parse_args(arguments)
    serve(options.port, options.folder).serve_forever()


if __name__ == "__main__":
    main()
