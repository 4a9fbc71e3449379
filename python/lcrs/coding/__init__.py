"""Everything that decides a bit, from Python: tables, entropy coders, coding graphs, packages and files.

And kernels of point clouds and pictures, which stand on the same threads and instruction sets.

This package is the only importer of the native module. It never imports torch, but takes CPU tensors
wherever it takes arrays. Nothing here turns an array into a list.
"""

from lcrs.coding.coder import (
    Decoder,
    Encoder,
    decode,
    decode_batch,
    decode_into,
    encode,
    encode_batch,
    encoded_bound,
)
from lcrs.coding.container import bytes_needed, info, metadata, read_not_portable, write_not_portable
from lcrs.coding.distributions import (
    default_scale_table,
    factorized_medians,
    factorized_table,
    gaussian_table,
    indexes,
    mixture_table,
    scale_table,
    thresholds,
)
from lcrs.coding.fingerprint import fingerprint
from lcrs.coding.graph import Graph
from lcrs.coding.latent import decode_latents, encode_latents
from lcrs.coding.lossless import (
    LOSSLESS_NAME,
    compress_lossless,
    decompress_lossless,
    decompress_lossless_bytes,
)
from lcrs.coding.octree import Octree
from lcrs.coding.package import (
    CloudPackage,
    Package,
    RateSearch,
    codes_clouds,
    level_of,
    package_bytes,
    package_digests,
    transcode,
    write_package,
)
from lcrs.coding.points import (
    ball_points,
    farthest_points,
    morton_codes,
    morton_order,
    nearest_points,
    normals_of_points,
    voxelize_points,
)
from lcrs.coding.quantization import dequantize, quantize
from lcrs.coding.runtime import build_profile, num_threads, simd_path, simd_paths
from lcrs.coding.scales import quality_of_scale, scale_of_quality
from lcrs.coding.scan import CheckerboardScan, RasterScan, each_step
from lcrs.coding.similarity import structural_similarity
from lcrs.coding.table import CdfTable, pmf_to_quantized_cdf

__all__ = [
    "LOSSLESS_NAME",
    "CdfTable",
    "CheckerboardScan",
    "CloudPackage",
    "Decoder",
    "Encoder",
    "Graph",
    "Octree",
    "Package",
    "RasterScan",
    "RateSearch",
    "ball_points",
    "build_profile",
    "bytes_needed",
    "codes_clouds",
    "compress_lossless",
    "decode",
    "decode_batch",
    "decode_into",
    "decode_latents",
    "decompress_lossless",
    "decompress_lossless_bytes",
    "default_scale_table",
    "dequantize",
    "each_step",
    "encode",
    "encode_batch",
    "encode_latents",
    "encoded_bound",
    "factorized_medians",
    "factorized_table",
    "farthest_points",
    "fingerprint",
    "gaussian_table",
    "indexes",
    "info",
    "level_of",
    "metadata",
    "mixture_table",
    "morton_codes",
    "morton_order",
    "nearest_points",
    "normals_of_points",
    "num_threads",
    "package_bytes",
    "package_digests",
    "pmf_to_quantized_cdf",
    "quality_of_scale",
    "quantize",
    "read_not_portable",
    "scale_of_quality",
    "scale_table",
    "simd_path",
    "simd_paths",
    "structural_similarity",
    "thresholds",
    "transcode",
    "voxelize_points",
    "write_not_portable",
    "write_package",
]
