"""Colour profiles: what is not all there is left out, and said."""

from __future__ import annotations

import io
import struct

import pytest
from PIL import Image, ImageCms

from lcrs.pictures import to_picture
from lcrs.pictures.icc import is_whole

PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def with_number(at: int, number: int) -> bytes:
    return PROFILE[:at] + struct.pack(">I", number) + PROFILE[at + 4 :]


BROKEN = {
    "cut off": PROFILE[:-1],
    "half a header": PROFILE[:100],
    "junk": b"x" * 16 + b"RGB " + b"x" * 200,
    "no signature": PROFILE[:36] + b"acs?" + PROFILE[40:],
    "longer than it is": with_number(0, len(PROFILE) + 1),
    "shorter than its table": with_number(0, 130),
    "no tags": with_number(128, 0),
    "tags without end": with_number(128, 0xFFFFFFFF),
    "a tag that begins after the end": with_number(136, len(PROFILE)),
    "a tag that begins in the header": with_number(136, 100),
    "a tag that ends after the end": with_number(140, len(PROFILE)),
    "a tag as long as numbers go": with_number(140, 0xFFFFFFFF),
}


@pytest.mark.parametrize("profile", BROKEN.values(), ids=BROKEN.keys())
def test_damaged_profiles_are_left_out_and_said(profile: bytes) -> None:
    assert not is_whole(profile)
    buffer = io.BytesIO()
    Image.new("RGB", (5, 4), (9, 80, 200)).save(buffer, "PNG", icc_profile=profile)
    picture = to_picture(buffer.getvalue())
    assert (picture.icc, picture.losses) == (None, ("a damaged colour profile",))


def test_whole_profiles_stay_as_they_are() -> None:
    for name in ("sRGB", "LAB", "XYZ"):
        assert is_whole(ImageCms.ImageCmsProfile(ImageCms.createProfile(name)).tobytes())
    for profile in (PROFILE, PROFILE + bytes(3)):
        buffer = io.BytesIO()
        Image.new("RGB", (5, 4)).save(buffer, "JPEG", icc_profile=profile)
        picture = to_picture(buffer.getvalue())
        assert (picture.icc, picture.losses) == (profile, ())


def test_every_truncation_is_damage() -> None:
    assert not any(is_whole(PROFILE[:length]) for length in range(len(PROFILE)))
