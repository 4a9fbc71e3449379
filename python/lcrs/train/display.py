"""What a person sees of a run: a live table on a terminal, or a line now and then."""

from __future__ import annotations

import importlib
import math
import sys
from typing import Any, Protocol, TextIO

from lcrs.train.config import ConfigError

__all__ = ["Display", "make_display"]


class Display(Protocol):
    """Shows how a run goes.

    Attributes:
        rate_unit: What rates count.
        example_unit: What examples are, in the plural.
    """

    rate_unit: str
    example_unit: str

    def progress(self, values: dict[str, Any]) -> None:
        """Numbers of the last steps, see `lcrs.train.progress`."""
        ...

    def say(self, text: str) -> None:
        """A line that stays."""
        ...

    def close(self) -> None:
        """Nothing more comes."""
        ...


class Silent:
    """Shows nothing."""

    rate_unit = "bpp"
    example_unit = "images"

    def progress(self, values: dict[str, Any]) -> None:
        """As in `Display`."""

    def say(self, text: str) -> None:
        """As in `Display`."""

    def close(self) -> None:
        """As in `Display`."""


class Lines:
    """A line for each record, for files and pipes."""

    rate_unit = "bpp"
    example_unit = "images"

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def progress(self, values: dict[str, Any]) -> None:
        """As in `Display`."""
        quality = "" if math.isnan(values["psnr"]) else f"{values['psnr']:.2f} dB, "
        self.say(
            f"step {values['step']}: loss {values['loss']:.4f}, {values['bpp']:.4f} {self.rate_unit}, "
            f"{quality}{values['images_per_s']:.1f} {self.example_unit}/s, "
            f"waiting {100 * values['waiting']:.0f} %, {_duration(values['seconds_left'])} left"
        )

    def say(self, text: str) -> None:
        """As in `Display`."""
        print(text, file=self.stream, flush=True)

    def close(self) -> None:
        """As in `Display`."""


class Live:
    """A table that is drawn anew in place, by rich."""

    rate_unit = "bpp"
    example_unit = "images"

    def __init__(self, title: str) -> None:
        self._live: Any = importlib.import_module("rich.live").Live(
            console=importlib.import_module("rich.console").Console(stderr=True), refresh_per_second=4
        )
        self._table: Any = importlib.import_module("rich.table").Table
        self.title = title
        self._live.start()

    def progress(self, values: dict[str, Any]) -> None:
        """As in `Display`."""
        table = self._table(title=self.title, show_header=False)
        rows = {
            "step": f"{values['step']}" + (f" of {values['steps']}" if values.get("steps") else ""),
            "done": f"{100 * values['done']:.1f} %, {_duration(values['seconds_left'])} left",
            "loss": f"{values['loss']:.4f}",
            "rate": f"{values['bpp']:.4f} {self.rate_unit}",
            **({} if math.isnan(values["psnr"]) else {"PSNR": f"{values['psnr']:.2f} dB"}),
            "learning rate": f"{values['lr']:.2e}",
            "speed": f"{values['images_per_s']:.1f} {self.example_unit}/s",
            "waiting for data": f"{100 * values['waiting']:.1f} % of the time",
            "skipped steps": str(values["skipped"]),
        }
        for name, text in rows.items():
            table.add_row(name, text)
        self._live.update(table)

    def say(self, text: str) -> None:
        """As in `Display`."""
        self._live.console.print(text, markup=False, highlight=False)

    def close(self) -> None:
        """As in `Display`."""
        self._live.stop()


def make_display(kind: str, title: str, stream: TextIO | None = None) -> Display:
    """The display that a configuration wants; "auto" is live on a terminal, if rich is there.

    Raises:
        ConfigError: rich is wanted and missing.
    """
    stream = sys.stderr if stream is None else stream
    if kind == "off":
        return Silent()
    if kind == "rich" or (kind == "auto" and stream.isatty()):
        try:
            return Live(title)
        except ModuleNotFoundError:
            if kind == "rich":
                raise ConfigError(
                    "watch.display=rich needs rich: pip install '.[train]' in the sources of lcrs"
                ) from None
    return Lines(stream)


def _duration(seconds: float) -> str:
    """Hours, minutes and seconds, as far as they matter."""
    if seconds != seconds or seconds == float("inf"):
        return "unknown time"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
