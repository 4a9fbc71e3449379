"""Transforms as ONNX files, by torch's exporter, each run by onnxruntime and compared before it is kept."""

from __future__ import annotations

import contextlib
import importlib
import inspect
import io
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lcrs.coding.files import write_atomically
from lcrs.errors import LcrsError

__all__ = ["OnnxError", "export_onnx"]

PARTS = ("g_a", "h_a", "h_s", "g_s")
TOLERANCE = 1e-3
"""Of values of onnxruntime against torch's, relative to the largest."""
_OPSET = 18


class OnnxError(LcrsError):
    """A network cannot be said in ONNX, or onnxruntime computes something else."""


def export_onnx(net: nn.Module, folder: Path, *, overwrite: bool = False) -> dict[str, float]:
    """Writes `g_a.onnx`, `h_a.onnx`, `h_s.onnx` and `g_s.onnx`, as far as the network has them.

    Inputs are what the modules of these names get in the network's `forward`: of gain models also the level,
    and pictures as they are after what comes before g_a. Batch, height and width are free. These are float
    networks for other runtimes; what decides a symbol in files is the package.

    Args:
        net: In evaluation mode, on the CPU.
        folder: Made if it is not there.
        overwrite: Whether files may be replaced.

    Returns:
        For each part the largest difference from torch, relative to the largest value.

    Raises:
        OnnxError: the exporter refuses a part, or results differ by more than a thousandth.
        FileExistsError: a file is there.
        ModuleNotFoundError: what is needed is not installed.
    """
    _require("onnx", "onnxruntime", "onnxscript")
    calls = {size: _captured(net, size) for size in ((64, 64), (128, 192))}
    parts = calls[64, 64]
    if not parts:
        raise OnnxError(f"{type(net).__name__} has none of {', '.join(PARTS)}")
    folder.mkdir(parents=True, exist_ok=True)
    differences: dict[str, float] = {}
    for name, (module, inputs, _) in parts.items():
        data = _exported(name, module, inputs)
        differences[name] = max(_difference(name, data, *call[name][1:]) for call in calls.values())
        write_atomically(folder / f"{name}.onnx", data, overwrite=overwrite)
    return differences


_Call = tuple[nn.Module, tuple[Tensor, ...], Tensor]


@torch.no_grad()
def _captured(net: nn.Module, size: tuple[int, int]) -> dict[str, _Call]:
    """The parts, each with what it gets and gives in a forward pass."""
    found: dict[str, _Call] = {}
    handles = []

    def watch(name: str) -> Any:
        def look(module: nn.Module, inputs: tuple[Tensor, ...], out: Tensor) -> None:
            found[name] = (module, tuple(value.detach().clone() for value in inputs), out.detach().clone())

        return look

    for path, module in net.named_modules():
        if (name := path.rpartition(".")[2]) in PARTS:
            handles.append(module.register_forward_hook(watch(name)))
    try:
        net(torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(0)))
    finally:
        for handle in handles:
            handle.remove()
    return {name: found[name] for name in PARTS if name in found}


def _exported(name: str, module: nn.Module, inputs: tuple[Tensor, ...]) -> bytes:
    """The ONNX file of a part, batch and sides free."""
    axes = [{0: "batch", 2: "height", 3: "width"} if value.dim() == 4 else {0: "batch"} for value in inputs]
    names = [f"input{k}" if k else "input" for k in range(len(inputs))]
    options: dict[str, Any] = {"input_names": names, "output_names": ["output"], "opset_version": _OPSET}
    if "dynamo" in inspect.signature(torch.onnx.export).parameters:
        auto = torch.export.Dim.AUTO
        # A batch of one would be taken for one that is always that.
        inputs = tuple(torch.cat((value, value)) for value in inputs)
        shapes = tuple(dict.fromkeys(of_one, auto) for of_one in axes)
        options |= {"dynamo": True, "dynamic_shapes": _by_signature(module, shapes), "verbose": False}
    else:
        options |= {"dynamic_axes": dict(zip(names, axes, strict=True))}
    buffer = io.BytesIO()
    try:
        with warnings.catch_warnings(), _silent("torch.onnx"):
            warnings.simplefilter("ignore")
            export: Any = torch.onnx.export
            program = export(module, inputs, None if "dynamo" in options else buffer, **options)
            if program is not None:
                program.save(buffer)
    except Exception as error:  # the exporter fails in many ways
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise OnnxError(f"{name} ({type(module).__name__}) has no form in ONNX: {reason[:300]}") from error
    return buffer.getvalue()


@contextlib.contextmanager
def _silent(logger: str) -> Iterator[None]:
    """Within, a logger tells of nothing but errors: the exporter warns of packages that it could use."""
    told = logging.getLogger(logger)
    before = told.level
    told.setLevel(logging.ERROR)
    try:
        yield
    finally:
        told.setLevel(before)


def _by_signature(module: nn.Module, shapes: tuple[dict[int, Any], ...]) -> Any:
    """Shapes as the exporter wants them: one for each argument, or in a tuple for `*args`."""
    parameters = inspect.signature(module.forward).parameters.values()
    if any(parameter.kind is parameter.VAR_POSITIONAL for parameter in parameters):
        return (shapes,)
    return shapes


def _difference(name: str, data: bytes, inputs: tuple[Tensor, ...], expected: Tensor) -> float:
    """How far onnxruntime's result is from torch's, relative to the largest value."""
    runtime: Any = importlib.import_module("onnxruntime")
    options = runtime.SessionOptions()
    options.log_severity_level = 3
    session = runtime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    fed = {own.name: value.numpy() for own, value in zip(session.get_inputs(), inputs, strict=True)}
    (out,) = session.run(None, fed)
    if out.shape != tuple(expected.shape):
        raise OnnxError(f"{name}: onnxruntime gives shape {out.shape}, torch {tuple(expected.shape)}")
    scale = max(float(expected.abs().max()), 1e-6)
    difference = float(np.abs(out - expected.numpy()).max()) / scale
    if not difference <= TOLERANCE:
        raise OnnxError(f"{name}: onnxruntime differs from torch by {difference:.2g} of the largest value")
    return difference


def _require(*modules: str) -> None:
    for module in modules:
        try:
            importlib.import_module(module)
        except ModuleNotFoundError:
            raise ModuleNotFoundError(
                f"ONNX export needs {module}: pip install '.[onnx]' in the sources of lcrs", name=module
            ) from None
