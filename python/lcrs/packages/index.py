"""What package files say of themselves, told by their first bytes: names and digests, nothing checked."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

__all__ = ["SUFFIX", "Entry", "entries"]

SUFFIX = ".lcrm"
_MAX_HEADER_BYTES = 16 << 20
"""As packages may have at most."""


@dataclass(frozen=True)
class Entry:
    """A package file in a folder of models."""

    path: Path
    name: str | None = None
    """The name inside, which the files that it writes bear; None if that cannot be read."""
    entropy_digest: str = ""
    synthesis_digest: str = ""

    @property
    def digests(self) -> tuple[str, str]:
        """What tells packages of one name apart."""
        return self.entropy_digest, self.synthesis_digest

    def fits(self, fields: dict[str, str]) -> bool:
        """Whether a file of these fields (`lcrs.coding.info`) was made with this package."""
        wanted = fields["entropy_digest"], fields["synthesis_digest"]
        return all(full.startswith(start) for full, start in zip(self.digests, wanted, strict=True))


def entries(folders: Iterable[Path]) -> list[Entry]:
    """The packages in some folders, folder by folder, each in the order of names."""
    paths = (path for folder in folders for path in sorted(folder.glob(f"*{SUFFIX}")))
    return [_entry(path) for path in paths if path.is_file()]


def _entry(path: Path) -> Entry:
    try:
        status = path.stat()
        return _read(path, status.st_mtime_ns, status.st_size)
    except OSError:
        return Entry(path)


@lru_cache(maxsize=256)
def _read(path: Path, _mtime_ns: int, num_bytes: int) -> Entry:
    """The entry of a file in this state: a safetensors file, which begins with the length of its header."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > min(_MAX_HEADER_BYTES, num_bytes):
            return Entry(path)
        header = file.read(length)
    try:
        description = json.loads(json.loads(header)["__metadata__"]["lcrs"])
        texts = [description[key] for key in ("name", "entropy_digest", "synthesis_digest")]
    except (ValueError, KeyError, TypeError, RecursionError):
        return Entry(path)
    return Entry(path, *texts) if all(isinstance(text, str) for text in texts) else Entry(path)
