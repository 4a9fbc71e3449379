"""The log of a run: a JSON object a line, flat, as pandas reads it, and TensorBoard's files beside it."""

from __future__ import annotations

import contextlib
import importlib
import json
import math
import time
from pathlib import Path
from typing import Any

from lcrs.coding.files import write_atomically

__all__ = ["Records"]


class Records:
    """Writes `log.jsonl`; lines have `kind` ("train", "validation" or "event"), `step`, `time` and numbers.

    Args:
        folder: Of the run.
        step: From which the run goes on; what was logged beyond it comes again, and is taken out.
        tensorboard: Whether to write its files into the folder `tensorboard` as well.

    Raises:
        ModuleNotFoundError: TensorBoard is wanted and missing.
    """

    def __init__(self, folder: Path, step: int, *, tensorboard: bool = False) -> None:
        self.path = folder / "log.jsonl"
        self._cut_to(step)
        self._file = self.path.open("a", encoding="utf-8")
        self._board: Any = None
        if tensorboard:
            try:
                board = importlib.import_module("torch.utils.tensorboard")
            except ModuleNotFoundError:
                raise ModuleNotFoundError(
                    "watch.tensorboard needs tensorboard: pip install tensorboard", name="tensorboard"
                ) from None
            self._board = board.SummaryWriter(str(folder / "tensorboard"), purge_step=step)

    def _cut_to(self, step: int) -> None:
        if not self.path.is_file():
            return
        lines = self.path.read_text(encoding="utf-8", errors="replace").splitlines()
        kept = [line for line in lines if (record := _parsed(line)) is not None and record["step"] <= step]
        if len(kept) < len(lines):
            write_atomically(self.path, "".join(f"{line}\n" for line in kept).encode(), overwrite=True)

    def write(self, kind: str, step: int, **values: Any) -> None:
        """Writes a line; numbers that are not finite become null. A full disk is not an error here."""
        record = {"kind": kind, "step": step, "time": round(time.time(), 3)}
        record |= {key: _sayable(value) for key, value in values.items()}
        try:
            self._file.write(json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n")
            self._file.flush()
        except OSError:
            return
        if self._board is not None:
            label = "" if values.get("quality") is None else f"-q{values['quality']:g}"
            for key, value in record.items():
                if key not in ("step", "time", "quality") and isinstance(value, int | float):
                    self._board.add_scalar(f"{kind}{label}/{key}", value, step)

    def picture(self, name: str, pixels: Any, step: int) -> None:
        """Gives a picture (H, W, 3) to TensorBoard, if it is there."""
        if self._board is not None:
            self._board.add_image(name, pixels, step, dataformats="HWC")

    def close(self) -> None:
        """Closes the files."""
        with contextlib.suppress(OSError):  # what is left of a full disk
            self._file.close()
        if self._board is not None:
            self._board.close()


def _parsed(line: str) -> dict[str, Any] | None:
    """A line of the log; None for one that was cut off."""
    try:
        record = json.loads(line)
    except json.JSONDecodeError:
        return None
    return record if isinstance(record, dict) and isinstance(record.get("step"), int) else None


def _sayable(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    return value
