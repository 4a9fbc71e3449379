"""The most memory that something takes."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import Any

__all__ = ["PeakMemory"]

_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


class PeakMemory:
    """Watches a block: the most that was resident of this process and of a program that it ran, and of a GPU.

    Linux can forget the peak so far; elsewhere the peak of the process since its start is all there is.
    """

    program = 0
    """Bytes: of the largest program that has ended since a block began; `lcrs.evaluate.external` tells it."""

    def __init__(self, device: str | None = None) -> None:
        self._cuda = device is not None and device.startswith("cuda")
        self._device = device
        self.resident = 0
        """Bytes, the process as a whole."""
        self.is_since_start = False
        """The peak is that of the process so far, perhaps of something before."""
        self.of_program = 0
        """Bytes, the largest program that was run."""
        self.allocated: int | None = None
        """Bytes of tensors on the GPU; None without one."""

    def __enter__(self) -> PeakMemory:
        PeakMemory.program = 0
        try:
            _CLEAR.write_text("5")
        except OSError:
            self.is_since_start = True
        if self._cuda:
            import torch

            torch.cuda.synchronize(self._device)
            torch.cuda.reset_peak_memory_stats(self._device)
        return self

    def __exit__(self, *_: object) -> None:
        self.resident, self.of_program = _peak(), PeakMemory.program
        if self._cuda:
            import torch

            self.allocated = torch.cuda.max_memory_allocated(self._device)

    def fields(self, what: str) -> dict[str, Any]:
        """What rows say: `{what}_peak_bytes` and the like."""
        fields = {f"{what}_peak_bytes": self.resident} if self.resident else {}
        if self.of_program:
            fields[f"{what}_peak_program_bytes"] = self.of_program
        if self.allocated is not None:
            fields[f"{what}_peak_device_bytes"] = self.allocated
        return fields


def _peak() -> int:
    """Bytes; 0 where the system does not say."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in _STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    with contextlib.suppress(ImportError):
        import resource

        peak: int = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024
    return 0
