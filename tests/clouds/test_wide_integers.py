"""Whole numbers of 64 bits in text: binary64 rounds those from 2^53 on, and must not stand between."""

import numpy as np
import pytest

from lcrs import clouds
from lcrs.clouds import Cloud, CloudError

SIGNED = np.array([[1, 2, 2**53 + 1], [-(2**63), 5, 2**63 - 1]])
UNSIGNED = np.array([[1, 2, 2**53 + 1], [0, 5, 2**64 - 1]], np.uint64)
PLY = (
    "ply\nformat ascii 1.0\nelement vertex 2\nproperty float x\nproperty float y\nproperty float z\n"
    "property int64 a\nproperty uint64 b\nend_header\n1 2 3 {} 18446744073709551615\n\n1 2 3 -5 1e3\n"
)


@pytest.mark.parametrize("form", ["pcd", "xyz", "csv"])
@pytest.mark.parametrize("positions", [SIGNED, UNSIGNED], ids=["int64", "uint64"])
def test_text_has_every_digit(form, positions):
    cloud = Cloud(positions, {"number": np.array([2**62 + 1, -3])})
    data, losses = clouds.cloud_file(cloud, form, *(["ascii"] if form == "pcd" else []))
    found = clouds.read(data, format=form)
    assert losses == []
    assert found.positions.dtype == positions.dtype
    np.testing.assert_array_equal(found.positions, positions)
    np.testing.assert_array_equal(found.properties["number"], cloud.properties["number"])


@pytest.mark.parametrize(
    ("text", "dtype"),
    [
        (b"-1 2 9223372036854775807\n", np.int64),
        (b"1 2 9223372036854775808\n", np.uint64),
        (b"-1 2 9223372036854775808\n", np.float64),  # no type of 64 bits has both
        (b"1 2 99999999999999999999999\n", np.float64),
    ],
)
def test_the_type_is_one_that_has_all(text, dtype):
    positions = clouds.read(text, format="xyz").positions
    assert positions.dtype == dtype
    assert positions[0].tolist() == [dtype(int(word)) for word in text.split()]


@pytest.mark.parametrize(
    "word", ["9007199254740993", "9223372036854775807", "1.5e18", "-9223372036854775808"]
)
def test_ply_of_text_keeps_them(word):
    found = clouds.read(PLY.format(word).encode(), format="ply").properties
    assert found["a"].tolist() == [int(float(word)) if "e" in word else int(word), -5]
    assert found["b"].tolist() == [2**64 - 1, 1000]


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("9223372036854775808", "a is 9223372036854775808: whole numbers from -9223372036854775808"),
        ("9007199254740993.5", "is no whole number"),
        ("1e300", r"1e\+300 is no whole number of 64 bits"),
        ("nan", "nan is no whole number of 64 bits"),
        ("2.5", "a is 2.5: whole numbers"),
    ],
)
def test_what_is_none_is_refused(word, said):
    with pytest.raises(CloudError, match=said):
        clouds.read(PLY.format(word).encode(), format="ply")
