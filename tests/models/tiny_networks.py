"""Tiny, busy models of every architecture."""

from contextlib import contextmanager
from functools import cache

import torch
from torch import nn

from lcrs.registry import MODELS

TINY = {
    "bmshj2018-factorized": {"N": 8, "M": 12},
    "bmshj2018-factorized-relu": {"N": 8, "M": 12},
    "bmshj2018-hyperprior": {"N": 8, "M": 12},
    "mbt2018-mean": {"N": 8, "M": 12},
    "mbt2018": {"N": 8, "M": 12},
    "cheng2020-anchor": {"N": 12},
    "cheng2020-attn": {"N": 12},
    "cheng2020-anchor-checkerboard": {"N": 12},
    "elic2022-official": {"N": 8, "M": 16, "groups": [2, 2, 4, 8]},
    "elic2022-chandelier": {"N": 8, "M": 16, "groups": [2, 2, 4, 8]},
    "bmshj2018-hyperprior-vbr": {"N": 8, "M": 12},
    "mbt2018-mean-vbr": {"N": 8, "M": 12, "vr_entbttlnck": True},
    "mbt2018-vbr": {"N": 8, "M": 12},
    "mbt2018-mean-gain": {"N": 8, "M": 12, "num_levels": 3, "lmbda_min": 0.01, "lmbda_max": 0.1},
    "gain-hyperprior": {"C1": 8, "C2": 8, "M": 12, "H": 8, "Z": 4, "num_levels": 3},
    "gain-space-channel-hyperprior": {
        "C1": 8,
        "C2": 8,
        "M": 12,
        "H": 8,
        "Z": 4,
        "S": 10,
        "groups": [2, 3, 7],
        "analysis_blocks": [1, 2, 1],
        "synthesis_blocks": [1, 1, 2],
        "side_blocks": [1, 0, 2],
        "side_channels": [8, 9, 10],
        "context_channels": [4, 6, 8],
        "hidden_channels": [8, 10, 12],
        "num_levels": 3,
        "lmbda_min": 0.01,
        "lmbda_max": 0.1,
    },
}


def last_layers(network, strided=False):
    """The last convolution of `network` (with a stride), in a list; empty if there is none."""
    layers = [m for m in network.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)]
    return [layer for layer in layers if layer.stride != (1, 1) or not strided][-1:]


def make(name, seed=0, **arguments):
    """A model whose latents and scales vary, as random weights alone would not have it."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    net = MODELS[name](**{**TINY[name], **arguments}).eval()
    with torch.no_grad():
        for path, module in net.named_modules():
            part = path.split(".")[-1]
            if part in ("g_a", "h_a"):
                for layer in last_layers(module, strided=True):
                    layer.weight.mul_(40 if part == "g_a" else 4)
                    layer.bias.normal_(0, 3)
            elif part in ("h_s", "entropy_parameters"):
                for layer in last_layers(module):
                    layer.weight.mul_(3)
                    layer.bias.uniform_(0.05, 4)
    return net


@contextmanager
def shared(build, *arguments):
    """The one of `build(*arguments)` that all tests of a process have, tables and graphs in its caches: they
    may set `entropy_coder`, and nothing else of it.
    """
    net = _built(build, *arguments)
    before = _state_of(net)
    yield net
    net.entropy_coder = "lcrs"
    if _state_of(net) != before:
        _built.cache_clear()
        raise AssertionError(f"a test has changed the model of {arguments} that others use: one of its own")


@cache
def _built(build, *arguments):
    return build(*arguments)


def _state_of(net):
    tensors = [*net.parameters(), *net.buffers()]
    state = [(id(tensor), tensor.data_ptr(), tensor._version, tensor.grad is None) for tensor in tensors]
    return state, [(id(module), module.training, len(module._forward_hooks)) for module in net.modules()]


def show_offsets(net):
    """Makes a variable-rate model's offsets, and the step of z if it has one, large enough to be seen."""
    with torch.no_grad():
        for layer in net.QuantABCD:
            if isinstance(layer, nn.Linear):
                layer.weight.mul_(1.5)
        net.QuantABCD[-1].bias.fill_(0.15)
        if net.vr_entbttlnck:
            net.gayn2zqstep[-2].weight.mul_(3)
            net.gayn2zqstep[-2].bias.fill_(0.4)
