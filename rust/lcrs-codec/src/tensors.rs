//! Named tensors as packages and callers hand them over: a shape and typed numbers.

use std::borrow::Cow;
use std::collections::BTreeMap;

use half::f16;
use half::slice::HalfFloatSliceExt as _;
use lcrs_core::{Error, Limits, Result};

/// The numbers of a tensor, row-major.
#[derive(Debug, Clone, PartialEq)]
pub enum TensorData<'a> {
    /// binary32.
    F32(Cow<'a, [f32]>),
    /// binary16; widened exactly where numbers are used.
    F16(Cow<'a, [f16]>),
    /// Signed 32-bit integers (tables).
    I32(Cow<'a, [i32]>),
}

impl TensorData<'_> {
    /// Number of elements.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::F32(data) => data.len(),
            Self::F16(data) => data.len(),
            Self::I32(data) => data.len(),
        }
    }

    /// Whether there is no element.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The name that safetensors has for the type.
    #[must_use]
    pub fn dtype(&self) -> &'static str {
        match self {
            Self::F32(_) => "F32",
            Self::F16(_) => "F16",
            Self::I32(_) => "I32",
        }
    }
}

/// A tensor: shape and numbers, borrowed or owned.
#[derive(Debug, Clone, PartialEq)]
pub struct TensorView<'a> {
    shape: Cow<'a, [usize]>,
    data: TensorData<'a>,
}

impl<'a> TensorView<'a> {
    /// A tensor of `shape`.
    ///
    /// # Errors
    /// [`lcrs_core::ErrorKind::InvalidArgument`] if the shape does not hold as many elements as there are.
    pub fn new(shape: impl Into<Cow<'a, [usize]>>, data: TensorData<'a>) -> Result<Self> {
        let shape = shape.into();
        let elements = shape.iter().try_fold(1_usize, |product, side| product.checked_mul(*side));
        if elements != Some(data.len()) {
            return Err(Error::invalid(format!("shape {shape:?} does not hold {} elements", data.len())));
        }
        Ok(Self { shape, data })
    }

    /// A binary32 tensor; see [`TensorView::new`].
    ///
    /// # Errors
    /// As [`TensorView::new`].
    pub fn f32(shape: &'a [usize], data: &'a [f32]) -> Result<Self> {
        Self::new(shape, TensorData::F32(data.into()))
    }

    /// A tensor of 32-bit integers; see [`TensorView::new`].
    ///
    /// # Errors
    /// As [`TensorView::new`].
    pub fn i32(shape: &'a [usize], data: &'a [i32]) -> Result<Self> {
        Self::new(shape, TensorData::I32(data.into()))
    }

    /// Sizes, outermost first.
    #[must_use]
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The numbers.
    #[must_use]
    pub fn data(&self) -> &TensorData<'a> {
        &self.data
    }

    /// The same tensor, borrowed from this one.
    #[must_use]
    pub fn borrowed(&self) -> TensorView<'_> {
        let data = match &self.data {
            TensorData::F32(data) => TensorData::F32(Cow::Borrowed(data)),
            TensorData::F16(data) => TensorData::F16(Cow::Borrowed(data)),
            TensorData::I32(data) => TensorData::I32(Cow::Borrowed(data)),
        };
        TensorView { shape: Cow::Borrowed(&self.shape), data }
    }

    /// The numbers as finite binary32.
    ///
    /// # Errors
    /// [`lcrs_core::ErrorKind::Corrupt`] for integers, an infinity or a NaN; [`lcrs_core::ErrorKind::Limit`] without memory.
    pub(crate) fn to_f32(&self) -> Result<Cow<'_, [f32]>> {
        let numbers = match &self.data {
            TensorData::F32(data) => Cow::Borrowed(&data[..]),
            TensorData::F16(data) => {
                let mut wide = Limits::default().zeroed(data.len(), "numbers")?;
                data.convert_to_f32_slice(&mut wide);
                Cow::Owned(wide)
            }
            TensorData::I32(_) => return Err(Error::corrupt("holds I32 where F32 or F16 is needed")),
        };
        // Of all before the first is looked for: a search that stops early does not take many numbers at a time.
        if !numbers.iter().fold(true, |finite, value| finite & value.is_finite()) {
            let i = numbers.iter().position(|value| !value.is_finite()).unwrap_or_default();
            return Err(Error::corrupt(format!("element {i} is {}, must be finite", numbers[i])));
        }
        Ok(numbers)
    }

    /// The numbers as integers.
    ///
    /// # Errors
    /// [`lcrs_core::ErrorKind::Corrupt`] for any other type.
    pub(crate) fn to_i32(&self) -> Result<&[i32]> {
        match &self.data {
            TensorData::I32(data) => Ok(data),
            other => Err(Error::corrupt(format!("holds {} where I32 is needed", other.dtype()))),
        }
    }
}

/// Where graphs and tables find their tensors by name.
pub(crate) type Lookup<'a, 't> = &'a dyn Fn(&str) -> Option<TensorView<'t>>;

/// Tensors by name, sorted.
pub type Tensors<'a> = BTreeMap<String, TensorView<'a>>;

/// The tensor of this name.
///
/// # Errors
/// [`lcrs_core::ErrorKind::Corrupt`] if there is none.
pub(crate) fn find<'t>(tensors: Lookup<'_, 't>, name: &str) -> Result<TensorView<'t>> {
    tensors(name).ok_or_else(|| Error::corrupt(format!("there is no tensor {name:?}")))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn shapes_must_fit() {
        assert!(TensorView::f32(&[2, 3], &[0.0; 6]).is_ok());
        assert!(TensorView::f32(&[2, 3], &[0.0; 5]).is_err());
        assert!(TensorView::f32(&[usize::MAX, 2], &[]).is_err());
    }

    #[test]
    fn half_precision_widens_exactly() {
        let numbers = [f16::from_f32(1.5), f16::from_f32(5.960_464_5e-8)];
        let tensor = TensorView::new(vec![2], TensorData::F16(numbers.to_vec().into())).unwrap();
        assert_eq!(tensor.to_f32().unwrap()[..], [1.5, 2.0_f32.powi(-24)]);
        assert!(tensor.to_i32().is_err());
    }

    #[test]
    fn only_finite_numbers_pass() {
        for bad in [f32::NAN, f32::INFINITY] {
            let error = TensorView::f32(&[2], &[0.0, bad]).unwrap().to_f32().unwrap_err();
            assert!(error.message().contains("element 1"), "{error}");
        }
    }
}
