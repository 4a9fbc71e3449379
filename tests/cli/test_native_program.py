"""The Python program and ``lcrs-codec``: equal bytes for equal pixels and points, and the way back.

JPEG files are left out: decoders of these round differently. The program is that which ``cargo test`` or
``cargo build`` has left in ``target``, or ``LCRS_CODEC``.
"""

from __future__ import annotations

import os
import struct
import subprocess
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngInfo

from lcrs import clouds, coding
from lcrs.cli import main
from lcrs.packages.shipped import WEIGHTS
from lcrs.pictures import to_picture

_BUILT = [Path(__file__).parents[2] / "target" / profile / "lcrs-codec" for profile in ("debug", "release")]


@pytest.fixture(scope="session")
def program() -> Path:
    named = os.environ.get("LCRS_CODEC")
    found = [Path(named)] if named else [path for path in _BUILT if path.is_file()]
    if not found:
        pytest.skip("lcrs-codec is not built: cargo build -p lcrs-codec, or set LCRS_CODEC")
    return max(found, key=lambda path: path.stat().st_mtime)


@pytest.fixture
def both(program: Path, tmp_path: Path, model_path: Path, capsys: pytest.CaptureFixture[str]):
    """Encodes with both programs, and returns what both wrote, which is the same."""

    def encode(source: Path, *options: str) -> bytes:
        files = tmp_path / "python.lcrs", tmp_path / "rust.lcrs"
        arguments = [["encode", str(source), "-o", str(file), "--force", *options] for file in files]
        assert main([*arguments[0], "--model", "tiny"]) == 0, capsys.readouterr().err
        done = run(program, *arguments[1], "--model", "tiny")
        assert done.returncode == 0, done.stderr
        assert files[0].read_bytes() == files[1].read_bytes()
        return files[1].read_bytes()

    return encode


def run(program: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(program), *map(str, arguments)], capture_output=True, text=True, timeout=120, check=False
    )


PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("plain.png", {}),
        ("profile.png", {"icc_profile": PROFILE, "dpi": (300, 301)}),
        ("damaged.png", {"icc_profile": PROFILE[:-9]}),
        ("junk.webp", {"lossless": True, "icc_profile": b"x" * 16 + b"RGB " + b"x" * 200}),
        ("plain.ppm", {}),
        ("plain.bmp", {"dpi": (96, 96)}),
        ("plain.tif", {"icc_profile": PROFILE}),
        ("packed.tif", {"compression": "tiff_lzw", "dpi": (240, 240)}),
        ("profile.webp", {"lossless": True, "icc_profile": PROFILE}),
    ],
)
def test_colors_in_lossless_files(both, tmp_path: Path, photo: np.ndarray, name: str, options: dict) -> None:
    path = tmp_path / name
    Image.fromarray(photo).save(path, **options)
    both(path)
    both(path, "-q", "12.5")


@pytest.mark.slow
def test_lossless_pictures(
    program: Path,
    tmp_path: Path,
    photo: np.ndarray,
    data_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Unasked, too: both choose the same."""
    monkeypatch.setenv("LCRS_MODEL_PATH", str(WEIGHTS))
    steps = np.arange(83)[:, None] // 9 * 20 + np.zeros(122, np.int64) + np.arange(122) // 30 * 5
    page = np.stack([steps, 255 - steps, steps // 2], 2).astype(np.uint8)
    Image.fromarray(page).save(tmp_path / "page.png", icc_profile=PROFILE, dpi=(300, 300))
    Image.fromarray(page[..., 0].astype(np.uint16) * 257).save(tmp_path / "deep.png")
    Image.fromarray(photo).save(tmp_path / "photo.png")
    files = [tmp_path / f"{who}.lcrs" for who in ("python", "rust")]
    for source, option, is_lossless in (
        (tmp_path / "page.png", "-q20", True),
        (tmp_path / "deep.png", "--force", True),
        (tmp_path / "photo.png", "--force", False),
        (tmp_path / "photo.png", "--lossless", True),
        (data_dir / "rgb16.png", "--lossless", True),
        (tmp_path / "page.png", "--no-lossless", False),
    ):
        arguments = [["encode", str(source), "-o", str(file), "--force", option] for file in files]
        assert main(arguments[0]) == 0, capsys.readouterr().err
        done = run(program, *arguments[1])
        assert done.returncode == 0, done.stderr
        assert files[0].read_bytes() == files[1].read_bytes()
        assert coding.info(files[1].read_bytes())["lossless"] is is_lossless
    assert run(program, "encode", tmp_path / "page.png", "-o", files[1], "--force").returncode == 0
    targets = [tmp_path / f"{who}.png" for who in ("python", "rust")]
    assert main(["decode", str(files[1]), "-o", str(targets[0])]) == 0
    assert run(program, "decode", files[1], "-o", targets[1]).returncode == 0
    for target in targets:
        with Image.open(target) as image:
            np.testing.assert_array_equal(np.asarray(image), page)
            assert image.info["icc_profile"] == PROFILE


def test_grey_deep_and_palette(both, tmp_path: Path, photo: np.ndarray, data_dir: Path) -> None:
    pictures = {
        "grey.png": Image.fromarray(photo[..., 0].copy()),
        "deep.png": Image.fromarray(photo[..., 0].astype(np.uint16) * 257 + 3),
        "deep.tif": Image.fromarray(photo[..., 0].astype(np.uint16) * 200 + 7),
        "bits.png": Image.fromarray(photo[..., 0].copy()).convert("1"),
        "palette.png": Image.fromarray(photo).quantize(50),
    }
    for name, image in pictures.items():
        image.save(tmp_path / name)
        both(tmp_path / name)
        both(tmp_path / name, "--to-8bit")
    both(data_dir / "rgb16.png", "--to-8bit")
    both(data_dir / "rgb16.png")


def mostly_slow(cases: list[tuple], is_quick: Callable[[tuple], bool]) -> list:
    """All cases, but for a few marked as slow."""
    return [pytest.param(*case, marks=[pytest.mark.slow] * (not is_quick(case))) for case in cases]


WHITES = [1, 15, 100, 254, 255, 511, 1000, 1023, 4095, 32767, 65534, 65535]
HEADERS = ["P5", "P6\n# white is", "P2", "P3"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("header", "largest"),
    mostly_slow(
        [(header, largest) for header in HEADERS for largest in WHITES],
        # all in one form; in the others one of each number of bits, as they are and to be scaled
        lambda case: case[0] == "P5" or case[1] in (100, 255, 1000, 65535),
    ),
)
def test_any_number_may_be_white(
    both, tmp_path: Path, rng: np.random.Generator, header: str, largest: int
) -> None:
    shape = (48, 64, 3) if header[1] in "63" else (48, 64)
    pixels = rng.integers(0, largest, shape, endpoint=True)
    path = tmp_path / ("white.ppm" if len(shape) == 3 else "white.pgm")
    if header[1] in "23":
        body = " ".join(map(str, pixels.ravel())).encode()
    else:
        body = pixels.astype("u1" if largest < 256 else ">u2").tobytes()
    path.write_bytes(f"{header}\n64 48\n{largest}\n".encode() + body)
    both(path)
    both(path, "--to-8bit")


@pytest.mark.slow
@pytest.mark.parametrize("background", ["white", "#102030", "#888"])
@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparency(both, tmp_path: Path, photo: np.ndarray, mode: str, background: str) -> None:
    image = Image.fromarray(photo).convert(mode)
    both_opaque = tmp_path / "opaque.png"
    image.save(both_opaque)
    both(both_opaque)
    image.putalpha(Image.fromarray(photo[..., 1].copy()))
    image.save(tmp_path / "alpha.png")
    both(tmp_path / "alpha.png", "--background", background)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("ending", "orientation"),
    mostly_slow(
        [(ending, orientation) for ending in ("png", "webp") for orientation in range(1, 9)],
        lambda case: case[0] == "png" or case[1] in (1, 6),
    ),
)
def test_orientation_and_exif(both, tmp_path: Path, photo: np.ndarray, ending: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F] = "A camera"
    exif.get_ifd(0x8769)[0xA002] = photo.shape[1]
    exif.get_ifd(0x8769)[0xA003] = photo.shape[0]
    path = tmp_path / f"turned.{ending}"
    Image.fromarray(photo).save(path, exif=exif, lossless=True)
    both(path)
    both(path, "--keep-exif")


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["png", "webp", "tif"])
@pytest.mark.parametrize("form", ['tiff:Orientation="6"', "<tiff:Orientation>8<", 'tiff:Orientation="9"'])
def test_orientation_in_xmp_counts_where_exif_says_nothing(
    both, tmp_path: Path, photo: np.ndarray, ending: str, form: str
) -> None:
    packet, path = f"<x:xmpmeta>{form}</x:xmpmeta>".encode(), tmp_path / f"turned.{ending}"
    info = PngInfo()
    info.add_itxt("XML:com.adobe.xmp", packet.decode())
    tags = {700: packet}
    options = {"png": {"pnginfo": info}, "webp": {"xmp": packet, "lossless": True}, "tif": {"tiffinfo": tags}}
    Image.fromarray(photo).save(path, **options[ending])
    height, width = photo.shape[:2]
    shape = coding.info(both(path))["shape"]
    assert shape == ([height, width, 3] if "9" in form else [width, height, 3])


def test_what_is_left_out_is_named(
    program: Path, tmp_path: Path, photo: np.ndarray, model_path: Path
) -> None:
    exif, path = Image.Exif(), tmp_path / "a.webp"
    exif[0x010F] = "A camera"
    Image.fromarray(photo).save(path, exif=exif, xmp=b"<x:xmpmeta/>", lossless=True)
    done = run(program, "encode", path, "-o", tmp_path / "a.lcrs", "--model", "tiny")
    assert (done.returncode, done.stderr.count("\n")) == (0, 1)
    assert "not kept: EXIF (--keep-exif keeps it), XMP (lcrs encode --keep-metadata keeps it)" in done.stderr


P3 = (31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("chunks", "kept"),
    [
        ({b"gAMA": (100_000,)}, {"gamma": 100_000}),
        ({b"gAMA": (45_455,)}, {}),
        ({b"gAMA": (45_455,), b"cHRM": P3}, {"gamma": 45_455, "chromaticities": P3}),
        ({b"cHRM": P3}, {"chromaticities": P3}),
        ({b"sRGB": b"\1", b"gAMA": (45_455,), b"cHRM": P3}, {}),
        ({b"cICP": b"\x0c\x0d\0\1", b"gAMA": (100_000,)}, {"cicp": (12, 13, 0, True)}),
        ({b"cICP": b"\1\x0d\0\1", b"gAMA": (100_000,)}, {}),
        ({b"cICP": b"\x09\x10\0\0"}, {"cicp": (9, 16, 0, False)}),
    ],
)
def test_colors_that_png_files_say_in_numbers(
    both, program: Path, tmp_path: Path, photo: np.ndarray, chunks: dict, kept: dict
) -> None:
    def chunk(name: bytes, value: bytes | tuple[int, ...]) -> bytes:
        data = value if isinstance(value, bytes) else struct.pack(f">{len(value)}I", *value)
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    plain, source = tmp_path / "plain.png", tmp_path / "in.png"
    Image.fromarray(photo).save(plain)
    data = plain.read_bytes()
    source.write_bytes(data[:33] + b"".join(chunk(*item) for item in chunks.items()) + data[33:])
    file = tmp_path / "a.lcrs"
    file.write_bytes(both(source))
    found = coding.metadata(file.read_bytes())
    assert {name: found[name] for name in ("gamma", "chromaticities", "cicp") if found[name]} == kept
    outputs = [tmp_path / f"{who}.png" for who in ("python", "rust")]
    assert main(["decode", str(file), "-o", str(outputs[0])]) == 0
    assert run(program, "decode", file, "-o", outputs[1]).returncode == 0
    for output in outputs:
        picture = to_picture(output)
        assert {name: getattr(picture, name) for name in kept} == kept


def test_decoded_pixels(both, program: Path, tmp_path: Path, photo: np.ndarray) -> None:
    source, file = tmp_path / "in.png", tmp_path / "a.lcrs"
    for pixels in (photo, photo[..., 0].copy(), photo[..., 0].astype(np.uint16) * 257):
        Image.fromarray(pixels).save(source)
        file.write_bytes(both(source))
        for ending in ("png", "tif", "ppm" if pixels.ndim == 3 else "pgm"):
            targets = [tmp_path / f"{who}.{ending}" for who in ("python", "rust")]
            assert main(["decode", str(file), "-o", str(targets[0]), "--force"]) == 0
            done = run(program, "decode", file, "-o", targets[1], "--force")
            assert done.returncode == 0, done.stderr
            with Image.open(targets[0]) as first, Image.open(targets[1]) as second:
                assert first.mode == second.mode
                np.testing.assert_array_equal(np.asarray(first), np.asarray(second))


CLOUD_MODEL = Path(__file__).parents[1] / "golden" / "clouds" / "tiny-cloud.lcrm"


OPTIONS = [(), ("--keep-duplicates",), ("--bits", "4", "--drop", "nx"), ("--voxel", "0.5")]
ENCODINGS = clouds.ENCODINGS["ply"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("encoding", "options"),
    mostly_slow(
        [(encoding, options) for encoding in ENCODINGS for options in OPTIONS],
        lambda case: case[0] == ENCODINGS[0] or case[1] == OPTIONS[0],
    ),
)
def test_points(
    program: Path,
    tmp_path: Path,
    rng: np.random.Generator,
    capsys: pytest.CaptureFixture[str],
    encoding: str,
    options: tuple[str, ...],
) -> None:
    positions = (rng.integers(-60, 60, (150, 3)) / 100).astype(np.float32)
    positions[140:] = positions[:10]
    properties = {
        "nx": rng.normal(size=150).astype(np.float32),
        "red": rng.integers(0, 256, 150).astype(np.uint8),
        "time": rng.random(150),
        "label": rng.integers(-(2**31), 2**31, 150).astype(np.int32),
    }
    source = tmp_path / "in.ply"
    clouds.write(source, clouds.Cloud(positions, properties, ("by hand",)), encoding=encoding)
    if encoding != "ascii":  # lines of the header alone end in another way
        head, end, body = source.read_bytes().partition(b"end_header\n")
        source.write_bytes((head + end).replace(b"\n", b"\r") + body)
    files = [tmp_path / f"{who}.lcrs" for who in ("python", "rust")]
    arguments = [
        ["encode", str(source), "-o", str(file), *options, "--model", str(CLOUD_MODEL)] for file in files
    ]
    assert main(arguments[0]) == 0, capsys.readouterr().err
    done = run(program, *arguments[1])
    assert done.returncode == 0, done.stderr
    assert files[0].read_bytes() == files[1].read_bytes()
    targets = [tmp_path / f"{who}.ply" for who in ("python", "rust")]
    for file, target, decode in zip(
        files[::-1], targets, (main, lambda words: run(program, *words).returncode), strict=True
    ):
        assert decode(["decode", str(file), "-o", str(target), "--model", str(CLOUD_MODEL)]) == 0
    assert targets[0].read_bytes() == targets[1].read_bytes()


def test_refusals_are_those_of_python(
    program: Path, tmp_path: Path, photo: np.ndarray, model_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = Image.fromarray(photo).convert("RGBA")
    image.putalpha(7)
    image.save(tmp_path / "alpha.png")
    Image.fromarray(photo).convert("CMYK").save(tmp_path / "inks.tif")
    pages = [Image.fromarray(photo), Image.fromarray(photo)]
    pages[0].save(tmp_path / "pages.tif", save_all=True, append_images=pages[1:])
    pages[0].save(tmp_path / "moves.webp", save_all=True, append_images=[Image.fromarray(255 - photo)])
    (tmp_path / "empty.png").write_bytes(b"")
    target = tmp_path / "out.lcrs"
    for name, words in {
        "alpha.png": "--background white",
        "inks.tif": "CMYK",
        "pages.tif": "2 frames",
        "moves.webp": "2 frames",
        "empty.png": "0 bytes",
        "missing.png": "No such file",
    }.items():
        arguments = ["encode", str(tmp_path / name), "-o", str(target), "--model", "tiny"]
        done = run(program, *arguments)
        code = main(arguments)
        said = capsys.readouterr().err
        assert (done.returncode, code) == (1, 1), (done.stderr, said)
        for text in (done.stderr, said):
            assert name in text, text
            assert words in text, text
            assert text.count("\n") == 1
    assert not target.exists()
