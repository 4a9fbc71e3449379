"""The geometry codec's network: what it sees, what it makes of it, and what a package of it says."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lcrs.coding import Graph, Octree
from lcrs.errors import NotPortableError
from lcrs.models.packing import pack
from lcrs.models.pointcloud import OctreeOccupancy

sys.path.insert(0, str(Path(__file__).parents[1] / "points"))
from slow_octree import SlowOctree


def tiny(**arguments):
    torch.manual_seed(0)
    sizes = {"ancestors": [1, 0], "known": 1, "trunk": (6, 5), "head": (4,), **arguments}
    return OctreeOccupancy(**sizes).eval()


@st.composite
def clouds(draw):
    bits = draw(st.integers(1, 6))
    number = st.integers(0, 2**bits - 1)
    return draw(st.lists(st.tuples(number, number, number), min_size=1, max_size=40))


@settings(max_examples=15, deadline=None)
@given(clouds(), st.integers(0, 2), st.lists(st.integers(0, 2), max_size=3), st.integers(0, 3))
def test_what_the_network_sees_is_what_the_definition_says(points, window, ancestors, known):
    net = OctreeOccupancy(window, ancestors, known, trunk=(2,), head=())
    octree, slow = Octree(np.array(points, np.uint32)), SlowOctree(points)
    assert octree.depth == slow.depth
    for level in range(octree.depth):
        flags, numbers = net.features(octree, level)
        wanted = []
        for node in slow.nodes(level):
            children = slow.children(level, node)
            row = slow.trunk_flags(level, node, window, ancestors)
            for stage in range(1, 8):
                row += slow.known_flags(level, node, stage, known)
            wanted.append(row + [children[octant] for octant in net.order])
        np.testing.assert_array_equal(flags, wanted)
        np.testing.assert_array_equal(numbers, np.array(slow.numbers(level), np.float32))
        assert flags.shape[1] + len(numbers) == net.num_features


def test_likelihoods_are_those_of_what_is_there_and_sum_to_one():
    net = tiny()
    nodes = net.packing_example(torch.Generator().manual_seed(1))
    held = nodes[:, -8:]
    held[0] = torch.tensor([0, 0, 0, 0, 0, 0, 0, 1])  # the last octant is all that is left
    held[1, 0] = 1
    out = net(nodes)
    flipped = nodes.clone()
    flipped[:, -8:] = 1 - held
    other = net(flipped)["likelihoods"]["occupancy"]
    assert out["likelihoods"]["occupancy"][0, 7] == 1
    torch.testing.assert_close(out["likelihoods"]["occupancy"][1:, :7] + other[1:, :7], torch.ones(3, 7))
    chances = torch.sigmoid(out["logits"])
    wanted = torch.where(held > 0.5, chances, 1 - chances)
    torch.testing.assert_close(out["likelihoods"]["occupancy"][1:], wanted[1:])


def test_its_graphs_compute_what_it_does():
    net = tiny()
    nodes = net.packing_example(torch.Generator().manual_seed(2))
    parts = net.package_parts()
    graphs = {name: Graph(graph.json, graph.tensors) for name, graph in parts.graphs.items()}
    places = [net.num_flags + len(net.scalars), *net.num_known, 8]
    seen, *known, _ = (
        part.T[None, :, None].contiguous().numpy() for part in torch.split(nodes, places, dim=1)
    )
    common = graphs["trunk"].run([seen])["y"]
    with torch.no_grad():
        wanted = net(nodes)["logits"].T.numpy()
    for stage, flags in enumerate(known):
        inputs = [common, flags] if net.num_known[stage] else [common]
        found = graphs[f"head{stage}"].run(inputs)["y"]
        np.testing.assert_allclose(found[0, 0, 0], wanted[stage], rtol=1e-4, atol=1e-5)


def test_a_package_says_what_it_sees_and_how_logits_pick_rows():
    net = tiny(adaptation={"block": 64, "rows": 8, "strength": 16, "limit": 1000})
    description, tensors = pack(net, "tiny")
    codec = description["codec"]
    assert codec["type"] == "occupancy"
    assert (codec["ancestors"], codec["known"], codec["order"]) == ([1, 0], 1, net.order)
    assert codec["adaptation"] == net.adaptation
    assert not description.keys() & {"pad", "strides", "levels", "samples"}
    rows = tensors[codec["table"]["cdf"]]
    logits = (np.arange(len(rows)) - len(rows) // 2) / codec["resolution"]
    ones = (rows[:, 2] - rows[:, 1]) / 65535  # one is the escape
    np.testing.assert_allclose(ones, 1 / (1 + np.exp(-logits)), atol=1e-5)
    assert (np.diff(rows, axis=1) >= 1).all()
    assert (np.diff(ones) >= 0).all()
    again = OctreeOccupancy(**description["config"])
    again.load_state_dict(net.state_dict())


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match=r"order is \[0, 0\], must have each octant"):
        OctreeOccupancy(order=(0, 0))

    class Other(OctreeOccupancy):
        def forward(self, nodes):
            return super().forward(1 - nodes)

    with pytest.raises(NotPortableError, match="Other"):
        pack(Other(trunk=(4,), head=()), "other")
