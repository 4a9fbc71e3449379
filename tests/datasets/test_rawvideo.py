"""Raw video: what names say, and what is in the planes."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lcrs.datasets import RawVideoSequence, VideoFormat
from lcrs.datasets.rawvideo import get_num_frms, get_raw_video_file_info, make_dtype

NAMES = {
    "Park_416x240_50Hz_8bit_P420.yuv": (416, 240, 8, "yuv420", 50),
    "folder_99x99/a_1920x1080_29.97fps_10bit_P422.yuv": (1920, 1080, 10, "yuv422", Fraction(30000, 1001)),
    "b_64x48_yuv444p10le.yuv": (64, 48, 10, "yuv444", None),
    "c_64x48_I420_12LE.raw": (64, 48, 12, "yuv420", None),
    "d_64x48_60.yuv": (64, 48, 8, None, None),
    "e_64x48_y42b.yuv": (64, 48, 8, "yuv422", None),
    "f_64x48_yuv400.yuv": (64, 48, 8, "yuv400", None),
    "g_8x6.rgb": (8, 6, 8, "rgb", None),
}


@pytest.mark.parametrize("name", NAMES)
def test_names_are_understood(name):
    width, height, bits, kind, rate = NAMES[name]
    info = get_raw_video_file_info(name)
    assert (info["width"], info["height"], info["bitdepth"]) == (width, height, bits)
    assert info.get("format") == (None if kind is None else VideoFormat(kind))
    assert info.get("framerate") == rate


def test_names_may_say_nothing_but_not_two_things():
    assert get_raw_video_file_info("holiday.yuv") == {}
    with pytest.raises(ValueError, match=r"two bit depths: \[8, 10\]"):
        get_raw_video_file_info("a_4x4_8bit_yuv420p10le.yuv")


@given(
    width=st.integers(1, 9),
    height=st.integers(1, 9),
    kind=st.sampled_from(list(VideoFormat)),
    bits=st.sampled_from([8, 10, 16]),
    num_frames=st.integers(1, 3),
)
def test_planes_are_read_in_their_order(tmp_path_factory, width, height, kind, bits, num_frames):
    shape = {
        VideoFormat.YUV400: (0, 0),
        VideoFormat.YUV420: ((height + 1) // 2, (width + 1) // 2),
        VideoFormat.YUV422: (height, (width + 1) // 2),
    }.get(kind, (height, width))
    dtype = np.uint8 if bits == 8 else np.uint16
    count = width * height + 2 * shape[0] * shape[1]
    samples = (np.arange(num_frames * count) * 7 % 2**bits).astype(dtype)
    path = tmp_path_factory.mktemp("video") / "a.raw"
    samples.tofile(path)
    video = RawVideoSequence.from_file(path, width, height, bits, kind, 25)
    assert len(video) == video.total_frms == num_frames
    assert get_num_frms(path.stat().st_size, width, height, kind, dtype) == num_frames
    first = samples[:count]
    np.testing.assert_array_equal(video[0]["y"], first[: width * height].reshape(height, width))
    np.testing.assert_array_equal(video[0]["u"].ravel(), first[width * height :][: shape[0] * shape[1]])
    np.testing.assert_array_equal(video[-1]["v"].ravel(), samples[samples.size - shape[0] * shape[1] :])
    assert video[:2]["y"].shape == (min(2, num_frames), height, width)
    like = RawVideoSequence.new_like(video, path)
    np.testing.assert_array_equal(like[0]["y"], video[0]["y"])
    assert (like.format, like.framerate) == (kind, 25)
    video.close()
    like.close()


def test_what_is_wrong_is_said(tmp_path):
    path = tmp_path / "a_4x2.yuv"
    path.write_bytes(bytes(30))
    with pytest.raises(RuntimeError, match="format"):
        RawVideoSequence.from_file(path)
    with pytest.raises(ValueError, match="30 bytes are no whole number of frames of 12 bytes"):
        RawVideoSequence.from_file(path, format="P420")
    with pytest.raises(ValueError, match="bitdepth is 9"):
        RawVideoSequence.from_file(path, bitdepth=9, format=VideoFormat.YUV444)
    with pytest.raises(ValueError, match="nv12"):
        RawVideoSequence.from_file(path, format="nv12")
    assert make_dtype(VideoFormat.YUV420, np.uint8, 4, 2).itemsize == 12
