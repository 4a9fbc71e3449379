//! Numbers of any type from the bytes or words of a PLY file, and back.

use std::borrow::Cow;

use lcrs_codec::Values;
use lcrs_core::{Error, Result};
use lcrs_format::ScalarType;

use super::shortened::shortened;

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
            let wide: f64 = word.parse().map_err(|_| Error::corrupt(format!("'{}' is no number", shortened(word))))?;
            match column {
                $(Values::$name(values) => {
                    let value = wide as $type;
                    // beyond the type, and fractions, come back as another number
                    let is_legal = !$is_whole || (value as f64 == wide && wide.is_finite());
                    if !is_legal {
                        return Err(Error::corrupt(format!("'{}' is no {}", shortened(word), stringify!($type))));
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

        /// Columns side by side, row by row; of several types in the one that NumPy has for these.
        pub(super) fn interleaved(columns: [&Values<'static>; 3]) -> Values<'static> {
            match columns {
                $([Values::$name(x), Values::$name(y), Values::$name(z)] => {
                    let rows = x.iter().zip(y.iter()).zip(z.iter());
                    Values::$name(rows.flat_map(|((x, y), z)| [*x, *y, *z]).collect::<Vec<_>>().into())
                })*
                _ => {
                    let rows = 0..columns[0].len();
                    match promoted(columns.map(Values::number)) {
                        $(ScalarType::$name => {
                            let cast = |column, i| {
                                if $is_whole { whole(column, i) as $type } else { float(column, i) as $type }
                            };
                            Values::$name(rows.flat_map(|i| columns.map(|column| cast(column, i))).collect())
                        })*
                    }
                }
            }
        }

        /// Number `i` of a column of whole numbers.
        fn whole(column: &Values<'_>, i: usize) -> i128 {
            match column {
                $(Values::$name(values) => values[i] as i128,)*
            }
        }

        /// The binary64 number next to number `i` of a column.
        fn float(column: &Values<'_>, i: usize) -> f64 {
            match column {
                $(Values::$name(values) => values[i] as f64,)*
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

/// The type that NumPy turns numbers of these types into.
fn promoted(numbers: [ScalarType; 3]) -> ScalarType {
    let widest = |is_kind: fn(&str) -> bool| {
        let bytes = numbers.iter().filter(|number| is_kind(number.name())).map(|number| number.num_bytes());
        bytes.max().unwrap_or(0)
    };
    let float = widest(|name| name.starts_with('f'));
    let (signed, unsigned) = (widest(|name| name.starts_with('i')), widest(|name| name.starts_with('u')));
    let (letter, bytes) = match float {
        0 if signed == 0 => ("uint", unsigned),
        0 if unsigned < signed => ("int", signed),
        0 if unsigned < 8 => ("int", 2 * unsigned),
        4 if signed.max(unsigned) < 4 => ("float", 4),
        _ => ("float", 8),
    };
    ScalarType::from_name(&format!("{letter}{}", 8 * bytes)).unwrap_or(ScalarType::F64)
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_of_several_types_become_one_as_in_numpy() {
        use ScalarType::{F32, F64, I16, I32, I64, I8, U16, U32, U64, U8};
        // np.result_type of the three
        for (numbers, expected) in [
            ([F32, F32, F64], F64),
            ([F32, U16, I8], F32),
            ([F32, I32, U8], F64),
            ([U8, U16, U8], U16),
            ([I8, U8, I8], I16),
            ([I16, U16, U8], I32),
            ([I64, U8, U32], I64),
            ([U32, I8, I16], I64),
            ([U64, I8, U8], F64),
            ([U64, U8, U8], U64),
        ] {
            assert_eq!(promoted(numbers), expected, "{numbers:?}");
        }
        let (x, y, z) = (Values::U64(vec![7].into()), Values::I32(vec![-3].into()), Values::F32(vec![0.1].into()));
        assert_eq!(interleaved([&x, &y, &z]), Values::F64(vec![7.0, -3.0, f64::from(0.1_f32)].into()));
        let (x, y) = (Values::I8(vec![-1].into()), Values::U16(vec![65535].into()));
        assert_eq!(interleaved([&x, &y, &x]), Values::I32(vec![-1, 65535, -1].into()));
    }
}
