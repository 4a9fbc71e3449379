//! The native module `lcrs._lcrs`: conversion, error mapping and the release of the GIL; nothing else.

use pyo3::prelude::*;

#[pymodule(gil_used = false)]
mod _lcrs {
    use super::*;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
