"""How many of CompressAI's strings decode here, and by which arithmetic: mbt2018-mean at its full size.

    python_with_compressai foreign_strings.py encode WORK PICTURES [--count N]
    python_with_lcrs       foreign_strings.py decode WORK [--threads N] [--output RESULT.json]

The first makes a model of random but busy weights (latents, scales and tables vary as in a trained one), and
lets CompressAI code the pictures. The second decodes the strings with exact parameters, and with torch's, and
compares the symbols with those that CompressAI coded. Both want the same torch for the second way to have a
chance.
"""

from __future__ import annotations

import argparse
import json
import platform
from pathlib import Path

import numpy as np
import torch
from PIL import Image

N, M, SEED = 192, 320, 11


def read_picture(path):
    with Image.open(path) as image:
        pixels = np.array(image.convert("RGB"))
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255


def set_statistics(layer, sample, centre, spread):
    """Scales the outputs of `layer`, channel by channel, to a mean and a standard deviation on `sample`."""
    out = layer(sample)
    mean, deviation = out.mean((0, 2, 3)), out.std((0, 2, 3)).clamp_min(1e-6)
    factor = spread / deviation
    transposed = isinstance(layer, torch.nn.ConvTranspose2d)
    layer.weight.mul_(factor.reshape((1, -1, 1, 1) if transposed else (-1, 1, 1, 1)))
    layer.bias.copy_((layer.bias - mean) * factor + centre)
    return layer(sample)


def log_uniform(low, high, count):
    return torch.exp(torch.empty(count).uniform_(float(np.log(low)), float(np.log(high))))


@torch.no_grad()
def busy_model(model_class, picture):
    """Random weights whose y, z, scales and means have about the spread of a trained model's."""
    torch.manual_seed(SEED)
    net = model_class(N, M).eval()
    spread = log_uniform(0.01, 2.5, M)
    hidden = net.g_a[:-1](picture)
    y = set_statistics(net.g_a[-1], hidden, torch.randn(M) * spread, spread)
    z = set_statistics(net.h_a[-1], net.h_a[:-1](y), torch.randn(N) * 2, log_uniform(0.3, 8, N))
    side = net.h_s[:-1](torch.round(z))
    centre = torch.cat((spread, torch.zeros(M)))
    set_statistics(net.h_s[-1], side, centre, 0.4 * torch.cat((spread, spread)))
    net.entropy_bottleneck.update(force=True, update_quantiles=True)
    net.update(force=True)
    return net


@torch.no_grad()
def encode(arguments):
    from compressai.models import MeanScaleHyperprior

    paths = sorted(arguments.pictures.glob("*.png"))[: arguments.count]
    arguments.work.mkdir(parents=True, exist_ok=True)
    net = busy_model(MeanScaleHyperprior, read_picture(paths[0]))
    torch.save(net.state_dict(), arguments.work / "net.pth")
    for path in paths:
        x = read_picture(path)
        y = net.g_a(x)
        z = net.h_a(y)
        z_strings = net.entropy_bottleneck.compress(z)
        z_hat = net.entropy_bottleneck.decompress(z_strings, z.shape[-2:])
        scales, means = net.h_s(z_hat).chunk(2, 1)
        indexes = net.gaussian_conditional.build_indexes(scales)
        y_strings = net.gaussian_conditional.compress(y, indexes, means=means)
        symbols = net.gaussian_conditional.quantize(y, "symbols", means)
        np.savez(
            arguments.work / f"{path.stem}.npz",
            y_string=np.frombuffer(y_strings[0], np.uint8),
            z_string=np.frombuffer(z_strings[0], np.uint8),
            shape=np.array(z.shape[-2:]),
            symbols=symbols[0].numpy(),
            indexes=indexes[0].numpy(),
            pixels=x.shape[-2] * x.shape[-1],
        )
        print(path.stem, len(y_strings[0]) + len(z_strings[0]), "bytes", flush=True)


@torch.no_grad()
def decode(arguments):
    from lcrs.errors import LcrsError
    from lcrs.layers.exact import ExactNetwork
    from lcrs.zoo import load_checkpoint

    torch.set_num_threads(arguments.threads)
    net = load_checkpoint(arguments.work / "net.pth", "mbt2018-mean")
    net.entropy_coder = "ans"
    exact = ExactNetwork()
    ways = {
        "exact": lambda z: exact.run(net.h_s, z, "h_s"),
        "torch": net.h_s,
        "torch without mkldnn": net.h_s,
    }
    pictures = {}
    for path in sorted(arguments.work.glob("*.npz")):
        case = np.load(path)
        shape = case["shape"].tolist()
        z_hat = net.entropy_bottleneck.decompress([case["z_string"].tobytes()], shape)
        num_bytes = case["y_string"].size + case["z_string"].size
        result = pictures[path.stem] = {"bpp": 8 * num_bytes / int(case["pixels"])}
        for way, network in ways.items():
            with torch.backends.mkldnn.flags(enabled="without" not in way):
                scales, means = network(z_hat).chunk(2, 1)
            indexes = net.gaussian_conditional.build_indexes(scales)
            other = int((indexes[0].numpy() != case["indexes"]).sum())
            try:
                y_hat = net.gaussian_conditional.decompress(
                    [case["y_string"].tobytes()], indexes, means=means
                )
            except LcrsError:
                outcome = "refused"
            else:
                symbols = torch.round(y_hat - means)[0].int().numpy()
                outcome = "decoded" if np.array_equal(symbols, case["symbols"]) else "WRONG"
            result[way] = {"outcome": outcome, "indexes_that_differ": other}
        print(path.stem, result, flush=True)
    report(arguments, pictures, ways)


def report(arguments, pictures, ways):
    def count(way, outcome):
        return sum(result[way]["outcome"] == outcome for result in pictures.values())

    summary = {
        way: {
            **{outcome: count(way, outcome) for outcome in ("decoded", "refused", "WRONG")},
            "indexes_that_differ_mean": float(
                np.mean([result[way]["indexes_that_differ"] for result in pictures.values()])
            ),
        }
        for way in ways
    }
    either = sum(any(result[way]["outcome"] == "decoded" for way in ways) for result in pictures.values())
    text = json.dumps(
        {
            "model": f"mbt2018-mean, N={N}, M={M}, random busy weights, seed {SEED}",
            "pictures": len(pictures),
            "decoded_one_way_or_another": either,
            "bpp_mean": float(np.mean([result["bpp"] for result in pictures.values()])),
            "ways": summary,
            "torch": torch.__version__,
            "torch_threads": arguments.threads,
            "cpu_capability": torch.backends.cpu.get_cpu_capability(),
            "machine": platform.machine(),
            "each": pictures,
        },
        indent=1,
    )
    print(text)
    if arguments.output:
        arguments.output.write_text(text + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    actions = parser.add_subparsers(dest="action", required=True)
    encoding = actions.add_parser("encode")
    encoding.add_argument("work", type=Path)
    encoding.add_argument("pictures", type=Path)
    encoding.add_argument("--count", type=int, default=24)
    encoding.set_defaults(run=encode)
    decoding = actions.add_parser("decode")
    decoding.add_argument("work", type=Path)
    decoding.add_argument("--threads", type=int, default=1)
    decoding.add_argument("--output", type=Path)
    decoding.set_defaults(run=decode)
    arguments = parser.parse_args()
    if arguments.action == "encode":
        torch.set_num_threads(1)
    arguments.run(arguments)


if __name__ == "__main__":
    main()
