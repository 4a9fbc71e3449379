//! Everything in lcrs that decides a bit: the entropy coder, CDF construction, exact network
//! arithmetic and scan orders; kernels of point clouds; and how alike pictures are.
//!
//! Pure Rust: no Python, no input or output, no global state. Bytes from outside lead to an
//! [`Error`], never to a panic, an unbounded loop or an allocation beyond [`Limits`].
//! Results depend neither on the instruction set ([`Simd`]) nor on the number of threads ([`Pool`]).

mod buffer_pool;
pub mod cdf;
mod error;
pub mod exact;
mod fingerprint;
mod interrupt;
pub mod latent;
mod limits;
mod parallel;
pub mod points;
pub mod rans;
mod runtime;
pub mod scan;
mod simd;
pub mod similarity;
mod thread_affinity;
mod wide;

pub use error::{Error, ErrorKind, Result};
pub use fingerprint::fingerprint;
pub use interrupt::{Answer, Interrupt};
pub use limits::Limits;
pub use parallel::Pool;
pub use runtime::Runtime;
pub use simd::Simd;
