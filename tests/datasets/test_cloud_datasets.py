"""Published sets of clouds, from tiny folders laid out as they are."""

from __future__ import annotations

import hashlib
import json
import pickle
import shutil

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from lcrs import clouds
from lcrs.datasets import (
    ModelNetDataset,
    S3disDataset,
    SemanticKittiDataset,
    ShapeNetCorePartDataset,
    StackDataset,
)
from lcrs.registry import DATASETS
from lcrs.transforms import RandomSample, SamplePointsV2, ToDict

generator = np.random.default_rng(3)


def put(path, data):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data if isinstance(data, bytes) else data.encode())


def sampled(num, *attrs):
    """What makes items alike, and leaves other fields as they are."""
    return lambda data: RandomSample(num, attrs=attrs, preserve_order=True)(ToDict()(data))


BOX = "OFF\n4 2 0\n0 0 0\n1 0 0\n0 1 0\n0 0 1\n3 0 1 2\n3 0 1 3\n"


@pytest.fixture
def modelnet(tmp_path):
    pytest.importorskip("trimesh")
    root = tmp_path / "ModelNet10"
    for label, number, split in (("bathtub", 1, "train"), ("night_stand", 12, "train"), ("sofa", 3, "test")):
        put(
            root / label / split / f"{label}_{number:04}.off",
            BOX.replace("OFF\n", "OFF" if number == 12 else "OFF\n"),
        )
    put(root / "README.txt", "meshes")
    return root


def test_modelnet(modelnet):
    meshes = ModelNetDataset(modelnet, name="10", pre_transform=None)
    assert len(meshes) == 2
    item = meshes[1]
    assert {name: (array.shape, str(array.dtype)) for name, array in item.items()} == {
        "file_index": ((1,), "int32"),
        "label": ((1,), "uint8"),
        "pos": ((4, 3), "float32"),
        "face": ((3, 2), "int64"),
    }
    assert (item["file_index"][0], item["label"][0]) == (
        12,
        ModelNetDataset.LABEL_LIST["10"].index("night_stand"),
    )
    assert item["face"].tolist() == [[0, 0], [1, 1], [2, 3]]
    assert (modelnet.parent / "ModelNet10_cache" / "train" / "pos.npy").exists()
    # without the folder the cache is enough, whatever comes after it
    shutil.rmtree(modelnet)
    again = ModelNetDataset(
        cache_root=modelnet.parent / "ModelNet10_cache", name="10", transform=SamplePointsV2(7)
    )
    assert again[0]["pos"].shape == (7, 3)
    batch = next(iter(DataLoader(again, batch_size=2)))
    assert batch["pos"].shape == (2, 7, 3)
    assert pickle.loads(pickle.dumps(again))[0]["pos"].shape == (7, 3)


def test_modelnet_splits_and_faults(modelnet, tmp_path):
    assert len(ModelNetDataset(modelnet, name="10", split="test", pre_transform=SamplePointsV2(5))) == 1
    with pytest.raises(ValueError, match="name is '41'"):
        ModelNetDataset(modelnet, name="41")
    with pytest.raises(FileNotFoundError, match="neither the folder"):
        ModelNetDataset(tmp_path / "none", download=False)
    with pytest.raises(FileNotFoundError, match=r"nothing of split 'tset' in the folder .*ModelNet10"):
        len(ModelNetDataset(modelnet, name="10", split="tset"))
    with pytest.raises(ValueError, match="root and cache_root are missing"):
        ModelNetDataset()
    put(modelnet / "chair" / "train" / "table_0001.off", BOX)
    with pytest.raises(ValueError, match=r"table_0001\.off: CLASS/train"):
        len(ModelNetDataset(modelnet, name="10", split_name="other"))
    put(modelnet / "chair" / "train" / "table_0001.off", b"")
    (modelnet / "chair" / "train" / "table_0001.off").rename(modelnet / "chair" / "train" / "chair_0001.off")
    with pytest.raises(clouds.CloudError, match=r"chair_0001\.off: cloud is no OFF"):
        len(ModelNetDataset(modelnet, name="10", split_name="other"))
    assert not (tmp_path / "ModelNet10_cache" / "other").exists()


@pytest.mark.parametrize("has_normals", [True, False])
def test_shapenet(tmp_path, has_normals):
    name = "shapenetcore_partanno_segmentation_benchmark_v0" + "_normal" * has_normals
    root = tmp_path / name
    files = ["02691156/1021a0914a7207aff927ed529ad90a11", "03790512/9d3b07f4475d501e8249f134aca4c817"]
    listed = [f"shape_data/{file}" for file in files]
    put(root / "train_test_split" / "shuffled_train_file_list.json", json.dumps(listed))
    points = generator.normal(size=(2, 6, 6)).astype(np.float32).round(4)
    parts = [[0, 1, 2, 3, 0, 1], [5, 4, 3, 2, 1, 0]]
    offsets = [0, 30]
    for file, cloud, part, offset in zip(files, points, parts, offsets, strict=True):
        category, stem = file.split("/")
        if has_normals:
            rows = [
                " ".join(f"{v:.6f}" for v in (*row, p + offset)) for row, p in zip(cloud, part, strict=True)
            ]
            put(root / category / f"{stem}.txt", "\n".join(rows) + "\n")
        else:
            put(
                root / category / "points" / f"{stem}.pts",
                "\n".join(" ".join(map(str, row[:3])) for row in cloud),
            )
            put(root / category / "points_label" / f"{stem}.seg", "\n".join(str(p + 1) for p in part))
    data = ShapeNetCorePartDataset(root, name=name)
    assert len(data) == 2
    np.testing.assert_array_equal(data[1]["pos"], points[1][:, :3])
    assert ("normal" in data[1]) is has_normals
    assert data[1]["category_index"].tolist() == [10]
    for field in ("part_index", "semantic_index", "category_index"):
        assert data[0][field].dtype == np.uint8
    assert data[1]["part_index"].tolist() == parts[1]
    assert data[1]["semantic_index"].tolist() == [part + 30 for part in parts[1]]
    put(root / "train_test_split" / "shuffled_val_file_list.json", json.dumps(["../../../etc/passwd"]))
    with pytest.raises(ValueError, match="names no cloud"):
        len(ShapeNetCorePartDataset(root, name=name, split="val"))
    with pytest.raises(ValueError, match="name is 'v1'"):
        ShapeNetCorePartDataset(root, name="v1")


def test_blocks_of_s3dis_belong_to_rooms_in_the_order_of_the_list(tmp_path):
    h5py = pytest.importorskip("h5py")
    root = tmp_path / "indoor3d_sem_seg_hdf5_data"
    root.mkdir()
    rooms = ["Area_1_office_1", "Area_5_hallway_2", "Area_1_WC_1", "Area_6_conferenceRoom_1"]
    blocks = generator.random((4, 8, 9)).astype(np.float32)
    # "ply_data_all_10.h5" stands before "ply_data_all_2.h5" among names
    for number, rows in ((2, slice(0, 3)), (10, slice(3, 4))):
        with h5py.File(root / f"ply_data_all_{number}.h5", "w") as file:
            file["data"] = blocks[rows]
            file["label"] = np.tile(np.arange(8, dtype=np.uint8), (len(blocks[rows]), 1))
    put(root / "all_files.txt", "".join(f"indoor3d_sem_seg_hdf5_data/ply_data_all_{n}.h5\n" for n in (2, 10)))
    put(root / "room_filelist.txt", "\n".join(rooms) + "\n")
    data = S3disDataset(root)
    assert [int(item["file_index"][0]) for item in (data[0], data[1], data[2])] == [0, 2, 3]
    np.testing.assert_array_equal(data[2]["pos"], blocks[3, :, :3])
    np.testing.assert_array_equal(data[1]["color"], blocks[2, :, 3:6])
    assert data[1]["semantic_index"].tolist() == list(range(8))
    assert (data[2]["area_index"][0], data[2]["room_index"][0]) == (
        6,
        S3disDataset.ROOMS.index("conferenceRoom"),
    )
    assert len(S3disDataset(root, split="valid")) == 1  # the areas are those of the split
    assert len(S3disDataset(root, split="valid", split_name="all", areas=range(1, 7))) == 4
    with pytest.raises(ValueError, match="split is 'other'"):
        S3disDataset(root, split="other")
    put(root / "room_filelist.txt", "Area_1_garden_1\n")
    with pytest.raises(ValueError, match="'Area_1_garden_1' is no room"):
        len(S3disDataset(root, split_name="bad"))
    put(root / "room_filelist.txt", "\n".join(rooms + rooms))
    with pytest.raises(ValueError, match="5 blocks are listed, the files have 4"):
        len(S3disDataset(root, split_name="bad"))


def test_rooms_of_s3dis_as_they_were_published(tmp_path):
    root = tmp_path / "Stanford3dDataset_v1.2_Aligned_Version"
    folder = root / "Area_2" / "auditorium_1" / "Annotations"
    put(folder / "chair_1.txt", "1 2 3 255 0 0\n2 2 3 0 0 0\n")
    put(folder / "stairs_1.txt", "1 4 3 0 0 51\n")
    item = S3disDataset(root, areas=[2])[0]
    assert item["pos"].tolist() == [[0, 0, 0], [1, 0, 0], [0, 2, 0]]
    assert item["pos_normalized"].tolist() == [[0, 0, 0], [1, 0, 0], [0, 1, 0]]
    assert item["color"][2].tolist() == [0, 0, np.float32(0.2)]
    assert [S3disDataset.LABELS[i] for i in item["semantic_index"]] == ["chair", "chair", "clutter"]
    put(folder / "board_1.txt", "1 2 3 2\x105 0 0\n")
    with pytest.raises(ValueError, match=r"board_1\.txt: line 0"):
        len(S3disDataset(root, areas=[2], split_name="bad"))


def test_semantic_kitti(tmp_path):
    root = tmp_path / "dataset"
    scans = generator.random((3, 5, 4)).astype("<f4")
    labels = np.array([0, 10, 40, 259 | 40000 << 16, 252 | 1 << 16], "<u4")
    for sequence, number, scan in ((0, 0, scans[0]), (0, 7, scans[1]), (11, 0, scans[2])):
        folder = root / "sequences" / f"{sequence:02}"
        put(folder / "velodyne" / f"{number:06}.bin", scan.tobytes())
        if sequence == 0:
            put(folder / "labels" / f"{number:06}.label", labels.tobytes())
    fields = ("pos", "remission", "raw_semantic_index", "semantic_index", "instance_index")
    data = SemanticKittiDataset(root, pre_transform=sampled(5, *fields))
    assert len(data) == 2
    item = data[1]
    assert (item["file_index"][0], item["sequence_index"][0]) == (7, 0)
    np.testing.assert_array_equal(item["pos"], scans[1, :, :3])
    np.testing.assert_array_equal(item["remission"], scans[1, :, 3:])
    assert item["raw_semantic_index"].tolist() == [0, 10, 40, 259, 252]
    assert item["semantic_index"].tolist() == [0, 2, 12, 33, 26]
    assert item["instance_index"].tolist() == [0, 0, 0, 40000, 1]
    test = SemanticKittiDataset(root, split="test")  # has no labels
    assert set(test[0]) == {"file_index", "sequence_index", "pos", "remission"}
    pairs = StackDataset(data, data)
    assert torch.as_tensor(pairs[0][1]["pos"]).shape == (5, 3)
    put(root / "sequences" / "00" / "labels" / "000007.label", labels[:3].tobytes())
    with pytest.raises(ValueError, match=r"000007\.bin has 5 points, its labels are 3"):
        len(SemanticKittiDataset(root, split_name="bad"))
    put(root / "sequences" / "00" / "labels" / "000007.label", np.full(5, 77, "<u4").tobytes())
    with pytest.raises(ValueError, match="the label 77"):
        len(SemanticKittiDataset(root, split_name="bad"))
    put(root / "sequences" / "00" / "velodyne" / "000007.bin", bytes(9))
    with pytest.raises(clouds.CloudError, match="16 bytes a point"):
        len(SemanticKittiDataset(root, split_name="bad"))
    with pytest.raises(ValueError, match="split is 'other'"):
        SemanticKittiDataset(root, split="other")


def test_clouds_of_different_sizes_need_a_sample(tmp_path):
    for number in (1, 2):
        put(tmp_path / "d" / "00" / "velodyne" / f"{number:06}.bin", bytes(16 * number))
    with pytest.raises(ValueError, match="must be alike"):
        len(SemanticKittiDataset(tmp_path / "d"))
    assert len(SemanticKittiDataset(tmp_path / "d", pre_transform=sampled(2, "pos", "remission"))) == 2


def test_what_is_fetched_is_checked_and_appears_whole(tmp_path, modelnet, monkeypatch):
    archive = tmp_path / "away" / "ModelNet10"
    shutil.make_archive(str(archive), "zip", tmp_path, "ModelNet10")
    url = archive.with_suffix(".zip").as_uri()
    digest = hashlib.sha256(archive.with_suffix(".zip").read_bytes()).hexdigest()
    shutil.rmtree(modelnet)
    monkeypatch.setitem(ModelNetDataset.URLS, "10", url)
    with pytest.raises(RuntimeError, match="it is another file"):
        ModelNetDataset(modelnet, name="10")
    assert not modelnet.exists()
    monkeypatch.setitem(ModelNetDataset.HASHES, "10", digest)
    assert len(ModelNetDataset(modelnet, name="10")) == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ModelNet10", "ModelNet10_cache", "away"]


def test_they_are_registered():
    for cls in (ModelNetDataset, S3disDataset, SemanticKittiDataset, ShapeNetCorePartDataset):
        assert DATASETS[cls.__name__] is cls
