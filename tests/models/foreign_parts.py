"""Modules that have no exact form, and models that have some."""

import torch
from tiny_networks import make
from torch import nn


class Odd(nn.Module):
    """An activation that nobody else has."""

    def __init__(self, factor=1.3):
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(factor))

    def forward(self, x):
        return x * torch.sigmoid(self.factor * x) + 0.1 * torch.sin(x)


def make_foreign(name, parts=None, seed=0):
    """The tiny model `name`, with `Odd` for every ReLU outside of g_a and g_s, or in `parts` only."""
    net = make(name, seed)
    for path, child in net.named_children():
        if path in parts if parts else path not in ("g_a", "g_s"):
            make_odd(child)
    return net


def make_odd(module):
    for path, child in module.named_children():
        if isinstance(child, nn.ReLU | nn.LeakyReLU):
            setattr(module, path, Odd())
        else:
            make_odd(child)
