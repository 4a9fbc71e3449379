"""Which file of a crate takes names from which other one: read from its text."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

_WORD = r"[A-Za-z_][A-Za-z0-9_]*"
_PATH = re.compile(rf"\b(?:crate|super|self)(?:\s*::\s*{_WORD})+")
_USE = re.compile(r"(?P<public>\bpub(?:\([a-z ]+\))?\s+)?\buse\s+(?P<tree>[^;]+);")
_MODULE = re.compile(rf"^\s*(?:pub(?:\([a-z ]+\))?\s+)?mod\s+({_WORD});", re.MULTILINE)


@dataclass
class File:
    """One source file: the path of its module, and what it takes and offers."""

    path: Path
    module: tuple[str, ...]
    taken: list[tuple[str, ...]] = field(default_factory=list)
    offered: dict[str, tuple[str, ...]] = field(default_factory=dict)


def code_of(text: str) -> str:
    """The text without comments, strings and what is compiled for tests alone."""
    text = re.sub(r"//[^\n]*", "", text)
    text = re.sub(r'"(?:[^"\\]|\\.)*"', '""', text)
    while (
        start := re.search(
            r"#\[cfg\((?:all\()?test\b[^\]]*\]\s*(?:#\[[^\]]*\]\s*)*(?:pub(?:\([a-z]+\))?\s+)?mod\s+\w+\s*",
            text,
        )
    ) is not None:
        end = start.end()
        if text[end] == "{":
            depth = 0
            for end in range(start.end(), len(text)):
                depth += {"{": 1, "}": -1}.get(text[end], 0)
                if depth == 0:
                    break
        text = text[: start.start()] + text[end + 1 :]
    return text


def leaves(tree: str) -> list[tuple[str, str]]:
    """Every path that a use tree names, with the name that it has here."""
    tree = tree.strip()
    if "{" not in tree:
        path, _, name = tree.partition(" as ")
        path = re.sub(r"\s", "", path)
        return [(path, name.strip() or path.rsplit("::", 1)[-1])]
    head, inside = tree.split("{", 1)
    inside = inside[: inside.rindex("}")]
    parts, depth, start = [], 0, 0
    for i, letter in enumerate(inside + ","):
        depth += {"{": 1, "}": -1}.get(letter, 0)
        if letter == "," and depth == 0:
            parts.append(inside[start:i])
            start = i + 1
    found = []
    for part in parts:
        if part.strip():
            found += [
                (re.sub(r"\s", "", head) + path.removesuffix("::self"), name)
                if path != "self"
                else (re.sub(r"\s", "", head).removesuffix("::"), re.sub(r"\s", "", head).split("::")[-2])
                for path, name in leaves(part)
            ]
    return found


def absolute(path: str, module: tuple[str, ...], modules: set[tuple[str, ...]]) -> tuple[str, ...] | None:
    """A path from the root of the crate, or None where it leads elsewhere."""
    parts = re.sub(r"\s", "", path).split("::")
    if parts[0] == "crate":
        return tuple(parts[1:])
    at = module
    if parts[0] == "self":
        return at + tuple(parts[1:])
    if parts[0] == "super":
        while parts and parts[0] == "super":
            at, parts = at[:-1], parts[1:]
        return at + tuple(parts)
    # A child that is named as it is: `use kernel::Kernel`.
    return at + tuple(parts) if (*at, parts[0]) in modules else None


def files_of(root: Path) -> dict[tuple[str, ...], File]:
    """The files of the crate whose ``lib.rs`` or ``main.rs`` is ``root``, by module."""
    found: dict[tuple[str, ...], File] = {}
    texts = {}
    waiting = [(root, ())]
    while waiting:
        path, module = waiting.pop()
        found[module] = File(path, module)
        texts[module] = text = code_of(path.read_text(encoding="utf-8"))
        folder = path.parent if path == root or path.name == "mod.rs" else path.with_suffix("")
        for name in _MODULE.findall(text):
            places = [folder / f"{name}.rs", folder / name / "mod.rs"]
            waiting += [(place, (*module, name)) for place in places if place.exists()]
    modules = set(found)
    for module, file in found.items():
        text = texts[module]
        for use in _USE.finditer(text):
            for path, name in leaves(use["tree"]):
                target = absolute(path, module, modules)
                if target is None:
                    continue
                if use["public"]:
                    file.offered[name] = target
                else:
                    file.taken.append(target)
        for path in _PATH.findall(_USE.sub("", text)):
            target = absolute(path, module, modules)
            if target is not None:
                file.taken.append(target)
    return found


def origin(target: tuple[str, ...], files: dict[tuple[str, ...], File]) -> tuple[str, ...]:
    """The module of the file that defines what ``target`` names, through what others merely offer again."""
    module: tuple[str, ...] = ()
    for i, name in enumerate(target):
        if (*module, name) in files:
            module = (*module, name)
        elif name in files[module].offered and files[module].offered[name] != target:
            return origin(files[module].offered[name] + target[i + 1 :], files)
        else:
            break
    return module


def arrows(root: Path) -> dict[Path, set[Path]]:
    """For each file of a crate the other files that it takes names from."""
    files = files_of(root)
    found = {}
    for file in files.values():
        targets = {files[origin(target, files)].path for target in file.taken}
        found[file.path] = targets - {file.path}
    return found
