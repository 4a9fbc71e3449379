"""Pictures and video of all kinds: what is used, what is left out, and that crops follow from numbers."""

import io
import json
import tarfile
from functools import partial
from itertools import islice

import numpy as np
import pytest
import torch
from picture_folders import RECIPE, write_pictures
from PIL import Image

from lcrs.models.video import google as video
from lcrs.models.video.hyperprior import LatentHyperprior
from lcrs.train import ConfigError, load_recipe, run
from lcrs.train.data.batches import AheadBatches, DeviceBatches
from lcrs.train.data.clips import RawClips, raw_frame
from lcrs.train.data.crops import CropMaker, crop_of, generator
from lcrs.train.data.opening import open_data
from lcrs.train.data.pictures import (
    LeftOut,
    MemoryPictures,
    find_pictures,
    in_memory,
    only_our_limit,
    read_picture,
    split_off,
)
from lcrs.train.data.shards import ShardBatches, ShardStream, expand_shards

CPU = torch.device("cpu")


@pytest.fixture
def memory(rng):
    sizes = [(70, 90), (120, 65), (64, 64), (200, 130)]
    arrays = [rng.integers(0, 255, (*size, 3), np.uint8) for size in sizes]
    return MemoryPictures(arrays, np.array(sizes, np.int64), "test")


@pytest.fixture
def odd_folder(photo, tmp_path):
    """What people have in their folders."""
    folder = write_pictures(tmp_path / "odd", photo, 4)
    deep = folder / "deep" / "er"
    deep.mkdir(parents=True)
    picture = Image.fromarray(np.tile(photo, (2, 2, 1)))
    picture.save(deep / "nested.JPG", quality=90)
    picture.convert("L").save(folder / "grey.png")
    picture.convert("RGBA").save(folder / "opaque.png")
    clear = picture.convert("RGBA")
    clear.putalpha(Image.fromarray(np.full((166, 244), 90, np.uint8)))
    clear.save(folder / "transparent.png")
    picture.convert("P").save(folder / "palette.gif")
    picture.convert("CMYK").save(folder / "print.tif")
    deep_samples = np.linspace(0, 65535, 100 * 100, dtype=np.uint16).reshape(100, 100)
    Image.fromarray(deep_samples).save(folder / "sixteen.png")
    Image.new("RGB", (20, 30)).save(folder / "tiny.png")
    Image.new("L", (900, 900)).save(folder / "huge.png")
    whole = io.BytesIO()
    picture.save(whole, "PNG")
    (folder / "cut.png").write_bytes(whole.getvalue()[: len(whole.getvalue()) // 2])
    (folder / "text.png").write_text("not a picture")
    (folder / "empty.jpg").touch()
    (folder / "notes.txt").write_text("no picture by its name")
    return folder


def test_odd_pictures_are_used_or_left_out_and_counted(odd_folder, caplog):
    left_out = LeftOut()
    found = find_pictures([odd_folder], 64, 500_000, left_out)
    read = [found.read(k) for k in range(len(found))]
    names = {path.name for path, array in zip(found.paths, read, strict=True) if array is not None}
    assert names == {f"{k}.png" for k in range(4)} | {
        "nested.JPG", "grey.png", "opaque.png", "transparent.png", "palette.gif", "sixteen.png",
    }  # fmt: skip
    assert all(array.dtype == np.uint8 and array.shape[2] == 3 for array in read if array is not None)
    assert left_out.counts == {"not readable": 4, "smaller than the crop": 1, "above data.max_pixels": 1}
    assert all(
        name in caplog.text
        for name in ("cut.png", "text.png", "empty.jpg", "print.tif", "tiny.png", "huge.png")
    )
    found.read(found.paths.index(odd_folder / "cut.png"))
    assert left_out.counts["not readable"] == 4


def test_a_run_on_an_odd_folder(odd_folder, tiny):
    """Also when nothing is held in memory, so that broken files are met on the way."""
    for keep in ("disk", "memory"):
        settings = {**tiny, "data.train": str(odd_folder), "data.keep": keep, "data.max_pixels": 500_000}
        settings["steps"] = 8
        result = run(load_recipe(RECIPE, settings), restart=True)
        assert result.steps == 8
        records = [json.loads(line) for line in (result.output / "log.jsonl").read_text().splitlines()]
        # Two are not readable by their beginnings; the cut one and the print are met when they are read.
        assert 4 <= max(record.get("left_out", 0) for record in records) <= 6
    assert "1 above data.max_pixels" in (result.output / "log.jsonl").read_text()


def test_transparency_and_depth_are_as_a_viewer_shows_them(odd_folder):
    grey = read_picture(odd_folder / "sixteen.png")
    assert grey.min() == 0
    assert grey.max() == 255
    photo = read_picture(odd_folder / "opaque.png").astype(int)
    seen = read_picture(odd_folder / "transparent.png").astype(int)
    expected = photo * 90 / 255 + 255 * (1 - 90 / 255)
    assert np.abs(seen - expected).max() <= 1


def test_nothing_to_train_on_is_said(tiny, tmp_path):
    (tmp_path / "none").mkdir()
    with pytest.raises(ValueError, match=r"nothing to train on in .*none left out; crops are 64"):
        run(load_recipe(RECIPE, {**tiny, "data.train": str(tmp_path / "none")}))
    with pytest.raises(FileNotFoundError, match=r"there is no folder .*nowhere"):
        run(load_recipe(RECIPE, {**tiny, "data.train": str(tmp_path / "nowhere")}))
    folder = write_pictures(tmp_path / "small", np.zeros((60, 60, 3), np.uint8), 2, (70, 70))
    with pytest.raises(ValueError, match="2 smaller than the crop left out; crops are 96"):
        run(load_recipe(RECIPE, {**tiny, "data.train": str(folder), "crop": 96}))


def test_validation_pictures_are_split_off_by_name(pictures):
    found = find_pictures([pictures], 64, 1 << 28, LeftOut())
    rest, held = split_off(found, 24, seed=1)
    assert len(held) == 1
    assert {*rest.paths, *held.paths} == set(found.paths)
    again = split_off(found.part(reversed(range(6))), 24, seed=1)[1]
    assert again.paths == held.paths
    with pytest.raises(ValueError, match="there is one picture to train on, and two are needed"):
        split_off(found.part([0]), 24, seed=1)


def test_the_layout_of_compressai(tiny, photo, tmp_path):
    """A folder with train and test in it."""
    write_pictures(tmp_path / "data" / "train", photo, 3)
    write_pictures(tmp_path / "data" / "test", photo, 2)
    config = load_recipe("compressai-loop", {**tiny, "data.train": str(tmp_path / "data")})
    data = open_data(config, CPU, video=False)
    assert len(data.batches.maker.pictures) == 3
    assert len(data.tune) == 2


# --- crops ---


@pytest.mark.parametrize("order", ["shuffle", "area"])
def test_crops_do_not_depend_on_workers_or_on_what_came_before(memory, order):
    maker = CropMaker(memory, 7, order, transpose=True, downscale=0.6)
    batches = [AheadBatches(maker, 3, CPU, workers) for workers in (0, 1, 3)]
    expected = [batches[0].get(step, 64) for step in range(6)]
    for other in batches[1:]:
        for step in (3, 4, 5, 0, 1, 2):
            assert torch.equal(other.get(step, 64), expected[step])
        other.get(0, 48)
        assert torch.equal(other.get(1, 64), expected[1])
        other.close()
    other_seed = CropMaker(memory, 8, order, transpose=True, downscale=0.6)
    assert not torch.equal(AheadBatches(other_seed, 3, CPU).get(0, 64), expected[0])


def test_processes_share_the_batch_of_a_step(memory):
    maker = CropMaker(memory, 7)
    whole = AheadBatches(maker, 4, CPU).get(5, 32)
    parts = [AheadBatches(maker, 2, CPU, rank=rank, world=2).get(5, 32) for rank in (0, 1)]
    assert torch.equal(torch.cat(parts), whole)


def test_each_picture_comes_once_before_any_again(memory):
    for k, array in enumerate(memory.arrays):
        array[:] = k
    maker = CropMaker(memory, 1)
    for epoch in range(3):
        seen = [int(maker.make(4 * epoch + k, 64)[0, 0, 0]) for k in range(4)]
        assert sorted(seen) == [0, 1, 2, 3]


def test_pixels_are_as_likely(memory):
    for k, array in enumerate(memory.arrays):
        array[:] = k
    maker = CropMaker(memory, 1, "area")
    counts = np.bincount([int(maker.make(k, 16)[0, 0, 0]) for k in range(2000)])
    area = memory.sizes.prod(1)
    np.testing.assert_allclose(counts / 2000, area / area.sum(), atol=0.04)


@pytest.mark.parametrize("downscale", [1.0, 0.5])
def test_a_crop_is_a_part_of_the_picture(downscale):
    ramp = np.stack(np.broadcast_arrays(np.arange(120)[:, None], np.arange(100)[None], 7), 2).astype(np.uint8)
    directions, scales = set(), set()
    for k in range(60):
        crop = crop_of(ramp, 32, generator(k), flip=True, transpose=True, downscale=downscale)
        assert crop.shape == (3, 32, 32)
        rows, columns = crop[0].astype(int), crop[1].astype(int)
        turned = abs(rows[0, 20] - rows[0, 5]) > 5
        if turned:
            rows, columns = rows.T, columns.T
        scales.add(abs(rows[20, 0] - rows[5, 0]) / 15)
        directions.add((turned, rows[0, 0] < rows[-1, 0], columns[0, 0] < columns[0, -1]))
    assert len(directions) == 8
    if downscale == 1:
        assert scales == {1.0}
    else:
        assert min(scales) < 1.2
        assert max(scales) > 1.7


def test_crops_on_the_device_are_parts_of_the_pictures(memory):
    batches = DeviceBatches(memory, 16, CPU, 3, flip=True, transpose=True)
    crops = batches.get(5, 48)
    assert torch.equal(crops, batches.get(5, 48))
    assert not torch.equal(crops, batches.get(6, 48))
    for crop in (crops * 255).round().to(torch.uint8).numpy():
        assert any(occurs(crop.transpose(1, 2, 0), array) for array in memory.arrays)


def occurs(crop, picture):
    """Whether a crop, flipped or transposed in any way, is in a picture."""
    windows = np.lib.stride_tricks.sliding_window_view(picture, (48, 48, 3))[:, :, 0]
    for turned in (crop, crop.transpose(1, 0, 2)):
        for flipped in (turned, turned[::-1], turned[:, ::-1], turned[::-1, ::-1]):
            hits = (windows[:, :, ::47, ::47] == flipped[::47, ::47]).all((2, 3, 4))
            if any(np.array_equal(windows[place], flipped) for place in map(tuple, np.argwhere(hits))):
                return True
    return False


def test_a_run_on_pictures_in_device_memory_resumes(tiny):
    settings = {**tiny, "data.keep": "device", "workers": 2}
    whole = run(load_recipe(RECIPE, {**settings, "output": tiny["output"] + "-whole"})).output
    run(load_recipe(RECIPE, {**settings, "steps": 3}))
    parts = run(load_recipe(RECIPE, settings)).output
    a, b = (torch.load(f / "model.pt", weights_only=True)["state_dict"] for f in (whole, parts))
    assert all(torch.equal(a[key], b[key]) for key in a)


# --- shards ---


@pytest.fixture
def shards(photo, tmp_path):
    """Three shards of four pictures; one of them is cut off in the middle of a picture."""
    wide = np.tile(photo, (2, 2, 1))
    for shard in range(3):
        with tarfile.open(tmp_path / f"part-{shard}.tar", "w") as tar:
            for k in range(4):
                data = io.BytesIO()
                Image.fromarray(wide[k : k + 80, shard : shard + 90]).save(data, "PNG")
                content = data.getvalue()[: 300 if (shard, k) == (1, 2) else None]
                for name, value in ((f"{shard}{k}.png", content), (f"{shard}{k}.txt", b"words")):
                    entry = tarfile.TarInfo(name)
                    entry.size = len(value)
                    tar.addfile(entry, io.BytesIO(value))
    return str(tmp_path / "part-{0..2}.tar")


def test_a_run_on_shards_resumes(shards, tiny):
    pytest.importorskip("webdataset")
    settings = {**tiny, "data.train": shards, "workers": 2, "steps": 8}
    whole = run(load_recipe(RECIPE, {**settings, "output": tiny["output"] + "-whole"})).output
    run(load_recipe(RECIPE, {**settings, "steps": 5}))
    parts = run(load_recipe(RECIPE, {**settings, "workers": 1})).output
    a, b = (torch.load(f / "model.pt", weights_only=True)["state_dict"] for f in (whole, parts))
    assert all(torch.equal(a[key], b[key]) for key in a)
    assert "2 shards" in (whole / "log.jsonl").read_text()


def test_every_picture_of_shards_comes_once_an_epoch(shards):
    wds = pytest.importorskip("webdataset")
    left_out = LeftOut()
    stream = ShardStream(wds.shardlists.expand_urls(shards), 3, left_out, mixed=5)
    taken = list(islice(stream.pictures(), 24))
    assert [epoch for epoch, *_ in taken] == [0] * 12 + [1] * 12
    names = [[name for epoch, _, name, _ in taken if epoch == e] for e in (0, 1)]
    assert len(set(names[0])) == 12
    assert sorted(names[0]) == sorted(names[1])
    assert names[0] != names[1]
    later = [name for _, _, name, _ in islice(stream.pictures(1, 3), 5)]
    assert later == names[1][3:8]
    parts = [ShardStream(stream.shards, 3, left_out, rank=r, world=2, mixed=5).pictures() for r in (0, 1)]
    halves = [[name for _, _, name, _ in islice(part, 6)] for part in parts]
    assert [name for pair in zip(*halves, strict=True) for name in pair] == names[0]
    batches = ShardBatches(stream, 5, CPU, 2, 3)
    for step in range(3):
        batches.get(step, 64)
    batches.close()
    assert left_out.counts == {"not readable": 1}


def test_shards_that_are_not_there_are_said(tiny, tmp_path):
    pytest.importorskip("webdataset")
    settings = {**tiny, "data.train": str(tmp_path / "none-{0..1}.tar")}
    with pytest.raises(ValueError, match="none of the validation pictures"):
        run(load_recipe(RECIPE, settings))
    with pytest.raises(ConfigError, match="one shard alone"):
        run(load_recipe(RECIPE, {**settings, "data.train": str(tmp_path / "one.tar")}))


# --- video ---


@pytest.fixture
def raw_video(photo, tmp_path):
    """Seven frames of 4:2:0, 80 x 72."""
    chroma = np.full((36, 40), 110, np.uint8).tobytes() + np.full((36, 40), 140, np.uint8).tobytes()
    frames = [photo[k : k + 72, k : k + 80, 1].tobytes() + chroma for k in range(7)]
    path = tmp_path / "clip_80x72_30fps_8bit_P420.yuv"
    path.write_bytes(b"".join(frames))
    return path


@pytest.fixture
def vimeo(photo, tmp_path):
    root = tmp_path / "vimeo"
    wide = np.tile(photo, (2, 2, 1))
    for folder in ("00001/0001", "00001/0002", "00002/0001"):
        (root / "sequences" / folder).mkdir(parents=True)
        for k in range(1, 8):
            Image.fromarray(wide[k : k + 66, 2 * k : 2 * k + 70]).save(
                root / "sequences" / folder / f"im{k}.png", compress_level=1
            )
    (root / "sep_trainlist.txt").write_text("00001/0001\n00001/0002\n")
    (root / "sep_testlist.txt").write_text("00002/0001\n")
    (root / "train.list").write_text("00001/0001\n00001/0002\n")
    (root / "test.list").write_text("00002/0001\n")
    return root


def test_frames_of_raw_video_are_rgb(raw_video, photo):
    clips = RawClips([raw_video], 3, 64, LeftOut())
    assert len(clips) == 2
    clip = clips.read(1)
    assert clip.shape == (72, 80, 9)
    frame = raw_frame(clips.videos[0], 3)
    np.testing.assert_array_equal(clip[..., :3], frame)
    luma = 0.2126 * frame[..., 0] + 0.7152 * frame[..., 1] + 0.0722 * frame[..., 2]
    inside = (frame > 0).all(2) & (frame < 255).all(2)
    assert inside.mean() > 0.5
    assert np.abs(luma - photo[3:75, 3:83, 1])[inside].max() < 1.5


@pytest.fixture
def small_flow(monkeypatch):
    """Scale-space flow with a few channels: its sizes are no arguments."""
    monkeypatch.setattr(video, "_NUM_INNER", 8)
    monkeypatch.setattr(video, "_NUM_LATENT", 12)
    monkeypatch.setattr(video._decoder, "__defaults__", (12,))
    monkeypatch.setattr(video, "LatentHyperprior", partial(LatentHyperprior, 12, 12))


@pytest.mark.usefixtures("small_flow")
@pytest.mark.parametrize(
    "kind", ["vimeo90k", "raw-video", pytest.param("video-folder", marks=pytest.mark.slow)]
)
def test_video_trains(kind, vimeo, raw_video, tiny):
    if kind == "video-folder":
        (vimeo / "sep_trainlist.txt").unlink()
    place = raw_video if kind == "raw-video" else vimeo
    settings = {**tiny, "data.train": str(place), "model.sizes": {}, "steps": 2, "batch": 1}
    config = load_recipe("ssf2020", {**settings, "validation.coded": 1})
    data = open_data(config, CPU, video=True)
    assert data.batches.get(0, 64).shape == (1, 9, 64, 64)
    result = run(config)
    (point,) = result.validation.points
    assert point.bpp > 0
    assert result.package is None
    assert "no package" in (result.output / "log.jsonl").read_text()
    # Nine strings of next to nothing, each with what a stream has beyond its symbols.
    assert 0 <= point.real_bpp - point.estimated_bpp < 0.05


def test_frames_of_video_are_pictures_too(vimeo, raw_video, tiny):
    for place in (vimeo, raw_video):
        config = load_recipe(RECIPE, {**tiny, "data.train": str(place)})
        assert open_data(config, CPU, video=False).batches.get(0, 64).shape == (2, 3, 64, 64)


def test_a_video_model_wants_video(pictures, tiny):
    with pytest.raises(ConfigError, match="holds pictures, and the model is for video"):
        run(load_recipe("ssf2020", {**tiny, "model.sizes": {}, "data.train": str(pictures)}))


def test_folders_through_links_count_once(photo, tmp_path):
    folder = write_pictures(tmp_path / "pictures", photo, 2)
    elsewhere = write_pictures(tmp_path / "elsewhere", photo, 3)
    (folder / "there").symlink_to(elsewhere)
    (folder / "again").symlink_to(elsewhere)
    (elsewhere / "round").symlink_to(folder)
    (folder / "gone.png").symlink_to(tmp_path / "nothing")
    (folder / "itself.png").symlink_to("itself.png")
    left_out = LeftOut()
    found = find_pictures([folder], 64, 1 << 28, left_out)
    assert [path.relative_to(folder).as_posix() for path in found.paths] == [
        "0.png", "1.png", "again/0.png", "again/1.png", "again/2.png",
    ]  # fmt: skip
    assert not left_out.counts


def test_names_with_line_ends_are_told_in_one_line(tmp_path, caplog):
    (tmp_path / "two\nlines.png").write_text("no picture")
    find_pictures([tmp_path], 64, 1 << 28, LeftOut())
    assert [record.getMessage().count("\n") for record in caplog.records] == [0]


def test_broken_pictures_are_not_split_off(pictures, tiny):
    for path in sorted(pictures.iterdir())[:5]:  # whole headers, half the pixels
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    left_out = LeftOut()
    found = find_pictures([pictures], 64, 1 << 28, left_out)
    rest, held = split_off(found, 24, 1)
    assert [path.name for path in held.paths] == ["5.png"]
    assert len(rest) == 5
    (pictures / "5.png").unlink()
    with pytest.raises(ValueError, match="none of the pictures can be read: 5 not readable left out"):
        run(load_recipe(RECIPE, tiny))


def test_pictures_that_cannot_be_read_keep_their_place_in_memory(pictures):
    broken = pictures / "2.png"
    broken.write_bytes(broken.read_bytes()[: broken.stat().st_size // 2])
    on_disk = find_pictures([pictures], 64, 1 << 28, LeftOut())
    kept = in_memory(on_disk, 1)
    assert [kept.read(k) is None for k in range(6)] == [k == 2 for k in range(6)]
    for order in ("shuffle", "area"):
        a, b = CropMaker(on_disk, 1, order), CropMaker(kept, 1, order)
        for number in range(12):
            np.testing.assert_array_equal(a.make(number, 64), b.make(number, 64))


def test_processes_share_the_crops_of_a_step_on_the_device(memory):
    whole = DeviceBatches(memory, 4, CPU, 1).get(3, 64)
    parts = [DeviceBatches(memory, 2, CPU, 1, rank=rank, world=2).get(3, 64) for rank in (0, 1)]
    assert torch.equal(torch.cat(parts), whole)


def test_shards_of_pictures_that_are_all_too_small_end(shards):
    pytest.importorskip("webdataset")
    batches = ShardBatches(ShardStream(expand_shards([shards]), 1, LeftOut()), 2, CPU, 1, 1)
    with pytest.raises(
        ValueError, match=r"a whole pass .* gave no picture .* smaller than the crop left out"
    ):
        batches.get(0, 4096)
    batches.close()


def test_pillow_neither_warns_nor_refuses_below_our_limit(monkeypatch, pictures):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    found = find_pictures([pictures], 64, 1 << 28, LeftOut())
    with only_our_limit():
        assert found.read(0) is not None
    assert Image.MAX_IMAGE_PIXELS == 1000
    assert find_pictures([pictures], 64, 1000, found.left_out).left_out.counts["above data.max_pixels"] == 6


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"data.tune": "empty"}, "nothing to validate on in data.tune=empty"),
        ({"loss.metric": "ms-ssim"}, "loss.metric=ms-ssim needs crop and validation.size of at least 161"),
    ],
)
def test_what_cannot_be_validated_is_said(tiny, tmp_path, monkeypatch, settings, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=said):
        run(load_recipe(RECIPE, tiny | settings))


def test_runs_among_the_pictures_are_none_of_them(tiny, tmp_path):
    """Their sheets would be trained on when they go on, in another order than before."""
    inside = tiny | {"output": str(tmp_path / "pictures" / "runs" / "first"), "validation.sheet": True}
    first = run(load_recipe(RECIPE, inside | {"steps": 2}))
    assert list((first.output / "sheets").glob("*.png"))
    folder = run(load_recipe(RECIPE, inside | {"steps": 4})).output
    texts = [json.loads(line).get("text", "") for line in (folder / "log.jsonl").read_text().splitlines()]
    (summary,) = {text for text in texts if "megapixels" in text}
    assert summary.startswith("5 pictures, ")
    whole = run(load_recipe(RECIPE, tiny | {"steps": 4})).output
    a, b = (torch.load(f / "model.pt", weights_only=True)["state_dict"] for f in (whole, folder))
    assert all(torch.equal(value, b[key]) for key, value in a.items())


@pytest.mark.parametrize("name", ["pictures.zip", "notes.txt"])
def test_a_file_that_is_no_picture_is_said(tiny, tmp_path, name):
    (tmp_path / name).write_bytes(b"PK")
    with pytest.raises(ConfigError, match=f"{name} is neither a folder nor a picture; of archives tar files"):
        run(load_recipe(RECIPE, tiny | {"data.train": str(tmp_path / name)}))
