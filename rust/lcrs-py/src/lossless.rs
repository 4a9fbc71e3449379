//! Pictures to the bit.

use lcrs_codec::{self as codec, Picture, LOSSLESS};
use lcrs_core::Limits;
use lcrs_format::Samples;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

use crate::arrays;
use crate::errors::detached;
use crate::limits::{limits, whole, Count};
use crate::metadata::from_dict;
use crate::package::{besides_given, to_bytes};
use crate::runtime::runtime;
use crate::samples::{self, Given};

/// The bytes of an .lcrs file that holds a picture to the bit, without a model.
///
/// Args:
///     pixels: at least 1 x 1, uint8 or uint16, (H, W, 3), or grey: (H, W) or (H, W, 1). Or the bytes of that, each sample
///         little endian, with `shape`.
///     max_size: the most bytes that the file may have.
///     shape: of what is given as bytes.
///     dtype: of what is given as bytes; by default uint8.
///     bit_depth: bits of a component, 1 to 8 of uint8, 9 to 16 of uint16; by default 8 or 16.
///     metadata: what goes along, by the names that `metadata` gives.
///     threads: how many to use; the bytes do not depend on it.
///     max_pixels: of a picture; by default 2^28.
///     max_bytes: that the call may hold at a time; by default 2^31.
///
/// Returns:
///     The file; None if it would be larger than `max_size`, or take more memory than allowed.
///
/// Raises:
///     ValueError: the pixels are not as above.
///     LimitError: the picture or the metadata are above the limits.
#[pyfunction]
#[pyo3(signature = (pixels, *, max_size=None, shape=None, dtype=None, bit_depth=None, metadata=None, threads=None, max_pixels=None, max_bytes=None))]
#[allow(clippy::too_many_arguments)] // keywords in Python
pub(crate) fn compress_lossless<'py>(
    pixels: &Bound<'py, PyAny>,
    max_size: Option<Count>,
    shape: Option<Vec<usize>>,
    dtype: Option<String>,
    bit_depth: Option<u8>,
    metadata: Option<&Bound<'py, PyDict>>,
    threads: Option<i64>,
    max_pixels: Option<Count>,
    max_bytes: Option<Count>,
) -> PyResult<Option<Bound<'py, PyBytes>>> {
    let py = pixels.py();
    let picture = samples::picture_of(Samples::RGB8, LOSSLESS, pixels, &Given { shape, dtype, bit_depth })?;
    let (metadata, runtime) = (from_dict(metadata)?, runtime(py, threads)?);
    let max_size = max_size.map(|size| whole("max_size", size)).transpose()?;
    let limits = besides_given(py, &picture, &limits(max_pixels, max_bytes)?)?;
    let data = detached(py, usize::MAX, || match max_size {
        None => codec::compress_lossless(&picture, &metadata, &runtime, &limits).map(Some),
        Some(most) => codec::lossless_if_no_larger(&picture, &metadata, most, &runtime, &limits),
    })?;
    data.map(|data| arrays::to_bytes(py, &data)).transpose()
}

/// The picture of a lossless .lcrs file, of the shape and type that it was given in.
///
/// Args:
///     data: the whole file.
///     threads: how many to use; the pixels do not depend on it.
///     max_pixels: of a picture; by default 2^28.
///     max_bytes: that the call may hold at a time; by default 2^31.
///
/// Raises:
///     LcrsError: the file is cut off, damaged, of a later version, not lossless, or above the limits.
#[pyfunction]
#[pyo3(signature = (data, *, threads=None, max_pixels=None, max_bytes=None))]
pub(crate) fn decompress_lossless<'py>(
    data: &Bound<'py, PyAny>,
    threads: Option<i64>,
    max_pixels: Option<Count>,
    max_bytes: Option<Count>,
) -> PyResult<Bound<'py, PyAny>> {
    let picture = picture(data, threads, &limits(max_pixels, max_bytes)?)?;
    samples::array(data.py(), picture)
}

/// `decompress_lossless` for programs that do without NumPy.
///
/// Returns:
///     The bytes of the samples, each little endian, their shape, their type, and the bits of a component.
#[pyfunction]
#[pyo3(signature = (data, *, threads=None, max_pixels=None, max_bytes=None))]
pub(crate) fn decompress_lossless_bytes<'py>(
    data: &Bound<'py, PyAny>,
    threads: Option<i64>,
    max_pixels: Option<Count>,
    max_bytes: Option<Count>,
) -> PyResult<samples::Bytes<'py>> {
    let limits = limits(max_pixels, max_bytes)?;
    let picture = picture(data, threads, &limits)?;
    to_bytes(data, &picture, &runtime(data.py(), threads)?, &limits)
}

fn picture(data: &Bound<'_, PyAny>, threads: Option<i64>, limits: &Limits) -> PyResult<Picture> {
    let py = data.py();
    let data = arrays::bytes(data, "data")?;
    let runtime = runtime(py, threads)?;
    detached(py, usize::MAX, || codec::decompress_lossless(&data, &runtime, limits))
}
