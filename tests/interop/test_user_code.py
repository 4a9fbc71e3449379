"""Models as users of CompressAI write them, with their own coding loops over its parts: they run here.

The imports are CompressAI's, by `lcrs.shims`; nothing else is adapted.
"""

import math

import pytest
import torch
from torch import nn

from lcrs import shims

shims.install()
from compressai.ans import BufferedRansEncoder, RansDecoder  # noqa: E402
from compressai.datasets import ImageFolder  # noqa: E402
from compressai.entropy_models import EntropyBottleneck, GaussianConditional  # noqa: E402
from compressai.layers import GDN, AttentionBlock, MaskedConv2d, conv3x3, subpel_conv3x3  # noqa: E402
from compressai.losses import RateDistortionLoss  # noqa: E402
from compressai.models import CompressionModel, get_scale_table  # noqa: E402
from compressai.models.utils import conv, deconv, update_registered_buffers  # noqa: E402
from compressai.optimizers import net_aux_optimizer  # noqa: E402
from compressai.registry import MODELS, register_model  # noqa: E402

shims.uninstall()

# Their loops run networks in torch, and that is said.
pytestmark = pytest.mark.filterwarnings("ignore:.*gives it what torch computed:lcrs.NotPortableWarning")

TABLES = ["_quantized_cdf", "_offset", "_cdf_length"]


class Tutorial(CompressionModel):
    """An autoencoder with an entropy bottleneck."""

    def __init__(self, num_channels=8):
        super().__init__()
        self.entropy_bottleneck = EntropyBottleneck(num_channels)
        self.encode = nn.Sequential(
            conv(3, num_channels), GDN(num_channels), conv(num_channels, num_channels)
        )
        self.decode = nn.Sequential(
            deconv(num_channels, num_channels), GDN(num_channels, inverse=True), deconv(num_channels, 3)
        )

    def forward(self, x):
        y_hat, likelihoods = self.entropy_bottleneck(self.encode(x))
        return {"x_hat": self.decode(y_hat), "likelihoods": {"y": likelihoods}}


@register_model("slices-of-a-user")
class Slices(CompressionModel):
    """Slices of channels, each coded as Gaussians given those before it, all in one stream."""

    def __init__(self, num_slices=3, slice_size=4, num_hyper=6):
        super().__init__()
        M = num_slices * slice_size
        self.num_slices, self.M = num_slices, M
        self.g_a = nn.Sequential(conv3x3(3, 8, stride=2), AttentionBlock(8), conv3x3(8, M, stride=2))
        self.g_s = nn.Sequential(subpel_conv3x3(M, 8, 2), nn.GELU(), subpel_conv3x3(8, 3, 2))
        self.h_a = nn.Sequential(conv3x3(M, num_hyper, stride=2), nn.GELU())
        self.h_s = subpel_conv3x3(num_hyper, 2 * M, 2)
        self.context = nn.ModuleList(
            nn.Conv2d(2 * M + i * slice_size, 2 * slice_size, 1) for i in range(num_slices)
        )
        self.entropy_bottleneck = EntropyBottleneck(num_hyper)
        self.gaussian_conditional = GaussianConditional(None)

    def update(self, scale_table=None, force=False):
        if scale_table is None:
            scale_table = get_scale_table()
        updated = self.gaussian_conditional.update_scale_table(scale_table, force=force)
        return updated | super().update(force=force)

    def load_state_dict(self, state_dict):
        update_registered_buffers(
            self.gaussian_conditional, "gaussian_conditional", [*TABLES, "scale_table"], state_dict
        )
        super().load_state_dict(state_dict)

    def parameters_of(self, i, params, known):
        scales, means = self.context[i](torch.cat([params, *known], dim=1)).chunk(2, 1)
        return scales.abs() + 0.2, means

    def forward(self, x):
        y = self.g_a(x)
        z = self.h_a(y)
        _, z_likelihoods = self.entropy_bottleneck(z)
        medians = self.entropy_bottleneck._get_medians()
        z_hat = (torch.round(z - medians) - (z - medians)).detach() + z
        params, known, likelihoods = self.h_s(z_hat), [], []
        for i, part in enumerate(y.chunk(self.num_slices, 1)):
            scales, means = self.parameters_of(i, params, known)
            likelihoods.append(self.gaussian_conditional(part, scales, means)[1])
            known.append(self.gaussian_conditional.quantize(part, "dequantize", means))
        y_likelihoods = torch.cat(likelihoods, dim=1)
        return {
            "x_hat": self.g_s(torch.cat(known, dim=1)),
            "likelihoods": {"y": y_likelihoods, "z": z_likelihoods},
        }

    def tables(self):
        cdf = self.gaussian_conditional.quantized_cdf.tolist()
        lengths = self.gaussian_conditional.cdf_length.reshape(-1).int().tolist()
        return cdf, lengths, self.gaussian_conditional.offset.reshape(-1).int().tolist()

    def compress(self, x):
        y = self.g_a(x)
        z = self.h_a(y)
        z_strings = self.entropy_bottleneck.compress(z)
        z_hat = self.entropy_bottleneck.decompress(z_strings, z.size()[-2:])
        params, known, symbols, indexes = self.h_s(z_hat), [], [], []
        for i, part in enumerate(y.chunk(self.num_slices, 1)):
            scales, means = self.parameters_of(i, params, known)
            quantized = self.gaussian_conditional.quantize(part, "symbols", means)
            symbols.extend(quantized.reshape(-1).tolist())
            indexes.extend(self.gaussian_conditional.build_indexes(scales).reshape(-1).tolist())
            known.append(quantized + means)
        encoder = BufferedRansEncoder()
        encoder.encode_with_indexes(symbols, indexes, *self.tables())
        return {"strings": [[encoder.flush()], z_strings], "shape": z.size()[-2:]}

    def decompress(self, strings, shape):
        z_hat = self.entropy_bottleneck.decompress(strings[1], shape)
        params, known, tables = self.h_s(z_hat), [], self.tables()
        decoder = RansDecoder()
        decoder.set_stream(strings[0][0])
        for i in range(self.num_slices):
            scales, means = self.parameters_of(i, params, known)
            indexes = self.gaussian_conditional.build_indexes(scales)
            values = torch.Tensor(decoder.decode_stream(indexes.reshape(-1).tolist(), *tables))
            known.append(self.gaussian_conditional.dequantize(values.reshape(means.shape), means))
        return {"x_hat": self.g_s(torch.cat(known, dim=1)).clamp_(0, 1)}


@pytest.mark.parametrize("make", [Slices, pytest.param(Tutorial, marks=pytest.mark.slow)])
def test_they_train(make, tmp_path):
    from PIL import Image

    torch.manual_seed(0)
    (tmp_path / "train").mkdir()
    for i in range(3):
        Image.new("RGB", (32, 32), (90 * i, 50, 200)).save(tmp_path / "train" / f"{i}.png")

    def to_tensor(image):
        return (
            torch.frombuffer(bytearray(image.tobytes()), dtype=torch.uint8)
            .reshape(32, 32, 3)
            .permute(2, 0, 1)
            / 255
        )

    pictures = torch.utils.data.DataLoader(ImageFolder(tmp_path, transform=to_tensor), batch_size=3)
    net = make()
    optimizers = net_aux_optimizer(
        net, {"net": {"type": "Adam", "lr": 3e-3}, "aux": {"type": "Adam", "lr": 1}}
    )
    criterion, seen = RateDistortionLoss(lmbda=0.01), []
    for _ in range(36):
        for x in pictures:
            for optimizer in optimizers.values():
                optimizer.zero_grad()
            out = criterion(net(x), x)
            out["loss"].backward()
            optimizers["net"].step()
            auxiliary = net.aux_loss()
            auxiliary.backward()
            optimizers["aux"].step()
            seen.append((out["loss"].item(), auxiliary.item()))
    assert all(math.isfinite(value) for values in seen for value in values)
    assert seen[-1][0] < 0.7 * seen[0][0]
    assert seen[-1][1] < 0.7 * seen[0][1]


def test_a_loop_of_their_own_codes():
    torch.manual_seed(0)
    net = MODELS["slices-of-a-user"]().eval()
    with torch.no_grad():
        net.g_a[2].weight.mul_(40)
        assert net.update()
        assert not net.update()
        x = torch.rand(1, 3, 32, 48)
        coded = net.compress(x)
        assert len(coded["strings"][0][0]) > 100
        expected = net(x)["x_hat"].clamp(0, 1)
        torch.testing.assert_close(net.decompress(**coded)["x_hat"], expected, atol=1e-5, rtol=0)


def test_their_checkpoints_load_with_tables(tmp_path):
    torch.manual_seed(0)
    net = Slices()
    net.update()
    torch.save(net.state_dict(), tmp_path / "a.pth")
    fresh = Slices().eval()
    fresh.load_state_dict(torch.load(tmp_path / "a.pth", weights_only=True))
    assert fresh.gaussian_conditional.quantized_cdf.shape == (64, 3133)
    x = torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        assert fresh.compress(x) == net.eval().compress(x)


def test_a_context_model_of_their_own_decodes_what_it_codes():
    """A serial scan written out place by place, one symbol list for all."""
    torch.manual_seed(0)
    context = MaskedConv2d(2, 4, kernel_size=5, padding=2)
    gaussian = GaussianConditional(None)
    gaussian.update_scale_table(get_scale_table())
    tables = [tensor.tolist() for tensor in (gaussian.quantized_cdf, gaussian.cdf_length, gaussian.offset)]
    y = 3 * torch.randn(1, 2, 4, 5)

    def scan(code):
        padded = torch.nn.functional.pad(torch.zeros_like(y), [2] * 4)
        for row in range(4):
            for column in range(5):
                crop = padded[:, :, row : row + 5, column : column + 5]
                seen = nn.functional.conv2d(crop, context.weight * context.mask, context.bias)
                scales, means = seen.squeeze(3).squeeze(2).chunk(2, 1)
                indexes = gaussian.build_indexes(scales.abs() + 1)
                padded[:, :, row + 2, column + 2] = code(row, column, indexes, means)
        return padded[:, :, 2:-2, 2:-2]

    symbols, rows = [], []

    def put(row, column, indexes, means):
        quantized = gaussian.quantize(y[:, :, row, column], "symbols", means)
        symbols.extend(quantized.squeeze().tolist())
        rows.extend(indexes.squeeze().tolist())
        return quantized + means

    def take(row, column, indexes, means):
        values = decoder.decode_stream(indexes.squeeze().tolist(), *tables)
        return gaussian.dequantize(torch.Tensor(values).reshape(1, -1), means)

    with torch.no_grad():
        y_hat = scan(put)
        encoder, decoder = BufferedRansEncoder(), RansDecoder()
        encoder.encode_with_indexes(symbols, rows, *tables)
        decoder.set_stream(encoder.flush())
        assert torch.equal(scan(take), y_hat)
    assert (y_hat - y).abs().max() <= 0.5 + 1e-5
