"""Writes `factorized.bin` from a CompressAI state dict: `make_factorized.py STATE_DICT.safetensors`."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file


def main(state_dict: str) -> None:
    """Writes the file beside this script."""
    here = Path(__file__).parent
    spec = importlib.util.spec_from_file_location("make_bin", here.parent / "coder" / "make_bin.py")
    assert spec is not None
    assert spec.loader is not None
    make_bin = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make_bin)
    tensors = {k.removeprefix("entropy_bottleneck."): v for k, v in load_file(state_dict).items()}
    names = (
        [f"matrices.{i}" for i in range(5)]
        + [f"biases.{i}" for i in range(5)]
        + [f"factors.{i}" for i in range(4)]
    )
    arrays = [tensors[name].astype(np.float32).ravel().view(np.int32) for name in [*names, "quantiles"]]
    lengths = tensors["_cdf_length"]
    arrays += [make_bin.ragged(tensors["_quantized_cdf"], lengths), lengths, tensors["_offset"]]
    (here / "factorized.bin").write_bytes(make_bin.pack(arrays))


if __name__ == "__main__":
    main(sys.argv[1])
