"""Fetching a file, and telling whether it is the right one."""

from __future__ import annotations

import hashlib
import os
import ssl
import tempfile
import urllib.parse
import urllib.request
from pathlib import Path

__all__ = ["download_url", "hash_file"]

_TIMEOUT_S = 60


def download_url(
    url: str,
    path: str | os.PathLike[str],
    chunk_size: int = 65536,
    check_certificate: bool = True,
    overwrite: bool = False,
) -> Path:
    """Fetches a file; a file of the announced size that is there already is kept.

    The file appears under its name when it is whole, so that an interrupted download leaves nothing.

    Args:
        url: http, https or file.
        path: The file, or a folder; in a folder it gets the last part of the address as its name.
        chunk_size: Bytes read at a time.
        check_certificate: Refuses a server that cannot prove its name.
        overwrite: Fetches also what is there.

    Returns:
        The file's path.

    Raises:
        OSError: the address cannot be read.
        RuntimeError: it ended early.
    """
    path = Path(path)
    if path.is_dir():
        path /= urllib.parse.unquote(urllib.parse.urlsplit(url).path.rsplit("/", 1)[-1])
    context = None if check_certificate else ssl._create_unverified_context()
    with urllib.request.urlopen(url, timeout=_TIMEOUT_S, context=context) as response:
        announced = response.headers.get("content-length")
        num_bytes = None if announced is None else int(announced)
        if not overwrite and path.is_file() and path.stat().st_size == num_bytes:
            return path
        handle, part = tempfile.mkstemp(prefix=f".{path.name}", suffix=".part", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                while chunk := response.read(chunk_size):
                    file.write(chunk)
                num_read = file.tell()
            if num_bytes not in (None, num_read):
                raise RuntimeError(f"{url} ended after {num_read} bytes, {num_bytes} were announced")
            Path(part).replace(path)
        finally:
            Path(part).unlink(missing_ok=True)
    return path


def hash_file(path: str | os.PathLike[str], method: str = "sha256", bufsize: int = 131072) -> str:
    """The digest of a file, in hexadecimal.

    Args:
        path: The file.
        method: Any that `hashlib` has.
        bufsize: Bytes read at a time.

    Raises:
        ValueError: there is no such method.
    """
    digest = hashlib.new(method)
    with Path(path).open("rb") as file:
        while block := file.read(bufsize):
            digest.update(block)
    return digest.hexdigest()
