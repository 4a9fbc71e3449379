"""Masks tap by tap, and what a masked convolution can see."""

import pytest
import torch
from torch.nn import functional as F

from lcrs import coding
from lcrs.layers import CheckerboardMaskedConv2d, MaskedConv2d
from lcrs.layers.lowering import lower

SIZES = [(1, 1), (3, 3), (5, 5), (7, 3), (1, 5), (5, 1)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", "AB")
def test_raster_mask(size, kind):
    mask = MaskedConv2d(2, 3, size, mask_type=kind).mask
    assert mask.shape == (3, 2, *size)
    centre = (size[0] // 2, size[1] // 2)
    for i in range(size[0]):
        for j in range(size[1]):
            seen = (i, j) < centre or (kind == "B" and (i, j) == centre)
            assert (mask[:, :, i, j] == seen).all()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", "AB")
def test_checkerboard_mask(size, kind):
    mask = CheckerboardMaskedConv2d(2, 3, size, mask_type=kind).mask
    centre = (size[0] // 2, size[1] // 2)
    for i in range(size[0]):
        for j in range(size[1]):
            distance = abs(i - centre[0]) + abs(j - centre[1])
            seen = distance % 2 == 1 or (kind == "B" and distance == 0)
            assert (mask[:, :, i, j] == seen).all()


@pytest.mark.parametrize("layer", [MaskedConv2d, CheckerboardMaskedConv2d])
def test_other_masks_are_refused(layer):
    with pytest.raises(ValueError, match="mask_type is 'C'"):
        layer(1, 1, 3, mask_type="C")


def test_output_depends_only_on_earlier_places():
    conv = MaskedConv2d(1, 1, 5, padding=2)
    x = torch.randn(1, 1, 7, 7, requires_grad=True)
    (grad,) = torch.autograd.grad(conv(x)[0, 0, 3, 3], x)
    seen = grad[0, 0].nonzero().tolist()
    assert len(seen) == 12
    assert max(seen) < [3, 3]


def test_hidden_taps_get_no_gradient_and_keep_their_weights():
    conv = MaskedConv2d(2, 2, 3, padding=1)
    before = conv.weight.detach().clone()
    optimizer = torch.optim.SGD(conv.parameters(), lr=1.0)
    conv(torch.randn(1, 2, 4, 4)).sum().backward()
    assert (conv.weight.grad[conv.mask == 0] == 0).all()
    assert (conv.weight.grad[conv.mask == 1] != 0).all()
    optimizer.step()
    assert torch.equal(conv.weight[conv.mask == 0], before[conv.mask == 0])


def test_stride_groups_and_padding_mode_reach_the_convolution():
    conv = MaskedConv2d(4, 4, 3, stride=2, padding=1, groups=2, padding_mode="reflect")
    x = torch.randn(1, 4, 6, 7)
    padded = F.pad(x, (1, 1, 1, 1), mode="reflect")
    expected = F.conv2d(padded, conv.weight * conv.mask, conv.bias, stride=2, groups=2)
    torch.testing.assert_close(conv(x), expected)
    lowered = lower(conv, "net")
    found = coding.Graph(lowered.json, lowered.tensors).run([x.numpy()])["y"]
    torch.testing.assert_close(torch.from_numpy(found), expected.detach(), rtol=1e-5, atol=1e-6)


def test_state_dict_is_the_published_layout():
    state = CheckerboardMaskedConv2d(2, 4, 5).state_dict()
    assert {key: tuple(value.shape) for key, value in state.items()} == {
        "weight": (4, 2, 5, 5),
        "bias": (4,),
        "mask": (4, 2, 5, 5),
    }
