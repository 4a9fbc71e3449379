"""The shipped model's residual blocks against their formulas."""

import torch
from torch.nn import functional as F

from lcrs.layers import DenseBlock, DepthwiseBlock


def test_dense_block():
    block, x = DenseBlock(6), torch.randn(2, 6, 5, 7)
    inner = F.conv2d(x, block.conv1.weight, block.conv1.bias, padding=1)
    inner = torch.where(inner > 0, inner, 0.1 * inner)
    torch.testing.assert_close(block(x), x + F.conv2d(inner, block.conv2.weight, block.conv2.bias))


def test_depthwise_block():
    block, x = DepthwiseBlock(4, expansion=3), torch.randn(2, 4, 5, 7)
    assert block.conv1.out_channels == 12
    spatial = torch.cat(
        [F.conv2d(x[:, c : c + 1], block.depthwise.weight[c : c + 1], padding=1) for c in range(4)], dim=1
    ) + block.depthwise.bias.reshape(-1, 1, 1)
    inner = F.conv2d(spatial, block.conv1.weight, block.conv1.bias)
    inner = torch.where(inner > 0, inner, 0.1 * inner)
    torch.testing.assert_close(block(x), x + F.conv2d(inner, block.conv2.weight, block.conv2.bias))
