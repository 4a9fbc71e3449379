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
net = make(sys.argv[2])
torch.set_num_threads(int(sys.argv[3]))
x = torch.rand(3, 3, 70, 90, generator=torch.Generator().manual_seed(7))
digest = hashlib.sha256()
for kind in ("lcrs", "ans"):
    net.entropy_coder = kind
    coded = net.compress(x)
    for strings in coded["strings"]:
        for string in strings:
            digest.update(string)
    x_hat = net.decompress(coded["strings"], coded["shape"], size=coded["size"])["x_hat"]
    digest.update(x_hat.numpy().tobytes())
print(digest.hexdigest())
"""


@pytest.mark.parametrize(
    "name",
    [
        "bmshj2018-factorized",
        "mbt2018",
        pytest.param("elic2022-official", marks=pytest.mark.slow),
        "gain-space-channel-hyperprior",
    ],
)
def test_bytes_depend_on_nothing_but_the_model(name, fresh_torch):
    runs = [
        fresh_torch(CODE, str(HERE), name, torch_threads, LCRS_NUM_THREADS=threads, LCRS_SIMD=path)
        for torch_threads, threads, path in [("1", "1", ""), ("2", "3", ""), ("2", "2", "scalar")]
    ]
    assert len(set(runs)) == 1


def test_a_batch_is_coded_as_its_items_alone():
    net = make("mbt2018")
    x = torch.rand(3, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    together = net.compress(x)["strings"]
    for i in range(3):
        alone = net.compress(x[i : i + 1])["strings"]
        assert [strings[i] for strings in together] == [strings[0] for strings in alone]
