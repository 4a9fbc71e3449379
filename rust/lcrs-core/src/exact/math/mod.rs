//! The transcendental functions of the exact path, in binary64, from additions, multiplications and divisions alone.
//!
//! Every function below is a fixed sequence of IEEE-754 operations (round to nearest even, no contraction), so all
//! processors give the same bits. Error bounds are against the true value, in units in the last place (ulp); tests
//! check them against 60-digit references.
//!
//! | function | bound | algorithm |
//! |---|---|---|
//! | [`exp`] | 1 ulp | `x = k ln 2 + r`, Taylor series of degree 13 in `r`, scaling by two powers of two |
//! | [`ln`] | 1 ulp | `x = 2^k m`, `s = (m-1)/(m+1)`, series in `s^2` of 11 terms |
//! | [`tanh`] | 3 ulp | `expm1` series of degree 17 below 0.35, else `1 - 2 / (exp(2x) + 1)` |
//! | [`sigmoid`] | 3 ulp | `1 / (1 + exp(-x))`, or `exp(x) / (1 + exp(x))` below zero |
//! | [`softplus`] | 2 ulp | `max(x, 0) + ln(1 + exp(-abs(x)))` with a first-order correction of the sum |
//! | [`erfc`] | 8 ulp, normal results | Chebyshev series of `(1 + 2x) exp(x^2) erfc(x)` (Shepherd and Laframboise 1981), `exp(-x^2)` in two factors |
//! | [`gelu`], [`gelu_tanh`], [`silu`], [`mish`], [`elu`] | 2^-30 relative | from the above, for binary32 arguments |
//! | [`ppf`] | 8 ulp of max(abs, 1/2) | bisection of the normal distribution function down to neighbouring numbers |
//!
//! Constants are written to 20 digits or as quotients of exact integers; where one is derived, the derivation stands
//! beside it.

mod activations;
mod error_function;
mod exponential;
mod hyperbolic;
mod logarithm;

pub use activations::{elu, gelu, gelu_tanh, mish, silu};
pub use error_function::{erfc, ppf};
pub use exponential::exp;
pub use hyperbolic::{sigmoid, softplus, tanh};
pub use logarithm::ln;
