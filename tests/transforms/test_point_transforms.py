"""Transforms of clouds: what they compute, their seeds, and the three kinds of things they take."""

from __future__ import annotations

import copy
import pickle
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from lcrs.registry import TRANSFORMS
from lcrs.transforms import (
    GeneratePositionNormals,
    NormalizeScaleV2,
    RandomPermutation,
    RandomRotateFull,
    RandomSample,
    SamplePointsV2,
    ToDict,
)
from lcrs.transforms.point.random_rotate_full import random_rotation_matrix

POS = torch.tensor([[0.0, 0, 0], [4, 0, 0], [0, 2, 0], [4, 2, 1]])
MESH = {"pos": POS, "face": torch.tensor([[0, 1], [1, 2], [2, 3]])}


def same(a, b):
    return all(torch.equal(torch.as_tensor(a[name]), torch.as_tensor(b[name])) for name in a)


ALL = [
    GeneratePositionNormals(k=3),
    NormalizeScaleV2(),
    RandomPermutation(static_seed=1),
    RandomRotateFull(static_seed=1),
    RandomSample(3, static_seed=1),
    SamplePointsV2(5, static_seed=1, include_normals=True),
]


@pytest.mark.parametrize("transform", ALL, ids=lambda transform: type(transform).__name__)
def test_dictionaries_objects_and_arrays_give_the_same(transform):
    before = copy.deepcopy(MESH)
    expected = transform(MESH)
    assert same(before, MESH)  # what is given stays as it is
    found = transform(SimpleNamespace(**MESH))
    assert isinstance(found, SimpleNamespace)
    assert same(expected, vars(found))
    assert same(expected, transform({name: value.numpy() for name, value in MESH.items()}))
    geometric = pytest.importorskip("torch_geometric.data")
    data = geometric.Data(**MESH)
    found = transform(data)
    assert isinstance(found, geometric.Data)
    assert same(expected, found.to_dict())
    assert same(MESH, data.to_dict())


@pytest.mark.parametrize("transform", [*ALL, ToDict()], ids=lambda transform: type(transform).__name__)
def test_they_are_registered_pickled_and_shown(transform):
    assert TRANSFORMS[type(transform).__name__] is type(transform)
    assert repr(transform).startswith(f"{type(transform).__name__}(")
    restored = pickle.loads(pickle.dumps(transform))
    assert same(restored(MESH), transform(MESH))


def test_normalised_clouds_reach_one():
    found = NormalizeScaleV2()(MESH)["pos"]
    torch.testing.assert_close(found, (POS - torch.tensor([2, 1, 0.25])) / 2)
    found = NormalizeScaleV2(center=False, scale_method="l2")(MESH)["pos"]
    torch.testing.assert_close(found, POS / 21**0.5)
    assert NormalizeScaleV2()({"pos": torch.ones(3, 3)})["pos"].tolist() == [[0, 0, 0]] * 3
    with pytest.raises(ValueError, match="scale_method is 'l1'"):
        NormalizeScaleV2(scale_method="l1")


def test_a_permutation_keeps_fields_together():
    data = {"pos": torch.arange(60.0).reshape(20, 3), "label": torch.arange(20), "name": torch.tensor(7)}
    found = RandomPermutation(attrs=("pos", "label"), seed=3)(data)
    assert torch.equal(found["pos"], data["pos"][found["label"]])
    assert sorted(found["label"].tolist()) == list(range(20))
    assert found["label"].tolist() != list(range(20))
    assert found["name"] is data["name"]
    assert torch.equal(RandomPermutation(attrs=("label",), seed=3)(data)["label"], found["label"])


def test_rotations_are_rotations():
    matrices = random_rotation_matrix(50, 3, torch.Generator().manual_seed(1))
    torch.testing.assert_close(matrices @ matrices.mT, torch.eye(3).double().expand(50, 3, 3))
    torch.testing.assert_close(torch.linalg.det(matrices), torch.ones(50).double())
    assert matrices.mean(0).abs().max() < 0.3
    found = RandomRotateFull(seed=1)(MESH | {"normal": POS})
    torch.testing.assert_close(found["normal"], found["pos"])
    torch.testing.assert_close(torch.linalg.norm(found["pos"], dim=1), torch.linalg.norm(POS, dim=1))
    assert not torch.allclose(found["pos"], POS)


def test_samples_hold_each_point_as_often():
    data = {"pos": torch.arange(30.0).reshape(10, 3), "i": torch.arange(10)}
    few = RandomSample(4, attrs=("pos", "i"), seed=1)(data)
    assert len(set(few["i"].tolist())) == 4
    assert torch.equal(few["pos"], data["pos"][few["i"]])
    many = RandomSample(25, attrs=("i",), preserve_order=True, seed=1)(data)["i"]
    assert set(torch.bincount(many).tolist()) == {2, 3}
    assert many.tolist() == sorted(many.tolist())
    assert sorted(RandomSample(attrs=("i",))(data)["i"].tolist()) == list(range(10))
    with pytest.raises(ValueError, match="num is 0"):
        RandomSample(0)
    with pytest.raises(ValueError, match="lengths"):
        RandomSample(1, attrs=("pos", "face"))({"pos": POS, "face": torch.zeros(3, 2)})
    with pytest.raises(ValueError, match="lengths"):
        RandomSample(1)({"pos": torch.zeros(0, 3)})


def test_duplicates_are_left_out_first():
    pos = torch.tensor([[1.0, 1, 1], [0, 0, 0], [1, 1, 1], [0, 0, 0], [2, 2, 2]])
    data = {"pos": pos, "i": torch.arange(5)}
    found = RandomSample(attrs=("pos", "i"), remove_duplicates_by="pos", preserve_order=True)(data)
    assert found["i"].tolist() == [0, 1, 4]
    assert torch.equal(found["pos"], pos[[0, 1, 4]])


def test_points_of_a_mesh_lie_on_it_by_area():
    transform = SamplePointsV2(4000, include_normals=True, seed=2)
    found = transform(MESH)
    assert "face" not in found
    pos, normal = found["pos"], found["normal"]
    in_first = pos[:, 2] == 0
    areas = [4.0, torch.linalg.norm(torch.linalg.cross(POS[2] - POS[1], POS[3] - POS[1])).item() / 2]
    assert in_first.float().mean().item() == pytest.approx(areas[0] / sum(areas), abs=0.03)
    assert normal[in_first].abs().tolist() == [[0, 0, 1]] * int(in_first.sum())
    torch.testing.assert_close(torch.linalg.norm(normal, dim=1), torch.ones(4000))
    assert (((POS[1] - pos[~in_first]) * normal[~in_first]).sum(1)).abs().max() < 1e-5
    inside = pos[in_first]
    assert (inside[:, 0] / 4 + inside[:, 1] / 2).max() <= 1 + 1e-6
    assert inside.min() >= 0
    # all places alike: the mean is the middle of the triangle
    torch.testing.assert_close(inside.mean(0), POS[:3].mean(0), atol=0.08, rtol=0)
    kept = SamplePointsV2(2, remove_faces=False)(MESH)
    assert torch.equal(kept["face"], MESH["face"])


def test_both_draws_of_a_mesh_come_from_the_seed():
    torch.manual_seed(1)
    first, second = SamplePointsV2(50, seed=4), SamplePointsV2(50, seed=4)
    a = first(MESH)["pos"]
    torch.manual_seed(2)
    assert torch.equal(a, second(MESH)["pos"])
    assert not torch.equal(a, first(MESH)["pos"])  # the generator goes on
    static = SamplePointsV2(50, static_seed=4)
    assert torch.equal(static(MESH)["pos"], static(MESH)["pos"])
    torch.manual_seed(3)
    b = SamplePointsV2(50)(MESH)["pos"]
    torch.manual_seed(3)
    assert torch.equal(b, SamplePointsV2(50)(MESH)["pos"])


def test_meshes_of_any_size_and_without_area():
    for size in (1e-30, 1e15):
        found = SamplePointsV2(20, static_seed=1, include_normals=True)(MESH | {"pos": POS * size})
        expected = SamplePointsV2(20, static_seed=1, include_normals=True)(MESH)
        torch.testing.assert_close(found["pos"] / size, expected["pos"])
        torch.testing.assert_close(found["normal"], expected["normal"])
    flat = {"pos": torch.ones(3, 3), "face": torch.tensor([[0], [1], [2]])}
    assert SamplePointsV2(2)(flat)["pos"].tolist() == [[1, 1, 1]] * 2
    assert SamplePointsV2(2, include_normals=True)(flat)["normal"].tolist() == [[0, 0, 0]] * 2
    with pytest.raises(ValueError, match="F at least 1"):
        SamplePointsV2(2)({"pos": POS, "face": torch.zeros(3, 0)})
    for vertex in (-1, 3):
        with pytest.raises(ValueError, match=r"face has vertices .* 0 to 2 are there"):
            SamplePointsV2(2)({"pos": POS[:3], "face": torch.tensor([[0], [1], [vertex]])})
    with pytest.raises(KeyError, match="no 'face'"):
        SamplePointsV2(2)({"pos": POS})


def test_normals_of_a_plane_and_a_sphere():
    generator = torch.Generator().manual_seed(1)
    plane = torch.rand(100, 3, generator=generator) * torch.tensor([1, 1, 0])
    found = GeneratePositionNormals()({"pos": plane})["normal"]
    torch.testing.assert_close(found, torch.tensor([0.0, 0, 1]).expand(100, 3))
    sphere = torch.nn.functional.normalize(torch.randn(2000, 3, generator=generator), dim=1)
    found = GeneratePositionNormals(method="pca", k=10)({"pos": sphere})["normal"]
    assert (found * sphere).sum(1).abs().min() > 0.9
    with pytest.raises(ValueError, match="method is 'other'"):
        GeneratePositionNormals(method="other")
    with pytest.raises(TypeError, match="no argument 'radius'"):
        GeneratePositionNormals(radius=1)


def test_dictionaries_of_tensors():
    fixed = np.arange(3)
    fixed.flags.writeable = False
    found = ToDict()({"a": fixed, "b": 7, "c": torch.ones(2), "d": [1, 2], "e": None})
    assert {name: value.tolist() for name, value in found.items()} == {
        "a": [0, 1, 2],
        "b": 7,
        "c": [1, 1],
        "d": [1, 2],
    }
    assert ToDict()(SimpleNamespace(a=1))["a"].item() == 1
    with pytest.raises(ValueError, match="wrapper is 'list'"):
        ToDict(wrapper="list")


def test_torch_geometric_is_named_where_it_is_missing(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "torch_geometric.data", None)
    with pytest.raises(ModuleNotFoundError, match="pip install torch-geometric"):
        ToDict(wrapper="torch_geometric.data.Data")


def test_data_of_torch_geometric():
    geometric = pytest.importorskip("torch_geometric.data")
    transforms = pytest.importorskip("torch_geometric.transforms")
    chain = transforms.Compose(
        [
            ToDict(wrapper="torch_geometric.data.Data"),
            SamplePointsV2(64, seed=1),
            NormalizeScaleV2(),
            RandomRotateFull(seed=1),
            RandomSample(32, seed=1),
            RandomPermutation(seed=1),
            GeneratePositionNormals(k=5),
        ]
    )
    found = chain({name: value.numpy() for name, value in MESH.items()})
    assert isinstance(found, geometric.Data)
    assert found.pos.shape == found.normal.shape == (32, 3)
    assert "face" not in found
    assert set(ToDict()(found)) == {"pos", "normal"}
