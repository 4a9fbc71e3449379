"""Parts of a model that have no exact form: they run in torch, and what is coded then is verified.

Encoder and decoder make the same calls: picture by picture, in eval mode, without gradient and autocast,
with deterministic kernels where torch has them. That gives equal numbers on one machine, with one device,
one torch and one number of threads; nothing promises them elsewhere. So what depends on such a part carries a
checksum (`lcrs.entropy_models.verified`), and what does not come out as it was coded is refused.
"""

from __future__ import annotations

import contextlib
import functools
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lcrs.coding.portability import portability_mode
from lcrs.errors import DesyncError, LcrsError, NotPortableError, NotPortableWarning
from lcrs.layers.module_state import evaluating
from lcrs.ops.binary32 import full_binary32
from lcrs.ops.held_setting import HeldSetting

__all__ = [
    "coded_before",
    "coding_scope",
    "in_torch",
    "is_verified",
    "level_of_caller",
    "note_coded",
    "note_string",
    "one_thread",
    "report",
    "run_in_torch",
    "verify_all",
]

_SKIPPED = (str(Path(__file__).parents[1]), str(Path(torch.__file__).parent), contextlib.__file__)
_Values = Callable[[], NDArray[Any]]


@dataclass
class _Scope:
    """What happened in one call of `compress` or `decompress`.

    Attributes:
        parts: The parts that ran in torch, in order, and whether what follows is verified for that.
        written: What was coded, (N, ...) each.
        read: What was decoded.
        before: How much was written before a string, for an encoder that reads what it has written.
    """

    parts: dict[str, bool] = field(default_factory=dict)
    written: list[_Values] = field(default_factory=list)
    read: list[_Values] = field(default_factory=list)
    before: dict[bytes, int] = field(default_factory=dict)


_scope: ContextVar[_Scope | None] = ContextVar("lcrs_foreign", default=None)
_warned: WeakKeyDictionary[nn.Module, set[str]] = WeakKeyDictionary()


@contextmanager
def coding_scope() -> Iterator[None]:
    """One call of a model's `compress` or `decompress`, those of its parts included.

    From the first part on that runs in torch, what is coded is verified.

    Raises:
        DesyncError: in place of other errors about strings, once a part has run in torch; it names that.
    """
    if _scope.get() is not None:
        yield
        return
    scope = _Scope()
    token = _scope.set(scope)
    try:
        yield
    except NotPortableError:
        raise
    except LcrsError as error:
        if not scope.parts:
            raise
        raise DesyncError(
            f"{error}. {' and '.join(scope.parts)} ran in torch: strings of such a model decode only where "
            "torch computes the same sums as it did for coding"
        ) from error
    finally:
        _scope.reset(token)


def is_verified() -> bool:
    """Whether a part has run in torch in the present call of `compress` or `decompress`."""
    scope = _scope.get()
    return scope is not None and any(scope.parts.values())


def note_coded(values: _Values, *, is_encoding: bool) -> None:
    """Keeps what a string is about, for the checksums of strings that come later in the call.

    Args:
        values: Gives symbols or values (N, ...), the same for encoder and decoder; called if it is needed.
        is_encoding: Whether the string was written.
    """
    scope = _scope.get()
    if scope is not None:
        (scope.written if is_encoding else scope.read).append(values)


def note_string(string: bytes) -> None:
    """Keeps that a string with a checksum was written now; `note_coded` follows."""
    scope = _scope.get()
    if scope is not None:
        scope.before[string] = len(scope.written)


def coded_before(string: bytes | None = None) -> list[NDArray[Any]]:
    """What the checksum of a string covers of other strings: of one to be written, or of `string`."""
    scope = _scope.get()
    if scope is None:
        return []
    kept, end = scope.written, len(scope.written)
    if string is not None:
        if string in scope.before:
            end = scope.before[string]
        else:
            kept, end = scope.read, len(scope.read)
    values = [value() for value in kept[:end]]
    kept[:end] = [functools.partial(_same, value) for value in values]
    return values


def _same(value: NDArray[Any]) -> NDArray[Any]:
    return value


def report(module: nn.Module, reason: str, *, more: str = "", is_verified: bool = True) -> None:
    """Says that `module` decides probabilities in torch, as `lcrs.portability` has it.

    Args:
        module: The part.
        reason: A sentence that names it and its place.
        more: Another sentence for the warning.
        is_verified: From here on all that is coded in the present call is verified. False where the other
            side cannot know of it.

    Raises:
        NotPortableError: portability is required.
    """
    mode = portability_mode()
    if mode == "require":
        raise NotPortableError(reason)
    scope = _scope.get()
    if scope is not None:
        name = reason.partition(" is not portable")[0]
        scope.parts[name] = is_verified or scope.parts.get(name, False)
    known = _warned.setdefault(module, set())
    if mode == "warn" and reason not in known:
        text = (
            f"{reason}; it runs in torch, so that strings decode only where torch computes the same sums "
            '(the same machine, device, torch and number of threads). Elsewhere "lcrs" strings are refused; '
            '"ans" strings have no checksum, so that decoding cannot verify them and may give other values. '
            f"{more + ' ' if more else ''}"
            "lcrs.portability('allow') says this no more, 'require' makes it an error"
        )
        warnings.warn(text, NotPortableWarning, stacklevel=level_of_caller())
        known.add(reason)


def verify_all(name: str) -> None:
    """From here on all that is coded in the present call is verified, as if `name`, a part, had run in torch.

    Raises:
        NotPortableError: portability is required.
    """
    if portability_mode() == "require":
        raise NotPortableError(f"{name} is not portable: its own code decides what is coded")
    scope = _scope.get()
    if scope is not None:
        scope.parts[name] = True


def level_of_caller() -> int:
    """The level of the nearest frame outside of lcrs and torch, as the caller of this counts them."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_SKIPPED):
        level, frame = level + 1, frame.f_back
    return level


def run_in_torch(
    module: nn.Module, x: Tensor, level: float | None = None, *, features_last: bool = False
) -> Tensor:
    """`module` applied to `x` (N, ...), each of N by itself: float32 on the CPU, without gradient.

    Args:
        module: What to run, on the device and in the type that it has.
        x: Any device and type.
        level: A rate level, which the module is told.
        features_last: The module wants the channels of `x` (N, C, ...) last, as linear layers do.
    """
    like = next((p for p in (*module.parameters(), *module.buffers()) if p.is_floating_point()), None)
    x = x.detach() if like is None else x.detach().to(device=like.device, dtype=like.dtype)
    batch_size = x.shape[0]
    if not batch_size:  # one picture tells what shape the result has
        x = x.new_zeros(1, *x.shape[1:])
    with in_torch(module, x.device):
        outs = []
        for i in range(x.shape[0]):
            item = x[i : i + 1].contiguous()
            told = () if level is None else (torch.full((1,), level, device=x.device, dtype=x.dtype),)
            out = module(item.movedim(1, -1) if features_last else item, *told)
            out = out.movedim(-1, 1) if features_last else out
            outs.append(out.detach().to(device="cpu", dtype=torch.float32))
    return torch.cat(outs).contiguous()[:batch_size]


@contextmanager
def in_torch(module: nn.Module, device: torch.device) -> Iterator[None]:
    """What calls of `module` for coding are made in: eval mode, and everything that makes them repeatable."""
    with (
        evaluating(module),
        torch.no_grad(),
        torch.autocast(device_type=device.type, enabled=False),
        full_binary32(device),
        _deterministic() if device.type == "cuda" else nullcontext(),
    ):
        yield


def _determinism() -> tuple[bool, bool, bool]:
    """Whether kernels must be deterministic, or else warn, and whether cuDNN tries which is fastest."""
    must, warns = (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
    )
    return must, warns, torch.backends.cudnn.benchmark


def _set_determinism(setting: tuple[bool, bool, bool]) -> None:
    must, warns, cudnn_tries = setting
    torch.use_deterministic_algorithms(must, warn_only=warns)
    cudnn: Any = torch.backends.cudnn
    cudnn.benchmark = cudnn_tries


_kernels: HeldSetting[tuple[bool, bool, bool]] = HeldSetting(_determinism, _set_determinism)
_threads: HeldSetting[int] = HeldSetting(torch.get_num_threads, torch.set_num_threads)


@contextmanager
def _deterministic() -> Iterator[None]:
    with warnings.catch_warnings():
        # Where torch has no such kernel, decoding finds out.
        warnings.filterwarnings("ignore", message=".*deterministic.*")
        with _kernels.held((True, True, False)):
            yield


def one_thread() -> AbstractContextManager[None]:
    """Torch computes with one thread in a block of this: for calls too small to be shared."""
    return _threads.held(1)
