//! Integer tables of cumulative frequencies: their construction, validation and use.

mod bisect;
mod buckets;
mod cells;
mod factorized;
mod gaussian;
mod indexes;
mod mixture;
mod pmf;
mod reciprocal;
mod row;
mod rows;
mod table;
mod thresholds;

pub(crate) use bisect::Bisect;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
pub(crate) use cells::Narrow;
pub(crate) use cells::{take_either, Search, ESCAPE};
pub use factorized::{
    factorized_medians, factorized_table, factorized_table_of_precision, factorized_table_with_step_size,
    FactorizedParameters,
};
pub use gaussian::{default_scale_table, gaussian_table, gaussian_table_of_precision, scale_table};
pub use indexes::indexes;
pub use mixture::{mixture_table, MixtureParameters};
pub use pmf::{pmf_to_quantized_cdf, MAX_PRECISION};
pub use row::Row;
pub use table::CdfTable;
pub use thresholds::{thresholds, Choice, Domain};
