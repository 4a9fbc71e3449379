"""Convolutions on a GPU keep float32's bits while somebody computes, and torch's setting afterwards."""

from __future__ import annotations

import threading

import pytest
import torch
from torch.nn import functional as F

from lcrs.ops.binary32 import full_binary32

CUDA = torch.device("cuda")


def tf32_in_convolutions() -> bool:
    if hasattr(torch.backends.cudnn, "conv"):
        return torch.backends.cudnn.conv.fp32_precision == "tf32"
    return torch.backends.cudnn.allow_tf32


@pytest.fixture
def high_precision_asked():
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high")
    yield
    torch.set_float32_matmul_precision(before)


@pytest.fixture
def tf32_forbidden():
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    yield
    torch.backends.cudnn.allow_tf32 = before


def test_holds_inside_only():
    assert tf32_in_convolutions()
    with full_binary32(CUDA), full_binary32(CUDA):
        assert not tf32_in_convolutions()
    assert tf32_in_convolutions()
    assert torch.backends.cudnn.allow_tf32  # and torch's older setting can still be asked
    with pytest.raises(ZeroDivisionError), full_binary32(CUDA):
        _ = 1 / 0
    assert tf32_in_convolutions()


def test_who_asked_for_tf32_keeps_it(high_precision_asked):
    with full_binary32(CUDA):
        assert tf32_in_convolutions()


def test_who_forbade_tf32_is_obeyed(tf32_forbidden):
    with full_binary32(CUDA):
        assert not tf32_in_convolutions()
    assert not tf32_in_convolutions()
    assert not torch.backends.cudnn.allow_tf32


def test_other_devices_change_nothing():
    with full_binary32(torch.device("cpu")):
        assert tf32_in_convolutions()


def test_the_last_of_many_threads_restores():
    inside, leave = threading.Barrier(3), threading.Event()
    seen = []

    def compute(waits: bool) -> None:
        with full_binary32(CUDA):
            inside.wait()
            if waits:
                leave.wait()
                seen.append(tf32_in_convolutions())

    threads = [threading.Thread(target=compute, args=(waits,)) for waits in (True, False)]
    for thread in threads:
        thread.start()
    inside.wait()
    threads[1].join()
    assert not tf32_in_convolutions()
    leave.set()
    threads[0].join()
    assert seen == [False]
    assert tf32_in_convolutions()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_a_gpu_computes_with_all_bits():
    torch.manual_seed(0)
    x, weight = torch.randn(1, 192, 32, 32), torch.randn(192, 192, 5, 5)
    exact = F.conv2d(x.double(), weight.double())

    def error() -> float:
        y = F.conv2d(x.to(CUDA), weight.to(CUDA)).cpu()
        return ((y - exact).abs().max() / exact.abs().max()).item()

    with full_binary32(CUDA):
        assert error() < 1e-5  # 3.05e-6 on an H200; with TF32 some 5e-4
    if torch.cuda.get_device_capability() >= (8, 0):  # TF32 exists: so it is what was kept away above
        assert error() > 2e-5
