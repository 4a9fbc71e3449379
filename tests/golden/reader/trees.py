"""Codec trees: in which order latents are coded."""

from __future__ import annotations

from typing import Any

import numpy as np

from reader import scans
from reader.arithmetic import F32
from reader.densities import density_table
from reader.graph import Graphs
from reader.lattices import Every, Whole
from reader.scans import Coder, Prior
from reader.streams import Table
from reader.wrong import WrongFile, need


class Tree:
    """Codes the latents of a picture; ``coders`` has one coder a section."""

    def __init__(self, tree: dict[str, Any], graphs: Graphs, coders: list[Coder], ratio: int | None):
        self.tree, self.graphs, self.coders, self.ratio = tree, graphs, coders, ratio

    def code(self, shape: tuple[int, int, int]) -> np.ndarray:
        """The values of a latent y of this shape."""
        match self.tree["type"]:
            case "factorized":
                need(len(self.coders) == 1, f"{len(self.coders)} sections, 1 is needed")
                table = Table.read(self.tree["table"], self.graphs.tensors)
                return self._by_channel(self.tree, table, self.coders[0], shape, Whole())
            case "hyperprior":
                need(len(self.coders) == 2, f"{len(self.coders)} sections, 2 are needed")
                return self._y(self._z(shape), shape)
            case other:
                raise WrongFile(f"codec {other}")

    def _by_channel(
        self, node: dict[str, Any], table: Table, coder: Coder, shape, lattice: Whole
    ) -> np.ndarray:
        """A latent that has a row and a median for each channel."""
        medians = self.graphs.numbers(node["medians"])
        need(len(medians) == len(table.rows) == shape[0], f"{len(medians)} medians for {shape[0]} channels")
        values, rows = np.zeros(shape, F32), np.arange(shape[0])
        for place in np.ndindex(*shape[1:]):
            values[:, place[0], place[1]] = coder.code(
                table, rows, medians, slice(0, shape[0]), place, lattice
            )
        return values

    def _z(self, y: tuple[int, int, int]) -> np.ndarray:
        size = -(-y[1] // self.ratio), -(-y[2] // self.ratio)
        node, coder = self.tree["hyper"], self.coders[0]
        match node["type"]:
            case "factorized":
                channels = len(self.graphs.tensors[node["medians"]])
                table = Table.read(node["table"], self.graphs.tensors)
                return self._by_channel(node, table, coder, (channels, *size), Whole())
            case "density":
                medians = self.graphs.numbers(node["medians"])
                (step,) = self.graphs.only(node["step"]).ravel()
                need(0 < step < np.inf, f"step {step}")
                table = density_table(node["layers"], medians, step, node["tail_mass"], self.graphs.numbers)
                return self._by_channel(node, table, coder, (len(medians), *size), Every(step))
            case "gaussian":
                prior = Prior(node, self.graphs)
                outputs = self.graphs.run(node["params"])
                need(outputs["scales"].shape[1:] == (1, 1), "parameters of z are those of one place")
                return scans.code_all(prior, coder, outputs, slice(0, len(outputs["scales"])), size, (0, 0))
            case other:
                raise WrongFile(f"hyper {other}")

    def _y(self, z: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
        outputs = self.graphs.run(self.tree["synthesis"], z)
        outputs = {name: value[:, : shape[1], : shape[2]] for name, value in outputs.items()}
        node, coder = self.tree["y"], self.coders[1]
        if node["type"] == "gaussian":
            prior = Prior(node, self.graphs)
            return scans.code_all(prior, coder, outputs, slice(0, shape[0]), shape[1:])
        (side,) = outputs.values()
        if node["type"] == "channel_groups":
            return scans.code_groups(node, self.graphs, coder, side, shape[0])
        return scans.code_scan(node, self.graphs, coder, side, slice(0, shape[0]))
