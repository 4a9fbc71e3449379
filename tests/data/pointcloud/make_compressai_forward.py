"""Writes `compressai-forward.pt.xz`: what CompressAI's models of point clouds compute, tiny, at random.

They need CUDA extensions. Here these are a module of the same names, which does on the CPU what they are
defined to do; and `Tensor.cuda` does nothing. Run it where compressai 1.2.8 and einops are installed:

    python tests/data/pointcloud/make_compressai_forward.py
"""

import lzma
import sys
import types
from pathlib import Path

import torch

CASES = {
    "pointnet": (
        "PointNetReconstructionPccModel",
        {
            "num_points": 16,
            "num_channels": {"g_a": [3, 8, 8, 12], "g_s": [12, 16, 48]},
            "groups": {"g_a": [1, 2, 2]},
        },
        16,
    ),
    "pointnet2": (
        "PointNet2SsgReconstructionPccModel",
        {
            "D": (0, 8, 16, 16),
            "P": (64, 16, 4, 1),
            "S": (None, 4, 4, 4),
            "R": (None, 0.4, 0.9, None),
            "E": (3, 8, 8, 4, 0),
            "M": (0, 0, 4, 6),
        },
        90,
    ),
    "density": (
        "DensityPreservingReconstructionPccModel",
        {"hidden_dim": 8, "ngroups": 2, "k": 5},
        100,
    ),
    "density-edges": (
        "DensityPreservingReconstructionPccModel",
        {
            "hidden_dim": 4,
            "k": 4,
            "sub_point_conv_mode": "edge_conv",
            "latent_xyzs_codec": {"conv_mode": "edge_conv"},
        },
        60,
    ),
    "density-half": (
        "DensityPreservingReconstructionPccModel",
        {"hidden_dim": 4, "k": 4, "latent_xyzs_codec": {"mode": "float16"}},
        60,
    ),
}


def distances(queries, points):
    return (queries[:, :, None] - points[:, None]).square().sum(-1)


class PointOps:
    """The functions that CompressAI calls."""

    @staticmethod
    def furthestsampling(xyz, count):
        if xyz.shape[-1] != 3:  # as its PointNet++ hands it over
            xyz = xyz.transpose(1, 2)
        samples = torch.zeros(xyz.shape[0], count, dtype=torch.int32)
        for item, cloud in zip(samples, xyz, strict=True):
            nearest = torch.full((len(cloud),), torch.inf)
            for i in range(1, count):
                nearest = torch.minimum(nearest, (cloud - cloud[item[i - 1]]).square().sum(-1))
                item[i] = nearest.argmax()
        return samples

    @staticmethod
    def ballquery(radius, count, xyz, centres):
        inside = distances(centres, xyz) <= radius**2
        groups = torch.zeros(*centres.shape[:2], count, dtype=torch.int32)
        for place in torch.cartesian_prod(*(torch.arange(n) for n in centres.shape[:2])).tolist():
            found = inside[tuple(place)].nonzero().flatten()[:count]
            groups[tuple(place)] = found[0]
            groups[tuple(place)][: len(found)] = found
        return groups

    @staticmethod
    def knnquery_heap(k, xyz, queries):
        return distances(queries, xyz).sort(dim=-1, stable=True).indices[..., :k].int()


def install():
    package, functions = types.ModuleType("pointops"), types.ModuleType("pointops.functions")
    functions.pointops = PointOps
    package.functions = functions
    sys.modules.update({"pointops": package, "pointops.functions": functions})
    torch.Tensor.cuda = lambda self, *args, **kwargs: self


def main():
    install()
    from compressai.losses import pointcloud as losses
    from compressai.models import pointcloud as models

    torch.set_num_threads(1)
    out = {}
    for seed, (name, (class_name, arguments, count)) in enumerate(CASES.items()):
        torch.manual_seed(seed)
        net = getattr(models, class_name)(**arguments).eval()
        for module in net.modules():
            if isinstance(module, torch.nn.BatchNorm1d | torch.nn.BatchNorm2d):
                module.running_mean.normal_(0, 0.1)
                module.running_var.uniform_(0.5, 2)
        pos = torch.randn(2, count, 3) * 0.4
        torch.manual_seed(1)
        with torch.no_grad():
            result = net({"pos": pos})
            half = {"latent_xyzs_codec_mode": "float16"} if name == "density-half" else {}
            loss = (
                losses.RateDistortionLoss_hrtzxf2022(**half)(result, {"pos": pos})
                if name.startswith("density")
                else losses.ChamferPccRateDistortionLoss()(result, {"pos": pos})
            )
        out[name] = {
            "class": class_name,
            "arguments": arguments,
            "state_dict": net.state_dict(),
            "pos": pos,
            "x_hat": result["x_hat"],
            "likelihoods": result["likelihoods"],
            "loss": {key: float(value) for key, value in loss.items()},
        }
    with lzma.open(Path(__file__).with_name("compressai-forward.pt.xz"), "wb") as file:
        torch.save(out, file)


if __name__ == "__main__":
    main()
