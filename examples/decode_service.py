"""A service that decodes .lcrs files of strangers: POST one, get a PNG, or one line that says why not.

Run it with ``python examples/decode_service.py --port 8000`` and try
``curl --data-binary @photo.lcrs http://127.0.0.1:8000/ -o photo.png``.
"""

from __future__ import annotations

import argparse
import io
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import lcrs

MAX_FILE_BYTES = 16 << 20
MAX_PIXELS = 64_000_000
MAX_BYTES = 1 << 30


class Decoder(BaseHTTPRequestHandler):
    """Answers one request."""

    timeout = 30

    def do_POST(self) -> None:
        """Decodes the body."""
        length = self.headers.get("Content-Length", "")
        if not length.isdigit() or int(length) > MAX_FILE_BYTES:
            self._answer(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"give a Content-Length of up to {MAX_FILE_BYTES}\n".encode(),
            )
            return
        body, png = self.rfile.read(int(length)), io.BytesIO()
        try:
            lcrs.decompress(body, threads=1, max_pixels=MAX_PIXELS, max_bytes=MAX_BYTES, output=png)
        except (lcrs.LcrsError, ValueError) as error:
            self._answer(HTTPStatus.UNPROCESSABLE_ENTITY, f"{error}\n".encode())
        else:
            self._answer(HTTPStatus.OK, png.getvalue(), "image/png")

    def _answer(self, status: HTTPStatus, body: bytes, kind: str = "text/plain; charset=utf-8") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main() -> None:
    """Serves until it is interrupted."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=8000, help="0 takes a free one")
    port = parser.parse_args().port
    with ThreadingHTTPServer(("127.0.0.1", port), Decoder) as server:
        print(f"http://127.0.0.1:{server.server_port}/", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
