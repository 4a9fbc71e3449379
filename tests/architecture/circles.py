"""Circles in a graph of files."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from typing import TypeVar

_Node = TypeVar("_Node", bound=Hashable)


def circles(arrows: Mapping[_Node, Iterable[_Node]]) -> list[list[_Node]]:
    """Sets of several nodes that reach each other along the arrows (Tarjan 1972)."""
    number: dict[_Node, int] = {}
    lowest: dict[_Node, int] = {}
    stack: list[_Node] = []
    found = []

    def visit(node: _Node) -> None:
        number[node] = lowest[node] = len(number)
        stack.append(node)
        for other in arrows.get(node, ()):
            if other not in number:
                visit(other)
                lowest[node] = min(lowest[node], lowest[other])
            elif other in stack:
                lowest[node] = min(lowest[node], number[other])
        if lowest[node] == number[node]:
            place = stack.index(node)
            if len(stack) - place > 1:
                found.append(stack[place:])
            del stack[place:]

    for node in arrows:
        if node not in number:
            visit(node)
    return found
