"""Fetching files, and their digests."""

import hashlib
import http.server
import threading

import pytest

from lcrs.datasets.utils import download_url, hash_file


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves 1000 bytes; says 2000 for what is called short."""

    requests: list = []  # noqa: RUF012

    def do_GET(self):
        self.requests.append(self.path)
        self.send_response(200 if "gone" not in self.path else 404)
        self.send_header("content-length", "2000" if "short" in self.path else "1000")
        self.end_headers()
        self.wfile.write(b"a" * 1000)

    def log_message(self, *args):
        pass


@pytest.fixture
def address():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        Handler.requests.clear()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_file_is_fetched_once_and_named_after_its_address(address, tmp_path):
    path = download_url(f"{address}/sets/a%20b.bin?x=1", tmp_path)
    assert path == tmp_path / "a b.bin"
    assert path.read_bytes() == b"a" * 1000
    path.write_bytes(b"b" * 1000)
    assert download_url(f"{address}/sets/a%20b.bin", tmp_path).read_bytes() == b"b" * 1000
    assert download_url(f"{address}/x", path, overwrite=True, chunk_size=7).read_bytes() == b"a" * 1000
    path.write_bytes(b"b" * 999)
    assert download_url(f"{address}/x", path).read_bytes() == b"a" * 1000


def test_a_failure_leaves_what_was_there(address, tmp_path):
    target = tmp_path / "a.bin"
    target.write_bytes(b"old")
    with pytest.raises((RuntimeError, OSError)):
        download_url(f"{address}/short", target)
    with pytest.raises(OSError, match="404"):
        download_url(f"{address}/gone", target)
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_digests(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(bytes(range(256)) * 999)
    assert hash_file(path) == hashlib.sha256(path.read_bytes()).hexdigest()
    assert hash_file(path, "md5", bufsize=100) == hashlib.md5(path.read_bytes()).hexdigest()
    with pytest.raises(ValueError, match="unsupported"):
        hash_file(path, "crc")
