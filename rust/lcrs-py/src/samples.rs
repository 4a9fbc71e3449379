//! Pixels and samples of any type as arrays, or as bytes for programs that do without NumPy.

use lcrs_codec::{self as codec, Layout, Picture};
use lcrs_format::{Color, NumberType, Samples};
use numpy::{Element, PyArrayDyn, PyArrayMethods};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};

use crate::arrays::{self, shape_text, Input};
use crate::errors::to_py;

/// What the caller says of samples that are given as bytes, and of the bits of a component.
pub(crate) struct Given {
    pub shape: Option<Vec<usize>>,
    pub dtype: Option<String>,
    pub bit_depth: Option<u8>,
}

/// A picture or an array for a package, from an array or from bytes.
pub(crate) fn picture(package: &codec::Package, pixels: &Bound<'_, PyAny>, given: &Given) -> PyResult<Picture> {
    picture_of(package.samples(), package.name(), pixels, given)
}

/// The same for what takes such samples and has this name.
pub(crate) fn picture_of(takes: Samples, name: &str, pixels: &Bound<'_, PyAny>, given: &Given) -> PyResult<Picture> {
    let py = pixels.py();
    if given.shape.is_some() {
        let layout = layout_of(takes, name, given)?;
        let bytes = arrays::bytes(pixels, "pixels")?;
        let picture = arrays::copied(&bytes, "pixels").and_then(|data| Picture::with_layout(layout, data));
        return picture.map_err(|error| to_py(py, &error.at("pixels")));
    }
    if given.dtype.is_some() {
        return Err(PyValueError::new_err("dtype is for pixels that are given as bytes, with their shape"));
    }
    let number = match takes {
        Samples::Array { number, .. } => number,
        Samples::Picture { .. } if pixels.cast::<PyArrayDyn<u16>>().is_ok() => NumberType::U16,
        Samples::Picture { .. } => NumberType::U8,
    };
    let (shape, data) = match number {
        NumberType::U8 => taken(pixels, |sample: u8| [sample]),
        NumberType::I8 => taken(pixels, i8::to_le_bytes),
        NumberType::U16 => taken(pixels, u16::to_le_bytes),
        NumberType::I16 => taken(pixels, i16::to_le_bytes),
        NumberType::F32 => taken(pixels, f32::to_le_bytes),
    }?;
    let layout = layout_of(
        takes,
        name,
        &Given { shape: Some(shape), dtype: Some(number.name().to_owned()), bit_depth: given.bit_depth },
    )?;
    Picture::with_layout(layout, data).map_err(|error| to_py(py, &error.at("pixels")))
}

/// What a shape, (H, W) or (H, W, C), and a type mean for a package.
pub(crate) fn layout(package: &codec::Package, given: &Given) -> PyResult<Layout> {
    layout_of(package.samples(), package.name(), given)
}

/// What a shape and a type mean for a model of this name that takes such samples.
pub(crate) fn layout_of(taken: Samples, name: &str, given: &Given) -> PyResult<Layout> {
    let invalid = |message: String| PyValueError::new_err(message);
    let shape = given.shape.as_deref().unwrap_or_default();
    let (height, width, channels) = match *shape {
        [height, width] => (height, width, 1),
        [height, width, channels] => (height, width, channels),
        _ => return Err(invalid(format!("pixels has shape {}, (H, W) or (H, W, C) is needed", shape_text(shape)))),
    };
    let number = match &given.dtype {
        Some(dtype) => NumberType::from_name(dtype).ok_or_else(|| invalid(unknown_type(dtype)))?,
        None => taken.number(),
    };
    let side = |side: usize| u32::try_from(side).unwrap_or(u32::MAX);
    let samples = match taken {
        Samples::Array { .. } if given.bit_depth.is_some() => {
            return Err(invalid(format!("bit_depth is for pictures, model '{name}' codes arrays")))
        }
        Samples::Array { .. } => Samples::Array { number, channels: side(channels) },
        Samples::Picture { .. } => {
            let color = match channels {
                1 => Color::Grey,
                3 => Color::Rgb,
                _ => {
                    let found = shape_text(shape);
                    return Err(invalid(format!("pixels has shape {found}, (H, W, 3), (H, W, 1) or (H, W) is needed")));
                }
            };
            Samples::Picture { color, bit_depth: bit_depth(number, given.bit_depth)? }
        }
    };
    Ok(Layout { width: side(width), height: side(height), samples, has_channel_axis: shape.len() == 3 })
}

fn bit_depth(number: NumberType, given: Option<u8>) -> PyResult<u8> {
    let (most, legal) = match number {
        NumberType::U8 => (8, 1..=8),
        NumberType::U16 => (16, 9..=16),
        other => {
            let message = format!("pixels has dtype {}, uint8 or uint16 is needed for pictures", other.name());
            return Err(PyValueError::new_err(message));
        }
    };
    match given {
        None => Ok(most),
        Some(bits) if legal.contains(&bits) => Ok(bits),
        Some(bits) => {
            let message = format!("bit_depth is {bits} ({} to {} for {})", legal.start(), legal.end(), number.name());
            Err(PyValueError::new_err(message))
        }
    }
}

/// The shape and the little-endian bytes of an array of `T`.
fn taken<T: Element + Copy, const N: usize>(
    pixels: &Bound<'_, PyAny>,
    bytes: impl Fn(T) -> [u8; N],
) -> PyResult<(Vec<usize>, Vec<u8>)> {
    let py = pixels.py();
    let pixels = Input::<T>::new(pixels, "pixels")?;
    let samples = pixels.slice()?;
    let mut data = arrays::room::<u8>(py, size_of_val(samples), "pixels")?;
    for sample in samples {
        data.extend_from_slice(&bytes(*sample));
    }
    Ok((pixels.shape().to_vec(), data))
}

/// The shape of a picture's array: (H, W, C), or (H, W) if it had no more.
pub(crate) fn shape(layout: &Layout) -> Vec<usize> {
    let mut shape = vec![layout.height as usize, layout.width as usize];
    shape.extend(layout.has_channel_axis.then(|| layout.samples.channels()));
    shape
}

/// The bits of a component, for pictures.
pub(crate) fn depth(layout: &Layout) -> Option<u8> {
    match layout.samples {
        Samples::Picture { bit_depth, .. } => Some(bit_depth),
        Samples::Array { .. } => None,
    }
}

/// The samples of a picture as an array of their type.
pub(crate) fn array(py: Python<'_>, picture: Picture) -> PyResult<Bound<'_, PyAny>> {
    let layout = picture.layout();
    match layout.samples.number() {
        NumberType::U8 => {
            let array = arrays::to_array(py, picture.into_data())?;
            Ok(array.reshape(shape(&layout))?.into_any())
        }
        NumberType::I8 => given(py, &picture, i8::from_le_bytes),
        NumberType::U16 => given(py, &picture, u16::from_le_bytes),
        NumberType::I16 => given(py, &picture, i16::from_le_bytes),
        NumberType::F32 => given(py, &picture, f32::from_le_bytes),
    }
}

fn given<'py, T: Element, const N: usize>(
    py: Python<'py>,
    picture: &Picture,
    sample: impl Fn([u8; N]) -> T,
) -> PyResult<Bound<'py, PyAny>> {
    let mut bytes = [0; N];
    let mut samples = arrays::room::<T>(py, picture.data().len() / N, "samples")?;
    samples.extend(picture.data().chunks_exact(N).map(|source| {
        bytes.copy_from_slice(source);
        sample(bytes)
    }));
    let array = arrays::to_array(py, samples)?;
    Ok(array.reshape(shape(&picture.layout()))?.into_any())
}

/// The samples of a picture as bytes, their shape, their type and the bits of a component.
pub(crate) type Bytes<'py> = (Bound<'py, PyBytes>, Bound<'py, PyTuple>, &'static str, Option<u8>);

fn unknown_type(name: &str) -> String {
    let known = NumberType::ALL.map(NumberType::name).join(", ");
    format!("dtype is '{name}' ({known})")
}
