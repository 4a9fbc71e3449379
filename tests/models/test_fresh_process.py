"""Every picture model, and every way in which strings depend on a rate: one process codes, another decodes.

The other process has another instruction set and another number of threads.
"""

import pytest
import torch
from kinds import DISTINCT
from tiny_networks import TINY, make

from lcrs.registry import MODELS

SIZES = [(1, 1), (17, 33), (96, 128)]

RATES = {
    "bmshj2018-hyperprior-vbr": {"s": 5},
    "mbt2018-mean-vbr": {"inputscale": 0.31},
    "mbt2018-vbr": {"inputscale": 0.31},
    "mbt2018-mean-gain": {"level": 1.3},
    "gain-hyperprior": {"quality": 43.0},
    "gain-space-channel-hyperprior": {"quality": 43.0},
}
STEPS = {"vr_entbttlnck": True}
# What is coded: the name, further arguments, the rate.
CASES = [
    *((name, {}, RATES.get(name, {})) for name in TINY),
    ("bmshj2018-hyperprior-vbr", STEPS, {"s": 0}),
    ("bmshj2018-hyperprior-vbr", STEPS, {"s": 7, "inputscale": 1.7}),
    ("mbt2018-mean-vbr", {"vr_entbttlnck": False}, {"s": 3}),
    ("mbt2018-vbr", STEPS, {"s": 6}),
    *((name, {}, {"stage": 1, "s": 2}) for name in TINY if name.endswith("-vbr")),
]

# Of those that code alike, one: another way to a rate is another kind.
QUICK = [
    *((name, {}, RATES.get(name, {})) for name in [*DISTINCT, "mbt2018-mean-gain"]),
    ("bmshj2018-hyperprior-vbr", STEPS, {"s": 7, "inputscale": 1.7}),
    ("mbt2018-mean-vbr", {"vr_entbttlnck": False}, {"s": 3}),
    ("mbt2018-vbr", {}, {"stage": 1, "s": 2}),
]

FRESH = """
import sys, torch
from lcrs.registry import MODELS
torch.set_num_threads(1)
for name, path in zip(sys.argv[1::2], sys.argv[2::2]):
    saved = torch.load(path, weights_only=False)
    net = MODELS[name].from_state_dict(saved["state"]).eval()
    for coded in saved["coded"]:
        net.entropy_coder = coded["kind"]
        out = net.decompress(coded["strings"], coded["shape"], size=coded["size"], **saved["rate"])
        assert out["x_hat"].shape == coded["restored"].shape
        assert torch.equal(out["x_hat"], coded["restored"]), (name, saved["rate"], coded["size"])
"""


# In one process: to begin one takes longer than a case.
@pytest.mark.parametrize(
    "cases", [QUICK, pytest.param([case for case in CASES if case not in QUICK], marks=pytest.mark.slow)]
)
def test_what_one_process_codes_another_decodes(cases, tmp_path, fresh_torch):
    told = []
    for name, arguments, rate in cases:
        path = tmp_path / f"{len(told)}.pt"
        torch.save(coded_by(name, arguments, rate), path)
        told += [name, str(path)]
    assert told
    fresh_torch(FRESH, *told, LCRS_SIMD="scalar", LCRS_NUM_THREADS="3")


def coded_by(name, arguments, rate):
    """The state of a model, and pictures that it coded at this rate."""
    net = make(name, **arguments)
    coded = []
    for size in SIZES:
        torch.manual_seed(sum(size))
        x = torch.rand(2, 3, *size)
        for kind in ("lcrs", "ans"):
            net.entropy_coder = kind
            out = net.compress(x, **rate)
            restored = net.decompress(out["strings"], out["shape"], size=out["size"], **rate)["x_hat"]
            assert restored.shape == x.shape
            coded.append(
                {
                    **{key: out[key] for key in ("strings", "shape", "size")},
                    "kind": kind,
                    "restored": restored,
                }
            )
    return {"state": net.state_dict(), "coded": coded, "rate": rate}


def test_every_picture_model_is_among_them():
    modules = {name: entry.__module__ for name, entry in MODELS.items()}
    pictures = {
        name
        for name, module in modules.items()
        if module.startswith("lcrs.models") and ".video" not in module and ".pointcloud" not in module
    }
    assert pictures == {name for name, _, _ in CASES}
