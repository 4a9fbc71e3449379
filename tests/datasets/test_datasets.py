"""Datasets on small folders made for each test."""

import json
import pickle
import shutil

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader

from lcrs.datasets import (
    CacheDataset,
    ImageFolder,
    NdArrayDataset,
    PreGeneratedMemmapDataset,
    StackDataset,
    Vimeo90kDataset,
)
from lcrs.pictures import PictureError
from lcrs.registry import DATASETS


def save(path, colour=(10, 20, 30), size=(6, 4)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)


def to_array(image):
    return np.array(image)


class TestImageFolder:
    def test_takes_pictures_by_name_in_order(self, tmp_path):
        for name in ("b.png", "a.JPG", "c.webp"):
            save(tmp_path / "train" / name)
        (tmp_path / "train" / "notes.txt").write_text("not a picture")
        (tmp_path / "train" / "folder.png").mkdir()
        save(tmp_path / "train" / "deeper" / "d.png")
        dataset = ImageFolder(tmp_path)
        assert [path.name for path in dataset.samples] == ["a.JPG", "b.png", "c.webp"]
        assert dataset[1].mode == "RGB"
        assert dataset[1].getpixel((0, 0)) == (10, 20, 30)

    def test_recursive_and_extensions(self, tmp_path):
        for name in ("b.png", "x/a.png", "x/y/c.jpg"):
            save(tmp_path / "test" / name)
        every = ImageFolder(tmp_path, split="test", recursive=True)
        assert [path.name for path in every.samples] == ["b.png", "a.png", "c.jpg"]
        assert len(ImageFolder(tmp_path, split="test", recursive=True, extensions={".PNG"})) == 2
        assert len(ImageFolder(tmp_path / "test", split="")) == 1

    def test_other_modes_become_rgb_unless_that_loses_something(self, tmp_path):
        (tmp_path / "train").mkdir()
        Image.new("L", (2, 2), 7).save(tmp_path / "train" / "a.png")
        Image.new("I;16", (2, 2), 40_000).save(tmp_path / "train" / "b.png")
        dataset = ImageFolder(tmp_path, transform=to_array)
        assert (dataset[0] == 7).all()
        assert dataset[0].shape == (2, 2, 3)
        (tmp_path / "train" / "c.ppm").write_bytes(b"P6 1 1 65535 " + bytes([200, 9] * 3))
        Image.new("RGBA", (2, 2), (9, 9, 9, 0)).save(tmp_path / "train" / "d.png")
        Image.new("CMYK", (2, 2)).save(tmp_path / "train" / "e.jpg")
        dataset = ImageFolder(tmp_path, transform=to_array)
        for index, words in enumerate(
            (r"b\.png.*16 bits", r"c\.ppm.*16 bits", r"d\.png.*transparent", "CMYK"), 1
        ):
            with pytest.raises(ValueError, match=words):
                dataset[index]
        dataset = ImageFolder(tmp_path, transform=to_array, to_8bit=True, background="white")
        assert (dataset[1] == round(40_000 / 257)).all()
        assert (dataset[2] == round(0xC809 / 257)).all()
        assert (dataset[3] == 255).all()

    def test_code_of_others_gets_what_their_loader_gave(self, tmp_path, monkeypatch):
        monkeypatch.setattr("lcrs.pictures.leniency._is_lenient", True)
        (tmp_path / "train").mkdir()
        Image.new("RGBA", (2, 2), (9, 9, 9, 0)).save(tmp_path / "train" / "a.png")
        (tmp_path / "train" / "b.ppm").write_bytes(b"P6 1 1 65535 " + bytes([200, 9] * 3))
        (tmp_path / "train" / "c.png").write_bytes(b"no picture")
        dataset = ImageFolder(tmp_path, transform=to_array)
        with pytest.warns(UserWarning, match=r'a\.png: .* transparent .*: taken by convert\("RGB"\)'):
            assert (dataset[0] == 9).all()
        with pytest.warns(UserWarning, match=r"b\.ppm: .*16 bits.*: taken by"):
            assert (abs(dataset[1] - 0xC809 / 257) < 1).all()
        with pytest.raises(PictureError, match="no format that Pillow knows"):
            dataset[2]

    def test_what_errors_advise_can_be_passed(self, tmp_path):
        (tmp_path / "train").mkdir()
        frames = [Image.new("RGB", (6, 4), colour) for colour in ("red", "blue")]
        frames[0].save(tmp_path / "train" / "a.gif", save_all=True, append_images=frames[1:])
        with pytest.raises(PictureError, match="pass frame=0"):
            ImageFolder(tmp_path)[0]
        assert ImageFolder(tmp_path, frame=1)[0].getpixel((0, 0)) == (0, 0, 255)
        with pytest.raises(PictureError, match="pass max_pixels=24"):
            ImageFolder(tmp_path, frame=1, max_pixels=23)[0]
        assert ImageFolder(tmp_path, frame=1, max_pixels=24)[0].size == (6, 4)

    def test_pictures_stand_upright(self, tmp_path):
        (tmp_path / "train").mkdir()
        exif = Image.Exif()
        exif[0x0112] = 6
        Image.new("RGB", (4, 2)).save(tmp_path / "train" / "a.png", exif=exif)
        assert ImageFolder(tmp_path)[0].size == (2, 4)

    def test_missing_folder(self, tmp_path):
        with pytest.raises(RuntimeError, match=r"missing directory.*valid"):
            ImageFolder(tmp_path, split="valid")

    def test_loads_in_workers(self, tmp_path):
        for i in range(4):
            save(tmp_path / "train" / f"{i}.png", colour=(i, i, i))
        loader = DataLoader(ImageFolder(tmp_path, transform=to_array), batch_size=2, num_workers=1)
        assert [batch[:, 0, 0, 0].tolist() for batch in loader] == [[0, 1], [2, 3]]


class TestVimeo90k:
    @pytest.mark.parametrize(("tuplet", "prefix"), [(3, "tri"), (7, "sep")])
    def test_every_frame_is_an_item(self, tmp_path, tuplet, prefix):
        for sequence in ("00001/0001", "00001/0002"):
            for frame in range(1, tuplet + 1):
                save(tmp_path / "sequences" / sequence / f"im{frame}.png", colour=(frame, 0, 0))
        (tmp_path / f"{prefix}_trainlist.txt").write_text("00001/0001\n00001/0002\n\n")
        (tmp_path / f"{prefix}_testlist.txt").write_text("00001/0002\n")
        dataset = Vimeo90kDataset(tmp_path, tuplet=tuplet, transform=to_array)
        assert len(dataset) == 2 * tuplet
        assert [dataset[i][0, 0, 0] for i in range(tuplet)] == list(range(1, tuplet + 1))
        assert len(Vimeo90kDataset(tmp_path, split="valid", tuplet=tuplet)) == tuplet

    def test_what_is_wrong_is_said(self, tmp_path):
        with pytest.raises(ValueError, match="split is 'test'"):
            Vimeo90kDataset(tmp_path, split="test")
        with pytest.raises(ValueError, match="tuplet is 5"):
            Vimeo90kDataset(tmp_path, tuplet=5)
        with pytest.raises(FileNotFoundError, match="tri_trainlist"):
            Vimeo90kDataset(tmp_path)


class TestPreGenerated:
    @pytest.mark.parametrize("header", [True, False])
    def test_reads_both_kinds_of_file(self, tmp_path, header):
        data = np.random.default_rng(0).integers(0, 256, (5, 4, 6, 3), dtype=np.uint8)
        if header:
            np.save(tmp_path / "training.npy", data)
        else:
            data.tofile(tmp_path / "training.npy")
        dataset = PreGeneratedMemmapDataset(tmp_path, image_size=(4, 6))
        assert len(dataset) == 5
        assert all((np.asarray(dataset[i]) == data[i]).all() for i in range(5))
        copy = pickle.loads(pickle.dumps(dataset))
        assert len(pickle.dumps(dataset)) < 1000
        assert (np.asarray(copy[4]) == data[4]).all()

    def test_wrong_sizes_are_said(self, tmp_path):
        (tmp_path / "validation.npy").write_bytes(bytes(100))
        with pytest.raises(ValueError, match="has 100 bytes"):
            PreGeneratedMemmapDataset(tmp_path, split="valid", image_size=(4, 6))
        np.save(tmp_path / "validation.npy", np.zeros((2, 3, 3, 3), np.uint8))
        with pytest.raises(ValueError, match=r"holds uint8 \(2, 3, 3, 3\)"):
            PreGeneratedMemmapDataset(tmp_path, split="valid", image_size=(4, 6))
        with pytest.raises(ValueError, match="split is 'test'"):
            PreGeneratedMemmapDataset(tmp_path, split="test")
        with pytest.raises(RuntimeError, match="missing directory"):
            PreGeneratedMemmapDataset(tmp_path / "nowhere")


class TestNdArray:
    def test_items_side_by_side(self):
        a, b = np.arange(6).reshape(3, 2), np.arange(3)
        item = NdArrayDataset(a, b)[1]
        assert item[0].tolist() == [2, 3]
        assert item[1] == 1
        assert NdArrayDataset(a, single=True)[2].tolist() == [4, 5]
        assert len(NdArrayDataset(a, b)) == 3

    def test_what_is_wrong_is_said(self):
        with pytest.raises(ValueError, match=r"lengths \[3, 2\]"):
            NdArrayDataset(np.zeros(3), np.zeros(2))
        with pytest.raises(ValueError, match=r"lengths \[\]"):
            NdArrayDataset()
        with pytest.raises(ValueError, match="single is for one array; there are 2"):
            NdArrayDataset(np.zeros(3), np.zeros(3), single=True)


def test_stack():
    a, b = NdArrayDataset(np.arange(3), single=True), NdArrayDataset(np.arange(3) * 10, single=True)
    assert StackDataset(a, b)[2] == (2, 20)
    assert StackDataset(x=a, y=b)[1] == {"x": 1, "y": 10}


class Counting:
    """Items that count how often they are made."""

    def __init__(self, num_items=4):
        self.num_items = num_items
        self.num_loads = 0

    def __len__(self):
        return self.num_items

    def __getitem__(self, index):
        self.num_loads += 1
        return {"pos": torch.full((2, 3), float(index)), "label": np.int64(index)}


class TestCache:
    def test_prepares_once_and_reads_ever_after(self, tmp_path):
        source = Counting()

        def pre_transform(item):
            return {**item, "pos": item["pos"] + 100}

        first = CacheDataset(tmp_path / "a" / "cache", pre_transform=pre_transform, source=source)
        assert len(first) == 4
        second = CacheDataset(
            tmp_path / "a" / "cache", transform=lambda item: item["pos"][0, 0], source=source
        )
        assert [second[i] for i in range(4)] == [100, 101, 102, 103]
        assert first[3]["label"] == 3
        assert first[3]["pos"].dtype == np.float32
        assert source.num_loads == 4
        assert [path.name for path in (tmp_path / "a").iterdir()] == ["cache"]

    def test_items_are_copies(self, tmp_path):
        dataset = CacheDataset(tmp_path / "cache", source=Counting())
        dataset[0]["pos"][:] = 9
        assert (dataset[0]["pos"] == 0).all()

    def test_pickles_without_its_data(self, tmp_path):
        dataset = CacheDataset(tmp_path / "cache", source=[{"x": np.zeros(100_000)}])
        assert len(dataset) == 1
        dataset.source = None
        assert len(pickle.dumps(dataset)) < 2000
        assert pickle.loads(pickle.dumps(dataset))[0]["x"].shape == (100_000,)

    def test_a_failure_leaves_nothing_behind(self, tmp_path):
        class Failing(Counting):
            def __getitem__(self, index):
                if index == 2:
                    raise OSError("unreadable")
                return super().__getitem__(index)

        with pytest.raises(OSError, match="unreadable"):
            len(CacheDataset(tmp_path / "cache", source=Failing()))
        assert list(tmp_path.iterdir()) == []
        assert len(CacheDataset(tmp_path / "cache", source=Counting())) == 4

    def test_of_two_runs_at_once_one_wins(self, tmp_path):
        class Racing(Counting):
            def __getitem__(self, index):
                if index == 3:  # meanwhile another process completes its cache
                    shutil.copytree(tmp_path / "other", tmp_path / "cache")
                return super().__getitem__(index)

        len(CacheDataset(tmp_path / "other", source=Counting()))
        assert len(CacheDataset(tmp_path / "cache", source=Racing())) == 4

    def test_reads_bare_files_with_a_description(self, tmp_path):
        np.arange(6, dtype=np.float32).tofile(tmp_path / "pos.npy")
        (tmp_path / "info.json").write_text(json.dumps({"pos": {"dtype": "float32", "shape": [3, 2]}}))
        assert CacheDataset(tmp_path)[2]["pos"].tolist() == [4.0, 5.0]

    def test_derived_classes_choose_their_items(self, tmp_path):
        class Squares(CacheDataset):
            def _get_items(self):
                return [3, 4]

            def _load_item(self, item):
                return {"square": np.array([item**2])}

        assert [item["square"].item() for item in Squares(tmp_path / "cache")] == [9, 16]

    @pytest.mark.parametrize(
        ("items", "message"),
        [
            ([{"a": np.zeros(2)}, {"a": np.zeros(3)}], "'a' of item 1 is float64"),
            ([{"a": np.zeros(2)}, {"b": np.zeros(2)}], r"item 1 has \['b'\], item 0 has \['a'\]"),
            ([{"../a": np.zeros(2)}], "cannot name a cached array"),
            ([], "nothing to cache"),
            (None, "has no source"),
        ],
    )
    def test_what_is_wrong_is_said(self, tmp_path, items, message):
        with pytest.raises((ValueError, TypeError), match=message):
            len(CacheDataset(tmp_path / "cache", source=items))


@pytest.mark.parametrize("name", ["ImageFolder", "Vimeo90kDataset", "PreGeneratedMemmapDataset"])
def test_registered(name):
    assert DATASETS[name].__name__ == name
