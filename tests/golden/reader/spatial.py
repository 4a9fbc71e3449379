"""Operations that look at neighbours, whole maps, or all channels of a position. Arrays are (C, H, W)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from reader.arithmetic import F32, F64, fma
from reader.wrong import need

Node = dict[str, Any]


def in_lanes(terms: np.ndarray) -> np.ndarray:
    """The sum over the first axis in binary64, in eight lanes."""
    terms = terms.astype(F64)
    lanes = np.zeros((8, *terms.shape[1:]), F64)
    for first in range(0, len(terms), 8):
        part = terms[first : first + 8]
        lanes[: len(part)] += part
    a, b, c, d, e, f, g, h = lanes
    return ((a + e) + (c + g)) + ((b + f) + (d + h))


def one_by_one(terms: np.ndarray, axis: int) -> np.ndarray:
    """The sum over an axis in binary64, ascending from +0."""
    terms = np.moveaxis(terms.astype(F64), axis, 0)
    total = np.zeros(terms.shape[1:], F64)
    for part in terms:
        total = total + part
    return total


def weigh(logits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """``e`` and ``r`` of logits over the first axis."""
    largest = logits.max(axis=0)
    d = np.maximum(logits - largest, F32(-87))
    k = (d * F32(math.log2(math.e)) + F32(1.5 * 2**23)) - F32(1.5 * 2**23)
    r = (d - k * F32(0.693359375)) - k * F32(-2.12194440e-4)
    q = np.full_like(r, F32(1) / F32(math.factorial(7)))
    for n in range(6, 1, -1):
        q = q * r + F32(1) / F32(math.factorial(n))
    p = F32(1) + (r + r * r * q)
    e = p * np.ldexp(F32(1), k.astype(np.int32))
    return e, (F64(1) / in_lanes(e)).astype(F32)


def softmax(x: np.ndarray, node: Node) -> np.ndarray:
    parts = []
    for group in np.split(x, node["groups"]):
        e, r = weigh(group)
        parts.append(e * r)
    return np.concatenate(parts)


def normalise(x: np.ndarray, node: Node) -> np.ndarray:
    def total(terms: np.ndarray) -> np.ndarray:
        if not node["spatial"]:
            return in_lanes(terms)
        return in_lanes(one_by_one(one_by_one(terms, 2), 1))

    parts = []
    for group in np.split(x.astype(F64), node["groups"]):
        count = F64(group.size if node["spatial"] else len(group))
        distance = group - total(group) / count
        r = F64(1) / np.sqrt(total(distance * distance) / count + F64(F32(node["epsilon"])))
        parts.append((distance * r).astype(F32))
    return np.concatenate(parts)


def sliding(side: int, node: Node, axis: int) -> list[tuple[int, int, int]]:
    """First and last inputs of windows, and how many places they have with the padding."""
    kernel, stride, padding = (node[key][axis] for key in ("kernel", "stride", "padding"))
    room = side + 2 * padding - kernel
    need(room >= 0 and 2 * padding <= kernel, f"{node} of {side} inputs")
    count = room // stride + 1
    if node["ceil"] and room % stride and count * stride < side + padding:
        count += 1
    windows = []
    for first in range(-padding, count * stride - padding, stride):
        end = min(first + kernel, side + padding)
        windows.append((max(first, 0), min(end, side), end - first))
    return windows


def adaptive(side: int, node: Node, axis: int) -> list[tuple[int, int, int]]:
    count = node["size"][axis] or side
    windows = [(o * side // count, -(-(o + 1) * side // count)) for o in range(count)]
    return [(first, end, end - first) for first, end in windows]


def pool(x: np.ndarray, node: Node) -> np.ndarray:
    windows = adaptive if "size" in node else sliding
    rows, columns = windows(x.shape[1], node, 0), windows(x.shape[2], node, 1)
    out = np.zeros((len(x), len(rows), len(columns)), F32)
    for i, (top, bottom, high) in enumerate(rows):
        for j, (left, right, wide) in enumerate(columns):
            window = x[:, top:bottom, left:right]
            if "max" in node["op"]:
                out[:, i, j] = window.max(axis=(1, 2))
                continue
            count = high * wide if node.get("count_padding") else window[0].size
            out[:, i, j] = (one_by_one(one_by_one(window, 2), 1) / F64(count)).astype(F32)
    return out


def upsample(x: np.ndarray, node: Node) -> np.ndarray:
    if node["mode"] == "nearest":
        return x.repeat(node["factor"][0], axis=1).repeat(node["factor"][1], axis=2)

    def places(side: int, factor: int) -> tuple[list[int], list[int], np.ndarray]:
        if node["align_corners"]:
            pairs = [(o * (side - 1), max(side * factor - 1, 1)) for o in range(side * factor)]
        else:
            pairs = [(max(2 * o + 1 - factor, 0), 2 * factor) for o in range(side * factor)]
        first = [above // below for above, below in pairs]
        weights = [F32(F64(above % below) / F64(below)) for above, below in pairs]
        return first, [min(i + 1, side - 1) for i in first], np.array(weights, F32)

    left, right, w = places(x.shape[2], node["factor"][1])
    across = x[:, :, left] * (F32(1) - w) + x[:, :, right] * w
    upper, lower, v = places(x.shape[1], node["factor"][0])
    v = v[:, None]
    return across[:, upper] * (F32(1) - v) + across[:, lower] * v


def pad(x: np.ndarray, node: Node) -> np.ndarray:
    margins = [(0, 0), *zip(node["before"], node["after"], strict=True)]
    modes = {"zeros": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}
    most = {"reflect": -1, "circular": 0}.get(node["mode"])
    for side, margin in zip(x.shape, margins, strict=True):
        need(most is None or max(margin) <= max(side + most, 0), f"{node} of {x.shape}")
    return np.pad(x, margins, mode=modes[node["mode"]])


def window_attention(q, k, v, bias, node: Node) -> np.ndarray:
    for x in (q, k, v):
        need(np.isfinite(x).all(), "the input of a layer is not finite")
    (height, width), heads = node["window"], node["heads"]
    out = np.zeros_like(v)
    depth, size = len(q) // heads, len(v) // heads
    for rows in windows_of(q.shape[1], height, node["shift"][0]):
        for columns in windows_of(q.shape[2], width, node["shift"][1]):
            y, x = np.meshgrid(rows, columns, indexing="ij")
            y, x = y.ravel(), x.ravel()
            for head in range(heads):
                queries, keys = (t[head * depth : (head + 1) * depth, y, x] for t in (q, k))
                values = v[head * size : (head + 1) * size, y, x]
                # keys first, queries second
                logits = np.zeros((len(y), len(y)), F32)
                for a, b in zip(queries, keys, strict=True):
                    logits = fma(a[None], b[:, None], logits)
                logits = (logits + F32(0)) * F32(node["scale"])
                if bias is not None:
                    dy, dx = y[None] - y[:, None] + height - 1, x[None] - x[:, None] + width - 1
                    logits = logits + bias[head, dy, dx]
                e, r = weigh(logits)
                total = np.zeros((size, len(y)), F32)
                for weight, value in zip(e, values.T, strict=True):
                    total = fma(weight[None], value[:, None], total)
                out[head * size : (head + 1) * size, y, x] = (total + F32(0)) * r
    return out


def windows_of(side: int, window: int, shift: int) -> list[np.ndarray]:
    """The rows or columns of each window."""
    numbers = (np.arange(side) - shift) // window
    return [np.flatnonzero(numbers == number) for number in np.unique(numbers)]


OPERATIONS = {
    "softmax": softmax,
    "normalise": normalise,
    "max_pool2d": pool,
    "avg_pool2d": pool,
    "adaptive_max_pool2d": pool,
    "adaptive_avg_pool2d": pool,
    "upsample": upsample,
    "pad": pad,
}
