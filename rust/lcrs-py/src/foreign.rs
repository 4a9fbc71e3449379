//! Files that a program coded in its own arithmetic.

use lcrs_codec::{self as codec, ForeignModel};
use lcrs_format::Samples;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyDict};

use crate::arrays::{self, to_bytes};
use crate::coder::stream_kind;
use crate::errors::detached;
use crate::limits::{limits, Count};
use crate::metadata::from_dict;
use crate::samples::{layout_of, Given};

/// The bytes of an .lcrs file that says that it is not portable.
///
/// Args:
///     model: the name of the model, as that of a package.
///     digests: first 8 bytes each of digests of what decides a symbol, and of what turns symbols into pixels.
///     sections: at most 128, of what the program wants.
///     shape: of the picture, (H, W, 3), (H, W, 1) or (H, W).
///     dtype: of the picture, uint8 or uint16.
///     bit_depth: bits of a component, 1 to 8 of uint8, 9 to 16 of uint16; by default 8 or 16.
///     kind: of the entropy-coded streams.
///     metadata: what goes along, by the names that `metadata` gives.
///     max_pixels: of a picture; by default 2^28.
///
/// Raises:
///     ValueError: an argument is not as above.
///     LimitError: the picture or the metadata are above the limits.
#[pyfunction]
#[pyo3(signature = (model, digests, sections, *, shape, dtype="uint8", bit_depth=None, kind="lcrs", metadata=None, max_pixels=None))]
#[allow(clippy::too_many_arguments)] // keywords in Python
pub(crate) fn write_not_portable<'py>(
    py: Python<'py>,
    model: &str,
    digests: ([u8; 8], [u8; 8]),
    sections: Vec<PyBackedBytes>,
    shape: Vec<usize>,
    dtype: &str,
    bit_depth: Option<u8>,
    kind: &str,
    metadata: Option<&Bound<'py, PyDict>>,
    max_pixels: Option<Count>,
) -> PyResult<Bound<'py, PyBytes>> {
    let given = Given { shape: Some(shape), dtype: Some(dtype.to_owned()), bit_depth };
    let layout = layout_of(Samples::RGB8, model, &given)?;
    let (kind, metadata, limits) = (stream_kind(py, kind)?, from_dict(metadata)?, limits(max_pixels, None)?);
    let model = ForeignModel { name: model, entropy_digest: digests.0, synthesis_digest: digests.1 };
    let sections: Vec<&[u8]> = sections.iter().map(|section| &section[..]).collect();
    let size = sections.iter().map(|section| section.len()).sum();
    let data = detached(py, size, || codec::write_not_portable(&model, &layout, &sections, kind, &metadata, &limits))?;
    to_bytes(py, &data)
}

/// The sections of an .lcrs file that says that it is not portable.
///
/// Args:
///     data: the whole file.
///     max_pixels: of the picture; by default 2^28.
///     max_bytes: that the call may hold at a time; by default 2^31.
///
/// Raises:
///     LcrsError: the file is cut off, damaged, of a later version, portable, or above the limits.
#[pyfunction]
#[pyo3(signature = (data, *, max_pixels=None, max_bytes=None))]
pub(crate) fn read_not_portable<'py>(
    data: &Bound<'py, PyAny>,
    max_pixels: Option<Count>,
    max_bytes: Option<Count>,
) -> PyResult<Vec<Bound<'py, PyBytes>>> {
    let py = data.py();
    let data = arrays::bytes(data, "data")?;
    let limits = limits(max_pixels, max_bytes)?;
    let sections = detached(py, data.len(), || codec::read_not_portable(&data, &limits))?;
    sections.into_iter().map(|section| to_bytes(py, section)).collect()
}
