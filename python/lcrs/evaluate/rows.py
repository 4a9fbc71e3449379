"""Rows of an evaluation that is under way: kept on disk as they come, so that a run that was ended goes on.

Beside `FILE.json` lies `FILE.json.rows` while a run lasts: what is evaluated and how on the first line,
then a picture or a row a line. A line that was cut off counts as not there.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TextIO

from lcrs.coding.files import write_atomically
from lcrs.evaluate.results import Results, Setting, means, read_results, to_json

__all__ = ["Rows"]


class Rows:
    """What has been measured so far.

    Args:
        identity: What is evaluated and how; see `lcrs.evaluate.protocol.Codec.identity`.
        path: The result file to be; None keeps nothing on disk.
        rate: What its rate is called, one of `lcrs.evaluate.results.RATES`.
        force: Whether to begin anew where there is something else.

    Raises:
        FileExistsError: the file is there, or a run that was ended, and of something else.
    """

    def __init__(
        self, identity: dict[str, Any], path: Path | None, *, rate: str = "bpp", force: bool = False
    ) -> None:
        self.identity: dict[str, Any] = json.loads(json.dumps(identity))
        self.path = path
        self.rate = rate
        self._pictures: dict[str, dict[str, Any]] = {}
        self._rows: dict[tuple[str, Setting], dict[str, Any]] = {}
        self._file: TextIO | None = None
        if path is not None:
            self._read_result(path, force=force)
            self._read_partial(self._partial(path), force=force)

    @staticmethod
    def _partial(path: Path) -> Path:
        return path.with_name(f"{path.name}.rows")

    @property
    def is_empty(self) -> bool:
        """Whether nothing was measured before."""
        return not self._rows

    def has(self, digest: str, setting: Setting) -> bool:
        """Whether a row is there."""
        return (digest, setting) in self._rows

    def others(self, asked: Iterable[tuple[str, Setting]]) -> list[tuple[str, Setting]]:
        """The rows that are there and not among those asked for."""
        return sorted(set(self._rows) - set(asked), key=str)

    def add(self, picture: dict[str, Any], row: dict[str, Any]) -> None:
        """Keeps a row."""
        lines = []
        if picture["digest"] not in self._pictures:
            lines.append({"picture": picture})
        lines.append({"row": row})
        if self.path is not None:
            if self._file is None:
                self._file = self._begun(self._partial(self.path))
            # A number that is not finite goes through Python's own words for it: only we read this.
            self._file.writelines(f"{json.dumps(line)}\n" for line in lines)
            self._file.flush()
        self._take(picture)
        self._rows[row["digest"], row["setting"]] = row

    def close(self) -> None:
        """Lets go of the file on disk, which stays."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def finish(
        self, fields: dict[str, Any], failures: list[dict[str, Any]], settings: list[Setting]
    ) -> Results:
        """The result, which is written if there is a place for it; pictures that lack a setting do not count.

        Args:
            fields: `name`, `description` and `meta`.
            failures: What went wrong, with `name` and `error`.
            settings: That were asked for.
        """
        for digest, picture in self._pictures.items():
            picture["counted"] = all((digest, setting) in self._rows for setting in settings)
        order = {digest: at for at, digest in enumerate(sorted(self._pictures, key=self._name))}
        rows = sorted(
            self._rows.values(), key=lambda row: (order[row["digest"]], settings.index(row["setting"]))
        )
        counted = frozenset(digest for digest, picture in self._pictures.items() if picture["counted"])
        found = means(rows, counted) if counted else {}
        result = Results(
            fields["name"],
            fields["description"],
            found or {"setting": [], self.rate: []},
            fields["meta"] | {"identity": self.identity},
            [self._pictures[digest] for digest in order],
            rows,
            failures,
        )
        self.close()
        if self.path is not None:
            write_atomically(self.path, to_json(result).encode(), overwrite=True)
            self._partial(self.path).unlink(missing_ok=True)
        return result

    def drop(self, keys: Iterable[tuple[str, Setting]]) -> None:
        """Forgets rows, and the pictures that have none left."""
        for key in keys:
            self._rows.pop(key, None)
        left = {digest for digest, _ in self._rows}
        self._pictures = {digest: p for digest, p in self._pictures.items() if digest in left}

    def _name(self, digest: str) -> str:
        return str(self._pictures[digest]["name"])

    def _take(self, picture: dict[str, Any]) -> None:
        self._pictures.setdefault(picture["digest"], dict(picture))

    def _begun(self, path: Path) -> TextIO:
        """The file of rows, anew, with all that is known."""
        lines: list[dict[str, Any]] = [{"identity": self.identity}]
        lines += [{"picture": picture} for picture in self._pictures.values()]
        lines += [{"row": row} for row in self._rows.values()]
        write_atomically(path, "".join(f"{json.dumps(line)}\n" for line in lines).encode(), overwrite=True)
        return path.open("a", encoding="utf-8")

    def _read_result(self, path: Path, *, force: bool) -> None:
        if not path.exists():
            return
        try:
            before = read_results(path)
        except ValueError as error:
            self._refuse(path, f"is no result file ({error})", force=force)
            return
        if before.meta.get("identity") != self.identity:
            self._refuse(
                path, f"is of something else ({_difference(before.meta, self.identity)})", force=force
            )
            return
        for picture in before.pictures:
            self._take(picture)
        self._rows |= {(row["digest"], row["setting"]): row for row in before.rows}

    def _read_partial(self, path: Path, *, force: bool) -> None:
        try:
            lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        except FileNotFoundError:
            return
        told = []
        for line in lines:
            try:
                told.append(json.loads(line))
            except json.JSONDecodeError:  # the run was ended while it wrote
                continue
        identity = told[0].get("identity") if told and isinstance(told[0], dict) else None
        if identity != self.identity:
            what = _difference({"identity": identity}, self.identity)
            self._refuse(path, f"is of a run of something else that was ended ({what})", force=force)
            return
        for item in told[1:]:
            if "picture" in item:
                self._take(item["picture"])
        for item in told[1:]:
            if "row" in item and item["row"]["digest"] in self._pictures:
                self._rows[item["row"]["digest"], item["row"]["setting"]] = item["row"]

    @staticmethod
    def _refuse(path: Path, what: str, *, force: bool) -> None:
        if not force:
            msg = f"{path} is there and {what}; --force begins anew"
            raise FileExistsError(msg)


def _difference(meta: dict[str, Any], identity: dict[str, Any]) -> str:
    """Where two identities differ first."""
    before = meta.get("identity")
    if not isinstance(before, dict):
        return "it does not say of what"
    for key in [*identity, *before]:
        ours, theirs = identity.get(key), before.get(key)
        if key not in before or key not in identity:
            return f"{key} is {'there' if key in before else 'here'} alone"
        if isinstance(ours, dict) and isinstance(theirs, dict) and ours != theirs:
            return f"{key}: {_difference({'identity': theirs}, ours)}"
        if ours != theirs:
            return f"{key} is {theirs!r} there and {ours!r} here"
    return "the same"
