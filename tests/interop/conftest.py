"""Outputs of CompressAI on small random models: committed ones, and more where reference data is at hand."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

COMMITTED = Path(__file__).parents[1] / "data" / "interop"
QUICK = ["bmshj2018-factorized", "mbt2018", "elic2022-official", "mbt2018-mean-vbr"]
"""One of each kind; of the rest, which is slow, the keys are compared always (tests/zoo)."""
REPEATED = [
    "bmshj2018-factorized-relu",
    "bmshj2018-hyperprior",
    "mbt2018-mean",
    "cheng2020-anchor",
    "cheng2020-attn",
    "cheng2020-anchor-checkerboard",
    "elic2022-chandelier",
    "bmshj2018-hyperprior-vbr",
    "mbt2018-vbr",
]


@dataclass(frozen=True)
class Reference:
    """What CompressAI gave for one model and one picture."""

    name: str
    meta: dict[str, Any]
    state_dict: dict[str, torch.Tensor]
    arrays: dict[str, np.ndarray]
    strings: list[list[bytes]] = field(repr=False)

    @property
    def x(self):
        return torch.from_numpy(self.arrays["image"]).permute(2, 0, 1)[None].float() / 255

    @property
    def likelihoods(self):
        prefix = "forward.likelihoods."
        return {k.removeprefix(prefix): v for k, v in self.arrays.items() if k.startswith(prefix)}

    @property
    def restored(self):
        return self.arrays.get("decompress.x_hat", np.clip(self.arrays["forward.x_hat"], 0, 1))


def read_committed(path):
    entries = dict(np.load(path))
    meta = json.loads(str(entries.pop("meta")))
    state = {
        k.removeprefix("state."): torch.from_numpy(v) for k, v in entries.items() if k.startswith("state.")
    }
    strings = [[entries[f"string.{i}.0"].tobytes()] for i in range(len(meta["strings"]))]
    return Reference(meta["model"], meta, state, entries, strings)


def read_reference(folder):
    meta = json.loads((folder / "meta.json").read_text())
    state = {k: torch.from_numpy(v) for k, v in load_file(folder / "state_dict.safetensors").items()}
    strings = [[(folder / f"s.{i}.0.bin").read_bytes()] for i in range(len(meta["strings"]))]
    return Reference(meta["model"], meta, state, dict(np.load(folder / "arrays.npz")), strings)


@pytest.fixture(
    scope="session", params=[*QUICK, *(pytest.param(n, marks=pytest.mark.slow) for n in REPEATED)]
)
def reference(request):
    committed = COMMITTED / f"{request.param}.npz"
    if committed.exists():
        return read_committed(committed)
    return read_reference(request.getfixturevalue("reference_data") / "interop" / "models" / request.param)
