"""EXIF, XMP, IPTC, resolution and colours: what a picture's file says reaches the files that are written."""

from __future__ import annotations

import io
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms
from raw_files import chunk, png

from lcrs.pictures import Picture, to_picture
from lcrs.pictures.color import profile_of
from lcrs.pictures.exif import add_to_tiff, from_tiff, upright, upright_xmp, with_resolution
from lcrs.pictures.files import picture_file
from lcrs.pictures.ifd import Directory, Entry, TiffBlock, build, with_entries

PIXELS = np.arange(6 * 10 * 3, dtype=np.uint8).reshape(6, 10, 3)
XMP = (
    b"<?xpacket begin='' id='W5M0MpCehiHzreSzNTczkc9d'?><x:xmpmeta xmlns:x='adobe:ns:meta/'>"
    b"<rdf:Description tiff:Orientation='6'/><tiff:Orientation>6</tiff:Orientation></x:xmpmeta>"
)
IPTC = b"\x1c\x02\x50\0\x06author"
ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def photo_exif(order: str = ">", orientation: int = 6) -> bytes:
    """As phones write it: directories for camera and place, a note that only the maker reads, a thumbnail."""
    pack = lambda code, *values: struct.pack(order + code, *values)  # noqa: E731

    def below(*entries: Entry) -> Directory:
        return Directory({entry.tag: entry for entry in entries})

    camera = below(
        Entry(0x829A, 5, 1, pack("II", 1, 125), order),
        Entry(0x927C, 7, 9, b"maker\0\1\2\3", order),
        Entry(0xA002, 4, 1, pack("I", 10), order),
        Entry(0xA003, 4, 1, pack("I", 6), order),
        Entry(0xA005, 4, 1, b"", order, below=below(Entry(1, 2, 4, b"R98\0", order))),
    )
    place = below(
        Entry(1, 2, 2, b"N\0", order),
        Entry(2, 5, 3, pack("6I", 48, 1, 8, 1, 30, 1), order),
    )
    entries = [
        Entry(0x010F, 2, 5, b"ACME\0", order),
        Entry(0x0112, 3, 1, pack("H", orientation), order),
        Entry(0x011A, 5, 1, pack("II", 300, 1), order),
        Entry(0x011B, 5, 1, pack("II", 300, 1), order),
        Entry(0x0128, 3, 1, pack("H", 2), order),
        Entry(0x8769, 4, 1, b"", order, below=camera),
        Entry(0x8825, 4, 1, b"", order, below=place),
    ]
    block = bytearray(build(entries, order))
    link = TiffBlock(bytes(block)).first.next_at
    thumbnail = pack("H", 1) + pack("HHI", 0x0103, 3, 1) + pack("HH", 6, 0) + bytes(4)
    block[link : link + 4] = pack("I", len(block))
    return bytes(block) + thumbnail


def check_photo_exif(exif: Image.Exif) -> None:
    assert exif[0x010F] == "ACME"
    assert exif.get(0x0112, 1) == 1
    camera, place = exif.get_ifd(0x8769), exif.get_ifd(0x8825)
    assert camera[0x829A] == 1 / 125
    assert camera[0x927C] == b"maker\0\1\2\3"
    assert (camera[0xA002], camera[0xA003]) == (6, 10)  # as the picture is now
    assert place[1] == "N"
    assert [float(number) for number in place[2]] == [48, 8, 30]


def segment(marker: int, data: bytes) -> bytes:
    """Of a JPEG file."""
    return bytes([0xFF, marker]) + struct.pack(">H", len(data) + 2) + data


def xmp_segment(packet: bytes) -> bytes:
    return segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + packet)


@pytest.fixture(params=[">", "<"])
def photo(request: pytest.FixtureRequest) -> Picture:
    """Of a JPEG file that lies on its side and says all that there is to say."""
    buffer = io.BytesIO()
    resources = b"8BIM\x04\x04\0\0" + struct.pack(">I", len(IPTC)) + IPTC + bytes(len(IPTC) % 2)
    Image.fromarray(PIXELS).save(
        buffer, "JPEG", quality=95, exif=b"Exif\0\0" + photo_exif(request.param), icc_profile=ICC,
        dpi=(300, 150), extra=xmp_segment(XMP) + segment(0xED, b"Photoshop 3.0\0" + resources),
    )  # fmt: skip
    return to_picture(buffer.getvalue())


def test_all_of_it_is_read(photo: Picture) -> None:
    assert photo.size == (10, 6)
    assert (photo.icc, photo.iptc, photo.resolution, photo.losses) == (ICC, IPTC, (300, 150), ())
    assert photo.xmp == XMP.replace(b"'6'", b"'1'").replace(b">6<", b">1<")
    exif = Image.Exif()
    exif.load(photo.exif)
    check_photo_exif(exif)
    block = TiffBlock(photo.exif)
    link = block.first.next_at
    assert block.data[link : link + 4] == bytes(4)  # the thumbnail lies on its side


PLACES = {
    ".png": (),
    ".jpg": (),
    ".tif": (),
    ".webp": ("IPTC",),
    ".jp2": (),
    ".avif": ("IPTC",),
    ".bmp": ("the colour profile", "EXIF", "XMP", "IPTC"),
    ".ppm": ("the colour profile", "EXIF", "XMP", "IPTC", "the resolution"),
}


@pytest.mark.parametrize("extension", PLACES)
def test_all_of_it_is_written_or_named(extension: str, photo: Picture, tmp_path: Path) -> None:
    if extension == ".avif":
        pytest.importorskip("PIL._avif")
    data, lost = picture_file(photo, extension)
    assert tuple(lost) == PLACES[extension]
    path = tmp_path / f"a{extension}"
    path.write_bytes(data)
    with Image.open(path) as image:
        assert image.size == (6, 10)
        if "EXIF" not in lost and extension != ".jp2":  # of whose boxes Pillow reads none
            check_photo_exif(image.getexif())
            assert image.info["icc_profile"] == ICC
            xmp = image.info.get("xmp") or image.info["XML:com.adobe.xmp"].encode()
            assert xmp == photo.xmp
        if extension not in (".webp", ".avif", ".ppm"):
            assert image.info["dpi"] == pytest.approx((300, 150), abs=0.02)
    again = to_picture(path)
    for kind, words in {"icc": "the colour profile", "exif": "EXIF", "xmp": "XMP", "iptc": "IPTC"}.items():
        assert (getattr(again, kind) is None) == (words in lost)
    if extension == ".jp2":
        assert (again.icc, again.exif, again.xmp, again.iptc) == (ICC, photo.exif, photo.xmp, IPTC)
    if extension != ".tif" and "EXIF" not in lost:
        assert again.exif in (photo.exif, again.exif if extension == ".avif" else None)
    if extension == ".tif":
        assert again.iptc == photo.iptc


def test_jpeg_has_the_header_that_readers_look_for(photo: Picture) -> None:
    data, _ = picture_file(photo, ".jpg")
    at = data.index(b"\xff\xe1")
    assert data[at + 4 : at + 10] == b"Exif\0\0"
    assert data[at + 10 :].startswith(photo.exif)
    assert (
        b"\xff\xed" + struct.pack(">H", 2 + 14 + 12 + len(IPTC) + len(IPTC) % 2) + b"Photoshop 3.0\0" in data
    )


@pytest.mark.parametrize("extension", [".webp", ".avif"])
def test_formats_without_a_resolution_get_it_as_exif(extension: str) -> None:
    if extension == ".avif":
        pytest.importorskip("PIL._avif")
    picture = Picture(PIXELS.tobytes(), (6, 10), resolution=(299.5, 72.0))
    data, lost = picture_file(picture, extension)
    assert lost == []
    assert to_picture(data).resolution == pytest.approx((299.5, 72))
    assert to_picture(data).exif is not None
    kept = replace(picture, exif=build([Entry(0x010F, 2, 5, b"ACME\0", ">")], ">"))
    again = to_picture(picture_file(kept, extension)[0])
    assert again.resolution == pytest.approx((299.5, 72))
    assert TiffBlock(again.exif).first.entries[0x010F].data == b"ACME\0"


def test_tiff_keeps_what_its_main_directory_says(photo: Picture, tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    path.write_bytes(picture_file(photo, ".tif")[0])
    for source in (path, path.read_bytes(), Image.open(path), Image.open(io.BytesIO(path.read_bytes()))):
        again = to_picture(source)
        exif = Image.Exif()
        exif.load(again.exif)
        check_photo_exif(exif)
        assert (again.xmp, again.iptc, again.icc) == (photo.xmp, photo.iptc, photo.icc)
    image = Image.open(io.BytesIO(path.read_bytes()))
    image.load()
    image.fp = None
    assert to_picture(image).losses == ("what the TIFF file says of the photo: it is closed",)


def test_tiff_that_lies_on_its_side_stands_up() -> None:
    buffer = io.BytesIO()
    Image.fromarray(PIXELS).save(buffer, "TIFF")
    upright_file = add_to_tiff(buffer.getvalue(), photo_exif("<"))
    assert to_picture(upright_file).size == (6, 10)
    data = with_entries(TiffBlock(upright_file), [Entry(0x0112, 3, 1, b"\6\0", "<")])
    picture = to_picture(data)
    np.testing.assert_array_equal(picture.pixels, np.rot90(PIXELS, -1))
    exif = Image.Exif()
    exif.load(picture.exif)
    check_photo_exif(exif)


def test_png_keeps_what_it_says_of_colours() -> None:
    code = chunk(b"cICP", bytes([12, 13, 0, 1]))
    gamma = chunk(b"gAMA", struct.pack(">I", 100_000))
    corners = (31_270, 32_900, 68_000, 32_000, 26_500, 69_000, 15_000, 6_000)
    chromaticities = chunk(b"cHRM", struct.pack(">8I", *corners))
    picture = to_picture(png(PIXELS, code))
    assert (picture.cicp, picture.icc, picture.gamma) == ((12, 13, 0, True), None, None)
    assert to_picture(picture_file(picture, ".png")[0]).cicp == picture.cicp
    picture = to_picture(png(PIXELS, gamma, chromaticities))
    assert (picture.gamma, picture.chromaticities) == (100_000, corners)
    again = to_picture(picture_file(picture, ".png")[0])
    assert (again.gamma, again.chromaticities) == (100_000, corners)
    # What is more exact comes first, and what says sRGB says nothing.
    assert to_picture(png(PIXELS, code, gamma)).gamma is None
    usual = chunk(b"gAMA", struct.pack(">I", 45_455))
    for chunks in ([usual], [chunk(b"sRGB", b"\0"), gamma], [chunk(b"cICP", bytes([1, 13, 0, 1])), gamma]):
        assert to_picture(png(PIXELS, *chunks)).metadata() == {}


@pytest.mark.parametrize("extension", [".jpg", ".tif", ".webp"])
def test_other_formats_get_a_profile_of_the_same_colours(extension: str) -> None:
    picture = Picture(PIXELS.tobytes(), (6, 10), cicp=(12, 13, 0, True))
    data, lost = picture_file(picture, extension)
    assert lost == []
    profile = ImageCms.ImageCmsProfile(io.BytesIO(to_picture(data).icc))
    # What LittleCMS makes of it is grey where it is grey, and the red of Display P3.
    shown = ImageCms.profileToProfile(
        Image.new("RGB", (1, 1), (128, 128, 128)), profile, ImageCms.createProfile("sRGB"), outputMode="RGB"
    )
    assert shown.getpixel((0, 0)) == (128, 128, 128)
    lab = ImageCms.profileToProfile(
        Image.new("RGB", (1, 1), (255, 0, 0)), profile, ImageCms.createProfile("LAB"), outputMode="LAB"
    )
    lightness, a, b = lab.getpixel((0, 0))
    assert (lightness * 100 / 255, (a - 128) % 256, (b - 128) % 256) == pytest.approx((56.2, 94.5, 99), abs=1)


def test_light_of_other_kinds_is_named_as_lost() -> None:
    picture = Picture(PIXELS.tobytes(), (6, 10), cicp=(9, 16, 0, True))
    assert profile_of(picture) is None
    assert picture_file(picture, ".jpg")[1] == ["the colour space"]
    assert picture_file(picture, ".png")[1] == []


def test_padding_of_xmp_is_left_out_and_its_text_made_utf_8() -> None:
    buffer = io.BytesIO()
    padded = XMP + b" " * 2000 + b"<?xpacket end='w'?>"
    Image.fromarray(PIXELS).save(buffer, "JPEG", extra=xmp_segment(padded))
    assert len(to_picture(buffer.getvalue()).xmp) < len(XMP) + 30
    buffer = io.BytesIO()
    Image.fromarray(PIXELS).save(buffer, "JPEG", extra=xmp_segment("<x>Größe</x>".encode("utf-16")))
    assert to_picture(buffer.getvalue()).xmp == "<x>Größe</x>".encode()


def test_resolutions_that_nobody_stated_are_not_kept() -> None:
    for format in ("JPEG", "PNG", "TIFF"):
        buffer = io.BytesIO()
        Image.fromarray(PIXELS).save(buffer, format)
        assert to_picture(buffer.getvalue()).resolution is None
    buffer = io.BytesIO()
    unknown = with_resolution(None, (72.0, 72.0))  # what EXIF has to say when it does not know
    Image.fromarray(PIXELS).save(buffer, "JPEG", exif=b"Exif\0\0" + unknown)
    assert to_picture(buffer.getvalue()).resolution is None


def test_damage_is_named_and_the_rest_kept() -> None:
    for exif in (b"no TIFF header", photo_exif()[:60], b"II*\0\xff\xff\xff\xff", b"II*\0"):
        buffer = io.BytesIO()
        Image.fromarray(PIXELS).save(buffer, "WEBP", exif=exif, xmp=XMP)
        picture = to_picture(buffer.getvalue())
        assert picture.exif is None
        assert picture.losses == ("a damaged EXIF block",)
        assert picture.xmp is not None
    picture = Picture(PIXELS.tobytes(), (6, 10), exif=b"MM\0*\0\0\0\x08\0\x09", resolution=(300.0, 300.0))
    for extension in (".png", ".jpg", ".tif", ".webp"):
        data, lost = picture_file(picture, extension)
        assert lost == ["EXIF (damaged)"]
        assert to_picture(data).size == (6, 10)


@pytest.mark.parametrize(("tag", "part"), [(0x8769, "camera"), (0x8825, "GPS"), (0xA005, "interoperability")])
@pytest.mark.parametrize("order", ["<", ">"])
def test_a_damaged_directory_takes_nothing_else_along(tag: int, part: str, order: str) -> None:
    block = TiffBlock(photo_exif(order))
    first = block.first.entries
    holder = (first if tag in first else first[0x8769].below.entries)[tag]
    damaged = bytearray(block.data)
    struct.pack_into(order + "I", damaged, holder.at, len(damaged) - 1)
    lost = f"the {part} part of EXIF (damaged)"
    # In most files a block stays as it is, and is read as far as it can be.
    buffer = io.BytesIO()
    Image.fromarray(PIXELS).save(buffer, "WEBP", exif=bytes(damaged))
    picture = to_picture(buffer.getvalue())
    assert picture.losses == ()
    data, named = picture_file(picture, ".tif")
    assert named == [lost]
    check_directories_but(tag, to_picture(data).exif)
    if tag not in first:  # for the others Pillow refuses the file
        buffer = io.BytesIO()
        Image.fromarray(PIXELS).save(buffer, "TIFF")
        pointer = Entry(tag, 4, 1, struct.pack("<I", 0xFFFF_FFF0), "<")
        camera = Directory(first[0x8769].below.entries | {tag: pointer})
        entries = first | {0x8769: replace(first[0x8769], below=camera)}
        del entries[0x0112]
        picture = to_picture(with_entries(TiffBlock(buffer.getvalue()), entries.values()))
        assert picture.losses == (lost,)
        check_directories_but(tag, picture.exif)


def check_directories_but(tag: int, exif: bytes) -> None:
    kept = TiffBlock(exif).first.entries
    assert kept[0x010F].data == b"ACME\0"
    assert kept.keys() & {0x8769, 0x8825} == {0x8769, 0x8825} - {tag}
    if tag == 0xA005:
        assert kept[0x8769].below.entries.keys() == {0x829A, 0x927C, 0xA002, 0xA003}


def test_big_tiff_names_what_it_has_and_nothing_else() -> None:
    for exif, lost in ((None, ()), (photo_exif("<", 1), ("EXIF and IPTC of a BigTIFF file",))):
        buffer = io.BytesIO()
        Image.fromarray(PIXELS).save(buffer, "TIFF", big_tiff=True, **({"exif": exif} if exif else {}))
        if buffer.getvalue()[:4] != b"II+\0":
            pytest.skip("this version of Pillow writes no BigTIFF")
        assert to_picture(buffer.getvalue()).losses == lost


def test_what_jpeg_has_no_room_for_is_named() -> None:
    note = Entry(0x010E, 2, 70_000, b"x" * 70_000, "<")
    picture = Picture(PIXELS.tobytes(), (6, 10), exif=build([note]), xmp=b"x" * 70_000, iptc=b"\x1c" * 70_000)
    data, lost = picture_file(picture, ".jpg")
    assert lost == ["EXIF (too long for JPEG)", "XMP (too long for JPEG)", "IPTC (too long for JPEG)"]
    assert to_picture(data).metadata() == {}
    assert picture_file(picture, ".png")[1] == []


@given(st.binary(max_size=200), st.sampled_from([b"II*\0\x08\0\0\0", b"MM\0*\0\0\0\x08"]))
def test_hostile_blocks_are_read_or_refused(tail: bytes, head: bytes) -> None:
    try:
        block = TiffBlock(head + tail)
        block.resolution()
        extracted = from_tiff(block)
        neutral = upright(head + tail, (6, 10), turned=True)
    except ValueError:
        return
    assert len(neutral) == len(head + tail)
    assert extracted is None or len(TiffBlock(extracted).first.entries) > 0


def test_blocks_that_would_fill_the_memory_are_refused() -> None:
    count = 20_000
    table = b"".join(struct.pack("<HHII", tag, 7, 200_000, 8) for tag in range(count))
    body = b"II*\0\x08\0\0\0" + struct.pack("<H", count) + table + bytes(4)
    with pytest.raises(ValueError, match="more than its bytes"):
        TiffBlock(body)
    # The same directory, pointed to again and again, is read once; a damaged one, too.
    broken = struct.pack("<HHII", 0x8769, 4, 1, len(body) - 1) * count
    block = TiffBlock(b"II*\0\x08\0\0\0" + struct.pack("<H", count) + broken + bytes(4))
    assert block.damaged == ["the camera part of EXIF (damaged)"]
    table = struct.pack("<HHII", 0x8769, 4, 1, 8) * count
    again = TiffBlock(b"II*\0\x08\0\0\0" + struct.pack("<H", count) + table + bytes(4))
    assert list(again.first.entries) == [0x8769]


@given(st.integers(0, 400), st.integers(0, 255), st.sampled_from("<>"))
def test_damaged_photo_blocks_are_read_or_refused(at: int, value: int, order: str) -> None:
    damaged = bytearray(photo_exif(order))
    damaged[at % len(damaged)] = value
    buffer = io.BytesIO()
    Image.fromarray(PIXELS).save(buffer, "TIFF")
    try:
        tiff = add_to_tiff(buffer.getvalue(), upright(bytes(damaged), (6, 10), turned=True))
    except ValueError:
        return
    np.testing.assert_array_equal(to_picture(tiff).pixels, PIXELS)


def test_blocks_move_between_byte_orders_and_back() -> None:
    exif = from_tiff(TiffBlock(photo_exif(">")))
    buffer = io.BytesIO()
    Image.fromarray(PIXELS).save(buffer, "TIFF")
    little = from_tiff(TiffBlock(add_to_tiff(buffer.getvalue(), exif)))
    assert little[:2] == b"II"
    for data in (exif, little):
        loaded = Image.Exif()
        loaded.load(data)
        assert loaded.get_ifd(0x8825)[2] == (48, 8, 30)
        assert loaded.get_ifd(0x8769)[0xA005] or loaded.get_ifd(0xA005)


def test_orientation_in_xmp_is_neutral_in_both_forms() -> None:
    assert upright_xmp(b'<a tiff:Orientation = "8"/>') == b'<a tiff:Orientation = "1"/>'
    assert (
        upright_xmp(b"<tiff:Orientation> 3</tiff:Orientation>") == b"<tiff:Orientation>1</tiff:Orientation>"
    )
    assert upright_xmp(b"<tiff:Orientations>3") == b"<tiff:Orientations>3"
