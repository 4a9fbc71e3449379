"""Configurations as TOML: read by the standard library, written here, since that only reads."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    try:
        import tomli as tomllib  # type: ignore[import-not-found, unused-ignore]
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            "recipes need tomli on Python 3.10: pip install '.[train]' in the sources of lcrs", name="tomli"
        ) from None

__all__ = ["dump", "loads", "value_of"]

loads = tomllib.loads


def value_of(text: str, *, is_text: bool = False) -> Any:
    """What a value on a command line is: TOML where it is that, `none`, or else the text itself.

    Args:
        text: The value.
        is_text: Of a key that takes texts: a number, a date or true are texts as well, since folders have
            such names.
    """
    if text in ("none", "null"):
        return None
    try:
        value = loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
    return text if is_text and not isinstance(value, str | list | dict) else value


def dump(values: Mapping[str, Any], notes: Mapping[str, str] | None = None) -> str:
    """TOML of nested mappings of JSON values, plain keys before tables.

    Args:
        values: None is left out.
        notes: Comments by dotted key, behind its line.
    """
    return "\n".join(_lines(values, "", notes or {})) + "\n"


def _lines(values: Mapping[str, Any], prefix: str, notes: Mapping[str, str]) -> list[str]:
    lines: list[str] = []
    tables: list[str] = []
    for key, value in values.items():
        if value is None:
            if (note := notes.get(prefix + key)) is not None:
                lines.append(f"# {key} is not set: {note}")
        elif isinstance(value, Mapping):
            tables += ["", f"[{prefix}{_key(key)}]", *_lines(value, f"{prefix}{key}.", notes)]
        elif isinstance(value, list) and value and all(isinstance(item, Mapping) for item in value):
            for item in value:
                tables += ["", f"[[{prefix}{_key(key)}]]", *_lines(item, f"{prefix}{key}.", notes)]
        else:
            lines.append(f"{_key(key)} = {_value(value)}")
    return lines + tables


def _key(key: str) -> str:
    return key if key.replace("-", "").replace("_", "").isalnum() and key.isascii() else json.dumps(key)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{_key(key)} = {_value(item)}' for key, item in value.items())}}}"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)
