"""Files that are no pictures, too large, or hold several: one line names them before anything is decoded."""

from __future__ import annotations

import contextlib
import io
import struct
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms
from raw_files import png, psd, tiff

from lcrs.pictures import PictureError, to_picture
from lcrs.pictures.opening import open_image

PIXELS = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)

NO_PICTURES = {
    "empty.png": (b"", "is empty: it has 0 bytes"),
    "text.png": (b"hello there\n", "is of no format that Pillow knows"),
    "photo.lcrs": (b"\x8cLCS\1" + bytes(60), r"is an \.lcrs file already"),
    "broken.png": (b"\x89PNG\r\n\x1a\n" + bytes(40), "is PNG, but damaged"),
    "floats.tif": (tiff(PIXELS.astype(np.float32)), "is TIFF, but damaged or of a kind"),
    "page.pdf": (b"%PDF-1.4\n", "is PDF, but damaged or of a kind"),
    "photo.jxl": (b"\xff\x0a" + bytes(60), "is JPEG XL, which Pillow reads with a plugin: pip install"),
}  # fmt: skip


@pytest.mark.parametrize("name", NO_PICTURES)
def test_what_is_no_picture_is_named(name: str, tmp_path: Path) -> None:
    data, words = NO_PICTURES[name]
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(PictureError, match=words) as caught:
        to_picture(path)
    assert str(caught.value).startswith(f"{path}: image ")
    with pytest.raises(PictureError, match=words), path.open("rb") as file:
        to_picture(file)
    with pytest.raises(PictureError, match=words):
        to_picture(data)


def test_heic_is_read_with_its_plugin_or_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    head = b"\0\0\0\x18ftypheic" + bytes(60)
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(PictureError, match=r"is HEIC, which .* plugin: pip install pillow-heif"):
        to_picture(head)


def test_missing_files_and_folders_are_errors_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        to_picture(tmp_path / "nothing.png")
    with pytest.raises(IsADirectoryError):
        to_picture(tmp_path)


def bomb(side: int) -> bytes:
    """A PNG file of a few bytes that announces ``side`` x ``side`` pixels."""
    whole = bytearray(png(PIXELS))
    whole[16:24] = struct.pack(">II", side, side)
    whole[29:33] = struct.pack(">I", zlib.crc32(bytes(whole[12:29])))
    return bytes(whole)


def test_large_pictures_are_refused_by_their_header(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    monkeypatch.setattr(Image.core, "new", lambda *_: pytest.fail("pixels were made room for"))
    words = r"has 20000 x 20000 pixels, 268435456 are allowed: pass max_pixels=400000000"
    with pytest.raises(PictureError, match=words) as caught:
        to_picture(bomb(20_000))
    assert "--max-pixels 400000000" in caught.value.for_command_line()
    with pytest.raises(PictureError, match="claims 2147483647 x 2147483647 pixels, more than") as caught:
        to_picture(bomb(2**31 - 1))
    assert "max" not in caught.value.for_command_line()  # no advice that nobody can follow
    with pytest.raises(PictureError, match="6 x 4 pixels, 23 are allowed"):
        open_image(png(PIXELS), max_pixels=23)
    assert open_image(png(PIXELS), max_pixels=24).size == (6, 4)


def test_pillows_own_limit_is_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    with pytest.raises(PictureError, match=r"too large.*PIL\.Image\.MAX_IMAGE_PIXELS = 10"):
        to_picture(png(PIXELS))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 20)  # only a warning, which is an error in these tests
    with pytest.raises(PictureError, match="too large"):
        to_picture(png(PIXELS))


def test_every_page_counts_for_the_limit() -> None:
    buffer = io.BytesIO()
    Image.new("L", (2, 2)).save(buffer, "TIFF", save_all=True, append_images=[Image.new("L", (40, 40))])
    assert to_picture(buffer.getvalue(), frame=0, max_pixels=100).size == (2, 2)
    with pytest.raises(PictureError, match="40 x 40 pixels, 100 are allowed"):
        to_picture(buffer.getvalue(), frame=1, max_pixels=100)


@pytest.mark.parametrize("format", ["GIF", "PNG", "WEBP", "TIFF"])
def test_frames_are_taken_by_their_number(format: str, tmp_path: Path) -> None:
    frames = [Image.fromarray(np.full((5, 7, 3), 60 * i, np.uint8)) for i in range(3)]
    path = tmp_path / "moving"
    frames[0].save(path, format, save_all=True, append_images=frames[1:], lossless=True)
    with pytest.raises(PictureError) as caught:
        to_picture(path)
    assert caught.value.for_command_line() == (
        f"{path}: image has 3 frames, one is needed: --frame 0 to take the first"
    )
    for i in (2, 0, 1):
        shown = np.asarray(to_picture(path, frame=i).to_pillow().convert("RGB"))
        np.testing.assert_array_equal(shown, np.full((5, 7, 3), 60 * i))


def test_layers_follow_the_merged_picture(rng: np.random.Generator) -> None:
    merged, below, above = rng.integers(0, 256, (3, 5, 7, 3), dtype=np.uint8)
    above = np.dstack([above, np.full((5, 7), 255, np.uint8)])
    data = psd(merged, (0, 0, below), (1, -2, above))
    np.testing.assert_array_equal(to_picture(data).pixels, merged)
    image = Image.open(io.BytesIO(data))
    for source in (data, image):
        np.testing.assert_array_equal(to_picture(source, frame=1).pixels, below)
        with pytest.raises(PictureError, match="transparent parts"):
            to_picture(source, frame=2)
        pixels = to_picture(source, frame=2, background="white").pixels
        np.testing.assert_array_equal(pixels[1:, :5], above[:4, 2:, :3])
        assert (pixels[0] == 255).all()
        assert (pixels[:, 5:] == 255).all()
        with pytest.raises(PictureError, match="image has 3 frames, 3 is none of them"):
            to_picture(source, frame=3)
        np.testing.assert_array_equal(to_picture(source, frame=0).pixels, merged)
    np.testing.assert_array_equal(to_picture(psd(merged), frame=0).pixels, merged)
    for at in range(26, len(data)):  # of any damage nothing worse comes than an error
        damaged = bytearray(data)
        damaged[at] ^= 0x90
        with contextlib.suppress(PictureError):
            to_picture(bytes(damaged), frame=2, background="white")


class _Pipe(io.RawIOBase):
    """A stream that cannot go back, of some bytes and then of others for ever."""

    def __init__(self, data: bytes, rest: bytes = b"") -> None:
        self.data, self.rest, self.num_read = io.BytesIO(data), rest, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:
        data = self.data.read(min(len(buffer), 1000)) or (self.rest * len(buffer))[: len(buffer)]
        buffer[: len(data)] = data
        self.num_read += len(data)
        return len(data)


@pytest.mark.parametrize("format", ["PNG", "JPEG", "TGA", "TIFF", "PCX"])
def test_pictures_come_through_pipes(format: str, rng: np.random.Generator) -> None:
    image = Image.fromarray(rng.integers(0, 256, (190, 170, 3), dtype=np.uint8))
    buffer = io.BytesIO()
    image.save(buffer, format)
    assert len(buffer.getvalue()) > 1 << 14
    np.testing.assert_array_equal(
        to_picture(_Pipe(buffer.getvalue())).pixels, to_picture(buffer.getvalue()).pixels
    )


@pytest.mark.parametrize("rest", [b"\0", b"\x93", b"some words\n"])
def test_what_is_no_picture_is_refused_by_its_beginning(rest: bytes) -> None:
    pipe = _Pipe(b"", rest)
    with pytest.raises(PictureError, match="of no format that Pillow knows"):
        to_picture(pipe)
    assert pipe.num_read < 1 << 20


def test_reduced_copies_in_a_tiff_file_do_not_count() -> None:
    buffer = io.BytesIO()
    small = Image.new("RGB", (2, 2))
    small.encoderinfo = {"tiffinfo": {254: 1}}
    Image.fromarray(PIXELS).save(buffer, "TIFF", save_all=True, append_images=[small])
    pages = Image.open(buffer)
    pages.seek(1)
    if 254 not in pages.tag_v2:
        pytest.skip("this version of Pillow writes no kind of page")
    assert to_picture(buffer.getvalue()).size == (4, 6)


@pytest.mark.parametrize("tags", [{"t50706": 1}, {"t254": 1, "t330": 8}])
def test_raw_files_of_cameras_are_not_their_previews(tags: dict[str, int]) -> None:
    with pytest.raises(PictureError, match="camera's raw file"):
        to_picture(tiff(PIXELS, **tags))


def cmyk_profile() -> bytes:
    """Inks that are nothing but what they leave of the light: a table of two points a side."""
    inks = np.array(list(np.ndindex(2, 2, 2, 2)), float)
    light = (1 - inks[:, :3]) * (1 - inks[:, 3:])
    lightness = np.rint(light.mean(axis=1) * 255)
    lab = np.stack([lightness, np.full(16, 128), np.full(16, 128)], axis=1).astype(np.uint8)
    identity = bytes(range(256))
    matrix = struct.pack(">9i", *[65536 if i % 4 == 0 else 0 for i in range(9)])
    table = b"mft1" + bytes(4) + bytes([4, 3, 2, 0]) + matrix + identity * 4 + lab.tobytes() + identity * 3
    text = b"desc" + bytes(4) + struct.pack(">I", 5) + b"inks\0" + bytes(78)
    white = b"XYZ " + bytes(4) + struct.pack(">3i", 63190, 65536, 54061)
    tags = {b"desc": text, b"wtpt": white, b"A2B0": table}
    start, body, directory = 128 + 4 + 12 * len(tags), b"", struct.pack(">I", len(tags))
    for name, data in tags.items():
        directory += name + struct.pack(">II", start + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    head = struct.pack(">I4sI4s4s4s", start + len(body), bytes(4), 0x02400000, b"prtr", b"CMYK", b"Lab ")
    head += struct.pack(">6H4s", 2020, 1, 1, 0, 0, 0, b"acsp") + bytes(28) + white[8:]
    return head.ljust(128, b"\0") + directory + body


class TestPrint:
    def test_is_converted_by_its_profile_when_asked(self) -> None:
        inks = np.zeros((4, 6, 4), np.uint8)
        inks[:, 3:, 3] = 255
        buffer = io.BytesIO()
        Image.frombytes("CMYK", (6, 4), inks.tobytes()).save(buffer, "TIFF", icc_profile=cmyk_profile())
        with pytest.raises(PictureError, match=r"is CMYK.*: pass to_srgb=True to convert it by its profile"):
            to_picture(buffer.getvalue())
        picture = to_picture(buffer.getvalue(), to_srgb=True)
        assert (picture.icc, picture.losses) == (None, ())
        assert picture.pixels[:, :3].min() >= 253
        assert picture.pixels[:, 3:].max() <= 2

    def test_without_a_profile_is_refused_with_advice(self) -> None:
        buffer = io.BytesIO()
        Image.new("CMYK", (6, 4)).save(buffer, "JPEG")
        for to_srgb in (False, True):
            with pytest.raises(PictureError, match=r"without a profile.*convert it to RGB with a program"):
                to_picture(buffer.getvalue(), to_srgb=to_srgb)

    def test_lab_needs_no_profile(self) -> None:
        srgb, lab = (ImageCms.createProfile(name) for name in ("sRGB", "LAB"))
        grey = Image.new("RGB", (6, 4), (119, 119, 119))
        image = ImageCms.profileToProfile(grey, srgb, lab, outputMode="LAB")
        assert np.abs(to_picture(image, to_srgb=True).pixels.astype(int) - 119).max() <= 1


def test_wide_colours_keep_their_profile_or_become_srgb() -> None:
    from lcrs.pictures.color import profile_of
    from lcrs.pictures.picture import Metadata

    wide = profile_of(Metadata(cicp=(12, 13, 0, True)))
    image = Image.new("RGB", (6, 4), (200, 100, 100))
    image.info["icc_profile"] = wide
    assert to_picture(image).icc == wide
    picture = to_picture(image, to_srgb=True)
    assert picture.metadata() == {}
    red, green, blue = picture.pixels[0, 0].tolist()
    assert red > 205
    assert green < 99
    assert abs(blue - 98) < 6
    deep = np.full((4, 6, 3), 40_000, np.uint16)
    code = struct.pack(">I", 4) + b"cICP" + bytes([12, 13, 0, 1])
    code += struct.pack(">I", zlib.crc32(code[4:]))
    with pytest.raises(PictureError, match=r"deep components: pass to_8bit=True as well"):
        to_picture(png(deep, code), to_srgb=True)
    assert to_picture(png(deep, code), to_srgb=True, to_8bit=True).cicp is None
    with pytest.raises(PictureError, match="PQ or HLG"):
        to_picture(png(PIXELS, code.replace(bytes([12, 13]), bytes([9, 16]))[:-4] + crc(9, 16)), to_srgb=True)


def crc(primaries: int, transfer: int) -> bytes:
    return struct.pack(">I", zlib.crc32(b"cICP" + bytes([primaries, transfer, 0, 1])))


def test_damaged_profiles_are_named() -> None:
    image = Image.fromarray(PIXELS)
    image.info["icc_profile"] = b"x" * 16 + b"RGB " + b"x" * 120
    with pytest.raises(PictureError, match="damaged colour profile"):
        to_picture(image, to_srgb=True)


def test_errors_survive_the_way_between_processes() -> None:
    import pickle

    error = PictureError("image has 2 frames", "frame", 0, "to take the first")
    again = pickle.loads(pickle.dumps(error))
    assert str(again) == str(error) == "image has 2 frames: pass frame=0 to take the first"
    assert again.for_command_line() == "image has 2 frames: --frame 0 to take the first"


def test_what_needs_too_many_bytes_is_refused_by_its_header(tmp_path: Path) -> None:
    for mode, channels in (("RGB", 3), ("L", 1)):
        path = tmp_path / f"{mode}.png"
        Image.new(mode, (40, 30)).save(path)
        least = 2 * 40 * 30 * channels
        assert to_picture(path, max_bytes=least).size == (30, 40)
        words = (
            rf"40 x 30 pixels, for which {least - 1} bytes are too few: pass max_bytes={3 * least} or more"
        )
        path.write_bytes(path.read_bytes()[:50])  # its pixels are not even looked for
        with pytest.raises(PictureError, match=words):
            to_picture(path, max_bytes=least - 1)
