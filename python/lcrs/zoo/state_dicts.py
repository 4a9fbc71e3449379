"""Checkpoint files of all kinds, and which architecture they are of."""

from __future__ import annotations

import errno
import pickle
import pickletools
import re
import warnings
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import lcrs.models  # noqa: F401
from lcrs.errors import CorruptError, MissingModelError
from lcrs.registry import MODELS
from lcrs.zoo.inert_pickle import load_lifeless
from lcrs.zoo.nesting import find_state_dict, why_none
from lcrs.zoo.pretrained import load_pretrained

__all__ = [
    "architecture_of",
    "load_checkpoint",
    "network_of",
    "read_checkpoint",
    "read_state_dict",
    "state_dict_in",
]

_FORBIDDEN = re.compile(r"(?:Unsupported (?:global|class)(?:.*?GLOBAL)?|unsupported GLOBAL) (\S+)")


def read_state_dict(path: str | Path) -> dict[str, Tensor]:
    """The state dict in a file, on the CPU, under the present names of its parameters.

    Args:
        path: A safetensors file, or what `torch.save` wrote: a state dict, or a checkpoint that has one under
            a usual name ("state_dict", "net", "model", "ema", ...), wrapped or not (DataParallel,
            torch.compile, Lightning). What else it has is passed over; nothing in it is executed. Averaged
            weights (EMA) go before plain ones, where both are there; a warning says so.

    Raises:
        MissingModelError: there is no such file.
        CorruptError: it is none of these.
    """
    return state_dict_in(read_checkpoint(path), path)


def read_checkpoint(path: str | Path, *, is_strict: bool = False) -> Any:
    """All that is in a file, on the CPU; nothing in it is executed.

    Args:
        path: A safetensors file, or what `torch.save` wrote.
        is_strict: Whether a file with anything else than tensors and plain values is refused. Otherwise that
            is left lifeless, if there is a state dict beside it.

    Raises:
        MissingModelError: there is no such file.
        CorruptError: it is damaged, of another kind, or would run code.
    """
    path = Path(path)
    if not path.is_file():
        raise MissingModelError(f"there is no checkpoint {path}")
    return _read(path, is_strict)


def state_dict_in(content: Any, path: str | Path) -> dict[str, Tensor]:
    """The state dict in what `read_checkpoint` gave for a file; as `read_state_dict`."""
    found = find_state_dict(content)
    if found is None:
        raise CorruptError(f"{path} holds no state dict{why_none(content)}")
    if found.note:
        warnings.warn(f"{path} has {found.note}", UserWarning, stacklevel=3)
    return load_pretrained(found.state_dict)


def _read(path: Path, is_strict: bool) -> Any:
    from safetensors.torch import load_file

    try:
        if _is_safetensors(path):
            return load_file(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of pickles that are refused a moment later
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # damage shows wherever the loaders do not look for it
        if isinstance(error, OSError) and not _sought_outside(error):
            raise
        is_refused = isinstance(error, pickle.UnpicklingError) and not is_strict
        content = _read_lifeless(path) if is_refused else None
        if content is not None:
            return content
        reason = _reason(path, error)
        raise CorruptError(f"{path} is no checkpoint that can be loaded safely: {reason}") from error


def _sought_outside(error: OSError) -> bool:
    """Whether the loaders looked for something before the beginning of a file, which was cut off."""
    return error.errno == errno.EINVAL and error.filename is None


def _is_safetensors(path: Path) -> bool:
    """Whether a file is called so, or begins so: with the length of a JSON object, and that."""
    with path.open("rb") as file:
        start = file.read(9)
    length = int.from_bytes(start[:8], "little")
    return path.suffix == ".safetensors" or (start[8:] == b"{" and 8 + length <= path.stat().st_size)


def _read_lifeless(path: Path) -> Mapping[Any, Any] | None:
    """The content of a file that has more inside than torch would load; None if it has no state dict."""
    try:
        content = load_lifeless(path)
    except Exception:  # whatever an unpickler may run into
        return None
    return content if find_state_dict(content) is not None else None


def _reason(path: Path, error: Exception) -> str:
    """Why torch or safetensors would not load a file, without torch's advice to load it unsafely."""
    message = "" if isinstance(error, OSError) else str(error).strip()
    message = message or "it is empty or cut off"
    forbidden = _FORBIDDEN.search(message)
    if forbidden:
        return f"it has a {forbidden[1]} inside, which could run code; save the model's state_dict() instead"
    if isinstance(error, LookupError):
        return "torch.save did not write it"  # an unpickler that was led astray names a number, or a letter
    if "weights_only" not in message and "magic number" not in message:
        return message.splitlines()[0]
    if _is_pickle(path):
        return (
            "it is a plain pickle, which could run code; save the state dict by torch.save or as safetensors"
        )
    return "torch.save did not write it"


def _is_pickle(path: Path) -> bool:
    """Whether a file begins with instructions of a pickle, none of which is followed."""
    with path.open("rb") as file:
        try:
            return sum(1 for _ in islice(pickletools.genops(file), 1000)) > 1
        except (ValueError, MemoryError, OverflowError):
            return False


def architecture_of(state_dict: Mapping[str, Tensor]) -> str:
    """The registered name of the model that a state dict is of, told by its keys and shapes.

    Raises:
        ValueError: it is of none that is known.
    """
    if "img_encoder.0.weight" in state_dict:
        return "ssf2020"
    if "latent_codec.y.latent_codec.y0.context_prediction.weight" in state_dict:
        return _elic(state_dict)
    if "latent_codec.y.context_prediction.weight" in state_dict:
        return "cheng2020-anchor-checkerboard"
    if {"coders.0.entry.weight", "latent_codec.side_networks.y0.entry.weight"} & state_dict.keys():
        return "gain-space-channel-hyperprior"
    if "y_log_gain.values" in state_dict:
        return "gain-hyperprior"
    if "y_gain.values" in state_dict:
        return "mbt2018-mean-gain"
    if "Gain" in state_dict:
        return f"{_google(state_dict)}-vbr"
    if "g_a.0.conv1.weight" in state_dict:
        has_attention = any(".conv_a." in key for key in state_dict)
        return "cheng2020-attn" if has_attention else "cheng2020-anchor"
    return _google(state_dict)


def _elic(state_dict: Mapping[str, Tensor]) -> str:
    """The last layer of h_s is a convolution to 2 M channels here, a transposed one to 2 N there."""
    N, M = state_dict["g_a.0.weight"].size(0), state_dict["g_a.14.conv_b.3.weight"].size(0)
    last = state_dict["latent_codec.hyper.h_s.4.weight"]
    is_chandelier = tuple(last.shape[:2]) == (2 * M, N * 3 // 2)
    return "elic2022-chandelier" if is_chandelier else "elic2022-official"


def _google(state_dict: Mapping[str, Tensor]) -> str:
    if not {"g_a.0.weight", "g_a.6.weight", "g_s.0.weight"} <= state_dict.keys():
        first = next(iter(state_dict), "nothing")
        raise ValueError(f"no known architecture has these parameters ({first!r}, ...): name one")
    if "context_prediction.weight" in state_dict:
        return "mbt2018"
    if "h_s.4.weight" in state_dict:
        has_means = state_dict["h_s.4.weight"].size(0) == 2 * state_dict["g_a.6.weight"].size(0)
        return "mbt2018-mean" if has_means else "bmshj2018-hyperprior"
    return "bmshj2018-factorized" if "g_a.1.beta" in state_dict else "bmshj2018-factorized-relu"


def network_of(state_dict: Mapping[str, Tensor], architecture: str | Any | None = None) -> nn.Module:
    """The network of a state dict, in evaluation mode, its sizes read from the weights.

    Args:
        state_dict: As `read_state_dict` gives it.
        architecture: Registered name, or a class; by default lcrs's own class that the keys tell.

    Raises:
        ValueError: the state dict is of no architecture that is known, or not of that one.
    """
    if architecture is None:
        name = architecture_of(state_dict)
        model_class: Any = MODELS.builtin(name)
    elif not isinstance(architecture, str):
        name, model_class = architecture.__name__, architecture
    elif architecture in MODELS:
        name, model_class = architecture, MODELS[architecture]
    else:
        raise ValueError(f"no architecture is called {architecture!r}; there are {', '.join(MODELS)}")
    if not hasattr(model_class, "from_state_dict"):
        raise ValueError(f"{name} says of no state dict what sizes it has")
    told = _told_instead(state_dict, name, model_class)
    if told is not None:
        raise ValueError(f"the state dict is not one of {name}: its keys and shapes are those of {told}")
    try:
        net: nn.Module = model_class.from_state_dict(state_dict)
    except (KeyError, IndexError, RuntimeError) as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else _essence(str(error))
        raise ValueError(f"the state dict is not one of {name}: {reason}") from error
    return net.eval()


def _told_instead(state_dict: Mapping[str, Tensor], name: str, model_class: Any) -> str | None:
    """Another architecture than one of lcrs's own, if the keys tell one.

    The network itself would tell at last, drawn at random as a whole first.
    """
    try:
        told = architecture_of(state_dict) if MODELS.builtin(name) is model_class else name
    except (KeyError, ValueError):
        return None
    return None if told == name else told


def load_checkpoint(path: str | Path, architecture: str | None = None) -> nn.Module:
    """The network in a checkpoint file; arguments and errors as `read_state_dict` and `network_of`."""
    try:
        return network_of(read_state_dict(path), architecture)
    except ValueError as error:
        if str(path) in str(error):
            raise
        raise type(error)(f"{path}: {error}") from error


def _essence(message: str) -> str:
    """The first complaint of torch's about a state dict."""
    lines = [" ".join(line.split()) for line in message.splitlines()]
    complaint = lines[1] if len(lines) > 1 else lines[0] if lines else "it does not fit"
    return complaint if len(complaint) < 200 else complaint[:200] + "..."
