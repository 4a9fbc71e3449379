"""The `.lcrm` package: a safetensors file, its description and its digests."""

from __future__ import annotations

import hashlib
import json
import struct
from dataclasses import dataclass
from typing import Any

import numpy as np

from reader.canonical import canonical
from reader.wrong import need

VERSION = 1
DTYPES = {"F32": "<f4", "F16": "<f2", "I32": "<i4"}
TENSOR_MEMBERS = {
    *("weight", "bias", "factor", "beta", "gamma", "tensor"),
    *("cdf", "lengths", "offsets", "medians", "thresholds"),
}


@dataclass
class Package:
    description: dict[str, Any]
    tensors: dict[str, np.ndarray]
    digests: dict[str, str]


def read_package(data: bytes) -> Package:
    """A package whose digests hold."""
    tensors, metadata = read_safetensors(data)
    description = json.loads(metadata["lcrs"])
    need(description["format"] == "lcrm", "not a model package")
    need(description["version"] == VERSION, f"package version {description['version']}")
    need(description["numerics"] == "f32-fma/1", f"numerics {description['numerics']}")
    for name, graph in description["graphs"].items():
        need(graph["version"] == VERSION, f"graph {name} has version {graph['version']}")
    digests = {kind: digest(part, tensors) for kind, part in parts(description).items()}
    for kind, found in digests.items():
        need(description[f"{kind}_digest"] == found, f"{kind} digest is {found}")
    return Package(description, tensors, digests)


def read_safetensors(data: bytes) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    metadata = header.pop("__metadata__")
    body = data[8 + length :]
    tensors, end = {}, 0
    for name, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        first, last = entry["data_offsets"]
        need(first == end, f"tensor {name} begins at {first}, not {end}")
        need(entry["dtype"] in DTYPES, f"tensor {name} is of {entry['dtype']}")
        end = last
        tensors[name] = np.frombuffer(body[first:last], DTYPES[entry["dtype"]]).reshape(entry["shape"])
    need(end == len(body), f"tensors end at {end}, the file at {len(body)}")
    return tensors, metadata


def parts(description: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """What each digest is taken over."""
    graphs = description["graphs"]
    analyses = {"g_a", *analysis_graphs(description["codec"])}
    common = {"numerics": description["numerics"], "version": VERSION}
    is_of_clouds = description["codec"].get("type") == "occupancy"
    members = ("codec",) if is_of_clouds else ("codec", "levels", "pad", "strides")
    whole = {key: description.get(key) for key in members}

    arrays = {"samples": description["samples"]} if description.get("samples") is not None else {}

    def select(names: set[str]) -> dict[str, Any]:
        return {"graphs": {name: graphs[name] for name in graphs if name in names}} | common

    return {
        "entropy": select(set(graphs) - analyses - {"g_s"}) | whole,
        "synthesis": select({"g_s"}) | arrays,
        "analysis": select(analyses) | arrays,
    }


def analysis_graphs(tree: Any) -> set[str]:
    if isinstance(tree, list):
        return set().union(*map(analysis_graphs, tree))
    if not isinstance(tree, dict):
        return set()
    named = {tree["analysis"]} if isinstance(tree.get("analysis"), str) else set()
    return named.union(*map(analysis_graphs, tree.values()))


def digest(part: dict[str, Any], tensors: dict[str, np.ndarray]) -> str:
    sha = hashlib.sha256()
    names = {np.dtype(text): name for name, text in DTYPES.items()}
    for name in sorted(tensor_names(part), key=str.encode):
        tensor = tensors[name]
        sha.update(_text(name.encode()) + _text(names[tensor.dtype].encode()))
        sha.update(struct.pack(f"<{1 + tensor.ndim}Q", tensor.ndim, *tensor.shape))
        sha.update(_text(tensor.tobytes()))
    sha.update(_text(canonical(part).encode()))
    return sha.hexdigest()


def _text(data: bytes) -> bytes:
    return struct.pack("<Q", len(data)) + data


def tensor_names(value: Any) -> set[str]:
    if isinstance(value, list):
        return set().union(*map(tensor_names, value))
    if not isinstance(value, dict):
        return set()
    here = {name for key, name in value.items() if key in TENSOR_MEMBERS and isinstance(name, str)}
    return here.union(*map(tensor_names, value.values()))
