//! Point clouds to files and back.

use lcrs_codec::{self as codec, CloudOptions, PointCloud, Resolution, Values};
use lcrs_core::Limits;
use numpy::{PyArrayMethods, PyUntypedArray, PyUntypedArrayMethods};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyString};
use std::path::PathBuf;

use crate::arrays::{self, shape_text, Input};
use crate::errors::detached;
use crate::limits::{limits, Count};
use crate::runtime::runtime;

/// A model package (.lcrm) of point clouds, loaded and checked. It cannot be changed and may be used from many threads.
#[pyclass(frozen, module = "lcrs.coding")]
pub(crate) struct CloudPackage {
    inner: codec::CloudPackage,
}

#[pymethods]
impl CloudPackage {
    /// The package in a file.
    ///
    /// Raises:
    ///     MissingModelError: the file cannot be read.
    ///     LcrsError: it is no package, or its digests are not those of its content.
    ///     ValueError: it is one of pictures.
    #[staticmethod]
    fn from_file(py: Python<'_>, path: PathBuf) -> PyResult<Self> {
        let inner = detached(py, usize::MAX, || codec::CloudPackage::from_file(&path, &Limits::default()))?;
        Ok(Self { inner })
    }

    /// The package in a byte string; errors as in `from_file`.
    #[staticmethod]
    fn from_bytes(data: &Bound<'_, PyAny>) -> PyResult<Self> {
        let py = data.py();
        let data = arrays::bytes(data, "data")?;
        let inner = detached(py, usize::MAX, || codec::CloudPackage::from_bytes(&data, &Limits::default()))?;
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

    /// SHA-256 of everything that decides a symbol, 64 hexadecimal digits.
    #[getter]
    fn entropy_digest(&self) -> String {
        self.inner.digests().entropy_hex()
    }

    /// The bytes of an .lcrs file of a point cloud. The order of points is not kept.
    ///
    /// Args:
    ///     positions: (N, 3), of any integer or floating type of at most 64 bits, C-contiguous.
    ///     attributes: for each name an array (N,) of such a type.
    ///     voxel: size of the voxels that positions are rounded to; without it and `bits` they are kept as they are.
    ///     bits: bits of a coordinate, 1 to 32, along the longest side.
    ///     keep_duplicates: whether points at one place all stay; otherwise the first one does.
    ///     threads: how many to use; the bytes do not depend on it.
    ///     max_bytes: that the call may hold at a time; by default 2^31.
    ///
    /// Returns:
    ///     The file, and how many points were left out because another one is at their place.
    ///
    /// Raises:
    ///     ValueError: arrays are not as above, a coordinate is not finite, or positions lie on no grid and neither a
    ///         voxel size nor bits are given.
    ///     LimitError: the cloud is above the limits.
    #[pyo3(signature = (positions, attributes, *, voxel=None, bits=None, keep_duplicates=false, threads=None, max_bytes=None))]
    #[allow(clippy::too_many_arguments)] // keywords in Python
    fn compress<'py>(
        &self,
        positions: &Bound<'py, PyAny>,
        attributes: &Bound<'py, PyDict>,
        voxel: Option<f64>,
        bits: Option<u32>,
        keep_duplicates: bool,
        threads: Option<i64>,
        max_bytes: Option<Count>,
    ) -> PyResult<(Bound<'py, PyBytes>, u64)> {
        let py = positions.py();
        let resolution = match (voxel, bits) {
            (None, None) => Resolution::Lossless,
            (Some(size), None) => Resolution::Voxel(size),
            (None, Some(bits)) => Resolution::Bits(bits),
            (Some(_), Some(_)) => return Err(PyValueError::new_err("voxel and bits are both given, one is possible")),
        };
        let positions = Column::new(positions, "positions")?;
        let &[_, 3] = positions.shape() else {
            let given = shape_text(positions.shape());
            return Err(PyValueError::new_err(format!("positions have shape {given}, (N, 3) is needed")));
        };
        let mut columns = Vec::new();
        for (name, values) in attributes.iter() {
            let name: String = name.extract()?;
            let column = Column::new(&values, &format!("attribute '{name:.40}'"))?;
            if column.shape() != [positions.shape()[0]] {
                let (given, wanted) = (shape_text(column.shape()), shape_text(&positions.shape()[..1]));
                return Err(PyValueError::new_err(format!(
                    "attribute '{name:.40}' has shape {given}, {wanted} is needed"
                )));
            }
            columns.push((name, column));
        }
        let attributes = columns.iter().map(|(name, column)| Ok((name.clone(), column.values()?)));
        let cloud = PointCloud { positions: positions.values()?, attributes: attributes.collect::<PyResult<_>>()? };
        let (runtime, limits) = (runtime(py, threads)?, limits(None, max_bytes)?);
        let options = CloudOptions { resolution, keep_duplicates };
        let compress = || codec::compress_cloud(&self.inner, &cloud, &options, &runtime, &limits);
        let compressed = detached(py, usize::MAX, compress)?;
        Ok((arrays::to_bytes(py, &compressed.data)?, compressed.num_merged))
    }

    /// The points of an .lcrs file, in Morton order of their voxels.
    ///
    /// Args:
    ///     data: the whole file.
    ///     threads: how many to use; the points do not depend on it.
    ///     max_bytes: as in `compress`.
    ///
    /// Returns:
    ///     Positions, (N, 3), of the type that was given, and the attributes by name.
    ///
    /// Raises:
    ///     MissingModelError: the file was made with another model.
    ///     LcrsError: the file is cut off, damaged, of a later version, no point cloud, or above the limits.
    #[pyo3(signature = (data, *, threads=None, max_bytes=None))]
    fn decompress<'py>(
        &self,
        data: &Bound<'py, PyAny>,
        threads: Option<i64>,
        max_bytes: Option<Count>,
    ) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyDict>)> {
        let py = data.py();
        let data = arrays::bytes(data, "data")?;
        let (runtime, limits) = (runtime(py, threads)?, limits(None, max_bytes)?);
        let cloud = detached(py, usize::MAX, || codec::decompress_cloud(&self.inner, &data, &runtime, &limits))?;
        let points = cloud.positions.len() / 3;
        let attributes = PyDict::new(py);
        for (name, values) in cloud.attributes {
            attributes.set_item(name, to_array(py, values, &[points])?)?;
        }
        Ok((to_array(py, cloud.positions, &[points, 3])?, attributes))
    }

    fn __repr__(&self) -> String {
        format!("CloudPackage(name='{}')", self.inner.name())
    }
}

macro_rules! columns {
    ($($name:ident: $type:ty),*) => {
        /// An array of any type that points have, read during a call.
        enum Column<'py> {
            $($name(Input<'py, $type>)),*
        }

        impl<'py> Column<'py> {
            fn new(object: &Bound<'py, PyAny>, name: &str) -> PyResult<Self> {
                arrays::numpy_ready(object.py())?;
                let array = object.cast::<PyUntypedArray>().map_err(|_| {
                    let given = object.get_type().fully_qualified_name().map_or_else(|_| String::new(), |name| name.to_string());
                    PyTypeError::new_err(format!("{name}: a NumPy array is needed, not {given}"))
                })?;
                let dtype = array.dtype();
                $(if arrays::has_type::<$type>(array) {
                    return Ok(Self::$name(Input::new(object, name)?));
                })*
                let message = format!("{name} has dtype {dtype}, integers or floats of 8 to 64 bits in native byte order are needed");
                Err(PyValueError::new_err(message))
            }

            fn shape(&self) -> &[usize] {
                match self {
                    $(Self::$name(input) => input.shape()),*
                }
            }

            fn values(&self) -> PyResult<Values<'_>> {
                Ok(match self {
                    $(Self::$name(input) => Values::$name(input.slice()?.into())),*
                })
            }
        }

        fn to_array<'py>(py: Python<'py>, values: Values<'static>, shape: &[usize]) -> PyResult<Bound<'py, PyAny>> {
            match values {
                $(Values::$name(values) => Ok(arrays::to_array(py, values.into_owned())?.reshape(shape)?.into_any())),*
            }
        }
    };
}

columns!(U8: u8, I8: i8, U16: u16, I16: i16, U32: u32, I32: i32, U64: u64, I64: i64, F32: f32, F64: f64);

/// Whether a package file codes point clouds, by its header; errors as in `CloudPackage.from_file`.
#[pyfunction]
pub(crate) fn codes_clouds(py: Python<'_>, path: PathBuf) -> PyResult<bool> {
    detached(py, usize::MAX, || {
        codec::PackageSummary::from_file(&path, &Limits::default()).map(|found| found.is_of_clouds)
    })
}
