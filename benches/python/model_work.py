"""What `models.py` has done by its workers: a process for each library and number of threads.

A worker imports one library only. It builds the models, codes pictures and takes training steps when it is
told to, and answers with times.
"""

from __future__ import annotations

import importlib
import os
import time
import traceback
import warnings
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Model:
    """A model by the name of its class, which is the same in both libraries."""

    name: str
    class_name: str
    sizes: tuple[int, ...]
    in_training: bool = False


MODELS = (
    Model("bmshj2018-factorized", "FactorizedPrior", (128, 192)),
    Model("bmshj2018-factorized-relu", "FactorizedPriorReLU", (128, 192)),
    Model("bmshj2018-hyperprior", "ScaleHyperprior", (128, 192), in_training=True),
    Model("mbt2018-mean", "MeanScaleHyperprior", (128, 192)),
    Model("mbt2018", "JointAutoregressiveHierarchicalPriors", (192, 192), in_training=True),
    Model("cheng2020-anchor", "Cheng2020Anchor", (128,), in_training=True),
    Model("cheng2020-attn", "Cheng2020Attention", (128,)),
    Model("cheng2020-anchor-checkerboard", "Cheng2020AnchorCheckerboard", (128,)),
    Model("elic2022-official", "Elic2022Official", (192, 320), in_training=True),
    Model("elic2022-chandelier", "Elic2022Chandelier", (192, 320)),
    Model("bmshj2018-hyperprior-vbr", "ScaleHyperpriorVbr", (128, 192)),
    Model("mbt2018-mean-vbr", "MeanScaleHyperpriorVbr", (128, 192)),
    Model("mbt2018-vbr", "JointAutoregressiveHierarchicalPriorsVbr", (192, 192)),
)


def read_picture(path: Path) -> Any:
    """(1, 3, H, W) in [0, 1]."""
    import torch
    from PIL import Image

    with Image.open(path) as image:
        pixels = np.array(image.convert("RGB"))
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255


def make_busy(net: Any, x: Any) -> None:
    """Gives random weights latents and scales of about the spread of a trained model's."""
    import torch

    torch.manual_seed(11)

    def last(module: Any) -> Any:
        layers = [m for m in module.modules() if isinstance(m, torch.nn.Conv2d | torch.nn.ConvTranspose2d)]
        return layers[-1]

    def log_uniform(low: float, high: float, count: int) -> Any:
        return torch.exp(torch.empty(count).uniform_(float(np.log(low)), float(np.log(high))))

    layer, deviation = last(net.g_a), net.g_a(x).std()
    layer.weight.div_(deviation)
    layer.bias.zero_()
    for name, module in net.named_modules():
        if name.split(".")[-1] in ("h_s", "entropy_parameters") and any(True for _ in module.parameters()):
            bias = last(module).bias
            count = len(bias) if type(net).__name__.startswith("ScaleHyperprior") else len(bias) // 2
            bias[:count] = log_uniform(0.1, 3, count)


class Constant:
    """Stands for a network, whose result is known; a module, so that it can take its place."""

    def __new__(cls, value: Any) -> Any:
        import torch

        class Module(torch.nn.Module):
            def forward(self, x: Any) -> Any:
                return x if value is None else value

        return Module()


class Worker:
    """Holds one model at a time."""

    def __init__(self, library: str, threads: int) -> None:
        import torch

        torch.set_num_threads(threads)
        self.torch, self.library = torch, library
        self.models = importlib.import_module(f"{library}.models")

    def build(self, model: Model, state: Path, picture: Path) -> None:
        """Builds the model; with the weights at `state`, or makes them and writes them there."""
        torch = self.torch
        torch.manual_seed(3)
        self.x = read_picture(picture)
        self.net = getattr(self.models, model.class_name)(*model.sizes).eval()
        with torch.no_grad():
            if state.exists():
                self.net.load_state_dict(torch.load(state), strict=False)
            else:
                make_busy(self.net, self.x)
            self.net.update(force=True)
            if not state.exists():
                torch.save(self.net.state_dict(), state)
            y = self.net.g_a(self.x)
        self.parts = {"whole": (self.net.g_a, self.net.g_s), "coding": (Constant(y), Constant(None))}

    def code(self, what: str) -> dict[str, float]:
        """Seconds of `compress` and `decompress`, and the bytes; of the "whole" or of the "coding" alone."""
        net = self.net
        net.g_a, net.g_s = self.parts[what]
        with self.torch.no_grad():
            begin = time.perf_counter()
            coded = net.compress(self.x)
            middle = time.perf_counter()
            net.decompress(coded["strings"], coded["shape"])
            end = time.perf_counter()
        size = sum(len(item) for strings in coded["strings"] for item in strings)
        return {"compress": middle - begin, "decompress": end - middle, "bytes": size}

    def build_for_training(self, model: Model, batch: int, side: int) -> None:
        """A model with an optimiser and a batch of noise."""
        torch = self.torch
        torch.manual_seed(5)
        self.net = getattr(self.models, model.class_name)(*model.sizes).train()
        self.batch = torch.rand(batch, 3, side, side)
        self.optimizer = torch.optim.Adam(
            [p for n, p in self.net.named_parameters() if not n.endswith(".quantiles")], lr=1e-4
        )

    def step(self) -> dict[str, float]:
        """Seconds of one training step."""
        torch, x = self.torch, self.batch
        begin = time.perf_counter()
        self.optimizer.zero_grad()
        out = self.net(x)
        rate = sum(-torch.log2(t).sum() for t in out["likelihoods"].values()) / (x.numel() / 3)
        (rate + 0.01 * 255**2 * torch.nn.functional.mse_loss(out["x_hat"], x)).backward()
        self.optimizer.step()
        return {"step": time.perf_counter() - begin}


def serve(pipe: Connection, library: str, threads: int) -> None:
    """Does what the pipe asks for, (method, arguments), until it is closed; answers (is good, result)."""
    warnings.simplefilter("ignore")
    os.environ["LCRS_NUM_THREADS"] = str(threads)
    worker = Worker(library, threads)
    while True:
        try:
            method, arguments = pipe.recv()
        except EOFError:
            return
        try:
            pipe.send((True, getattr(worker, method)(*arguments)))
        except Exception as error:  # a peer's failure is a result
            traceback.print_exc()
            pipe.send((False, f"{type(error).__name__}: {error}"))
