//! Model packages, and pictures to files and back with them.

use std::path::PathBuf;

use lcrs_codec::{self as codec, CompressOptions, DecompressOptions, Picture};
use lcrs_core::Limits;
use numpy::{PyArray1, PyArray3, PyArrayDyn, PyArrayMethods};
use pyo3::exceptions::PyKeyError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

use crate::arrays::{self, Input};
use crate::coder::stream_kind;
use crate::errors::{detached, to_py};
use crate::metadata::{from_dict, to_dict};
use crate::runtime::runtime;
use crate::tensors::NamedArrays;
use crate::transcode::latent;

/// A model package (.lcrm), loaded and checked. It cannot be changed and may be used from many threads.
#[pyclass(frozen, module = "lcrs.coding")]
pub(crate) struct Package {
    pub(crate) inner: codec::Package,
}

#[pymethods]
impl Package {
    /// The package in a file.
    ///
    /// Raises:
    ///     MissingModelError: if the file cannot be read.
    ///     LcrsError: if it is no package, or its digests are not those of its content.
    #[staticmethod]
    fn from_file(py: Python<'_>, path: PathBuf) -> PyResult<Self> {
        let inner = detached(py, usize::MAX, || codec::Package::from_file(&path, &Limits::default()))?;
        Ok(Self { inner })
    }

    /// The package in a byte string; errors as in `from_file`.
    #[staticmethod]
    fn from_bytes(data: &Bound<'_, PyAny>) -> PyResult<Self> {
        let py = data.py();
        let data = arrays::bytes(data, "data")?;
        let inner = detached(py, usize::MAX, || codec::Package::from_bytes(&data, &Limits::default()))?;
        Ok(Self { inner })
    }

    /// The name that files carry.
    #[getter]
    fn name(&self) -> &str {
        self.inner.name()
    }

    /// The whole description as JSON: architecture, configuration and card included.
    #[getter]
    fn description(&self) -> &str {
        self.inner.description()
    }

    /// Number of levels of a variable-rate model; None for a fixed rate.
    #[getter]
    fn levels(&self) -> Option<usize> {
        self.inner.levels()
    }

    /// SHA-256 of everything that decides a symbol, 64 hexadecimal digits.
    #[getter]
    fn entropy_digest(&self) -> String {
        self.inner.digests().entropy_hex()
    }

    /// SHA-256 of everything that turns symbols into pixels, 64 hexadecimal digits.
    #[getter]
    fn synthesis_digest(&self) -> String {
        self.inner.digests().synthesis_hex()
    }

    /// SHA-256 of everything that only encoders run, 64 hexadecimal digits.
    #[getter]
    fn analysis_digest(&self) -> String {
        self.inner.digests().analysis_hex()
    }

    /// The bytes of an .lcrs file.
    ///
    /// Args:
    ///     pixels: uint8, (H, W, 3), at least 1 x 1; or the bytes of that, with ``size``.
    ///     quality: 0 to 100 for a variable-rate model, None for one of a fixed rate.
    ///     size: (H, W) of a picture given as bytes.
    ///     kind: of the entropy-coded streams.
    ///     metadata: what goes along, by the names that `metadata` gives.
    ///     threads: how many to use; the bytes do not depend on it.
    ///
    /// Raises:
    ///     ValueError: if the pixels or the quality are not as above.
    ///     LimitError: if the picture or the metadata are above the limits.
    #[pyo3(signature = (pixels, quality=None, *, size=None, kind="lcrs", metadata=None, threads=None))]
    #[allow(clippy::too_many_arguments)] // keywords in Python
    fn compress<'py>(
        &self,
        pixels: &Bound<'py, PyAny>,
        quality: Option<f64>,
        size: Option<(u32, u32)>,
        kind: &str,
        metadata: Option<&Bound<'py, PyDict>>,
        threads: Option<i64>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let py = pixels.py();
        let picture = picture(pixels, size)?;
        let options = CompressOptions { quality, kind: stream_kind(py, kind)?, metadata: from_dict(metadata)? };
        let runtime = runtime(py, threads)?;
        let limits = Limits::default();
        let data = detached(py, usize::MAX, || codec::compress(&self.inner, &picture, &options, &runtime, &limits))?;
        Ok(PyBytes::new(py, &data))
    }

    /// The picture of an .lcrs file, uint8 (H, W, 3).
    ///
    /// Args:
    ///     data: the whole file.
    ///     allow_other_synthesis: whether to accept a file made for another synthesis transform: its
    ///         symbols are right, its pixels not those that the encoder meant.
    ///     threads: how many to use; the pixels do not depend on it.
    ///
    /// Raises:
    ///     MissingModelError: if the file was made with another model.
    ///     LcrsError: if the file is cut off, damaged, of a later version, or above the limits.
    #[pyo3(signature = (data, *, allow_other_synthesis=false, threads=None))]
    fn decompress<'py>(
        &self,
        data: &Bound<'py, PyAny>,
        allow_other_synthesis: bool,
        threads: Option<i64>,
    ) -> PyResult<Bound<'py, PyArray3<u8>>> {
        let picture = self.picture(data, allow_other_synthesis, threads)?;
        let shape = [picture.height() as usize, picture.width() as usize, 3];
        PyArray1::from_vec(data.py(), picture.into_data()).reshape(shape)
    }

    /// `decompress` to bytes and (H, W), for programs that do without NumPy.
    #[pyo3(signature = (data, *, allow_other_synthesis=false, threads=None))]
    fn decompress_bytes<'py>(
        &self,
        data: &Bound<'py, PyAny>,
        allow_other_synthesis: bool,
        threads: Option<i64>,
    ) -> PyResult<(Bound<'py, PyBytes>, (u32, u32))> {
        let picture = self.picture(data, allow_other_synthesis, threads)?;
        Ok((PyBytes::new(data.py(), picture.data()), (picture.height(), picture.width())))
    }

    /// The bytes of an .lcrs file from a latent y that g_a gave elsewhere.
    ///
    /// What decides the symbols of y runs here, exactly, so the file decodes everywhere.
    ///
    /// Args:
    ///     y: float32, (C, H, W), of the picture padded by repeating its last row and column.
    ///     quality: as in `compress`.
    ///     size: (H, W) of the picture.
    ///     kind: of the entropy-coded streams.
    ///     metadata: what goes along, by the names that `metadata` gives.
    ///     threads: how many to use; the bytes do not depend on it.
    ///
    /// Raises:
    ///     ValueError: if y has another shape or numbers that are not finite, or the quality is not legal.
    #[pyo3(signature = (y, quality=None, *, size, kind="lcrs", metadata=None, threads=None))]
    #[allow(clippy::too_many_arguments)] // keywords in Python
    fn compress_latent<'py>(
        &self,
        y: &Bound<'py, PyAny>,
        quality: Option<f64>,
        size: (u32, u32),
        kind: &str,
        metadata: Option<&Bound<'py, PyDict>>,
        threads: Option<i64>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let py = y.py();
        let y = latent(y, "y")?;
        let options = CompressOptions { quality, kind: stream_kind(py, kind)?, metadata: from_dict(metadata)? };
        let runtime = runtime(py, threads)?;
        let limits = Limits::default();
        let (height, width) = size;
        let data = detached(py, usize::MAX, || {
            codec::compress_latent(&self.inner, &y, (width, height), &options, &runtime, &limits)
        })?;
        Ok(PyBytes::new(py, &data))
    }

    /// The decoded latent of an .lcrs file, for a g_s that runs elsewhere.
    ///
    /// Arguments and errors are those of `decompress`.
    ///
    /// Returns:
    ///     ``y``: float32, (C, H, W); ``level``: what g_s runs at, or None; ``size``: (H, W) of the visible
    ///     picture; ``crop``: rows and columns of what g_s gives that come before it.
    #[pyo3(signature = (data, *, allow_other_synthesis=false, threads=None))]
    fn decompress_latent<'py>(
        &self,
        data: &Bound<'py, PyAny>,
        allow_other_synthesis: bool,
        threads: Option<i64>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let py = data.py();
        let data = arrays::bytes(data, "data")?;
        let options = DecompressOptions { allow_other_synthesis };
        let runtime = runtime(py, threads)?;
        let limits = Limits::default();
        let decode = || codec::decompress_latent(&self.inner, &data, &options, &runtime, &limits);
        let decoded = detached(py, usize::MAX, decode)?;
        let dict = PyDict::new(py);
        let (channels, height, width) = decoded.y.shape();
        dict.set_item("y", PyArray1::from_vec(py, decoded.y.to_nchw()).reshape([channels, height, width])?)?;
        dict.set_item("level", decoded.level)?;
        dict.set_item("size", (decoded.size.1, decoded.size.0))?;
        dict.set_item("crop", (decoded.crop.1, decoded.crop.0))?;
        Ok(dict)
    }

    /// The level at a quality, for networks that run elsewhere; None for a fixed rate.
    ///
    /// Raises:
    ///     ValueError: if the quality is out of range, missing, or given for a fixed rate.
    #[pyo3(signature = (quality=None))]
    fn level(&self, py: Python<'_>, quality: Option<f64>) -> PyResult<Option<f32>> {
        codec::level_of(&self.inner, quality).map_err(|error| to_py(py, &error))
    }

    /// A tensor of the package as float32.
    ///
    /// Raises:
    ///     KeyError: if there is no such tensor of floats.
    fn parameter<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyArrayDyn<f32>>> {
        let (numbers, shape) = self.inner.parameter(name).ok_or_else(|| PyKeyError::new_err(name.to_owned()))?;
        PyArray1::from_vec(py, numbers).reshape(shape)
    }

    fn __repr__(&self) -> String {
        let levels = self.inner.levels().map_or("None".to_owned(), |levels| levels.to_string());
        format!("Package(name='{}', levels={levels})", self.inner.name())
    }
}

impl Package {
    fn picture(&self, data: &Bound<'_, PyAny>, allow_other_synthesis: bool, threads: Option<i64>) -> PyResult<Picture> {
        let py = data.py();
        let data = arrays::bytes(data, "data")?;
        let options = DecompressOptions { allow_other_synthesis };
        let runtime = runtime(py, threads)?;
        let limits = Limits::default();
        detached(py, usize::MAX, || codec::decompress(&self.inner, &data, &options, &runtime, &limits))
    }
}

/// A picture from an array (H, W, 3), or from the bytes of one whose (H, W) is `size`.
fn picture(pixels: &Bound<'_, PyAny>, size: Option<(u32, u32)>) -> PyResult<Picture> {
    let picture = if let Some((height, width)) = size {
        Picture::new(width, height, arrays::bytes(pixels, "pixels")?.to_vec())
    } else {
        let pixels = Input::<u8>::new(pixels, "pixels")?;
        pixels.check_ndim("pixels", 3, "(H, W, 3)")?;
        let side = |size: usize| u32::try_from(size).unwrap_or(u32::MAX);
        let (height, width) = (side(pixels.shape()[0]), side(pixels.shape()[1]));
        Picture::new(width, height, pixels.slice()?.to_vec())
    };
    picture.map_err(|error| to_py(pixels.py(), &error.at("pixels")))
}

/// What an .lcrs file says about itself, as a JSON object; errors as in `metadata`.
#[pyfunction]
pub(crate) fn info_json(data: &Bound<'_, PyAny>) -> PyResult<String> {
    let py = data.py();
    let data = arrays::bytes(data, "data")?;
    detached(py, data.len(), || codec::info(&data, &Limits::default()).map(|info| info.to_json()))
}

/// How many bytes must be at hand before more can be said of an .lcrs file that begins with ``first``.
///
/// As soon as that is not more than ``len(first)``, it is the length of the file: so one reads what a file
/// announces, and no more. After 8 bytes the length of the header is known, after the header that of the file.
///
/// Raises:
///     LcrsError: if the first bytes are damaged, of a later version, or no .lcrs file at all.
///     LimitError: if the picture, the metadata or the file are above the limits.
#[pyfunction]
pub(crate) fn bytes_needed(first: &Bound<'_, PyAny>) -> PyResult<u64> {
    let py = first.py();
    let first = arrays::bytes(first, "first")?;
    codec::bytes_needed(&first, &Limits::default()).map_err(|error| to_py(py, &error))
}

/// What travels with the picture of an .lcrs file, None where it carries no such thing.
///
/// Returns:
///     ``icc``: a colour profile; ``exif``: an EXIF block from its TIFF header on; ``xmp``: an XMP packet;
///     ``iptc``: IPTC-IIM records; ``resolution``: pixels an inch, across and down; ``cicp``: primaries,
///     transfer characteristics, matrix coefficients and full-range flag of ITU-T H.273; ``gamma``: the
///     exponent from light to components times 100,000; ``chromaticities``: x and y of the white point, of
///     red, of green and of blue, times 100,000.
///
/// Raises:
///     LcrsError: if the file is cut off, damaged, or of a later version.
#[pyfunction]
pub(crate) fn metadata<'py>(data: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyDict>> {
    let py = data.py();
    let data = arrays::bytes(data, "data")?;
    let metadata = detached(py, data.len(), || codec::metadata(&data, &Limits::default()))?;
    to_dict(py, &metadata)
}

/// The digests of a description (JSON) and its tensors, by the members of the description that hold them.
///
/// Raises:
///     LcrsError: if the description is not one, or names a tensor that is not there.
#[pyfunction]
pub(crate) fn package_digests<'py>(description: &str, tensors: &Bound<'py, PyDict>) -> PyResult<Bound<'py, PyDict>> {
    let py = tensors.py();
    let arrays = NamedArrays::new(tensors, "tensors")?;
    let views = arrays.views(py)?;
    let digests = detached(py, usize::MAX, || codec::package_digests(description, &views))?;
    let dict = PyDict::new(py);
    dict.set_item("entropy_digest", digests.entropy_hex())?;
    dict.set_item("synthesis_digest", digests.synthesis_hex())?;
    dict.set_item("analysis_digest", digests.analysis_hex())?;
    Ok(dict)
}
