"""Parameters have the published names and shapes."""

import json
from pathlib import Path

import pytest
from torch import nn

from lcrs.entropy_models import EntropyBottleneck
from lcrs.latent_codecs import (
    ChannelGroupsLatentCodec,
    CheckerboardLatentCodec,
    GaussianConditionalLatentCodec,
    HyperLatentCodec,
    HyperpriorLatentCodec,
)
from lcrs.layers import CheckerboardMaskedConv2d, conv3x3, sequential_channel_ramp, subpel_conv3x3

PUBLISHED = json.loads((Path(__file__).parents[1] / "data" / "latent-codec-state-dicts.json").read_text())


def anchor_checkerboard(N=192):
    h_a = [conv3x3(N, N), nn.LeakyReLU(), conv3x3(N, N), nn.LeakyReLU(), conv3x3(N, N, 2), nn.LeakyReLU()]
    h_a += [conv3x3(N, N), nn.LeakyReLU(), conv3x3(N, N, 2)]
    h_s = [conv3x3(N, N), nn.LeakyReLU(), subpel_conv3x3(N, N, 2), nn.LeakyReLU()]
    h_s += [conv3x3(N, N * 3 // 2), nn.LeakyReLU(), subpel_conv3x3(N * 3 // 2, N * 3 // 2, 2), nn.LeakyReLU()]
    h_s += [conv3x3(N * 3 // 2, N * 2)]
    widths = [N * 12 // 3, N * 10 // 3, N * 8 // 3, N * 6 // 3]
    return HyperpriorLatentCodec(
        {
            "y": CheckerboardLatentCodec(
                {"y": GaussianConditionalLatentCodec(quantizer="ste")},
                entropy_parameters=nn.Sequential(
                    nn.Conv2d(widths[0], widths[1], 1), nn.LeakyReLU(),
                    nn.Conv2d(widths[1], widths[2], 1), nn.LeakyReLU(),
                    nn.Conv2d(widths[2], widths[3], 1),
                ),
                context_prediction=CheckerboardMaskedConv2d(N, 2 * N, 5, padding=2),
            ),
            "hyper": HyperLatentCodec(EntropyBottleneck(N), h_a=nn.Sequential(*h_a), h_s=nn.Sequential(*h_s)),
        }
    )  # fmt: skip


def elic(N=192, M=320, groups=(16, 16, 32, 64, 192)):
    def deconv(before, after):
        return nn.ConvTranspose2d(before, after, 5, 2, 2, 1)

    def ramp(before, after, min_ch):
        return sequential_channel_ramp(before, after, min_ch=min_ch, kernel_size=1)

    starts = [sum(groups[:k]) for k in range(len(groups))]
    contexts = {
        f"y{k}": nn.Sequential(
            nn.Conv2d(starts[k], 224, 5, padding=2), nn.ReLU(),
            nn.Conv2d(224, 128, 5, padding=2), nn.ReLU(),
            nn.Conv2d(128, 2 * groups[k], 5, padding=2),
        )
        for k in range(1, len(groups))
    }  # fmt: skip
    codecs = {
        f"y{k}": CheckerboardLatentCodec(
            {"y": GaussianConditionalLatentCodec(quantizer="ste")},
            entropy_parameters=ramp((4 if k else 2) * size + 2 * N, 2 * size, 2 * N),
            context_prediction=CheckerboardMaskedConv2d(size, 2 * size, 5, padding=2),
        )
        for k, size in enumerate(groups)
    }
    h_a = nn.Sequential(
        conv3x3(M, N), nn.ReLU(), nn.Conv2d(N, N, 5, 2, 2), nn.ReLU(), nn.Conv2d(N, N, 5, 2, 2)
    )
    last = nn.ConvTranspose2d(N * 3 // 2, N * 2, 3, padding=1)
    h_s = nn.Sequential(deconv(N, N), nn.ReLU(), deconv(N, N * 3 // 2), nn.ReLU(), last)
    return HyperpriorLatentCodec(
        {
            "y": ChannelGroupsLatentCodec(codecs, contexts, groups=groups),
            "hyper": HyperLatentCodec(EntropyBottleneck(N), h_a=h_a, h_s=h_s),
        }
    )


@pytest.mark.parametrize(
    ("name", "build"),
    [("Cheng2020AnchorCheckerboard(N=192)", anchor_checkerboard), ("Elic2022Official(N=192,M=320)", elic)],
)
def test_layout_is_the_published_one(name, build):
    state = {key: list(value.shape) for key, value in build().state_dict().items()}
    assert state == PUBLISHED[name]
