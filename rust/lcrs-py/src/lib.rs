//! The native module `lcrs._lcrs`: conversion, error mapping and the release of the GIL; nothing else.
//!
//! Its types and documentation for Python are in `python/lcrs/_lcrs.pyi`, which is checked against this binary.

mod arrays;
mod cloud;
mod coder;
mod distributions;
mod errors;
mod fingerprint;
mod foreign;
mod fork;
mod graph;
mod integers;
mod interrupts;
mod latent;
mod limits;
mod lossless;
mod metadata;
mod octree;
mod package;
mod panic;
mod points;
mod quantization;
mod runtime;
mod samples;
mod scan;
mod similarity;
mod table;
mod target;
mod tensors;
mod transcode;

use pyo3::prelude::*;

#[pymodule(gil_used = false)]
mod _lcrs {
    #[pymodule_export]
    use crate::cloud::{codes_clouds, CloudPackage};
    #[pymodule_export]
    use crate::coder::{decode, decode_batch, decode_into, encode, encode_batch, encoded_bound, Decoder, Encoder};
    #[pymodule_export]
    use crate::distributions::{
        default_scale_table, factorized_medians, factorized_table, gaussian_table, indexes, mixture_table, scale_table,
        thresholds,
    };
    #[pymodule_export]
    use crate::fingerprint::fingerprint;
    #[pymodule_export]
    use crate::foreign::{read_not_portable, write_not_portable};
    #[pymodule_export]
    use crate::graph::Graph;
    #[pymodule_export]
    use crate::integers::int32_array;
    #[pymodule_export]
    use crate::latent::{decode_latents, encode_latents};
    #[pymodule_export]
    use crate::lossless::{compress_lossless, decompress_lossless, decompress_lossless_bytes};
    #[pymodule_export]
    use crate::octree::Octree;
    #[pymodule_export]
    use crate::package::{bytes_needed, info_json, level_of, metadata, package_digests, Package};
    #[pymodule_export]
    use crate::panic::panic_in_job;
    #[pymodule_export]
    use crate::points::{
        ball_points, farthest_points, morton_codes, morton_order, nearest_points, normals_of_points, voxelize_points,
    };
    #[pymodule_export]
    use crate::quantization::{dequantize, quantize};
    #[pymodule_export]
    use crate::runtime::{num_threads, simd_path, simd_paths};
    #[pymodule_export]
    use crate::scan::{each_step, CheckerboardScan, RasterScan};
    #[pymodule_export]
    use crate::similarity::structural_similarity;
    #[pymodule_export]
    use crate::table::{pmf_to_quantized_cdf, CdfTable};
    #[pymodule_export]
    use crate::target::RateSearch;
    #[pymodule_export]
    use crate::transcode::transcode;

    use super::*;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        crate::errors::keep_panics();
        crate::fork::register(module)?;
        module.add("__version__", env!("CARGO_PKG_VERSION"))?;
        module.add("build_profile", if cfg!(debug_assertions) { "debug" } else { "release" })
    }
}
