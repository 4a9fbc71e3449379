//! Columns of numbers of any type: coordinates and properties of points.

use std::borrow::Cow;

use lcrs_core::{Limits, Result};
use lcrs_format::ScalarType;

/// Numbers of one type.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)] // named by their types
pub enum Values<'a> {
    U8(Cow<'a, [u8]>),
    I8(Cow<'a, [i8]>),
    U16(Cow<'a, [u16]>),
    I16(Cow<'a, [i16]>),
    U32(Cow<'a, [u32]>),
    I32(Cow<'a, [i32]>),
    U64(Cow<'a, [u64]>),
    I64(Cow<'a, [i64]>),
    F32(Cow<'a, [f32]>),
    F64(Cow<'a, [f64]>),
}

/// Runs `$body` with the numbers of `$values`, whatever their type, as the slice `$slice`.
macro_rules! with_values {
    ($values:expr, $slice:ident => $body:expr) => {
        match $values {
            Values::U8($slice) => $body,
            Values::I8($slice) => $body,
            Values::U16($slice) => $body,
            Values::I16($slice) => $body,
            Values::U32($slice) => $body,
            Values::I32($slice) => $body,
            Values::U64($slice) => $body,
            Values::I64($slice) => $body,
            Values::F32($slice) => $body,
            Values::F64($slice) => $body,
        }
    };
}

/// A number as a whole number of as many bits that has the same order: so near numbers have near codes.
pub(crate) trait Scalar: Copy + Default + PartialEq + Send + Sync {
    const TYPE: ScalarType;
    fn code(self) -> u64;
    fn of_code(code: u64) -> Self;
    fn wrap(values: Vec<Self>) -> Values<'static>;
}

macro_rules! scalar {
    ($type:ty, $bits:ty, $name:ident, $code:expr, $of_code:expr) => {
        impl Scalar for $type {
            const TYPE: ScalarType = ScalarType::$name;
            fn code(self) -> u64 {
                let code: fn(Self) -> $bits = $code;
                u64::from(code(self))
            }
            fn of_code(code: u64) -> Self {
                let of_code: fn($bits) -> Self = $of_code;
                of_code(code as $bits)
            }
            fn wrap(values: Vec<Self>) -> Values<'static> {
                Values::$name(values.into())
            }
        }
    };
}

scalar!(u8, u8, U8, |v| v, |c| c);
scalar!(u16, u16, U16, |v| v, |c| c);
scalar!(u32, u32, U32, |v| v, |c| c);
scalar!(u64, u64, U64, |v| v, |c| c);
scalar!(i8, u8, I8, |v| v as u8 ^ 1 << 7, |c| (c ^ 1 << 7) as i8);
scalar!(i16, u16, I16, |v| v as u16 ^ 1 << 15, |c| (c ^ 1 << 15) as i16);
scalar!(i32, u32, I32, |v| v as u32 ^ 1 << 31, |c| (c ^ 1 << 31) as i32);
scalar!(i64, u64, I64, |v| v as u64 ^ 1 << 63, |c| (c ^ 1 << 63) as i64);
scalar!(f32, u32, F32, |v| ordered(v.to_bits().into(), 32) as u32, |c| Self::from_bits(plain(c.into(), 32) as u32));
scalar!(f64, u64, F64, |v| ordered(v.to_bits(), 64), |c| Self::from_bits(plain(c, 64)));

/// The pattern of a float, of negative ones inverted, of others with the sign's bit set.
fn ordered(pattern: u64, bits: u32) -> u64 {
    let sign = 1 << (bits - 1);
    if pattern & sign == 0 {
        pattern | sign
    } else {
        !pattern & (sign | (sign - 1))
    }
}

fn plain(code: u64, bits: u32) -> u64 {
    let sign = 1 << (bits - 1);
    if code & sign == 0 {
        !code & (sign | (sign - 1))
    } else {
        code & !sign
    }
}

impl Values<'_> {
    /// How many numbers.
    #[must_use]
    pub fn len(&self) -> usize {
        with_values!(self, values => values.len())
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Their type.
    #[must_use]
    pub fn number(&self) -> ScalarType {
        fn of<T: Scalar>(_: &[T]) -> ScalarType {
            T::TYPE
        }
        with_values!(self, values => of(values))
    }

    /// Bytes of all of them.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        (self.len() * self.number().num_bytes()) as u64
    }

    /// The codes of the numbers at these places.
    pub(crate) fn codes(&self, order: &[u32], limits: &Limits) -> Result<Vec<u64>> {
        let mut codes: Vec<u64> = limits.zeroed(order.len(), "values")?;
        with_values!(self, values => {
            codes.iter_mut().zip(order).for_each(|(code, place)| *code = values[*place as usize].code());
        });
        Ok(codes)
    }

    /// The numbers of a type with these codes.
    pub(crate) fn of_codes(number: ScalarType, codes: &[u64], limits: &Limits) -> Result<Values<'static>> {
        fn of<T: Scalar>(codes: &[u64], limits: &Limits) -> Result<Values<'static>> {
            let mut values: Vec<T> = limits.zeroed(codes.len(), "values")?;
            values.iter_mut().zip(codes).for_each(|(value, code)| *value = T::of_code(*code));
            Ok(T::wrap(values))
        }
        match number {
            ScalarType::U8 => of::<u8>(codes, limits),
            ScalarType::I8 => of::<i8>(codes, limits),
            ScalarType::U16 => of::<u16>(codes, limits),
            ScalarType::I16 => of::<i16>(codes, limits),
            ScalarType::U32 => of::<u32>(codes, limits),
            ScalarType::I32 => of::<i32>(codes, limits),
            ScalarType::U64 => of::<u64>(codes, limits),
            ScalarType::I64 => of::<i64>(codes, limits),
            ScalarType::F32 => of::<f32>(codes, limits),
            ScalarType::F64 => of::<f64>(codes, limits),
        }
    }
}

#[cfg(test)]
#[allow(clippy::float_cmp)]
mod tests {
    use super::*;

    #[test]
    fn codes_keep_order_and_bits() {
        let floats = [f32::NEG_INFINITY, -1.5, -f32::MIN_POSITIVE, -0.0, 0.0, 1e-40, 2.0, f32::INFINITY];
        assert!(floats.windows(2).all(|pair| pair[0].code() < pair[1].code()));
        assert!([i8::MIN, -1, 0, i8::MAX].windows(2).all(|pair| pair[0].code() < pair[1].code()));
        let odd = [f64::NAN.to_bits(), 0xFFF0_0000_0000_0001, (-0.0_f64).to_bits(), 1];
        assert!(odd.iter().all(|bits| f64::of_code(f64::from_bits(*bits).code()).to_bits() == *bits));
        assert_eq!(i64::of_code(i64::MIN.code()), i64::MIN);
        assert_eq!((i16::of_code((-3_i16).code()), f32::of_code((-7.25_f32).code())), (-3, -7.25));
    }
}
