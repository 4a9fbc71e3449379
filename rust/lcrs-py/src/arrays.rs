//! Contiguous buffers in and out without a copy: NumPy arrays, and CPU torch tensors through their own `numpy()`.
//!
//! Everything that is refused says what was given and what is legal. Torch is never imported.

use lcrs_core::Error;
use numpy::{Element, PyArray1, PyArrayDescrMethods, PyArrayDyn, PyReadonlyArrayDyn, PyReadwriteArrayDyn};
use numpy::{PyArrayMethods, PyUntypedArray, PyUntypedArrayMethods};
use pyo3::exceptions::{PyRuntimeError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyMemoryView, PyString, PyTuple};

use crate::errors::{caught, to_py};

/// Looks up NumPy's functions, if that has not been done in this process. Nothing of NumPy is to be touched before.
///
/// The library that we reach NumPy with looks them up on first use, by running Python code, and panics if that fails: as it
/// does when the user interrupts it. Only the main thread is ever interrupted, so another one looks them up.
pub(crate) fn numpy_ready(py: Python<'_>) -> PyResult<()> {
    static READY: PyOnceLock<()> = PyOnceLock::new();
    if READY.get(py).is_some() {
        return Ok(());
    }
    // This takes long, and may be interrupted.
    py.import("numpy")?;
    let look_up = || {
        Python::attach(|py| {
            let array = PyArray1::from_vec(py, vec![0_u8]);
            drop(array.try_readonly());
        });
    };
    let found = py.detach(|| {
        std::thread::scope(|scope| {
            let thread = std::thread::Builder::new().spawn_scoped(scope, look_up);
            thread.map(|thread| thread.join().is_ok())
        })
    });
    match found {
        Ok(true) => {}
        // No thread is to be had, or it met a failure that will show here again.
        _ => caught(py, || {
            look_up();
            Ok(())
        })?,
    }
    READY.get_or_init(py, || ());
    Ok(())
}

/// A copy of `data` for Python.
pub(crate) fn to_bytes<'py>(py: Python<'py>, data: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
    PyBytes::new_with(py, data.len(), |bytes| {
        bytes.copy_from_slice(data);
        Ok(())
    })
}

/// A text for Python.
pub(crate) fn to_text<'py>(py: Python<'py>, text: &str) -> PyResult<Bound<'py, PyString>> {
    caught(py, || Ok(PyString::new(py, text)))
}

/// A one-dimensional array that owns `numbers`.
pub(crate) fn to_array<T: Element>(py: Python<'_>, numbers: Vec<T>) -> PyResult<Bound<'_, PyArray1<T>>> {
    numpy_ready(py)?;
    caught(py, || Ok(PyArray1::from_vec(py, numbers)))
}

/// A copy of `data` for a job that keeps it.
pub(crate) fn copied(data: &[u8], what: &str) -> lcrs_core::Result<Vec<u8>> {
    let mut copy = reserved(data.len(), what)?;
    copy.extend_from_slice(data);
    Ok(copy)
}

/// An empty vector with room for `len` elements.
pub(crate) fn room<T>(py: Python<'_>, len: usize, what: &str) -> PyResult<Vec<T>> {
    reserved(len, what).map_err(|error| to_py(py, &error))
}

fn reserved<T>(len: usize, what: &str) -> lcrs_core::Result<Vec<T>> {
    let mut vector = Vec::new();
    let no_memory = |_| Error::limit(format!("no memory for {} bytes of {what}", len.saturating_mul(size_of::<T>())));
    vector.try_reserve_exact(len).map_err(no_memory)?;
    Ok(vector)
}

/// An array that is read during a call: C-contiguous, of any shape.
pub(crate) struct Input<'py, T: Element> {
    array: PyReadonlyArrayDyn<'py, T>,
}

impl<'py, T: Element> Input<'py, T> {
    /// `object` as a contiguous array of `T`; `name` is the argument's name in messages.
    pub(crate) fn new(object: &Bound<'py, PyAny>, name: &str) -> PyResult<Self> {
        let array = typed::<T>(object, name)?;
        let array = array.try_readonly().map_err(|_| in_use(name))?;
        Ok(Self { array })
    }

    pub(crate) fn optional(object: Option<&Bound<'py, PyAny>>, name: &str) -> PyResult<Option<Self>> {
        object.map(|object| Self::new(object, name)).transpose()
    }

    pub(crate) fn slice(&self) -> PyResult<&[T]> {
        Ok(self.array.as_slice()?)
    }

    pub(crate) fn shape(&self) -> &[usize] {
        self.array.shape()
    }

    /// Refuses an array whose shape is not `shape`, the shape of the argument `other`.
    pub(crate) fn check_shape(&self, name: &str, shape: &[usize], other: &str) -> PyResult<()> {
        if self.shape() == shape {
            return Ok(());
        }
        Err(PyValueError::new_err(format!(
            "{name} has shape {}, but {other} has shape {}",
            shape_text(self.shape()),
            shape_text(shape)
        )))
    }

    /// Refuses an array that has not `ndim` dimensions; `layout` names them.
    pub(crate) fn check_ndim(&self, name: &str, ndim: usize, layout: &str) -> PyResult<()> {
        if self.shape().len() == ndim {
            return Ok(());
        }
        Err(PyValueError::new_err(format!("{name} has shape {}, {layout} is needed", shape_text(self.shape()))))
    }
}

/// An array that is filled during a call: C-contiguous and writeable, of any shape.
pub(crate) struct Output<'py, T: Element> {
    array: PyReadwriteArrayDyn<'py, T>,
}

impl<'py, T: Element> Output<'py, T> {
    /// The caller's own array.
    pub(crate) fn new(object: &Bound<'py, PyAny>, name: &str) -> PyResult<Self> {
        let array = typed::<T>(object, name)?;
        match array.try_readwrite() {
            Ok(array) => Ok(Self { array }),
            Err(numpy::BorrowError::NotWriteable) => Err(PyValueError::new_err(format!("{name} is read-only"))),
            Err(_) => Err(in_use(name)),
        }
    }

    /// A new array of `shape` with any content, from `numpy.empty`: clearing megabytes would take as long as decoding them.
    pub(crate) fn empty(py: Python<'py>, shape: &[usize]) -> PyResult<Self> {
        static EMPTY: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        numpy_ready(py)?;
        let shape = PyTuple::new(py, shape)?;
        let array = EMPTY.import(py, "numpy", "empty")?.call1((shape, T::get_dtype(py)))?;
        let array = array.cast_into::<PyArrayDyn<T>>()?.try_readwrite().map_err(|_| in_use("a new array"))?;
        Ok(Self { array })
    }

    pub(crate) fn slice(&mut self) -> PyResult<&mut [T]> {
        Ok(self.array.as_slice_mut()?)
    }

    pub(crate) fn shape(&self) -> &[usize] {
        self.array.shape()
    }

    pub(crate) fn into_array(self) -> Bound<'py, PyArrayDyn<T>> {
        (**self.array).clone()
    }
}

/// The bytes of `object`: `bytes` as they are, other buffers (bytearray, memoryview, mmap, uint8 array) as a copy.
pub(crate) fn bytes(object: &Bound<'_, PyAny>, name: &str) -> PyResult<PyBackedBytes> {
    if let Ok(bytes) = object.cast::<PyBytes>() {
        return Ok(bytes.clone().into());
    }
    numpy_ready(object.py())?;
    let is_buffer = match object.cast::<PyUntypedArray>() {
        Ok(_) => typed::<u8>(object, name).map(|_| true)?,
        Err(_) => PyMemoryView::from(object).is_ok(),
    };
    if !is_buffer {
        return Err(wrong_type(object, name, "bytes"));
    }
    let copy = object.py().get_type::<PyBytes>().call1((object,))?;
    Ok(copy.cast_into::<PyBytes>()?.into())
}

/// `object` as a C-contiguous array of `T`, through `numpy()` or `__array__()` if it is not an array itself.
fn typed<'py, T: Element>(object: &Bound<'py, PyAny>, name: &str) -> PyResult<Bound<'py, PyArrayDyn<T>>> {
    let array = untyped(object, name)?;
    match array.into_any().cast_into::<PyArrayDyn<T>>() {
        Ok(array) => check_layout(&array, name).map(|()| array),
        Err(error) => match error.into_inner().cast::<PyUntypedArray>() {
            Ok(array) => Err(wrong_dtype::<T>(array, name)),
            Err(_) => Err(wrong_type(object, name, "a NumPy array or a CPU tensor")),
        },
    }
}

/// The same of whichever type it has, and of any layout.
pub(crate) fn untyped<'py>(object: &Bound<'py, PyAny>, name: &str) -> PyResult<Bound<'py, PyUntypedArray>> {
    numpy_ready(object.py())?;
    if let Ok(array) = object.cast::<PyUntypedArray>() {
        return Ok(array.clone());
    }
    let array = foreign_array(object, name)?;
    array.cast_into::<PyUntypedArray>().map_err(|_| wrong_type(object, name, "a NumPy array or a CPU tensor"))
}

/// Whether `array` has numbers of `T`, in the order of bytes of this machine.
pub(crate) fn has_type<T: Element>(array: &Bound<'_, PyUntypedArray>) -> bool {
    array.dtype().is_equiv_to(&numpy::dtype::<T>(array.py()))
}

/// The memory of a tensor (anything with `detach`, `numpy` and `device`) or of an array-like as a NumPy array.
fn foreign_array<'py>(object: &Bound<'py, PyAny>, name: &str) -> PyResult<Bound<'py, PyAny>> {
    if object.hasattr("detach")? && object.hasattr("numpy")? {
        let device = object.getattr("device")?.str()?;
        if device.to_str()? != "cpu" {
            return Err(PyValueError::new_err(format!("{name} is on {device}, move it here with .cpu()")));
        }
        return object.call_method0("detach")?.call_method0("numpy").map_err(|error| no_array(object, name, error));
    }
    if object.hasattr("__array__")? {
        return object.call_method0("__array__");
    }
    Err(wrong_type(object, name, "a NumPy array or a CPU tensor"))
}

/// What torch says of a tensor that is no array, such as a sparse one or one of bfloat16, by the argument's name.
fn no_array(object: &Bound<'_, PyAny>, name: &str, error: PyErr) -> PyErr {
    let py = object.py();
    if !error.is_instance_of::<PyTypeError>(py) && !error.is_instance_of::<PyRuntimeError>(py) {
        return error;
    }
    PyTypeError::new_err(format!("{name} is a tensor that is no NumPy array: {}", error.value(py)))
}

fn check_layout<T: Element>(array: &Bound<'_, PyArrayDyn<T>>, name: &str) -> PyResult<()> {
    if array.is_c_contiguous() {
        return Ok(());
    }
    Err(PyValueError::new_err(format!(
        "{name} of shape {} is not C-contiguous: pass np.ascontiguousarray({name}) or {name}.contiguous()",
        shape_text(array.shape())
    )))
}

fn wrong_dtype<T: Element>(array: &Bound<'_, PyUntypedArray>, name: &str) -> PyErr {
    let wanted = numpy::dtype::<T>(array.py());
    let given = array.dtype();
    // The same kind and size means that the bytes are swapped.
    let native = if given.num() == wanted.num() { " in native byte order" } else { "" };
    PyValueError::new_err(format!("{name} has dtype {given}, {wanted}{native} is needed"))
}

fn wrong_type(object: &Bound<'_, PyAny>, name: &str, wanted: &str) -> PyErr {
    match object.get_type().fully_qualified_name() {
        Ok(given) => PyTypeError::new_err(format!("{name} is a {given}, {wanted} is needed")),
        Err(error) => error,
    }
}

fn in_use(name: &str) -> PyErr {
    PyValueError::new_err(format!("{name} is being read or written by another call"))
}

/// `(2, 3)` as Python writes it.
pub(crate) fn shape_text(shape: &[usize]) -> String {
    match shape {
        [one] => format!("({one},)"),
        _ => format!("({})", shape.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")),
    }
}
