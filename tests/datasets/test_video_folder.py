"""Clips as three frames each."""

import random

import numpy as np
import pytest
import torch
from PIL import Image

from lcrs.datasets import VideoFolder


def to_tensor(frames):
    assert frames.dtype == np.uint8
    return torch.from_numpy(frames.copy()).permute(2, 0, 1)


def write(root, lengths):
    """Clips of `lengths`; frame i of clip k has the value 10 k + i everywhere."""
    names = []
    for k, length in enumerate(lengths):
        folder = root / "sequences" / f"{k:05}"
        folder.mkdir(parents=True)
        names.append(folder.name)
        for i in range(length):
            Image.new("RGB", (6, 4), (10 * k + i,) * 3).save(folder / f"im{i}.png")
    (root / "train.list").write_text("\n".join([*names, "", ""]))
    return root


def values(clip):
    assert [frame.shape for frame in clip] == [(3, 4, 6)] * 3
    return [int(frame[0, 0, 0]) for frame in clip]


def test_the_first_three_frames_in_order(tmp_path):
    clips = VideoFolder(write(tmp_path, [3, 7]), transform=to_tensor)
    assert len(clips) == 2
    assert [values(clips[i]) for i in range(2)] == [[0, 1, 2], [10, 11, 12]]


def test_interval_and_direction_are_drawn(tmp_path):
    clips = VideoFolder(write(tmp_path, [7]), rnd_interval=True, rnd_temp_order=True, transform=to_tensor)
    random.seed(0)
    seen = {tuple(values(clips[0])) for _ in range(100)}
    forward = {(0, 1, 2), (0, 2, 4), (0, 3, 6)}
    assert seen == forward | {clip[::-1] for clip in forward}


def test_what_is_wrong_is_said(tmp_path):
    root = write(tmp_path, [2])
    with pytest.raises(RuntimeError, match="needs a transform"):
        VideoFolder(root)
    with pytest.raises(RuntimeError, match=r"test\.list"):
        VideoFolder(root, transform=to_tensor, split="test")
    with pytest.raises(ValueError, match="has 2 frames"):
        VideoFolder(root, transform=to_tensor)[0]
    (root / "sequences").rename(root / "other")
    with pytest.raises(RuntimeError, match="sequences"):
        VideoFolder(root, transform=to_tensor)
