"""What a model's `compress` returned as text and byte strings, and back: all that files of torch models hold.

The text is JSON. A byte string is `{"b": i}`, the one of that number; a tuple is `{"t": [...]}`, a dict
`{"d": {...}}`; lists, numbers, texts, true, false and null stand for themselves.
"""

from __future__ import annotations

import json
import operator
from collections.abc import Mapping, Sequence
from typing import Any

from lcrs.errors import CorruptError

__all__ = ["from_text", "to_text"]

_MAX_DEPTH = 32
"""Of lists in lists: no model nests its strings so deeply."""


def to_text(value: Any) -> tuple[str, list[bytes]]:
    """The text of a value and the byte strings in it.

    Raises:
        TypeError: something in it is none of what the text can say.
    """
    strings: list[bytes] = []
    said = _said(value, strings, "it", _MAX_DEPTH)
    return json.dumps(said, separators=(",", ":"), allow_nan=False), strings


def from_text(text: bytes, strings: Sequence[bytes]) -> Any:
    """The value that `to_text` was given.

    Raises:
        CorruptError: it is no such text, or the byte strings are not those that it counts.
    """
    try:
        said = json.loads(text.decode())
    except (ValueError, RecursionError) as error:
        raise CorruptError("what the file says of its sections is no JSON") from error
    used: list[int] = []
    value = _meant(said, strings, used, _MAX_DEPTH)
    if used != list(range(len(strings))):
        raise CorruptError(
            f"the file says to use sections {used} of {len(strings)}, in another order or number"
        )
    return value


def _said(value: Any, strings: list[bytes], where: str, depth: int) -> Any:
    if depth < 0:
        raise TypeError(f"{where} is nested more than {_MAX_DEPTH} times")
    if isinstance(value, bytes | bytearray):
        strings.append(bytes(value))
        return {"b": len(strings) - 1}
    if value is None or isinstance(value, bool | str | float):
        return value
    if isinstance(value, Mapping):
        items = {}
        for key, item in value.items():
            if not isinstance(key, str):
                raise TypeError(f"{where} has the key {key!r}, a text is needed")
            items[key] = _said(item, strings, f"{where}[{key!r}]", depth - 1)
        return {"d": items}
    if isinstance(value, list | tuple):
        parts = [_said(item, strings, f"{where}[{i}]", depth - 1) for i, item in enumerate(value)]
        return {"t": parts} if isinstance(value, tuple) else parts
    try:
        return operator.index(value)  # numbers of NumPy's and tensors of one, too
    except TypeError:
        kind = type(value).__name__
        raise TypeError(
            f"{where} is a {kind}, which a file cannot say: bytes, numbers and lists can"
        ) from None


def _meant(said: Any, strings: Sequence[bytes], used: list[int], depth: int) -> Any:
    if depth < 0:
        raise CorruptError(f"what the file says of its sections is nested more than {_MAX_DEPTH} times")
    match said:
        case None | bool() | int() | float() | str():
            return said
        case list():
            return [_meant(item, strings, used, depth - 1) for item in said]
        case {"t": list() as parts, **others} if not others:
            return tuple(_meant(item, strings, used, depth - 1) for item in parts)
        case {"d": dict() as items, **others} if not others:
            return {key: _meant(item, strings, used, depth - 1) for key, item in items.items()}
        case {"b": int() as i, **others} if not others and type(i) is int and 0 <= i < len(strings):
            used.append(i)
            return strings[i]
    raise CorruptError("what the file says of its sections is nothing that a file can say")
