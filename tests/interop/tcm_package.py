"""TCM as published (Liu et al., CVPR 2023), as a package that codes without torch.

What a model of other people's modules needs: how its blocks lower, registered by class, and the tree of its
latents. Its slices of channels are groups; what it predicts of their rounding errors are their residuals.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

from torch import nn

from lcrs.layers.lowering import GraphBuilder, LoweredGraph, Value, lower, register_lowering
from lcrs.layers.windows import lower_window_attention
from lcrs.models.packing import NUMERICS, PACKAGE_VERSION, Tables


def register(tcm: ModuleType) -> None:
    """Says how the blocks of TCM lower."""

    @register_lowering(tcm.WMSA)
    def attention(graph: GraphBuilder, module: Any, x: Value) -> Value:
        side = module.window_size
        shift = 0 if module.type == "W" else side // 2
        y = lower_window_attention(
            graph,
            x,
            module.embedding_layer,
            window=(side, side),
            shift=(shift, shift),
            heads=module.n_heads,
            scale=module.scale,
            bias=module.relative_position_params,
            name="embedding_layer",
        )
        return graph.call(module.linear, y, "linear")

    @register_lowering(tcm.Block)
    def block(graph: GraphBuilder, module: Any, x: Value) -> Value:
        x = graph.op("add", x, graph.call(module.msa, graph.call(module.ln1, x, "ln1"), "msa"))
        return graph.op("add", x, graph.call(module.mlp, graph.call(module.ln2, x, "ln2"), "mlp"))

    @register_lowering(tcm.ConvTransBlock)
    def mixed(graph: GraphBuilder, module: Any, x: Value) -> Value:
        both = graph.call(module.conv1_1, x, "conv1_1")
        a = graph.op("slice", both, start=0, length=module.conv_dim)
        b = graph.op("slice", both, start=module.conv_dim, length=module.trans_dim)
        a = graph.op("add", graph.call(module.conv_block, a, "conv_block"), a)
        b = graph.call(module.trans_block, b, "trans_block")
        return graph.op("add", x, graph.call(module.conv1_2, graph.op("concat", a, b), "conv1_2"))

    @register_lowering(tcm.SwinBlock)
    def swin(graph: GraphBuilder, module: Any, x: Value) -> Value:
        # maps are larger than a window: what the module does to smaller ones fails in torch, too
        return graph.call(module.block_2, graph.call(module.block_1, x, "block_1"), "block_2")

    @register_lowering(tcm.SWAtten)
    def gated(graph: GraphBuilder, module: Any, x: Value) -> Value:
        x = graph.call(module.in_conv, x, "in_conv")
        gate = graph.call(module.conv_b, graph.call(module.non_local_block, x, "non_local_block"), "conv_b")
        y = graph.op("mul", graph.call(module.conv_a, x, "conv_a"), graph.op("sigmoid", gate))
        return graph.call(module.out_conv, graph.op("add", y, x), "out_conv")


def parts(net: Any, name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Description and tensors of `net`, a `TCM` whose tables are up to date."""
    tables, size = Tables(), net.M // net.num_slices
    graphs = {
        "g_a": lower(net.g_a, "g_a"),
        "g_s": lower(net.g_s, "g_s", "x_hat"),
        "h_a": lower(net.h_a, "h_a", "z"),
        "h_s": _synthesis(net),
    }
    groups = []
    for k in range(net.num_slices):
        graphs[f"y{k}.side"] = _parameters(net, k, size)
        graphs[f"y{k}.residual"] = _residual(net.lrp_transforms[k], k)
        gaussian = tables.gaussian("y", net.gaussian_conditional, means=True)
        names = {"side": f"y{k}.side", "residual": f"y{k}.residual"}
        groups.append({"type": "gaussian", "channels": size, **names, **gaussian})
    codec = {
        "type": "hyperprior",
        "analysis": "h_a",
        "synthesis": "h_s",
        "hyper": {"type": "factorized", **tables.factorized("z", net.entropy_bottleneck)},
        "y": {"type": "channel_groups", "groups": groups},
    }
    tensors = dict(tables.tensors)
    for graph in graphs.values():
        tensors |= graph.tensors
    description = {
        "format": "lcrm",
        "version": PACKAGE_VERSION,
        "name": name,
        "architecture": "TCM",
        "config": {},
        "numerics": NUMERICS,
        "graphs": {key: graph.description for key, graph in graphs.items()},
        "codec": codec,
        "strides": {"y": 16, "z": 64},
        "pad": 128,  # a multiple of the windows of every stage
        "card": {},
    }
    return description, tensors


def _synthesis(net: Any) -> LoweredGraph:
    """Scales, and means after them."""
    graph = GraphBuilder()
    z = graph.input("z_hat")
    scales = graph.call(net.h_scale_s, z, "h_scale_s")
    return graph.finish({"side": graph.op("concat", scales, graph.call(net.h_mean_s, z, "h_mean_s"))})


def _parameters(net: Any, k: int, size: int) -> LoweredGraph:
    """Scales and means of slice k, and what its residual is made of."""
    graph = GraphBuilder()
    side = graph.input("side")
    known = (
        [graph.op("slice", graph.input("known"), start=0, length=size * min(k, net.max_support_slices))]
        if k
        else []
    )
    outputs = {}
    for i, kind in enumerate(("scale", "mean")):
        hyper = graph.op("slice", side, start=i * net.M, length=net.M)
        support = graph.op("concat", hyper, *known)
        support = graph.call(getattr(net, f"atten_{kind}")[k], support, f"atten_{kind}.{k}")
        network: nn.Module = getattr(net, f"cc_{kind}_transforms")[k]
        outputs[f"{kind}s"] = graph.call(network, support, f"cc_{kind}_transforms.{k}")
    return graph.finish({**outputs, "support": support})


def _residual(network: nn.Module, k: int) -> LoweredGraph:
    graph = GraphBuilder()
    both = graph.op("concat", graph.input("support"), graph.input("values"))
    bent = graph.op("tanh", graph.call(network, both, f"lrp_transforms.{k}"))
    return graph.finish({"residual": graph.op("mul_scalar", bent, value=0.5)})
