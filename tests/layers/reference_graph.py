"""A slow reading of coding graphs in torch, to compare lowered layers with what they compute."""

import json

import torch
from torch.nn import functional as F

POINTWISE = {
    "relu": torch.relu,
    "abs": torch.abs,
    "sigmoid": torch.sigmoid,
    "softplus": F.softplus,
    "exp": torch.exp,
    "tanh": torch.tanh,
    "gelu": F.gelu,
    "add": torch.add,
    "sub": torch.sub,
    "mul": torch.mul,
}


def gdn(x, node, tensors):
    beta, gamma = tensors[node["beta"]], tensors[node["gamma"]]
    pooled = x.abs() if node["op"] == "gdn1" else x * x
    norm = F.conv2d(pooled, gamma[:, :, None, None], beta)
    if node["op"] == "gdn":
        norm = norm.sqrt()
    return x * norm if node["inverse"] else x / norm


def normalise(x, node):
    assert (node["groups"], node["spatial"]) == (1, False)
    return F.layer_norm(x.movedim(1, -1), x.shape[1:2], eps=node["epsilon"]).movedim(-1, 1)


def window_attention(values, node, bias):
    """Attention of all places to all, masked by whether they are in one window."""
    (height, width), size, heads = node["window"], values[0].shape[2:], node["heads"]
    y, x = torch.meshgrid(*(torch.arange(side) for side in size), indexing="ij")
    y, x = y.flatten(), x.flatten()
    window = torch.stack([(y - node["shift"][0]) // height, (x - node["shift"][1]) // width], dim=1)
    q, k, v = (t.flatten(2).unflatten(1, (heads, -1)) for t in values)
    logits = torch.einsum("nhci,nhcj->nhij", q, k) * node["scale"]
    distance = [t[:, None] - t + side - 1 for t, side in zip((y, x), (height, width), strict=True)]
    is_near = (window[:, None] == window).all(dim=-1)
    logits = logits + torch.where(is_near, bias[:, distance[0] * is_near, distance[1] * is_near], -torch.inf)
    return torch.einsum("nhij,nhcj->nhci", logits.softmax(-1), v).reshape(values[2].shape)


def apply(node, values, tensors):
    op = node["op"]
    if op in POINTWISE:
        return POINTWISE[op](*values)
    if op in ("conv2d", "conv_transpose2d"):
        names = ("stride", "padding", "output_padding", "groups")
        options = {key: node[key] for key in names if key in node}
        bias = tensors[node["bias"]] if "bias" in node else None
        return getattr(F, op)(values[0], tensors[node["weight"]], bias, **options)
    if op in ("gdn", "gdn1"):
        return gdn(values[0], node, tensors)
    if op == "normalise":
        return normalise(values[0], node)
    if op == "window_attention":
        return window_attention(values, node, tensors[node["bias"]])
    if op == "leaky_relu":
        return F.leaky_relu(values[0], node["slope"])
    if op in ("pixel_shuffle", "pixel_unshuffle"):
        return getattr(F, op)(values[0], node["factor"])
    if op == "mul_scalar":
        return values[0] * node["value"]
    if op == "concat":
        return torch.cat(values, dim=1)
    if op == "slice":
        return values[0].narrow(1, node["start"], node["length"])
    if op == "constant":
        return tensors[node["tensor"]].reshape(1, -1, 1, 1)
    raise AssertionError(f"unknown operation {op}")


def run(lowered, *inputs):
    """The outputs, in order, of a graph on inputs of shape (N, C, H, W)."""
    graph = json.loads(lowered.json)
    tensors = {name: torch.from_numpy(array) for name, array in lowered.tensors.items()}
    values = list(inputs)
    for node in graph["nodes"]:
        values.append(apply(node, [values[i] for i in node["in"]], tensors))
    return [values[i] for _, i in graph["outputs"]]
