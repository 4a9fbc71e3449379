//! Numbers of any type from the bytes or words of a PLY file, and back.

use std::borrow::Cow;

use lcrs_codec::Values;
use lcrs_core::{Error, Result};
use lcrs_format::ScalarType;

macro_rules! columns {
    ($($name:ident: $type:ty, $is_whole:expr),*) => {
        /// No numbers of a type.
        pub(super) fn empty(number: ScalarType) -> Values<'static> {
            match number {
                $(ScalarType::$name => Values::$name(Cow::Borrowed(&[])),)*
            }
        }

        /// Appends the number that `bytes` begin with, in the order that is said; none if there are too few.
        pub(super) fn push_bytes(column: &mut Values<'static>, bytes: &[u8], is_big: bool) -> Option<()> {
            match column {
                $(Values::$name(values) => {
                    let bytes = bytes.first_chunk::<{ size_of::<$type>() }>()?;
                    let value = if is_big { <$type>::from_be_bytes(*bytes) } else { <$type>::from_le_bytes(*bytes) };
                    values.to_mut().push(value);
                })*
            }
            Some(())
        }

        /// Appends a number that stands as a word: as the nearest binary64 number first.
        pub(super) fn push_word(column: &mut Values<'static>, word: &str) -> Result<()> {
            let wide: f64 = word.parse().map_err(|_| Error::corrupt(format!("'{word:.40}' is no number")))?;
            match column {
                $(Values::$name(values) => {
                    let value = wide as $type;
                    // beyond the type, and fractions, come back as another number
                    let is_legal = !$is_whole || (value as f64 == wide && wide.is_finite());
                    if !is_legal {
                        return Err(Error::corrupt(format!("'{word:.40}' is no {}", stringify!($type))));
                    }
                    values.to_mut().push(value);
                })*
            }
            Ok(())
        }

        /// Writes number `i` of a column, little endian.
        pub(super) fn write(column: &Values<'_>, i: usize, out: &mut Vec<u8>) {
            match column {
                $(Values::$name(values) => out.extend(values[i].to_le_bytes()),)*
            }
        }

        /// Room for so many numbers more.
        pub(super) fn reserve(column: &mut Values<'static>, count: usize) -> Result<()> {
            let short = |_| Error::limit(format!("no memory for {count} numbers"));
            match column {
                $(Values::$name(values) => values.to_mut().try_reserve_exact(count).map_err(short),)*
            }
        }

        /// Columns of one type side by side, row by row; none if they differ.
        pub(super) fn interleaved(columns: [&Values<'static>; 3]) -> Option<Values<'static>> {
            match columns {
                $([Values::$name(x), Values::$name(y), Values::$name(z)] => {
                    let rows = x.iter().zip(y.iter()).zip(z.iter());
                    Some(Values::$name(rows.flat_map(|((x, y), z)| [*x, *y, *z]).collect::<Vec<_>>().into()))
                })*
                _ => None,
            }
        }

        /// One of three columns that lie row by row.
        pub(super) fn axis(columns: &Values<'_>, axis: usize) -> Values<'static> {
            match columns {
                $(Values::$name(values) => {
                    Values::$name(Cow::Owned(values.iter().skip(axis).step_by(3).copied().collect()))
                })*
            }
        }
    };
}

columns!(
    U8: u8, true,
    I8: i8, true,
    U16: u16, true,
    I16: i16, true,
    U32: u32, true,
    I32: i32, true,
    U64: u64, true,
    I64: i64, true,
    F32: f32, false,
    F64: f64, false
);

/// The last number of a column of whole numbers, as a length.
pub(super) fn last_length(column: &Values<'_>) -> Option<usize> {
    match column {
        Values::U8(values) => values.last().map(|v| usize::from(*v)),
        Values::U16(values) => values.last().map(|v| usize::from(*v)),
        Values::U32(values) => values.last().and_then(|v| usize::try_from(*v).ok()),
        Values::U64(values) => values.last().and_then(|v| usize::try_from(*v).ok()),
        Values::I8(values) => values.last().and_then(|v| usize::try_from(*v).ok()),
        Values::I16(values) => values.last().and_then(|v| usize::try_from(*v).ok()),
        Values::I32(values) => values.last().and_then(|v| usize::try_from(*v).ok()),
        Values::I64(values) => values.last().and_then(|v| usize::try_from(*v).ok()),
        Values::F32(_) | Values::F64(_) => None,
    }
}

/// Numbers of 64 bits, which PLY lacks, in a type that holds them all.
///
/// # Errors
/// [`lcrs_core::ErrorKind::InvalidArgument`] if there is none.
pub(super) fn writable<'a>(name: &str, values: Values<'a>) -> Result<Values<'a>> {
    let wide: Vec<i128> = match &values {
        Values::U64(values) => values.iter().map(|v| i128::from(*v)).collect(),
        Values::I64(values) => values.iter().map(|v| i128::from(*v)).collect(),
        _ => return Ok(values),
    };
    let (least, most) = wide.iter().fold((0, 0), |(least, most), v| (*v.min(&least), *v.max(&most)));
    if least >= i128::from(i32::MIN) && most <= i128::from(i32::MAX) {
        return Ok(Values::I32(wide.iter().map(|v| *v as i32).collect()));
    }
    if least >= 0 && most <= i128::from(u32::MAX) {
        return Ok(Values::U32(wide.iter().map(|v| *v as u32).collect()));
    }
    if most.max(-least) > 1 << 53 {
        return Err(Error::invalid(format!("{name} has whole numbers beyond 2^53, which PLY has no type for")));
    }
    Ok(Values::F64(wide.iter().map(|v| *v as f64).collect()))
}
