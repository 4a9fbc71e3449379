//! Model packages, and pictures to files and back with them.

use std::path::PathBuf;

use lcrs_codec::{self as codec, CompressOptions, DecompressOptions, GivenLatents, Picture};
use lcrs_core::exact::Tensor;
use lcrs_core::{Limits, Runtime};
use lcrs_format::Samples;
use numpy::{PyArrayDyn, PyArrayMethods};
use pyo3::exceptions::PyKeyError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyString, PyTuple};

use crate::arrays;
use crate::coder::stream_kind;
use crate::errors::{caught, detached, to_py};
use crate::limits::{limits, Count};
use crate::metadata::{from_dict, to_dict};
use crate::runtime::runtime;
use crate::samples::{self, Given};
use crate::target::target as target_of;
use crate::tensors::{latent, NamedArrays};

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
    ///     MissingModelError: the file cannot be read.
    ///     LcrsError: it is no package, or its digests are not those of its content.
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
    fn description<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyString>> {
        arrays::to_text(py, self.inner.description())
    }

    /// Number of levels of a variable-rate model; None for a fixed rate.
    #[getter]
    fn levels(&self) -> Option<usize> {
        self.inner.levels()
    }

    /// Type and channels of the arrays that the model codes; None for a model of pictures.
    #[getter]
    fn samples(&self) -> Option<(&'static str, u32)> {
        match self.inner.samples() {
            Samples::Array { number, channels } => Some((number.name(), channels)),
            Samples::Picture { .. } => None,
        }
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
    ///     pixels: at least 1 x 1. For a model of pictures uint8 or uint16, (H, W, 3), or grey: (H, W) or (H, W, 1). For
    ///         one of arrays (H, W, C) of its type and channels, or (H, W) if it has one channel; what is outside of its
    ///         range counts as the end of that. Or the bytes of that, each sample little endian, with `shape`.
    ///     quality: 0 to 100 for a variable-rate model, None for one of a fixed rate.
    ///     shape: of what is given as bytes.
    ///     dtype: of what is given as bytes; by default uint8, or the type of the model.
    ///     bit_depth: bits of a component of a picture, 1 to 8 of uint8, 9 to 16 of uint16; by default 8 or 16.
    ///     kind: of the entropy-coded streams.
    ///     metadata: what goes along, by the names that `metadata` gives.
    ///     threads: how many to use; the bytes do not depend on it.
    ///     max_pixels: of a picture; by default 2^28. Larger ones are refused before anything is done.
    ///     max_bytes: that the call may hold at a time; by default 2^31.
    ///
    /// Raises:
    ///     ValueError: the pixels or the quality are not as above.
    ///     LimitError: the picture or the metadata are above the limits.
    #[pyo3(signature = (pixels, quality=None, *, shape=None, dtype=None, bit_depth=None, kind="lcrs", metadata=None, threads=None, max_pixels=None, max_bytes=None))]
    #[allow(clippy::too_many_arguments)] // keywords in Python
    fn compress<'py>(
        &self,
        pixels: &Bound<'py, PyAny>,
        quality: Option<f64>,
        shape: Option<Vec<usize>>,
        dtype: Option<String>,
        bit_depth: Option<u8>,
        kind: &str,
        metadata: Option<&Bound<'py, PyDict>>,
        threads: Option<i64>,
        max_pixels: Option<Count>,
        max_bytes: Option<Count>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let py = pixels.py();
        let picture = samples::picture(&self.inner, pixels, &Given { shape, dtype, bit_depth })?;
        let options = CompressOptions { quality, kind: stream_kind(py, kind)?, metadata: from_dict(metadata)? };
        let runtime = runtime(py, threads)?;
        let limits = besides_given(py, &picture, &limits(max_pixels, max_bytes)?)?;
        let data = detached(py, usize::MAX, || codec::compress(&self.inner, &picture, &options, &runtime, &limits))?;
        arrays::to_bytes(py, &data)
    }

    /// The picture or the array of an .lcrs file, of the shape and type that it was given in.
    ///
    /// Args:
    ///     data: the whole file.
    ///     allow_other_synthesis: whether to accept a file made for another synthesis transform: its
    ///         symbols are right, its pixels not those that the encoder meant.
    ///     threads: how many to use; the pixels do not depend on it.
    ///     max_pixels: as in `compress`.
    ///     max_bytes: as in `compress`.
    ///
    /// Raises:
    ///     MissingModelError: the file was made with another model.
    ///     LcrsError: the file is cut off, damaged, of a later version, or above the limits.
    #[pyo3(signature = (data, *, allow_other_synthesis=false, threads=None, max_pixels=None, max_bytes=None))]
    fn decompress<'py>(
        &self,
        data: &Bound<'py, PyAny>,
        allow_other_synthesis: bool,
        threads: Option<i64>,
        max_pixels: Option<Count>,
        max_bytes: Option<Count>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let limits = limits(max_pixels, max_bytes)?;
        let picture = self.picture(data, allow_other_synthesis, threads, &limits)?;
        samples::array(data.py(), picture)
    }

    /// `decompress` for programs that do without NumPy.
    ///
    /// Returns:
    ///     The bytes of the samples, each little endian, their shape, their type, and the bits of a component, None for
    ///     arrays.
    #[pyo3(signature = (data, *, allow_other_synthesis=false, threads=None, max_pixels=None, max_bytes=None))]
    fn decompress_bytes<'py>(
        &self,
        data: &Bound<'py, PyAny>,
        allow_other_synthesis: bool,
        threads: Option<i64>,
        max_pixels: Option<Count>,
        max_bytes: Option<Count>,
    ) -> PyResult<samples::Bytes<'py>> {
        let limits = limits(max_pixels, max_bytes)?;
        let picture = self.picture(data, allow_other_synthesis, threads, &limits)?;
        to_bytes(data, &picture, &runtime(data.py(), threads)?, &limits)
    }

    /// The bytes of an .lcrs file of a size or a distortion, found by trials on the real coder.
    ///
    /// Args:
    ///     pixels: as in `compress`.
    ///     target: `bpp`: bits of the whole file for each pixel, to within 1 %; `size`: bytes of the whole file, no more
    ///         and no less than 99 % of it; `psnr`: decibels, to within 0.05.
    ///     value: how much of it.
    ///     shape: as in `compress`.
    ///     dtype: as in `compress`.
    ///     bit_depth: as in `compress`.
    ///     kind: of the entropy-coded streams.
    ///     metadata: what goes along, by the names that `metadata` gives.
    ///     threads: how many to use; the bytes do not depend on it.
    ///     max_pixels: as in `compress`.
    ///     max_bytes: as in `compress`.
    ///
    /// Returns:
    ///     The file, and what was reached instead of the target in words, None if it was reached.
    ///
    /// Raises:
    ///     ValueError: the target is not above 0 or not finite, or the model has a fixed rate.
    #[pyo3(signature = (pixels, target, value, *, shape=None, dtype=None, bit_depth=None, kind="lcrs", metadata=None, threads=None, max_pixels=None, max_bytes=None))]
    #[allow(clippy::too_many_arguments)] // keywords in Python
    fn compress_to_target<'py>(
        &self,
        pixels: &Bound<'py, PyAny>,
        target: &str,
        value: f64,
        shape: Option<Vec<usize>>,
        dtype: Option<String>,
        bit_depth: Option<u8>,
        kind: &str,
        metadata: Option<&Bound<'py, PyDict>>,
        threads: Option<i64>,
        max_pixels: Option<Count>,
        max_bytes: Option<Count>,
    ) -> PyResult<(Bound<'py, PyBytes>, Option<String>)> {
        let py = pixels.py();
        let picture = samples::picture(&self.inner, pixels, &Given { shape, dtype, bit_depth })?;
        let options = CompressOptions { quality: None, kind: stream_kind(py, kind)?, metadata: from_dict(metadata)? };
        let (target, runtime) = (target_of(target, value)?, runtime(py, threads)?);
        let limits = besides_given(py, &picture, &limits(max_pixels, max_bytes)?)?;
        let find = || codec::compress_to_target(&self.inner, &picture, target, &options, &runtime, &limits);
        let found = detached(py, usize::MAX, find)?;
        Ok((arrays::to_bytes(py, &found.data)?, found.shortfall))
    }

    /// The bytes of an .lcrs file from a latent y that g_a gave elsewhere.
    ///
    /// What decides the symbols of y runs here, exactly, so the file decodes everywhere.
    ///
    /// Args:
    ///     y: float32, (C, H, W), of the picture padded by repeating its last row and column.
    ///     quality: as in `compress`.
    ///     shape: of the picture, as `compress` takes it.
    ///     dtype: of the picture.
    ///     bit_depth: of the picture.
    ///     kind: of the entropy-coded streams.
    ///     metadata: what goes along, by the names that `metadata` gives.
    ///     threads: how many to use; the bytes do not depend on it.
    ///     max_pixels: as in `compress`.
    ///     max_bytes: as in `compress`.
    ///
    /// Raises:
    ///     ValueError: y has another shape or numbers that are not finite, or the quality is not legal.
    #[pyo3(signature = (y, quality=None, *, shape, dtype=None, bit_depth=None, kind="lcrs", metadata=None, threads=None, max_pixels=None, max_bytes=None))]
    #[allow(clippy::too_many_arguments)] // keywords in Python
    fn compress_latent<'py>(
        &self,
        y: &Bound<'py, PyAny>,
        quality: Option<f64>,
        shape: Vec<usize>,
        dtype: Option<String>,
        bit_depth: Option<u8>,
        kind: &str,
        metadata: Option<&Bound<'py, PyDict>>,
        threads: Option<i64>,
        max_pixels: Option<Count>,
        max_bytes: Option<Count>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let py = y.py();
        let y = latent(y, "y")?;
        let options = CompressOptions { quality, kind: stream_kind(py, kind)?, metadata: from_dict(metadata)? };
        let runtime = runtime(py, threads)?;
        let limits = limits(max_pixels, max_bytes)?;
        let layout = samples::layout(&self.inner, &Given { shape: Some(shape), dtype, bit_depth })?;
        let data =
            detached(py, usize::MAX, || codec::compress_latent(&self.inner, &y, &layout, &options, &runtime, &limits))?;
        arrays::to_bytes(py, &data)
    }

    /// The (H, W) that a picture of `size` is padded to for g_a.
    ///
    /// Args:
    ///     size: (H, W).
    ///     max_pixels: as in `compress`.
    ///     max_bytes: as in `compress`.
    ///
    /// Raises:
    ///     LimitError: the picture or its latent is above the limits.
    #[pyo3(signature = (size, *, max_pixels=None, max_bytes=None))]
    fn padded_size(
        &self,
        py: Python<'_>,
        size: (u32, u32),
        max_pixels: Option<Count>,
        max_bytes: Option<Count>,
    ) -> PyResult<(usize, usize)> {
        let limits = limits(max_pixels, max_bytes)?;
        self.inner.padded_size(size.1, size.0, &limits).map_err(|error| to_py(py, &error))
    }

    /// The decoded latent of an .lcrs file, for a g_s that runs elsewhere.
    ///
    /// Arguments and errors are those of `decompress`.
    ///
    /// Returns:
    ///     `y`: float32, (C, H, W); `level`: what g_s runs at, or None; `shape`, `dtype` and `bit_depth` of
    ///     the visible picture; `crop`: rows and columns of what g_s gives that come before it.
    #[pyo3(signature = (data, *, allow_other_synthesis=false, threads=None, max_pixels=None, max_bytes=None))]
    fn decompress_latent<'py>(
        &self,
        data: &Bound<'py, PyAny>,
        allow_other_synthesis: bool,
        threads: Option<i64>,
        max_pixels: Option<Count>,
        max_bytes: Option<Count>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let py = data.py();
        let data = arrays::bytes(data, "data")?;
        let options = DecompressOptions { allow_other_synthesis };
        let runtime = runtime(py, threads)?;
        let limits = limits(max_pixels, max_bytes)?;
        let decode = || codec::decompress_latent(&self.inner, &data, &options, &runtime, &limits);
        let decoded = detached(py, usize::MAX, decode)?;
        let dict = PyDict::new(py);
        dict.set_item("y", planes(py, &decoded.y)?)?;
        dict.set_item("level", decoded.level)?;
        dict.set_item("shape", PyTuple::new(py, samples::shape(&decoded.layout))?)?;
        dict.set_item("dtype", decoded.layout.samples.number().name())?;
        dict.set_item("bit_depth", samples::depth(&decoded.layout))?;
        dict.set_item("crop", (decoded.crop.1, decoded.crop.0))?;
        Ok(dict)
    }

    /// The latents of strings that CompressAI wrote, where exact arithmetic decodes them.
    ///
    /// Its sums were torch's.
    ///
    /// Args:
    ///     strings: that of y and, for a model with a hyperprior, that of z.
    ///     size: (height, width) of the last string's latent.
    ///     threads: how many to use; the latents do not depend on it.
    ///     max_bytes: as in `compress`.
    ///
    /// Returns:
    ///     y and z (None without a hyperprior), float32, (C, H, W).
    ///
    /// Raises:
    ///     MissingModelError: the model has a context or a variable rate, or other latents.
    ///     DesyncError: the strings do not decode with exact parameters.
    #[pyo3(signature = (strings, size, *, threads=None, max_bytes=None))]
    fn latents_of_strings<'py>(
        &self,
        py: Python<'py>,
        strings: Vec<Bound<'py, PyAny>>,
        size: (usize, usize),
        threads: Option<i64>,
        max_bytes: Option<Count>,
    ) -> PyResult<(Bound<'py, PyAny>, Option<Bound<'py, PyAny>>)> {
        let strings = strings.iter().map(|string| arrays::bytes(string, "strings")).collect::<PyResult<Vec<_>>>()?;
        let strings: Vec<&[u8]> = strings.iter().map(|string| &string[..]).collect();
        let runtime = runtime(py, threads)?;
        let limits = limits(None, max_bytes)?;
        let decode = || codec::latents_of_strings(&self.inner, &strings, size, &runtime, &limits);
        let GivenLatents { y, z } = detached(py, usize::MAX, decode)?;
        Ok((planes(py, &y)?, z.map(|z| planes(py, &z)).transpose()?))
    }

    /// The level at a quality, for networks that run elsewhere; None for a fixed rate.
    ///
    /// Raises:
    ///     ValueError: the quality is out of range, missing, or given for a fixed rate.
    #[pyo3(signature = (quality=None))]
    fn level(&self, py: Python<'_>, quality: Option<f64>) -> PyResult<Option<f32>> {
        caught(py, || codec::level_of(&self.inner, quality))
    }

    /// A tensor of the package as float32.
    ///
    /// Raises:
    ///     KeyError: there is no such tensor of floats.
    fn parameter<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyArrayDyn<f32>>> {
        let (numbers, shape) = self.inner.parameter(name).ok_or_else(|| PyKeyError::new_err(name.to_owned()))?;
        arrays::to_array(py, numbers)?.reshape(shape)
    }

    fn __repr__(&self) -> String {
        let levels = self.inner.levels().map_or("None".to_owned(), |levels| levels.to_string());
        format!("Package(name='{}', levels={levels})", self.inner.name())
    }
}

/// A latent as an array (C, H, W).
fn planes<'py>(py: Python<'py>, latent: &Tensor) -> PyResult<Bound<'py, PyAny>> {
    let (channels, height, width) = latent.shape();
    let numbers = latent.to_nchw().map_err(|error| to_py(py, &error))?;
    Ok(arrays::to_array(py, numbers)?.reshape([channels, height, width])?.into_any())
}

/// The limits of a job whose pixels are there twice: as the caller gave them, and as the codec takes them.
pub(crate) fn besides_given(py: Python<'_>, picture: &Picture, limits: &Limits) -> PyResult<Limits> {
    limits.without(picture.data().len() as u64, "the given picture").map_err(|error| to_py(py, &error))
}

/// The samples of a picture that was decoded from `file`, and what says how they are meant.
pub(crate) fn to_bytes<'py>(
    file: &Bound<'py, PyAny>,
    picture: &Picture,
    rt: &Runtime,
    limits: &Limits,
) -> PyResult<samples::Bytes<'py>> {
    let (py, layout) = (file.py(), picture.layout());
    make_room_for_copy(picture, file.len()?, rt, limits).map_err(|error| to_py(py, &error))?;
    let bytes = arrays::to_bytes(py, picture.data())?;
    let shape = PyTuple::new(py, samples::shape(&layout))?;
    Ok((bytes, shape, layout.samples.number().name(), samples::depth(&layout)))
}

/// Checks that a decoded picture may be there twice beside its file. Memory that is kept for later gives way.
fn make_room_for_copy(picture: &Picture, file: usize, rt: &Runtime, limits: &Limits) -> lcrs_core::Result<()> {
    let held = (2 * picture.data().len() + file) as u64;
    rt.settle(limits.without(held, "a picture and its copy")?.max_bytes);
    Ok(())
}

impl Package {
    fn picture(
        &self,
        data: &Bound<'_, PyAny>,
        allow_other_synthesis: bool,
        threads: Option<i64>,
        limits: &Limits,
    ) -> PyResult<Picture> {
        let py = data.py();
        let data = arrays::bytes(data, "data")?;
        let options = DecompressOptions { allow_other_synthesis };
        let runtime = runtime(py, threads)?;
        detached(py, usize::MAX, || codec::decompress(&self.inner, &data, &options, &runtime, limits))
    }
}

/// What an .lcrs file says about itself, as a JSON object; errors as in `metadata`.
#[pyfunction]
#[pyo3(signature = (data, *, max_pixels=None, max_bytes=None))]
pub(crate) fn info_json<'py>(
    data: &Bound<'py, PyAny>,
    max_pixels: Option<Count>,
    max_bytes: Option<Count>,
) -> PyResult<Bound<'py, PyString>> {
    let py = data.py();
    let data = arrays::bytes(data, "data")?;
    let limits = limits(max_pixels, max_bytes)?;
    let json = detached(py, data.len(), || codec::info(&data, &limits).map(|info| info.to_json()))?;
    arrays::to_text(py, &json)
}

/// How many bytes must be at hand before more can be said of an .lcrs file that begins with `first`.
///
/// As soon as that is not more than `len(first)`, it is the length of the file: so one reads what a file
/// announces, and no more. After 8 bytes the length of the header is known, after the header that of the file.
///
/// Raises:
///     LcrsError: the first bytes are damaged, of a later version, or no .lcrs file at all.
///     LimitError: the picture, the metadata or the file are above the limits.
#[pyfunction]
#[pyo3(signature = (first, *, max_pixels=None, max_bytes=None))]
pub(crate) fn bytes_needed(
    first: &Bound<'_, PyAny>,
    max_pixels: Option<Count>,
    max_bytes: Option<Count>,
) -> PyResult<u64> {
    let py = first.py();
    let first = arrays::bytes(first, "first")?;
    let limits = limits(max_pixels, max_bytes)?;
    caught(py, || codec::bytes_needed(&first, &limits))
}

/// What travels with the picture of an .lcrs file, None where it carries no such thing.
///
/// Returns:
///     `icc`: a colour profile; `exif`: an EXIF block from its TIFF header on; `xmp`: an XMP packet;
///     `iptc`: IPTC-IIM records; `resolution`: pixels an inch, across and down; `cicp`: primaries,
///     transfer characteristics, matrix coefficients and full-range flag of ITU-T H.273; `gamma`: the
///     exponent from light to components times 100,000; `chromaticities`: x and y of the white point, of
///     red, of green and of blue, times 100,000.
///
/// Raises:
///     LcrsError: the file is cut off, damaged, or of a later version.
#[pyfunction]
#[pyo3(signature = (data, *, max_pixels=None, max_bytes=None))]
pub(crate) fn metadata<'py>(
    data: &Bound<'py, PyAny>,
    max_pixels: Option<Count>,
    max_bytes: Option<Count>,
) -> PyResult<Bound<'py, PyDict>> {
    let py = data.py();
    let data = arrays::bytes(data, "data")?;
    let limits = limits(max_pixels, max_bytes)?;
    let metadata = detached(py, data.len(), || codec::metadata(&data, &limits))?;
    to_dict(py, &metadata)
}

/// The level of a quality, for a model of so many levels.
///
/// Raises:
///     ValueError: the quality is out of range.
#[pyfunction]
pub(crate) fn level_of(py: Python<'_>, quality: f64, num_levels: usize) -> PyResult<f32> {
    caught(py, || codec::level_of_quality(quality, num_levels))
}

/// The digests of a description (JSON) and its tensors, by the members of the description that hold them.
///
/// Raises:
///     LcrsError: the description is not one, or names a tensor that is not there.
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
