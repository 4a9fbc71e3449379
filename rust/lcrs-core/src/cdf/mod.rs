//! Integer tables of cumulative frequencies: their construction, validation and use.

mod cells;
mod pmf;
mod table;

pub(crate) use cells::{Bisect, Search};
pub use pmf::{pmf_to_quantized_cdf, MAX_PRECISION};
pub use table::{CdfTable, Row};
