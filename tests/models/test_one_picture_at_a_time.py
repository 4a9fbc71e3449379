"""Models that compress as CompressAI's serial ones do: picture by picture, through inherited steps."""

import pytest
import torch
from torch.nn import functional as F

import lcrs
from lcrs.models import JointAutoregressiveHierarchicalPriors, JointAutoregressiveHierarchicalPriorsVbr


class OwnCompress(JointAutoregressiveHierarchicalPriors):
    """`compress` and `decompress` of a derived class, which call the steps that it inherits."""

    RATE = ()

    @torch.no_grad()
    def compress(self, x):
        y = self.g_a(x)
        z = self.h_a(y)
        z_strings = self.entropy_bottleneck.compress(z)
        params = self.h_s(self.entropy_bottleneck.decompress(z_strings, z.shape[-2:]))
        y_hat = F.pad(y, (2, 2, 2, 2))
        y_strings = [
            self._compress_ar(y_hat[i : i + 1], params[i : i + 1], *y.shape[2:], 5, 2, *self.RATE)
            for i in range(len(y))
        ]
        return {"strings": [y_strings, z_strings], "shape": z.shape[-2:], "y_hat": y_hat[..., 2:-2, 2:-2]}

    @torch.no_grad()
    def decompress(self, strings, shape):
        params = self.h_s(self.entropy_bottleneck.decompress(strings[1], shape))
        height, width = params.shape[2:]
        y_hat = torch.zeros(len(params), self.M, height + 4, width + 4)
        for i, string in enumerate(strings[0]):
            self._decompress_ar(string, y_hat[i : i + 1], params[i : i + 1], height, width, 5, 2, *self.RATE)
        return {
            "x_hat": self.g_s(F.pad(y_hat, (-2, -2, -2, -2))).clamp_(0, 1),
            "y_hat": y_hat[..., 2:-2, 2:-2],
        }


class OwnVariableCompress(OwnCompress, JointAutoregressiveHierarchicalPriorsVbr):
    SCALE = torch.tensor([0.7])
    RATE = (SCALE, 1 / SCALE, 2)


class OwnUnscaledCompress(OwnVariableCompress):
    RATE = (*OwnVariableCompress.RATE[:2], 1)


@pytest.mark.filterwarnings("ignore:.*of Own.* is not portable:lcrs.NotPortableWarning")  # torch's h_s
@pytest.mark.parametrize("kind", ["lcrs", "ans"])
@pytest.mark.parametrize("model_class", [OwnCompress, OwnVariableCompress, OwnUnscaledCompress])
def test_inherited_steps_code_what_the_model_codes(model_class, kind):
    torch.manual_seed(0)
    net = model_class(6, 8).eval()
    net.entropy_coder = kind
    with torch.no_grad():
        for parameter in net.g_a.parameters():
            parameter.mul_(2)
    x = torch.rand(2, 3, 64, 128)
    out = net.compress(x)
    back = net.decompress(out["strings"], out["shape"])
    assert torch.equal(back["y_hat"], out["y_hat"])
    assert out["y_hat"].abs().sum() > 0
    # The model's own way, under what torch's h_s says on this machine: the same symbols.
    y = net.g_a(x)
    codec, conditions = net._codec_of_one(5, 2, *net.RATE)
    params = net.h_s(net.entropy_bottleneck.decompress(out["strings"][1], out["shape"]))
    expected = codec.compress(y, params, *conditions)
    assert expected["strings"][0] == out["strings"][0]
    assert torch.equal(expected["y_hat"], out["y_hat"])
    damaged = out["strings"][0][0][:-1]
    with pytest.raises(lcrs.LcrsError):
        net.decompress([[damaged, out["strings"][0][1]], out["strings"][1]], out["shape"])


def test_what_does_not_fit_is_refused():
    net = OwnCompress(2, 3)
    y_hat, params = torch.zeros(1, 3, 8, 8), torch.zeros(1, 6, 4, 4)
    with pytest.raises(
        ValueError, match="kernel_size and padding are 3 and 1; context_prediction has 5 and 2"
    ):
        net._compress_ar(y_hat, params, 4, 4, 3, 1)
    with pytest.raises(ValueError, match=r"y_hat has shape \(1, 3, 8, 8\), must be \(1, M, 9, 8\)"):
        net._compress_ar(y_hat, params, 5, 4, 5, 2)
    with pytest.raises(ValueError, match="scale, rescale and stage are needed; 0 arguments are given"):
        OwnVariableCompress(2, 3)._codec_of_one(5, 2)
