"""Pictures of another size keep their depth, their channels and what travels with them."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from lcrs.pictures import Picture
from lcrs.pictures.scaling import resized

Y, X = np.mgrid[0:40, 0:60]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("bits", [8, 10, 16])
def test_deep_pictures_are_the_same_as_shallow_ones_in_finer_steps(bits: int, channels: int) -> None:
    planes = np.stack([X * 4, Y * 6, (X + Y) * 2], axis=2)[..., :channels] / 255
    values = np.rint(planes * (2**bits - 1)).astype("<u2" if bits > 8 else np.uint8)
    picture = Picture(values.tobytes(), (40, 60), channels, bits, xmp=b"<x/>", resolution=(300.0, 300.0))
    small = resized(picture, (15, 10))
    assert (small.size, small.channels, small.bit_depth, small.xmp) == ((10, 15), channels, bits, b"<x/>")
    shallow = Image.fromarray(np.rint(planes * 255).astype(np.uint8).squeeze())
    expected = np.asarray(shallow.resize((15, 10), Image.Resampling.LANCZOS)) / 255
    assert np.abs(small.pixels / (2**bits - 1) - expected).max() < 1.5 / 255
    assert small.pixels.max() <= 2**bits - 1
