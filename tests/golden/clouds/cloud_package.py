"""A tiny package of point clouds, with everything that its description can say; weights of no training."""

from __future__ import annotations

from typing import Any

import numpy as np

ORDER = [0, 7, 3, 4, 5, 2, 6, 1]
SEEN = [27, 18, 12, 8]
"""Neighbours whose child lies within reach 2 of a child, by how many axes their octants differ on."""
CHANNELS, HIDDEN, RESOLUTION, HALF = 6, 5, 8, 40
SCALARS = ["levels_below", "growth_below", "growth", "growth_above", "node_bits"]


def cloud_package(name: str = "tiny-cloud", seed: int = 5) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The description, without digests, and the tensors."""
    random = np.random.default_rng(seed)
    tensors: dict[str, np.ndarray] = {}

    def conv(graph: dict[str, Any], x: int, inputs: int, outputs: int) -> int:
        place = f"{name_of[id(graph)]}.{len(graph['nodes'])}"
        reach = (3 / inputs) ** 0.5
        tensors[f"{place}.weight"] = random.uniform(-reach, reach, (outputs, inputs, 1, 1)).astype(np.float32)
        tensors[f"{place}.bias"] = random.uniform(-0.5, 0.5, outputs).astype(np.float32)
        form = {"stride": [1, 1], "padding": [0, 0], "groups": 1}
        return op(graph, "conv2d", [x], weight=f"{place}.weight", bias=f"{place}.bias", **form)

    def op(graph: dict[str, Any], kind: str, inputs: list[int], **attributes: Any) -> int:
        place = f"{name_of[id(graph)]}.{len(graph['nodes'])}"
        graph["nodes"].append({"op": kind, "in": inputs, "place": place} | attributes)
        return len(graph["inputs"]) + len(graph["nodes"]) - 1

    graphs: dict[str, Any] = {}
    name_of: dict[int, str] = {}

    def start(graph_name: str, inputs: list[str]) -> dict[str, Any]:
        graphs[graph_name] = {"version": 1, "inputs": inputs, "nodes": [], "outputs": []}
        name_of[id(graphs[graph_name])] = graph_name
        return graphs[graph_name]

    trunk = start("trunk", ["nodes"])
    x = conv(trunk, 0, 26 + 8 + 124 + 8 + 26 + len(SCALARS), 8)
    x = op(trunk, "leaky_relu", [x], slope=0.01)
    trunk["outputs"] = [["features", conv(trunk, x, 8, CHANNELS)]]
    for stage in range(8):
        known = sum(SEEN[(then ^ ORDER[stage]).bit_count()] for then in ORDER[:stage])
        head = start(f"head{stage}", ["trunk", "known"] if stage else ["trunk"])
        x = op(head, "concat", [0, 1]) if stage else 0
        x = op(head, "relu", [conv(head, x, CHANNELS + known, HIDDEN)])
        head["outputs"] = [["logit", conv(head, x, HIDDEN, 1)]]
    rows = 2 * HALF + 1
    logits = (np.arange(rows) - HALF) / RESOLUTION
    ones = np.clip(np.floor(65535 / (1 + np.exp(-logits))), 1, 65534).astype(np.int32)
    tensors["cdf"] = np.stack([0 * ones, 65535 - ones, 0 * ones + 65535, 0 * ones + 65536], axis=1)
    tensors["lengths"], tensors["offsets"] = np.full(rows, 4, np.int32), np.zeros(rows, np.int32)
    codec = {
        "type": "occupancy",
        "window": 1,
        "ancestors": [2, 1],
        "scalars": SCALARS,
        "known": 2,
        "order": ORDER,
        "trunk": "trunk",
        "heads": [f"head{stage}" for stage in range(8)],
        "resolution": RESOLUTION,
        "table": {"cdf": "cdf", "lengths": "lengths", "offsets": "offsets", "precision": 16},
        "adaptation": {"block": 64, "rows": 5, "strength": 8, "limit": 300},
    }
    description = {
        "format": "lcrm",
        "version": 1,
        "name": name,
        "numerics": "f32-fma/1",
        "graphs": graphs,
        "codec": codec,
        "card": {"licence": "Apache-2.0"},
    }
    return description, tensors
