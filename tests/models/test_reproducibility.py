"""Strings and pictures of `compress` and `decompress` on the CPU, on all paths and numbers of threads."""

from pathlib import Path

import pytest
import torch
from tiny_networks import make

HERE = Path(__file__).parent

CODE = """
import sys, hashlib, pathlib
sys.path.insert(0, sys.argv[1])
import torch
from tiny_networks import make
x = torch.rand(3, 3, 70, 90, generator=torch.Generator().manual_seed(7))
for name in sys.argv[3:]:
    net = make(name)
    torch.set_num_threads(int(sys.argv[2]))
    digest = hashlib.sha256()
    for kind in ("lcrs", "ans"):
        net.entropy_coder = kind
        for rate in [(0.0,), (33.3,), (100.0,)] if hasattr(net, "level_of") else [()]:
            coded = net.compress(x, *rate)
            for strings in coded["strings"]:
                for string in strings:
                    digest.update(string)
            x_hat = net.decompress(coded["strings"], coded["shape"], *rate, size=coded["size"])["x_hat"]
            digest.update(x_hat.numpy().tobytes())
    print(name, digest.hexdigest())
"""


@pytest.mark.parametrize(
    "names",
    [
        ["bmshj2018-factorized", "mbt2018", "gain-space-channel-hyperprior"],
        pytest.param(["elic2022-official"], marks=pytest.mark.slow),
    ],
)
def test_bytes_depend_on_nothing_but_the_model(names, fresh_torch):
    first, *others = (
        fresh_torch(CODE, str(HERE), torch_threads, *names, LCRS_NUM_THREADS=threads, LCRS_SIMD=path)
        for torch_threads, threads, path in [("1", "1", ""), ("2", "3", ""), ("2", "2", "scalar")]
    )
    assert len(first.splitlines()) == len(names)
    assert others == [first, first]


def test_a_batch_is_coded_as_its_items_alone():
    net = make("mbt2018")
    x = torch.rand(3, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    together = net.compress(x)["strings"]
    for i in range(3):
        alone = net.compress(x[i : i + 1])["strings"]
        assert [strings[i] for strings in together] == [strings[0] for strings in alone]
