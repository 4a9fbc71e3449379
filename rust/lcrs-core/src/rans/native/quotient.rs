//! Division by frequencies through reciprocals in binary64.
//!
//! For `f <= y < 2^48`, `f < 2^16` and a quotient `q = y div f` below `2^32` the low bits of `y r + FLOOR`, rounded once,
//! are `q`, where `r` is `ABOVE_ONE / f` but for roundings of `2^-52`: `y r` is above `y / f`, by less than `2^-17`. So it
//! is not below `q`, and as `y / f` is at least `2^-16` below the next integer it is below that one too. `FLOOR` then
//! moves both `2^52` up, where binary64 has no fractions, and one half down, so that rounding becomes the floor.
//! A product that is rounded first is no less good: that adds `2^-21` at most, and stays above `q`.

/// Where binary64 numbers begin to be whole.
pub(super) const UNIT: f64 = (1u64 << 52) as f64;
/// 1 and `2^-50`: more than all roundings together.
pub(super) const ABOVE_ONE: f64 = 1.0 + 1.0 / (1u64 << 50) as f64;
/// Added to a number that is not quite whole, it leaves the floor in the low bits.
pub(super) const FLOOR: f64 = UNIT - 0.5;
