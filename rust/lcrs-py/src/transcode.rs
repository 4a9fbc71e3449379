//! Files with given symbols.

use lcrs_codec::{self as codec, GivenLatents, PictureWindow};
use lcrs_core::Limits;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::arrays::to_bytes;
use crate::coder::stream_kind;
use crate::errors::detached;
use crate::package::Package;
use crate::runtime::runtime;
use crate::tensors::latent;

/// The bytes of an .lcrs file that decodes to latents which another program decoded, symbol by symbol.
///
/// Args:
///     package: the model.
///     y: float32, (C, H, W), what the synthesis takes.
///     z: float32, (C, H, W), what y is conditioned on; None for a model without it.
///     size: (height, width) of the visible picture.
///     crop: (top, left): rows and columns of what the synthesis gives that come before the visible picture.
///     decoded: (height, width) of what the synthesis gives.
///     quality: 0 to 100, which the latents of a variable-rate model are at; None for one of a fixed rate.
///     kind: of the entropy-coded streams.
///     threads: how many to use; the bytes do not depend on it.
///
/// Raises:
///     ValueError: shapes, sizes or the quality are not those of the model.
///     DesyncError: a value lies between those that the model's symbols can have.
#[pyfunction]
#[pyo3(signature = (package, y, z, *, size, crop, decoded, quality=None, kind="lcrs", threads=None))]
#[allow(clippy::too_many_arguments)]
pub(crate) fn transcode<'py>(
    package: &Bound<'py, Package>,
    y: &Bound<'py, PyAny>,
    z: Option<&Bound<'py, PyAny>>,
    size: (u32, u32),
    crop: (u32, u32),
    decoded: (u32, u32),
    quality: Option<f64>,
    kind: &str,
    threads: Option<i64>,
) -> PyResult<Bound<'py, PyBytes>> {
    let py = package.py();
    let latents = GivenLatents { y: latent(y, "y")?, z: z.map(|z| latent(z, "z")).transpose()? };
    let swap = |(a, b): (u32, u32)| (b, a);
    let window = PictureWindow { size: swap(size), crop: swap(crop), decoded: swap(decoded) };
    let kind = stream_kind(py, kind)?;
    let runtime = runtime(py, threads)?;
    let package = &package.get().inner;
    let limits = Limits::default();
    let data =
        detached(py, usize::MAX, || codec::transcode(package, &latents, &window, quality, kind, &runtime, &limits))?;
    to_bytes(py, &data)
}
